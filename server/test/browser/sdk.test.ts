// The built SDK in Chromium, on a page of another origin than the server's, without any bundler:
// both protocols, with the EAS watch over an HTTP stream. Needs `npm run build` and Chromium.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSdkWorld, type SdkWorld, service, token } from '../integration/sdk-world.ts';
import { canOpenPages, openPageWorld, type PageWorld } from './page-world.ts';

/** What the functions that run in the page find there. */
declare const window: { readonly sluice: typeof import('@sluice/sdk') };
declare const document: { title: string };

describe.skipIf(!canOpenPages)('the SDK in a browser, on a page of another origin', () => {
  let pages: PageWorld;
  let page: Page;
  let world: SdkWorld;

  beforeAll(async () => {
    pages = await openPageWorld();
  });

  afterAll(() => pages?.close());

  beforeEach(async () => {
    world = await openSdkWorld({ access: { allowOrigins: [pages.origin] } });
    page = await pages.open();
  });

  afterEach(async () => {
    await page.close();
    await world.close();
  });

  it.each(['stream', 'eas'] as const)(
    'puts, watches, completes and gets over %s',
    async (protocol) => {
      const seen = await page.evaluate(
        async ({ url, service, token, protocol }) => {
          const { sluice } = window;
          const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
          const client = await sluice.connect(url, { service, token, protocol, gid: service });
          const put = await client.input.put('from a page', { id: 'p-1', tags: { from: 'page' } });
          const work = client.input.watch({ window: 1 });
          const delivery = await work.next();
          await delivery?.complete(`read: ${text(delivery.payload)}`);
          const [result] = await client.sink.get({ id: 'p-1', waitMs: 5000 });
          await client.input.put('second');
          const second = await work.next();
          await second?.commit();
          const left = await client.input.count();
          const length = (await client.input.attributes()).get('stream.length');
          const refused = await client.input.put(new Uint8Array(9000)).catch((error) => error.code);
          await work.close();
          await client.close();
          return {
            put,
            result: result && text(result.payload),
            index: second?.index,
            left,
            length,
            refused,
          };
        },
        { url: world.url, service, token, protocol },
      );
      expect(seen).toEqual({
        put: { index: 1, id: 'p-1', repeated: false },
        result: 'read: from a page',
        index: 2,
        left: 0,
        length: '0',
        refused: 'too_large',
      });
    },
  );

  it.each(['stream', 'eas'] as const)(
    'keeps watching over %s when its connection is cut',
    async (protocol) => {
      const received = page.evaluate(
        async ({ url, service, token, protocol }) => {
          const { sluice } = window;
          const client = await sluice.connect(url, { service, token, protocol, gid: service });
          const indexes: number[] = [];
          for await (const delivery of client.input.watch({ window: 4 })) {
            indexes.push(delivery.index);
            document.title = `${indexes.length} received`;
            while (true) {
              const done = await delivery.commit().then(
                () => true,
                (error) => error.code === 'stale_delivery',
              );
              if (done) break;
            }
            if (indexes.length === 6) break;
          }
          await client.close();
          return indexes;
        },
        { url: world.proxyUrl, service, token, protocol },
      );
      const own = await world.connect();
      for (let count = 1; count <= 6; count++) {
        await own.input.put(`m${count}`);
        await page.waitForFunction((text) => document.title === text, `${count} received`);
        if (count % 2 === 0) world.cut();
        await own.input.count();
      }
      expect(await received).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  it('carries a payload in parts', async () => {
    const limits = { capacity: 10, payloadBytesMax: 2 ** 22, autoEvict: false, expireMs: 0 };
    const big = await openSdkWorld({
      settings: { source: limits, sink: limits },
      access: { allowOrigins: [pages.origin] },
    });
    const equal = await page.evaluate(
      async ({ url, service, token }) => {
        const { sluice } = window;
        const client = await sluice.connect(url, { service, token });
        const payload = new Uint8Array(3_000_000).map((_, at) => at * 13);
        await client.input.put(payload);
        const [message] = await client.input.get();
        await client.close();
        return message?.payload.every((byte, at) => byte === payload[at]);
      },
      { url: big.url, service, token },
    );
    expect(equal).toBe(true);
    await big.close();
  });

  it('is refused to a page whose origin is not allowed', async () => {
    const closed = await openSdkWorld();
    const codes = await page.evaluate(
      async ({ url, service, token }) => {
        const { sluice } = window;
        const code = async (protocol: 'stream' | 'eas'): Promise<string> => {
          try {
            const client = await sluice.connect(url, { service, token, protocol });
            await client.input.count();
            return 'served';
          } catch (error) {
            return error instanceof sluice.PlatformError ? error.code : String(error);
          }
        };
        return [await code('stream'), await code('eas')];
      },
      { url: closed.url, service, token },
    );
    expect(codes).toEqual(['unavailable', 'unavailable']);
    await closed.close();
  });

  it('asks for nothing but the files of the SDK', () => {
    const foreign = pages.requested.filter(
      (path) => !/^\/(sdk\/[\w/-]+\.js|favicon\.ico)?$/.test(path),
    );
    expect(foreign).toEqual([]);
  });
});
