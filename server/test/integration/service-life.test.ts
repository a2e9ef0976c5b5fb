// Services of a whole server, stopped, started, changed and rolled back while they work: nothing
// that was accepted is lost, nothing that runs is cut short unasked, and clients are told.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type ServiceStatus } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import { modelScript } from './process-world.ts';

const token = 'the-admin-token-of-the-test';
const headers = { Authorization: token };
let folder: string;
let platform: Platform;
let client: AdminClient;
let model: Server;
let modelUrl: string;
/** Calls that the model works on. */
let calls: ServerResponse[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-life-'));
  calls = [];
  model = createServer((request, response) => {
    request.resume().on('end', () => calls.push(response));
  });
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', () => resolve()));
  const address = model.address();
  modelUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  await start();
});
afterEach(async () => {
  await platform.stop();
  model.closeAllConnections();
  await new Promise((resolve) => model.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const environment = { HOME: folder, PATH: process.env.PATH, SLUICE_ADMIN_TOKEN: token };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0', engine: 'lmdb' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
  client = new AdminClient({ url: platform.url, token });
}

async function restart(): Promise<void> {
  await platform.stop();
  await start();
}

const eas = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${platform.url}/api/predict/${path}`, { ...init, headers });

const put = (body: string): Promise<Response> => eas('m', { method: 'POST', body });

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

async function comesTo(status: ServiceStatus): Promise<void> {
  await until(async () => (await client.service('m')).status === status);
}

async function attributes(path: string): Promise<Record<string, string>> {
  const response = await eas(`${path}?_attrs_=true`);
  expect(response.status).toBe(200);
  // The test is about what the server says.
  const found = (await response.json()) as Record<string, string>;
  return found;
}

const endpoint = () => ({
  metadata: { name: 'm', type: 'Async', rpc: { worker_threads: 1 } },
  endpoint: modelUrl,
});

test('a stop lets what runs finish; then callers are told, over restarts too', async () => {
  await client.createService(endpoint());
  await put('one');
  await put('two');
  await until(() => calls.length === 1);
  await client.stopService('m');
  expect(await client.service('m')).toMatchObject({ status: 'Stopping' });
  expect((await put('three')).status).toBe(200);
  calls[0]?.end('answer');
  await comesTo('Stopped');
  expect(calls).toHaveLength(1);
  for (let round = 0; round < 2; round += 1) {
    const refused = await put('four');
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain('service m is stopped; start it with: sluice start m');
    expect((await eas('m/sink')).status).toBe(503);
    expect(await attributes('m')).toMatchObject({
      'meta.state': 'Stopped',
      'stream.length': '2',
      'stream.lastEntry': '3',
    });
    expect(await attributes('m/sink')).toMatchObject({ 'stream.length': '1' });
    expect(await client.service('m')).toMatchObject({ status: 'Stopped', waiting: 2, results: 1 });
    expect(await client.queues('m')).toMatchObject([{ length: 2 }, { length: 1 }, {}, {}]);
    await restart();
  }
  await client.startService('m');
  for (const at of [1, 2]) {
    await until(() => calls.length > at);
    calls[at]?.end('answer');
  }
  await until(async () => (await attributes('m/sink'))['stream.length'] === '3');
  expect(await attributes('m')).toMatchObject({ 'meta.state': 'Normal', 'stream.length': '0' });
});

test('a stop now gives back what runs, and it is done after the start', async () => {
  await client.createService(endpoint());
  await put('one');
  await until(() => calls.length === 1);
  await client.stopService('m');
  await client.stopService('m', { now: true });
  await comesTo('Stopped');
  expect(await attributes('m')).toMatchObject({ 'stream.length': '1' });
  await client.startService('m');
  await until(() => calls.length === 2);
  calls[1]?.end('answer');
  await until(async () => (await attributes('m/sink'))['stream.length'] === '1');
});

test('a stop waits for a consumer of its own kind and gives it nothing more', async () => {
  await client.createService({ metadata: { name: 'm', type: 'Async', instance: 0 } });
  for (const body of ['one', 'two', 'three']) await put(body);
  const events = await eas('m?_watch_=true&_window_=1', { method: 'GET' });
  const reader = events.body?.getReader();
  await reader?.read();
  await until(async () => (await attributes('m'))['stream.leased'] === '1');
  await client.stopService('m');
  await eas('m?_indexes_=1', { method: 'PUT' });
  await comesTo('Stopped');
  expect(await attributes('m')).toMatchObject({ 'stream.length': '2' });
  await reader?.cancel().catch(() => undefined);
});

const started = (command: string, more: object = {}) => ({
  metadata: { name: 'm', type: 'Async', instance: 1, ...more },
  containers: [{ command }],
});

test('a revision that never gets ready is rolled back, and what ran goes on', async () => {
  await client.createService(started(`${process.execPath} ${modelScript}`));
  await comesTo('Running');
  const [before] = await client.instances('m');
  const answer = await client.applyService('m', started('exit 3'));
  expect(answer).toMatchObject({ outcome: 'updated', revision: 2, rollsOut: true });
  await until(async () => (await client.service('m')).revision === 3);
  await comesTo('Running');
  const service = await client.service('m');
  expect(service.message).toContain('rolled back to revision 1');
  expect(service.sourceRevision).toBe(1);
  // What failed may still be on its way out.
  await until(async () => (await client.instances('m')).length === 1);
  const after = await client.instances('m');
  expect(after.map(({ name, pid }) => [name, pid])).toEqual([[before?.name, before?.pid]]);
  const revisions = await client.revisions('m');
  expect(revisions.map(({ sourceRevision }) => sourceRevision)).toEqual([1, 2, 1]);
  expect(await client.revision('m', 2)).toMatchObject({ definition: started('exit 3') });
});

test('instances are replaced by name, all of them or none', async () => {
  await client.createService(started(`${process.execPath} ${modelScript}`));
  await comesTo('Running');
  const name = (await client.instances('m'))[0]?.name ?? '';
  await expect(client.deleteInstances('m', [name, 'm-zzzzz'])).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(await client.instances('m')).toMatchObject([{ name, state: 'Running' }]);
  await client.deleteInstances('m', [name], { force: true });
  await until(async () => {
    const [only, ...more] = await client.instances('m');
    return more.length === 0 && only?.name !== name && only?.ready === true;
  });
});
