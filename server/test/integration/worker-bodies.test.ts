// A worker between a real store of bodies and a real model server: bodies that are not in their
// messages reach the model as they are read, large results go into files as they come.

import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RequestSettings } from '../../src/deployment/requests.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Bodies } from '../../src/platform/bodies.ts';
import type { WorkCompletion } from '../../src/worker/source.ts';
import { BodyWorld, bytesOf, mebibyte, never, pieces, readAll } from './blobs-world.ts';
import { startWorker, type Work, type WorkerWorld } from './worker-world.ts';

const allowed = {
  bytesMax: 4 * mebibyte,
  resultBytesMax: 3 * mebibyte,
  input: 'bytes',
  fetch: { allow: ['127.0.0.0/8'], buckets: [] },
} as const;

type FilePlace = { readonly kind: 'file'; readonly name: string; readonly size: number };

let world: BodyWorld;
let bodies: Bodies;
let settings: Partial<RequestSettings>;
let answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
let seen: { readonly headers: IncomingMessage['headers']; readonly body: Buffer }[];
let origin: string;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  world = await BodyWorld.open();
  settings = allowed;
  bodies = new Bodies({
    dataFolder: world.folder,
    bytesMax: 2 ** 40,
    environment: {},
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  await bodies.start();
  // Tests name what they need of the settings, and nothing is named.
  const services = { find: () => ({ requests: settings as RequestSettings }) };
  bodies.open(services, { bodyNames: async () => new Set<string>() });
  seen = [];
  const server = createServer((request, response) => {
    void readAll(request).then(
      (body) => {
        seen.push({ headers: request.headers, body });
        answer(request, response, body);
      },
      () => undefined,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await bodies.stop();
  await world.close();
});

function worker(): WorkerWorld {
  const started = startWorker({ origin, bodies: bodies.of('reader') });
  closers.push(() => started.close());
  return started;
}

async function stored(bytes: Uint8Array): Promise<FilePlace> {
  const most = { bytesMax: 64 * mebibyte, signal: never };
  const { name, size, release } = await bodies.store.receive(pieces(bytes, 65_536), most);
  release();
  return { kind: 'file', name, size };
}

/** What the worker completes the next request with. */
async function completion(work: Work): Promise<WorkCompletion> {
  const { source } = worker();
  source.put(work);
  await source.until(({ completions, returns }) => completions.length + returns.length === 1);
  const [done] = source.completions;
  if (done === undefined) throw new Error(`given back: ${JSON.stringify(source.returns[0])}`);
  return done;
}

async function textOf(name: string | undefined): Promise<string> {
  const body = await bodies.store.open(name ?? '');
  return (await readAll(body?.stream ?? Readable.from([]))).toString('latin1');
}

it('sends a body in a file with its length, and lets it go at the end', async () => {
  answer = (_request, response) => response.end('fine');
  const bytes = bytesOf(3 * mebibyte + 17);
  const body = await stored(bytes);
  expect(await bodies.store.sweep()).toBe(0);
  const done = await completion({ payload: '', body, contentType: 'image/tiff' });
  expect(done).toMatchObject({ outcome: 'succeeded', payload: Buffer.from('fine') });
  expect(seen[0]?.headers).toMatchObject({
    'content-length': String(bytes.length),
    'content-type': 'image/tiff',
  });
  expect(seen[0]?.body.equals(bytes)).toBe(true);
  expect(await bodies.store.sweep()).toBe(1);
});

it('sends it anew when a kept connection turns out closed', async () => {
  let count = 0;
  answer = (request, response) => {
    count += 1;
    if (count === 1) response.end('one', () => request.socket.destroy());
    else response.end('again');
  };
  const { source } = worker();
  source.put({ payload: 'small' });
  await source.until(({ completions }) => completions.length === 1);
  source.put({ payload: '', body: await stored(bytesOf(mebibyte)) });
  await source.until(({ completions }) => completions.length === 2);
  expect(seen.at(-1)?.body.equals(bytesOf(mebibyte))).toBe(true);
});

it('never lets the model have a damaged body, and counts that as a bad delivery', async () => {
  answer = (_request, response) => response.end('fine');
  const body = await stored(bytesOf(mebibyte));
  const file = await open(join(world.bodies, body.name), 'r+');
  await file.write(Buffer.from([1, 2, 3]), 0, 3, 500_000);
  await file.close();
  const { source } = worker();
  source.put({ payload: '', body });
  await source.until(({ returns }) => returns.length === 1);
  expect(source.returns[0]).toMatchObject({ counted: true, code: 'Damaged' });
  source.put({ payload: '', body: { ...body, name: body.name.replace(/^./, 'x') } });
  await source.until(({ returns }) => returns.length === 2);
  expect(source.returns[1]).toMatchObject({ counted: true, code: 'Damaged' });
  expect(seen).toEqual([]);
});

it.each(['announced', 'streamed'])('keeps a large result in a file (%s)', async (how) => {
  const bytes = bytesOf(2 * mebibyte + 5);
  answer = (_request, response) => {
    response.setHeader('content-type', 'video/mp4');
    if (how === 'announced') response.setHeader('content-length', bytes.length);
    for (let at = 0; at < bytes.length; at += 70_000)
      response.write(bytes.subarray(at, at + 70_000));
    response.end();
  };
  const done = await completion({ home: 'record' });
  expect(done).toMatchObject({
    outcome: 'succeeded',
    payload: undefined,
    contentType: 'video/mp4',
  });
  expect(done.body).toMatchObject({ kind: 'file', size: bytes.length });
  expect((await textOf(done.body?.name)) === bytes.toString('latin1')).toBe(true);
  // A small one of the same request is in the queue as ever.
  answer = (_request, response) => response.end('small');
  expect(await completion({ home: 'record' })).toMatchObject({ payload: Buffer.from('small') });
});

it('refuses a result that is too large for a file or the sink, and keeps nothing', async () => {
  const bytes = bytesOf(3 * mebibyte + 1);
  for (const length of [{}, { 'content-length': bytes.length }]) {
    answer = (_request, response) => response.writeHead(200, length).end(bytes);
    const done = await completion({ home: 'record' });
    expect(done).toMatchObject({ outcome: 'failed', code: '413' });
    expect(done.reason).toContain('requests.max_result_bytes');
  }
  expect(await completion({ home: 'sink' })).toMatchObject({ outcome: 'failed', code: '413' });
  expect(await world.files()).toEqual([]);
});

it('keeps nothing of a cut result, and tries again when it can not be stored', async () => {
  answer = (request, response) => {
    response.write(bytesOf(2 * mebibyte), () => request.socket.destroy());
  };
  const { source } = worker();
  source.put({ home: 'record' });
  await source.until(({ returns }) => returns.length === 1);
  expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
  while ((await world.files()).length > 0) await new Promise((next) => setImmediate(next));
  answer = (_request, response) => response.end(bytesOf(2 * mebibyte));
  const keep = bodies.store.receive.bind(bodies.store);
  bodies.store.receive = (stream, options) => keep(stream, { ...options, declared: 2 ** 50 });
  source.put({ home: 'record' });
  await source.until(({ returns }) => returns.length === 2);
  expect(source.returns[1]).toMatchObject({ counted: true, code: '507' });
});

it('fetches a body from its address, or hands the address on', async () => {
  const bytes = bytesOf(mebibyte);
  answer = (request, response) => response.end(request.method === 'GET' ? bytes : 'fine');
  const body = { kind: 'address', url: `${origin}/image` } as const;
  expect(await completion({ payload: '', body })).toMatchObject({ outcome: 'succeeded' });
  expect(seen.at(-1)?.body.equals(bytes)).toBe(true);
  settings = { ...allowed, input: 'address' };
  seen = [];
  expect(await completion({ payload: '', body })).toMatchObject({ outcome: 'succeeded' });
  expect(seen.map(({ headers }) => headers['sluice-body-address'])).toEqual([body.url]);
  expect(seen[0]?.body.length).toBe(0);
});

it('fails what can not be fetched, and tries again what may be', async () => {
  const body = { kind: 'address', url: `${origin}/image` } as const;
  answer = (_request, response) => response.writeHead(404).end();
  expect(await completion({ body })).toMatchObject({ outcome: 'failed', code: 'BodyUnavailable' });
  answer = (_request, response) => response.end(bytesOf(4 * mebibyte + 1));
  expect(await completion({ body })).toMatchObject({ outcome: 'failed', code: '413' });
  settings = { ...allowed, fetch: { allow: [], buckets: [] } };
  const refused = await completion({ body });
  expect(refused).toMatchObject({ outcome: 'failed', code: 'BodyUnavailable' });
  expect(refused.reason).toContain('fetch.allow');
  settings = allowed;
  answer = (_request, response) => response.writeHead(503).end();
  const { source } = worker();
  source.put({ body });
  await source.until(({ returns }) => returns.length === 1);
  expect(source.returns[0]).toMatchObject({ counted: true, code: 'BodyUnavailable' });
});
