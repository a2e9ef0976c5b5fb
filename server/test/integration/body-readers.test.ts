// Bodies in files and those who read the queues: over EAS, over the stream protocol, by deliveries.
// Nobody takes one for an empty message, and none is gone before whoever was told of it has it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AdminClient,
  bodyAddressTag,
  bodySizeTag,
  connect,
  connectWork,
  type LeasedMessage,
  type WorkClient,
} from '@sluice/sdk';
import { decodeFrameList } from '@sluice/sdk/wire';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import { bytesOf, mebibyte } from './blobs-world.ts';

const token = 'the-token-of-the-service';
const adminToken = 'the-admin-token-of-the-test';
const small = bytesOf(mebibyte + 7);
const large = Buffer.alloc(9 * mebibyte + 7, 'as long as a body may be and longer;');
/** More than the sockets between two ends hold. */
const huge = Buffer.alloc(24 * mebibyte, 'a body that is cut on its way');

let folder: string;
let platform: Platform;
let service: string;
let consume: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const environment = { HOME: folder, SLUICE_ADMIN_TOKEN: adminToken };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
});

afterAll(async () => {
  await platform.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  count += 1;
  service = `reader${count}`;
  const admin = new AdminClient({ url: platform.url, token: adminToken });
  const metadata = { name: service, type: 'Async', instance: 0 };
  const fetch = { allow: ['127.0.0.0/8'] };
  await admin.createService({ metadata, token, queue: { max_delivery: 1 }, fetch });
  consume = (await admin.addToken(service, 'worker', ['consume'])).token;
});

function api(path: string, init: RequestInit = {}, authorization = token): Promise<Response> {
  const headers = { authorization, ...init.headers };
  return fetch(`${platform.url}/v1/services/${service}/${path}`, { ...init, headers });
}

function eas(query: string, headers: Record<string, string> = {}): Promise<Response> {
  const all = { authorization: consume, ...headers };
  return fetch(`${platform.url}/api/predict/${service}?${query}`, { headers: all });
}

