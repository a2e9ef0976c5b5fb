// A page in Chromium that has the built SDK and nothing else, from an origin of its own: the stage
// of the SDK's browser tests. Needs `npm run build` and Chromium.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
const dist = fileURLToPath(new URL('../../../sdk/dist', import.meta.url));

/** Whether all is there that a page needs. */
export const canOpenPages: boolean =
  existsSync(executablePath) && existsSync(join(dist, 'index.js'));

export interface PageWorld {
  readonly origin: string;
  /** Paths that pages have asked their own origin for. */
  readonly requested: readonly string[];
  /** A new page, whose `window.sluice` is the SDK. */
  open(): Promise<Page>;
  close(): Promise<void>;
}

const html = `<!doctype html><meta charset="utf-8"><title>SDK</title>
<script type="module">
  import * as sluice from '/sdk/index.js';
  window.sluice = sluice;
  document.title = 'ready';
</script>`;

/** What the function that waits for the page finds there. */
declare const document: { readonly title: string };

export async function openPageWorld(): Promise<PageWorld> {
  const requested: string[] = [];
  const site = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname;
    requested.push(path);
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
  const browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
  });
  return {
    origin,
    requested,
    async open() {
      const page = await browser.newPage();
      await page.goto(origin);
      await page.waitForFunction(() => document.title === 'ready');
      return page;
    },
    async close() {
      await browser.close();
      site.close();
    },
  };
}
