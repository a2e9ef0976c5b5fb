// The request API of a whole server on disk: with its instances, its tokens, its metrics, through a
// stop of the service and a restart of the server. Every answer is held to the server's document.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type RequestInfo, type RequestList } from '@sluice/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import { AnswerCheck } from '../answer-check.ts';

const adminToken = 'the-admin-token-of-the-test';
const name = 'voice';
const base = `/v1/services/${name}`;
let folder: string;
let platform: Platform;
let admin: AdminClient;
let model: Server;
let modelPort: number;
let check: AnswerCheck;
/** What the model does with the next requests. */
let answer: (body: string, response: ServerResponse) => void;

async function startPlatform(): Promise<void> {
  const environment = { HOME: folder, SLUICE_ADMIN_TOKEN: adminToken };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0', engine: 'lmdb' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
  admin = new AdminClient({ url: platform.url, token: adminToken });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-requests-'));
  model = createServer(async (incoming, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece);
    answer(Buffer.concat(pieces).toString(), response);
  });
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
  modelPort = (model.address() as AddressInfo).port;
  await startPlatform();
  const document = await (await fetch(`${platform.url}/v1/openapi.json`)).json();
  check = new AnswerCheck(document);
  await admin.createService({
    metadata: { name, type: 'Async', instance: 1, rpc: { worker_threads: 1 } },
    endpoint: [`http://127.0.0.1:${modelPort}`],
    token: 'the-token-of-voice',
  });
});
afterAll(async () => {
  await platform.stop();
  model.closeAllConnections();
  model.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function ask(method: string, path: string, init: RequestInit = {}): Promise<Asked> {
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', 'Bearer the-token-of-voice');
  const whole = path.startsWith('/') ? path : `${base}/${path}`;
  const response = await fetch(`${platform.url}${whole}`, { ...init, method, headers });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? undefined;
  check.check({ method, path: whole, status: response.status, type, text });
  return { status: response.status, headers: response.headers, text };
}

test('a request runs through, and its events tell of it', async () => {
  answer = (body, response) => response.end(body.toUpperCase());
  const submitted = await ask('POST', 'requests', {
    body: 'hello',
    headers: { prefer: 'wait=30' },
  });
  expect([submitted.status, submitted.text]).toEqual([200, 'HELLO']);
  const at = String(submitted.headers.get('location'));
  const info: RequestInfo = JSON.parse((await ask('GET', at)).text);
  expect(info).toMatchObject({ state: 'succeeded', instance: expect.any(String), revision: 1 });
  const events = await ask('GET', `${at}/events`);
  expect(events.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(events.text).toMatch(/event: done\nid: \S+\ndata: \{"state":"succeeded"/);
  const missing = await ask('GET', `${base}/requests/9-00000000/events`);
  expect(missing.status).toBe(404);
});

test('one that runs tells whoever waits for it when its model began to answer', async () => {
  const open: ServerResponse[] = [];
  answer = (_body, response) => void open.push(response);
  const { id }: RequestInfo = JSON.parse((await ask('POST', 'requests', { body: '1' })).text);
  while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const before = await ask('GET', `requests/${id}`);
  expect(JSON.parse(before.text)).toMatchObject({ state: 'running', firstOutputAt: null });
  open[0]?.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
  const known = { 'if-none-match': String(before.headers.get('etag')), prefer: 'wait=30' };
  const after: RequestInfo = JSON.parse(
    (await ask('GET', `requests/${id}`, { headers: known })).text,
  );
  expect(after.state).toBe('running');
  expect(Date.parse(after.firstOutputAt ?? '')).toBeGreaterThan(Date.parse(after.acceptedAt));
  open[0]?.end('data: b\n\n');
  const result = await ask('GET', `requests/${id}/result`, { headers: { prefer: 'wait=30' } });
  expect(result.text).toBe('data: a\n\ndata: b\n\n');
});

test('one that waits says why', async () => {
  const open: ServerResponse[] = [];
  answer = (_body, response) => void open.push(response);
  const first: RequestInfo = JSON.parse((await ask('POST', 'requests', { body: '1' })).text);
  while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const second: RequestInfo = JSON.parse((await ask('POST', 'requests', { body: '2' })).text);
  const waiting: RequestInfo = JSON.parse((await ask('GET', `requests/${second.id}`)).text);
  expect(waiting).toMatchObject({ state: 'queued', position: 0 });
  expect(waiting.why).toMatchObject({
    code: 'windows_full',
    text: expect.stringContaining('the only slot is taken'),
  });
  expect(waiting.estimate).toMatchObject({ reason: expect.stringContaining('too few to know') });
  answer = (_body, response) => response.end('late');
  open[0]?.end('first');
  for (const { id } of [first, second]) {
    const headers = { prefer: 'wait=30' };
    expect((await ask('GET', `requests/${id}/result`, { headers })).status).toBe(200);
  }
});

test('one that waits tells when it may start, once it is known how long calls take', async () => {
  answer = (_body, response) => response.end('quick');
  for (let call = 0; call < 10; call += 1) {
    await ask('POST', 'requests', { body: 'quick', headers: { prefer: 'wait=30' } });
  }
  const open: ServerResponse[] = [];
  answer = (_body, response) => void open.push(response);
  const sent: RequestInfo[] = [];
  for (let nth = 0; nth < 3; nth += 1) {
    sent.push(JSON.parse((await ask('POST', 'requests', { body: `${nth}` })).text));
  }
  while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const last = sent.at(-1)?.id;
  const waiting: RequestInfo = JSON.parse((await ask('GET', `requests/${last}`)).text);
  expect(waiting).toMatchObject({ position: 1, why: { code: 'behind' } });
  const { estimate } = waiting;
  if (estimate?.kind !== 'range') throw new Error(`no range: ${estimate?.reason}`);
  const { earliestMs, latestMs } = estimate;
  expect(latestMs).toBeGreaterThan(earliestMs);
  // Calls of a few milliseconds, before it two: not much later than that.
  expect(latestMs).toBeLessThan(10_000);
  answer = (_body, response) => response.end('late');
  open[0]?.end('first');
  const headers = { prefer: 'wait=30' };
  expect((await ask('GET', `requests/${last}/result`, { headers })).status).toBe(200);
});

test('one that waits behind an urgent one of EAS knows by how many it was overtaken', async () => {
  const open: ServerResponse[] = [];
  answer = (_body, response) => void open.push(response);
  await ask('POST', 'requests', { body: '1' });
  while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const { id }: RequestInfo = JSON.parse((await ask('POST', 'requests', { body: '2' })).text);
  for (let nth = 0; nth < 7; nth += 1) {
    const put = await fetch(`${platform.url}/api/predict/${name}?_priority_=5`, {
      method: 'POST',
      headers: { authorization: 'the-token-of-voice' },
      body: `urgent ${nth}`,
    });
    expect(put.status).toBe(200);
  }
  const waiting: RequestInfo = JSON.parse((await ask('GET', `requests/${id}`)).text);
  expect(waiting).toMatchObject({ position: 7 });
  expect(waiting.estimate).toMatchObject({ reason: expect.stringContaining('higher priority') });
  answer = (_body, response) => response.end('late');
  open[0]?.end('first');
  const headers = { prefer: 'wait=30' };
  expect((await ask('GET', `requests/${id}/result`, { headers })).status).toBe(200);
});

test('the administrator sees all, a further token its own, and metrics count them', async () => {
  const { token } = await admin.addToken(name, 'web', ['submit']);
  const authorization = `Bearer ${token}`;
  answer = (_body, response) => response.end('x');
  const sent = await ask('POST', 'requests', { body: 'web', headers: { authorization } });
  const { id, owner }: RequestInfo = JSON.parse(sent.text);
  expect(owner).toBe('web');
  const own: RequestList = JSON.parse(
    (await ask('GET', 'requests', { headers: { authorization } })).text,
  );
  expect(own.requests.map((request) => request.id)).toEqual([id]);
  const all: RequestList = JSON.parse(
    (await ask('GET', 'requests', { headers: { authorization: adminToken } })).text,
  );
  expect(all.requests.length).toBeGreaterThan(own.requests.length);
  const metrics = await admin.metrics();
  const counted = /sluice_requests_submitted_total\{service="voice",outcome="accepted"\} \d+/;
  expect(metrics).toMatch(counted);
  expect(metrics).toContain('sluice_request_waits 0');
});

test('results and keys outlive a restart of the server, and a stop of the service', async () => {
  answer = (body, response) => response.end(`said ${body}`);
  const headers = { 'idempotency-key': 'once', prefer: 'wait=30' };
  const before = await ask('POST', 'requests', { body: 'a', headers });
  expect([before.status, before.text]).toEqual([200, 'said a']);
  await platform.stop();
  await startPlatform();
  const again = await ask('POST', 'requests', { body: 'a', headers });
  expect([again.status, again.text]).toEqual([200, 'said a']);
  expect(again.headers.get('sluice-repeated')).toBe('true');
  expect(again.headers.get('location')).toBe(before.headers.get('location'));
  await admin.stopService(name);
  while ((await admin.service(name)).status !== 'Stopped') {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await ask('POST', 'requests', { body: 'b' })).status).toBe(503);
  const result = await ask('GET', `${before.headers.get('location')}/result`);
  expect([result.status, result.text]).toEqual([200, 'said a']);
  const { requests }: RequestList = JSON.parse((await ask('GET', 'requests')).text);
  expect(requests.map(({ state }) => state)).toContain('succeeded');
  const { id } = requests.find(({ state }) => state === 'succeeded') ?? { id: '' };
  expect((await ask('POST', `requests/${id}/cancel`)).status).toBe(409);
});

test('a service that there is not is not found, and neither is another address', async () => {
  expect((await ask('GET', '/v1/services/nobody/requests')).status).toBe(404);
  expect((await ask('GET', `${base}/requests/1/2/3`)).status).toBe(404);
  expect((await ask('PUT', `${base}/requests`)).status).toBe(405);
});
