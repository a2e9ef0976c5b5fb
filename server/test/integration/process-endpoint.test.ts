// Servers that already run: checked, given work, held back while they are away, and never touched.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ask, type ProcessWorld, portCheck, processWorld, wantedService } from './process-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A model server that can be taken away and brought back at the same port. */
async function model(): Promise<{
  url: string;
  up: () => Promise<void>;
  down: () => Promise<void>;
}> {
  let server: Server | undefined;
  let port = 0;
  const up = async (): Promise<void> => {
    const fresh = createServer((request, response) => response.end(`${request.url}`));
    await new Promise<void>((resolve) => fresh.listen(port, '127.0.0.1', resolve));
    // The address of a listening TCP server is an object with a port.
    port = (fresh.address() as AddressInfo).port;
    server = fresh;
  };
  const down = async (): Promise<void> => {
    const old = server;
    server = undefined;
    if (old === undefined) return;
    await new Promise((resolve) => {
      old.close(resolve);
      old.closeAllConnections();
    });
  };
  await up();
  closers.push(down);
  return { url: `http://127.0.0.1:${port}`, up, down };
}

async function world(urls: readonly string[], path = '/'): Promise<ProcessWorld> {
  const made = await processWorld();
  closers.push(() => made.close());
  await made.manager.start();
  const request = { path, paths: [], method: 'POST', contentType: '' };
  const healthCheck = { ...portCheck, periodMs: 30, failureThreshold: 2 };
  const source = { kind: 'endpoint', urls } as const;
  await made.manager.apply(wantedService({ source, request, healthCheck, count: urls.length }));
  return made;
}

it('is waited for, given work, held back while it is away, and taken back', async () => {
  const { url, up, down } = await model();
  await down();
  const { manager, until, ready, only } = await world([url], '/read');
  await until(([one]) => one?.reason.startsWith('nothing listens on port') === true);
  expect(manager.report('reader')).toMatchObject({ wanted: 1, running: 0, pending: 1 });
  await up();
  await ready(1);
  expect(await ask(only(), 'x')).toBe('/read');
  await down();
  await until(([one]) => one?.state === 'Unhealthy');
  expect(only().isPaused).toBe(true);
  expect(manager.report('reader')?.message).toContain('health check failed');
  await up();
  await ready(1);
  expect(await ask(only(), 'y')).toBe('/read');
  expect(manager.status('reader')[0]).toMatchObject({ name: 'reader-1', pid: undefined });
});

it('has the same name for the same address, and no log', async () => {
  const models = [await model(), await model()];
  const { manager, ready } = await world(models.map(({ url }) => url));
  await ready(2);
  expect(manager.status('reader').map(({ name, url }) => [name, url])).toEqual([
    ['reader-1', models[0]?.url],
    ['reader-2', models[1]?.url],
  ]);
  const request = { tail: 1, follow: false, signal: undefined };
  await expect(manager.logs('reader', 'reader-1', request)).rejects.toThrow('is an endpoint');
});

it('takes new settings while it works, and goes without being stopped', async () => {
  const { url } = await model();
  const { manager, ready, only, until } = await world([url]);
  await ready(1);
  const request = { path: '/v2', paths: [], method: 'POST', contentType: '' };
  const source = { kind: 'endpoint', urls: [url] } as const;
  const revisions = { revision: 2, sourceRevision: 2 };
  await manager.apply(wantedService({ source, request, count: 1 }, revisions));
  expect(await ask(only(), 'x')).toBe('/v2');
  expect(only().watches.length).toBe(1);
  await manager.apply(wantedService({ source, count: 0 }, { revision: 3, sourceRevision: 2 }));
  await until((all) => all.length === 0);
  expect(await (await fetch(url)).text()).toBe('/');
});
