// The request API from a page of another origin in Chromium, by the built SDK: submit, follow the
// events with the token in a header, fetch the result. Needs `npm run build` and Chromium.

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRequestService, type RequestService } from '../integration/request-service.ts';
import { canOpenPages, openPageWorld, type PageWorld } from './page-world.ts';

// A server, its commands and a browser are started.

/** What the functions that run in the page find there. */
declare const window: { readonly sluice: typeof import('@sluice/sdk') };
declare const document: { title: string };

describe.skipIf(!canOpenPages)('requests of a page of another origin', () => {
  let pages: PageWorld;
  let page: Page;
  let service: RequestService;
  /** Of a web application: what it submitted itself. */
  let token: string;

  beforeAll(async () => {
    pages = await openPageWorld();
    service = await openRequestService({ allowOrigin: pages.origin });
    const made = ['token', 'demo', '--add', 'web', '--scope', 'submit,read', '--json'] as const;
    token = (JSON.parse((await service.sluice(...made)).stdout) as { token: string }).token;
    page = await pages.open();
  });

  afterAll(async () => {
    await pages?.close();
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
