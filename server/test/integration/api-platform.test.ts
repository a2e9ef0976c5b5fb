// The administrative API of a whole server: what it says of real queues and instances.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, PlatformError } from '@sluice/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';

const token = 'the-admin-token-of-the-test';
let folder: string;
let platform: Platform;
let client: AdminClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  const environment = { HOME: folder, SLUICE_ADMIN_TOKEN: token };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0', engine: 'memory' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
  client = new AdminClient({ url: platform.url, token });
});
afterAll(async () => {
  await platform.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function eas(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: token };
  return fetch(`${platform.url}/api/predict/${path}`, { ...init, headers });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

test('queues are shown with their state, consumers and counters', async () => {
  await client.createService({ metadata: { name: 'q', type: 'Async', instance: 0 } });
  await eas('q', { method: 'POST', body: 'one' });
  await eas('q', { method: 'POST', body: 'two' });
  const [input, sink, ...rears] = await client.queues('q');
  expect(input).toMatchObject({
    name: 'input',
    length: 2,
    waiting: 2,
    capacity: 230_399,
    lastIndex: 2,
    counters: { put: 2, delivered: 0 },
  });
  expect(sink).toMatchObject({ name: 'sink', length: 0 });
  expect(rears.map((rear) => rear.name)).toEqual(['inputRear', 'sinkRear']);
  const metrics = await client.metrics();
  expect(metrics).toContain('sluice_queue_waiting{service="q",queue="input"} 2');
  expect(metrics).toContain('sluice_messages_put_total{service="q",queue="input"} 2');
});

test('an end of stream is undone by reopen', async () => {
  await client.createService({ metadata: { name: 'ended', type: 'Async', instance: 0 } });
  await eas('ended?_eos_=true', { method: 'POST' });
  expect((await eas('ended', { method: 'POST', body: 'x' })).status).toBe(410);
  await client.reopen('ended', 'input');
  expect((await eas('ended', { method: 'POST', body: 'x' })).status).toBe(200);
  await expect(client.reopen('nothing', 'input')).rejects.toThrow(PlatformError);
});

test('a request passes through an instance, and all figures say so', async () => {
  const model = createServer((incoming, response) => {
    incoming.resume().on('end', () => response.end('answer'));
  });
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', () => resolve()));
  const address = model.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    const definition = {
      metadata: { name: 'm', type: 'Async', instance: 1, rpc: { worker_threads: 3 } },
      endpoint: [`http://127.0.0.1:${port}`],
    };
    const created = await client.createService(definition);
    await until(async () => (await client.service('m')).instances.running === 1);
    const headers = { Authorization: created.token };
    const put = await fetch(created.endpoint, { method: 'POST', body: 'x', headers });
    expect(await put.text()).toBe('1');
    const result = await fetch(`${created.endpoint}/sink?_timeout_=10s`, { headers });
    expect(await result.text()).toBe('answer');
    expect(await client.instances('m')).toMatchObject([
      { name: 'm-1', kind: 'endpoint', state: 'Running', window: 3, busy: 0 },
    ]);
    const metrics = await client.metrics();
    const count = /inference_request_duration_seconds_count\{service_name="m"[^}]*\} 1/;
    expect(metrics).toMatch(count);
    expect(metrics).toContain('sluice_messages_completed_total{service="m",queue="input"} 1');
    expect(metrics).toContain('sluice_window_slots{service="m"} 3');
    await client.deleteService('m');
    expect((await fetch(created.endpoint, { method: 'POST', body: 'x', headers })).status).toBe(
      404,
    );
    expect(await client.metrics()).not.toContain('"m"');
  } finally {
    model.closeAllConnections();
    model.close();
  }
});

test('strangers are turned away before the API sees them', async () => {
  const ask = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(platform.url);
      const all = { Authorization: token, ...headers };
      const options = { hostname, port, path: '/v1/services', headers: all };
      request(options, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
  expect(await ask({ Host: 'evil.example' })).toBe(421);
  expect(await ask({ Origin: 'https://evil.example' })).toBe(403);
  expect(await ask({})).toBe(200);
});

test('a server that is about to stop is no longer ready, but still serves', async () => {
  await platform.drain(1000);
  expect((await fetch(`${platform.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${platform.url}/healthz`)).status).toBe(200);
  expect((await eas('q', { method: 'POST', body: 'three' })).status).toBe(200);
});
