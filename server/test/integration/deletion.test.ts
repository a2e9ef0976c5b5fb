// Deleting services of a whole server while clients are at work on them, and many times over: who
// waits gets a clear answer, and nothing is left behind.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, connect, PlatformError } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../src/config/load.ts';
import { verifyFolder } from '../../src/engine/lmdb/health.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';

const token = 'the-admin-token-of-the-test';
const headers = { Authorization: token };
let folder: string;
let data: string;
let platform: Platform;
let client: AdminClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-deletion-'));
  data = join(folder, 'data');
  await start();
});
afterEach(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const environment = { HOME: folder, PATH: process.env.PATH, SLUICE_ADMIN_TOKEN: token };
  const flags = { data, listen: '127.0.0.1:0', engine: 'lmdb' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
  client = new AdminClient({ url: platform.url, token });
}

function queuesOnly(name: string) {
  return { metadata: { name, type: 'Async', instance: 0 } };
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'done',
    (error: unknown) => (error instanceof PlatformError ? error.code : String(error)),
  );
}

test('whoever polls, watches or puts on a service that is deleted is told so', async () => {
  await client.createService(queuesOnly('m'));
  const endpoint = `${platform.url}/api/predict/m`;
  const poll = fetch(`${endpoint}/sink?_timeout_=60s`, { headers });
  const socket = new WebSocket(`${endpoint.replace('http', 'ws')}?_watch_=true`, { headers });
  const closed = new Promise<[number, string]>((resolve) =>
    socket.on('close', (code, reason) => resolve([code, String(reason)])),
  );
  await new Promise((resolve) => socket.once('open', resolve));
  const queues = await connect(platform.url, { service: 'm', token });
  const watch = queues.sink.watch();
  await watch.ready();
  const next = codeOf(watch.next());
  const get = codeOf(queues.sink.get({ waitMs: 60_000 }));
  await until(async () => (await client.queues('m')).some(({ consumers }) => consumers.length > 0));

  await client.deleteService('m');
  const polled = await poll;
  expect({ status: polled.status, text: await polled.text() }).toEqual({
    status: 404,
    text: 'the service m was deleted',
  });
  expect(await closed).toEqual([1001, 'the service was deleted']);
  expect([await next, await get]).toEqual(['not_found', 'not_found']);
  expect(await codeOf(queues.input.put('x'))).toBe('not_found');
  expect(await codeOf(connect(platform.url, { service: 'm', token }))).toBe('not_found');
  const put = await fetch(endpoint, { method: 'POST', body: 'x', headers });
  expect(put.status).toBe(404);
  await queues.close();
});

test('puts that race with a deletion are answered, each with 200, 404 or 503', async () => {
  await client.createService(queuesOnly('m'));
  const endpoint = `${platform.url}/api/predict/m`;
  const seen = new Set<number>();
  let isOver = false;
  const putting = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const response = await fetch(endpoint, { method: 'POST', body: 'x', headers });
      await response.text();
      seen.add(response.status);
    }
  });
  await until(async () => seen.has(200));
  await client.deleteService('m');
  await until(async () => seen.has(404));
  isOver = true;
  await Promise.all(putting);
  expect([...seen].filter((status) => ![200, 404, 503].includes(status))).toEqual([]);
  await client.createService(queuesOnly('m'));
  expect((await client.service('m')).waiting).toBe(0);
});

test('fifty services, made and deleted one after the other, leave nothing', async () => {
  const model = createServer((request, response) => request.pipe(response));
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', () => resolve()));
  const address = model.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const definition = (name: string) => ({
    metadata: { name, type: 'Async', instance: 1 },
    endpoint: `http://127.0.0.1:${port}`,
  });
  const cycle = async (name: string): Promise<void> => {
    const { endpoint } = await client.createService(definition(name));
    await fetch(endpoint, { method: 'POST', body: 'x', headers });
    const result = await fetch(`${endpoint}/sink?_timeout_=20s&_auto_delete_=false`, { headers });
    expect(await result.text()).toBe('x');
    const queues = await connect(platform.url, { service: name, token });
    const watch = queues.sink.watch();
    expect((await watch.next())?.index).toBe(1);
    await client.deleteService(name);
    await queues.close();
  };
  try {
    // What is made once and kept (connections, timers) is there after the first round.
    await cycle('first');
    const before = resources();
    for (let round = 0; round < 50; round++) await cycle(`service-${round % 7}`);
    await until(async () => resources() <= before);
    expect(await client.services()).toEqual([]);
    expect(await client.metrics()).not.toMatch(/service(_name)?="/);
    expect(readdirSync(join(data, 'instances'))).toEqual([]);
    await platform.stop();
    const { services, rows, payloadFiles, damageCount } = await verifyFolder(data, () => undefined);
    const left = Object.entries(rows).filter(([kind, count]) => kind !== 'definition' && count > 0);
    expect({ services, payloadFiles, damageCount, left }).toEqual({
      services: 0,
      payloadFiles: 0,
      damageCount: 0,
      left: [],
    });
  } finally {
    model.closeAllConnections();
    model.close();
  }
});

/** Timers, sockets and files that this process has open. */
function resources(): number {
  return process.getActiveResourcesInfo().length;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
