// Large bodies through a whole server over plain HTTP: handed in, given to the model, its large
// result fetched whole and in part, everything removed when nobody needs it any more.

import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type DeadInfo } from '@sluice/sdk';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Platform } from '../../src/platform.ts';
import { bytesOf, mebibyte, readAll } from './blobs-world.ts';

const token = 'the-token-of-the-service';
const adminToken = 'the-admin-token-of-the-test';

let folder: string;
let platform: Platform;
let origin: string;
let closeModel: () => Promise<void>;
let isBroken = false;

/** A model that answers with what it got, reversed; a GET of it answers 2 MiB. */
beforeEach(async () => {
  isBroken = false;
  const model = createServer((request, response) => {
    void readAll(request).then((body) => {
      if (isBroken && request.method !== 'GET') return void response.writeHead(502).end();
      const source = request.method === 'GET' ? bytesOf(2 * mebibyte) : body.reverse();
      response.setHeader('content-type', 'image/tiff').end(source);
    });
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  const address = model.address();
  origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  closeModel = async () => {
    model.closeAllConnections();
    model.close();
    await once(model, 'close');
  };
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  await start();
  const admin = new AdminClient({ url: platform.url, token: adminToken });
  await admin.createService({
    metadata: { name: 'reverse', instance: 1 },
    token,
    endpoint: origin,
    queue: { max_delivery: 1 },
    requests: { max_bytes: 4 * mebibyte, max_result_bytes: 3 * mebibyte },
    fetch: { allow: ['127.0.0.0/8'] },
  });
});

afterEach(async () => {
  await platform.stop();
  await closeModel();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const environment = { HOME: folder, SLUICE_ADMIN_TOKEN: adminToken };
  const flags = { data: join(folder, 'data'), listen: '127.0.0.1:0' };
  const config = loadConfig({ flags, environment, file: undefined });
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, environment };
  platform = new Platform(config, parts);
  await platform.start();
}

interface Submitted {
  readonly id: string;
  readonly state: string;
}

function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: token, ...init.headers };
  return fetch(`${platform.url}/v1/services/reverse/requests${path}`, { ...init, headers });
}

async function submit(body: Uint8Array | undefined, headers: Record<string, string> = {}) {
  const response = await call('', { method: 'POST', body: body ?? null, headers });
  expect(response.status, await response.clone().text()).toBe(202);
  return (await response.json()) as Submitted;
}

async function result(id: string, headers: Record<string, string> = {}): Promise<Response> {
  return call(`/${id}/result`, { headers: { prefer: 'wait=20', ...headers } });
}

async function bytes(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

const files = (): Promise<readonly string[]> => readdir(join(folder, 'data', 'bodies'));

it('brings a large body to the model and its large result back, over a restart', async () => {
  const body = bytesOf(2 * mebibyte + 3);
  const { id } = await submit(body, { 'idempotency-key': 'once' });
  const first = await result(id);
  expect(first.status).toBe(200);
  expect(first.headers.get('content-type')).toBe('image/tiff');
  const expected = Buffer.from(body).reverse();
  expect((await bytes(first)).equals(expected)).toBe(true);
  await platform.stop();
  await start();
  const part = await result(id, { range: 'bytes=100-299' });
  expect(part.status).toBe(206);
  expect((await bytes(part)).equals(expected.subarray(100, 300))).toBe(true);
  // Repeated it is the same request; with another body it is refused, and nothing is kept.
  expect((await submit(body, { 'idempotency-key': 'once' })).id).toBe(id);
  const other = {
    method: 'POST',
    body: bytesOf(2 * mebibyte, 9),
    headers: { 'idempotency-key': 'once' },
  };
  expect((await call('', other)).status).toBe(422);
});

it('refuses what is too large, and tells which setting says so', async () => {
  const response = await call('', { method: 'POST', body: bytesOf(4 * mebibyte + 1) });
  expect(response.status).toBe(413);
  expect(((await response.json()) as { detail: string }).detail).toContain('requests.max_bytes');
  const { id } = await submit(bytesOf(3 * mebibyte + 1));
  const failed = await result(id);
  expect(failed.status).toBe(409);
  expect(((await failed.json()) as { detail: string }).detail).toContain('max_result_bytes');
  // Only what its dead may need would stay: this one is at rest, and its body nobody's.
  expect((await files()).filter((name) => name.endsWith('.part'))).toEqual([]);
});

it('keeps the large body of a dead request for those who look at it', async () => {
  const body = bytesOf(2 * mebibyte);
  const { id } = await submit(body, { 'content-type': 'image/tiff' });
  const live = (await (await call(`/${id}`)).json()) as { sizeIn: number };
  expect(live.sizeIn).toBe(body.length);
  await result(id);
  isBroken = true;
  const { id: second } = await submit(body, { 'content-type': 'image/tiff' });
  expect((await result(second)).status).toBe(409);
  const dead = (path: string) =>
    fetch(`${platform.url}/v1/services/reverse/dead${path}`, { headers: { authorization: token } });
  const { dead: list } = (await (await dead('')).json()) as { dead: DeadInfo[] };
  expect(list).toMatchObject([{ id: second, size: body.length }]);
  const payload = await dead(`/${list[0]?.rearIndex}/payload`);
  expect(payload.headers.get('content-type')).toBe('image/tiff');
  expect((await bytes(payload)).equals(Buffer.from(body))).toBe(true);
  const line = (await (await dead('/export')).json()) as { bodyAt: string };
  expect(line.bodyAt).toBe(`/v1/services/reverse/dead/${list[0]?.rearIndex}/payload`);
});

it('fetches a body from an address that the service allows, and from no other', async () => {
  const address = { 'sluice-body-address': `${origin}/image` };
  const { id } = await submit(undefined, address);
  const expected = bytesOf(2 * mebibyte).reverse();
  expect((await bytes(await result(id))).equals(expected)).toBe(true);
  const forbidden = { 'sluice-body-address': 'http://10.1.2.3/image' };
  const response = await call('', { method: 'POST', headers: forbidden });
  expect(response.status).toBe(422);
  expect(await response.text()).toContain('fetch.allow');
});