async function submit(body: Uint8Array): Promise<string> {
  const response = await api('requests', { method: 'POST', body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

const bytes = async (response: Response): Promise<Buffer> =>
  Buffer.from(await response.arrayBuffer());
const files = (): Promise<readonly string[]> => readdir(join(folder, 'data', 'bodies'));
const protobuf = { accept: 'application/vnd.google.protobuf' };

async function frames(query: string) {
  const response = await eas(query, protobuf);
  expect(response.status).toBe(200);
  return decodeFrameList(await bytes(response));
}

/** The one delivery of a new worker. */
async function delivered(): Promise<{ worker: WorkClient; message: LeasedMessage }> {
  const worker = await connectWork(platform.url, {
    service,
    token: consume,
    instance: 'one',
    agent: 'test',
  });
  const message = await new Promise<LeasedMessage>((resolve) => {
    const nothing = { tags: new Map<string, string>(), id: undefined, holding: [] };
    const what = { window: 1, from: 0, indexOnly: false, autoCommit: false, fetches: true };
    const receiver = { deliver: resolve, voided: () => undefined, closed: () => undefined };
    void worker.watch('input', { ...what, ...nothing }, receiver);
  });
  return { worker, message };
}

it('gives an EAS get the body, and streams one that no message can carry', async () => {
  await submit(small);
  await submit(large);
  const [first, second] = await frames('_raw_=false&_length_=2&_timeout_=0&_auto_delete_=false');
  expect(Buffer.from(first?.data ?? []).equals(small)).toBe(true);
  expect(first?.tags.has(bodyAddressTag)).toBe(false);
  expect(second?.tags.get(bodySizeTag)).toBe(String(large.length));
  const address = second?.tags.get(bodyAddressTag) ?? '';
  expect(Buffer.from(second?.data ?? []).toString()).toContain(`GET ${address}`);
  const fetched = await fetch(platform.url + address, { headers: { authorization: consume } });
  expect((await bytes(fetched)).equals(large)).toBe(true);
  expect((await bytes(await eas('_timeout_=0'))).equals(small)).toBe(true);
  const raw = await eas('_timeout_=0');
  expect(raw.headers.get('sluice-body-address')).toBe(address);
  expect((await bytes(raw)).equals(large)).toBe(true);
  expect((await eas('_timeout_=0')).status).toBe(204);
});

it('ends an answer where its bodies have no room, and has the rest for the next one', async () => {
  for (let at = 0; at < 3; at += 1) await submit(bytesOf(3 * mebibyte, at));
  const sizes = async (): Promise<readonly number[]> =>
    (await frames('_raw_=false&_length_=9&_timeout_=0')).map(({ data }) => data.length);
  expect(await sizes()).toEqual([3 * mebibyte, 3 * mebibyte]);
  expect(await sizes()).toEqual([3 * mebibyte]);
});

it('shows a message again whose body was cut on its way out', async () => {
  await submit(huge);
  const port = Number(new URL(platform.url).port);
  const path = `/api/predict/${service}?_timeout_=0`;
  const call = request({ port, path, headers: { authorization: consume } }).end();
  const [response] = await once(call, 'response');
  await once(response, 'readable');
  response.destroy();
  let whole: Buffer = Buffer.alloc(0);
  while (whole.length === 0) whole = await bytes(await eas('_timeout_=0'));
  expect(whole.equals(huge)).toBe(true);
});

it('keeps a body that was promised, although its message has gone', async () => {
  await submit(large);
  const [only] = await frames('_raw_=false&_timeout_=0');
  const address = only?.tags.get(bodyAddressTag) ?? '';
  expect((await eas('_timeout_=0')).status).toBe(204);
  const fetched = await fetch(platform.url + address, { headers: { authorization: consume } });
  expect((await bytes(fetched)).equals(large)).toBe(true);
});

it('gives watchers of both protocols the body, or where it is', async () => {
  await submit(small);
  await submit(large);
  const queues = await connect(platform.url, { service, token: consume });
  const seen: { payload: Uint8Array; tags: ReadonlyMap<string, string> }[] = [];
  for await (const each of await queues.input.watch({ window: 2 })) {
    seen.push(each);
    if (seen.length === 2) break;
  }
  await queues.close();
  expect(Buffer.from(seen[0]?.payload ?? []).equals(small)).toBe(true);
  expect(seen[1]?.tags.get(bodyAddressTag)).toMatch(/^\/v1\/services\/reader\d+\/bodies\//);
  expect(Buffer.from(seen[1]?.payload ?? []).toString()).toMatch(/^The body of 9437191 bytes/);
  const path = `/api/predict/${service}?_watch_=true&_window_=2`;
  const url = platform.url.replace('http', 'ws') + path;
  const socket = new WebSocket(url, { headers: { authorization: consume } });
  const sizes: number[] = [];
  socket.on('message', (message: Buffer) => void sizes.push(message.length));
  while (sizes.length < 2) await turn();
  socket.close();
  expect(sizes[0]).toBeGreaterThan(small.length);
  expect(sizes[1]).toBeLessThan(1000);
});

it('gives consumers the body of a delivery, in parts too, while its lease lasts', async () => {
  const id = await submit(large);
  const { worker, message } = await delivered();
  expect(message).toMatchObject({
    apart: { kind: 'file', size: large.length },
    largeResult: true,
    payload: new Uint8Array(0),
  });
  const path = `deliveries/${message.deliveryId}/body`;
  const whole = await api(path, {}, consume);
  const sum = createHash('sha256').update(large).digest('base64');
  expect(whole.headers.get('repr-digest')).toBe(`sha-256=:${sum}:`);
  expect((await bytes(whole)).equals(large)).toBe(true);
  const part = await api(path, { headers: { range: 'bytes=9437180-' } }, consume);
  expect(part.status).toBe(206);
  expect((await bytes(part)).equals(large.subarray(9_437_180))).toBe(true);
  const admin = new AdminClient({ url: platform.url, token: adminToken });
  const submits = (await admin.addToken(service, 'client', ['submit', 'read'])).token;
  expect((await api(path, {}, submits)).status).toBe(403);
  expect((await api(path, {}, 'wrong')).status).toBe(401);
  expect((await api(`deliveries/${message.deliveryId + 1}/body`, {}, consume)).status).toBe(409);
  expect((await api(`requests/${id}/cancel`, { method: 'POST' })).status).toBe(200);
  const gone = await api(path, {}, consume);
  expect(gone.status).toBe(409);
  expect(await gone.json()).toMatchObject({ code: 'stale_delivery' });
  await worker.close();
});

it('fetches the body of a delivery from its address for a consumer elsewhere', async () => {
  const origin = createServer((_request, response) => void response.end(small));
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/image`;
  const headers = { 'sluice-body-address': url };
  expect((await api('requests', { method: 'POST', headers })).status).toBe(202);
  const { worker, message } = await delivered();
  expect(message.apart).toEqual({ kind: 'address', url });
  const path = `deliveries/${message.deliveryId}/body`;
  expect((await bytes(await api(path, {}, consume))).equals(small)).toBe(true);
  origin.closeAllConnections();
  origin.close();
  await once(origin, 'close');
  expect((await api(path, {}, consume)).status).toBe(503);
  await worker.close();
});

it('takes a large result of a delivery, and names it in the record', async () => {
  const id = await submit(small);
  const { worker, message } = await delivered();
  const path = `deliveries/${message.deliveryId}/result`;
  const put = await api(path, { method: 'PUT', body: large }, consume);
  expect(put.status).toBe(201);
  const { name, size } = (await put.json()) as { name: string; size: number };
  expect(size).toBe(large.length);
  const done = { deliveryId: message.deliveryId, outcome: 'succeeded', code: '200' } as const;
  const rest = { payload: undefined, contentType: 'video/mp4', reason: '', firstOutputAt: 0 };
  await expect(worker.complete({ ...done, ...rest, kept: `${name}x` })).rejects.toMatchObject({
    code: 'not_found',
  });
  await worker.complete({ ...done, ...rest, kept: name });
  const result = await api(`requests/${id}/result`);
  expect(result.headers.get('content-type')).toBe('video/mp4');
  expect((await bytes(result)).equals(large)).toBe(true);
  expect((await api(path, { method: 'PUT', body: small }, consume)).status).toBe(409);
  await worker.close();
});

it('keeps nothing of a result whose lease was lost in the middle', async () => {
  const id = await submit(small);
  const { worker, message } = await delivered();
  const before = await files();
  const port = Number(new URL(platform.url).port);
  const path = `/v1/services/${service}/deliveries/${message.deliveryId}/result`;
  const headers = { authorization: consume, 'content-length': String(8 * mebibyte) };
  const call = request({ port, path, method: 'PUT', headers });
  const cut = once(call, 'error');
  call.write(bytesOf(mebibyte));
  while ((await files()).length === before.length) await turn();
  expect((await api(`requests/${id}/cancel`, { method: 'POST' })).status).toBe(200);
  expect(await cut).toMatchObject([{ code: 'ECONNRESET' }]);
  while ((await files()).some((name) => name.endsWith('.part'))) await turn();
  await worker.close();
});

it('streams the body of a dead request, and puts it anew with one as large', async () => {
  await submit(large);
  const { worker, message } = await delivered();
  const { deliveryId } = message;
  const how = { counted: true, code: '500', reason: 'no memory', delayMs: 0 };
  await worker.giveBack('input', { deliveryId, ...how });
  await worker.close();
  const list = (await (await api('dead')).json()) as {
    dead: { rearIndex: number; size: number }[];
  };
  expect(list.dead).toMatchObject([{ rearIndex: 1, size: large.length }]);
  expect((await bytes(await api('dead/1/payload'))).equals(large)).toBe(true);
  const exported = (await (await api('dead/export')).json()) as { bodyAt: string };
  expect(exported.bodyAt).toBe(`/v1/services/${service}/dead/1/payload`);
  const other = Buffer.from(large).reverse();
  const redriven = await api('dead/1/redrive', { method: 'POST', body: other });
  expect(redriven.status).toBe(202);
  expect((await bytes(await eas('_timeout_=0'))).equals(other)).toBe(true);
  expect((await api('dead/1/payload')).status).toBe(404);
});

it('exports a body that fits a line as ever, although it lies in a file', async () => {
  await submit(Buffer.alloc(100_000, 'x'));
  const { worker, message } = await delivered();
  const { deliveryId } = message;
  const how = { counted: true, code: '500', reason: '', delayMs: 0 };
  await worker.giveBack('input', { deliveryId, ...how });
  await worker.close();
  const exported = (await (await api('dead/export')).json()) as { text: string };
  expect(exported.text).toBe('x'.repeat(100_000));
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
