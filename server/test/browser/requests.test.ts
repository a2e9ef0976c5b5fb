// The request API from a page of another origin in Chromium, by the built SDK: submit, follow the
// events with the token in a header, fetch the result. Needs `npm run build` and Chromium.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRequestService, type RequestService } from '../integration/request-service.ts';

// A server, its commands and a browser are started.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const executablePath = '/usr/bin/chromium';
const dist = fileURLToPath(new URL('../../../sdk/dist', import.meta.url));
const isReady = existsSync(executablePath) && existsSync(join(dist, 'index.js'));

/** What the functions that run in the page find there. */
declare const window: { readonly sluice: typeof import('@sluice/sdk') };
declare const document: { title: string };

const html = `<!doctype html><meta charset="utf-8"><title>Requests</title>
<script type="module">
  import * as sluice from '/sdk/index.js';
  window.sluice = sluice;
  document.title = 'ready';
</script>`;

describe.skipIf(!isReady)('requests of a page of another origin', () => {
  let site: Server;
  let browser: Browser;
  let page: Page;
  let service: RequestService;
  /** Of a web application: what it submitted itself. */
  let token: string;

  beforeAll(async () => {
    site = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://page').pathname;
      if (path === '/') {
        response.writeHead(200, { 'content-type': 'text/html' }).end(html);
        return;
      }
      const file = resolve(dist, `.${path.replace('/sdk', '')}`);
      if (!file.startsWith(dist + sep)) {
        response.writeHead(404).end();
        return;
      }
      readFile(file).then(
        (text) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(text),
        () => response.writeHead(404).end(),
      );
    });
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    // What listens is an address with a port.
    const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    service = await openRequestService({ allowOrigin: origin });
    const made = ['token', 'demo', '--add', 'web', '--scope', 'submit,read', '--json'] as const;
    token = (JSON.parse((await service.sluice(...made)).stdout) as { token: string }).token;
    browser = await chromium.launch({
      executablePath,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
    });
    page = await browser.newPage();
    await page.goto(origin);
    await page.waitForFunction(() => document.title === 'ready');
  });

  afterAll(async () => {
    await browser?.close();
    site?.close();
    await service?.close();
  });

  it('are submitted, followed as they stream, and their results fetched', async () => {
    const following = page.evaluate(
      async ({ url, token }) => {
        const requests = new window.sluice.RequestClient({ url, service: 'demo', token });
        const options = { idempotencyKey: 'page-1', tags: { from: 'page' }, priority: 1 };
        const { id } = await requests.submit('stream one two three', options);
        const again = await requests.submit('stream one two three', options);
        let text = '';
        let last = '';
        for await (const event of requests.events(id)) {
          last = event.event;
          if (event.event === 'output' && 'text' in event.data) {
            text += event.data.text;
            document.title = text.includes('one') ? 'streams' : 'begins';
          }
        }
        const result = await requests.result(id);
        return {
          same: again.id === id && again.repeated,
          text,
          last,
          modelStatus: result?.modelStatus,
          result: await result?.text(),
        };
      },
      { url: service.url, token },
    );
    await page.waitForFunction(() => document.title === 'streams');
    service.model.release();
    const whole = 'data: stream\n\ndata: one\n\ndata: two\n\ndata: three\n\n';
    expect(await following).toEqual({
      same: true,
      text: whole,
      last: 'done',
      modelStatus: 200,
      result: whole,
    });
  });

  it('are run, waited for by what changed, listed and canceled', async () => {
    const seen = await page.evaluate(
      async ({ url, token }) => {
        const requests = new window.sluice.RequestClient({ url, service: 'demo', token });
        const ran = await requests.run(new Blob(['a file'], { type: 'text/plain' }));
        const slow = await requests.submit('wait for ever', { finishWithinMs: 600_000 });
        const waiting = requests.wait(slow.id);
        await requests.cancel(slow.id);
        const { state } = await waiting;
        const code = await requests.result(slow.id).then(
          () => 'there',
          (error) => error.code,
        );
        const outcomes: string[] = [];
        for await (const each of requests.batch([{ body: { n: 1 } }, { body: 'x' }])) {
          outcomes.push('request' in each ? each.request.state : each.problem.code);
        }
        const { requests: found } = await requests.page({ limit: 100 });
        return {
          text: await ran.text(),
          state,
          code,
          outcomes: outcomes.length,
          found: found.length,
        };
      },
      { url: service.url, token },
    );
    expect(seen).toEqual({
      text: 'a file',
      state: 'canceled',
      code: 'gone',
      outcomes: 2,
      found: 5,
    });
    service.model.release();
  });

  it('give up when told to, and learn why they are refused', async () => {
    const seen = await page.evaluate(
      async ({ url, token }) => {
        const { RequestClient } = window.sluice;
        const requests = new RequestClient({ url, service: 'demo', token });
        const over = new AbortController();
        const running = requests.run('wait and be left', { signal: over.signal }).catch(String);
        over.abort(new Error('enough'));
        const wrong = new RequestClient({ url, service: 'demo', token: 'wrong', patienceMs: 0 });
        const code = (error: unknown): string =>
          error instanceof window.sluice.PlatformError ? error.code : String(error);
        return [
          await running,
          await wrong.page().catch(code),
          await requests.status('99-00000000').catch(code),
          await requests.dead.page().catch(code),
        ];
      },
      { url: service.url, token },
    );
    expect(seen).toEqual(['Error: enough', 'unauthorized', 'not_found', 'forbidden']);
    service.model.release();
  });

  it('trust a callback by its signatures', async () => {
    const seen = await page.evaluate(async () => {
      const { crypto } = globalThis;
      const base64 = (bytes: ArrayBuffer): string =>
        btoa(String.fromCharCode(...new Uint8Array(bytes)));
      const body = '{"type":"request.succeeded"}';
      const seconds = Math.floor(Date.now() / 1000);
      const signed = new TextEncoder().encode(`msg_1.${seconds}.${body}`);
      const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify']);
      if (!('publicKey' in pair)) return [];
      const signature = await crypto.subtle.sign('Ed25519', pair.privateKey, signed);
      const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
      const headers = {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(seconds),
        'webhook-signature': `v1a,${base64(signature)}`,
      };
      const secrets = `whpk_${base64(raw)}`;
      const { verifyWebhook } = window.sluice;
      const trusted = await verifyWebhook({ body, headers, secrets });
      const forged = await verifyWebhook({ body: `${body} `, headers, secrets }).catch(
        (error) => error.code,
      );
      return [trusted.event.type, forged];
    });
    expect(seen).toEqual(['request.succeeded', 'unauthorized']);
  });
});
