// Bodies of any size over real connections: what is kept in memory, what goes to a file, what is
// refused and when, and what becomes of senders that lie, drip or leave.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BodyStore } from '../../src/blobs/store.ts';
import { refusalOf } from '../../src/http/answer.ts';
import { Bodies, discardBody } from '../../src/http/body.ts';
import { answerBody } from '../../src/http/body-answer.ts';
import { defaultEdgeLimits } from '../../src/http/limits.ts';
import { EdgeRequest } from '../../src/http/request.ts';
import { type TakenBody, takeBody } from '../../src/http/spill.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { BodyWorld, bytesOf, mebibyte, readAll } from './blobs-world.ts';

const limits = { ...defaultEdgeLimits, stallMs: 300 };
const sizes = { inlineBytesMax: 50_000, bytesMax: 4 * mebibyte };

let world: BodyWorld;
let store: BodyStore;
let server: Server;
let port: number;
let bodies: Bodies;
/** What became of each request, in the order of their ends. */
let ends: (TakenBody | Error)[];
let ended: () => void;

beforeEach(async () => {
  world = await BodyWorld.open();
  store = await world.store({ bytesMax: 8 * mebibyte });
  store.keepOnly(async () => new Set());
  bodies = new Bodies({ ...limits, bodiesBytesMax: 200_000 });
  ends = [];
  ended = () => undefined;
  const parts = { bodies, host: store, limits, clock: systemClock };
  const serve = async (incoming: EdgeRequest, response: Parameters<typeof answerBody>[2]) => {
    if (incoming.method !== 'POST') {
      const name = incoming.url?.slice(1) ?? '';
      const size = store.sizeOf(name) ?? 0;
      const answer = { name, size, type: 'image/png', headers: ['X-Mine', '1'] };
      if (!(await answerBody(parts, incoming, response, answer))) response.writeHead(410).end();
      return;
    }
    try {
      const taken = await takeBody(parts, incoming, response, sizes);
      ends.push(taken);
      response.end(taken.kind === 'spilled' ? taken.place.name : String(taken.payload.length));
    } catch (error) {
      ends.push(error instanceof Error ? error : new Error('?'));
      discardBody(incoming, limits.discardBytesMax);
      const { status, text } = refusalOf(error);
      if (!response.destroyed) response.writeHead(status).end(text);
    }
    ended();
  };
  server = createServer({ IncomingMessage: EdgeRequest }, (incoming, response) => {
    void serve(incoming, response);
  });
  server.on('checkContinue', (incoming: EdgeRequest, response) => void serve(incoming, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await world.close();
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

/** `chunked`: without a length. */
async function send(body: Uint8Array, how: 'declared' | 'chunked'): Promise<Answer> {
  const headers = how === 'declared' ? { 'content-length': String(body.length) } : {};
  const call = request({ port, method: 'POST', headers });
  for (let at = 0; at < body.length; at += 60_000) call.write(body.subarray(at, at + 60_000));
  call.end();
  return answerOf(call);
}

async function answerOf(call: ReturnType<typeof request>): Promise<Answer> {
  const [response]: IncomingMessage[] = await once(call, 'response');
  if (response === undefined) throw new Error('no response');
  const text = (await readAll(response)).toString('latin1');
  return { status: response.statusCode ?? 0, text, headers: response.headers };
}

async function get(name: string, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(request({ port, path: `/${name}`, headers }).end());
}

const end = (): Promise<void> => new Promise((resolve) => (ended = resolve));

it.each(['declared', 'chunked'] as const)(
  'keeps small bodies in memory, others in files (%s)',
  async (how) => {
    expect(await send(bytesOf(0), how)).toMatchObject({ status: 200, text: '0' });
    expect(await send(bytesOf(50_000), how)).toMatchObject({ status: 200, text: '50000' });
    expect(ends[1]).toMatchObject({ kind: 'inline', payload: bytesOf(50_000) });
    expect(await world.files()).toEqual([]);
    const { status, text } = await send(bytesOf(50_001), how);
    expect(status).toBe(200);
    expect(await world.files()).toEqual([text]);
    expect((await get(text)).text).toBe(bytesOf(50_001).toString('latin1'));
    const large = await send(bytesOf(4 * mebibyte), how);
    expect(ends[3]).toMatchObject({ place: { name: large.text, size: 4 * mebibyte } });
    // Nothing of the room in memory is still taken.
    expect(bodies.reserve(200_000)).toBe(true);
    const [, , first, second] = ends;
    if (first instanceof Error || first?.kind !== 'spilled') throw new Error('spilled');
    if (second instanceof Error || second?.kind !== 'spilled') throw new Error('spilled');
    expect(first.hash).not.toBe(second.hash);
    first.done();
    expect(await store.sweep()).toBe(1);
    expect(await world.files()).toEqual([large.text]);
  },
);

it('refuses a body that says it is too large before any of it comes', async () => {
  const socket = connect(port, '127.0.0.1');
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${4 * mebibyte + 1}\r\n\r\n`);
  const [first] = await once(socket, 'data');
  expect(String(first)).toContain('HTTP/1.1 413');
  expect(String(first)).toContain('requests.max_bytes');
  socket.destroy();
});

it('refuses a body that turns out too large, and its sender hears of it', async () => {
  const answer = await send(bytesOf(4 * mebibyte + 1), 'chunked');
  expect(answer).toMatchObject({ status: 413 });
  expect(await world.files()).toEqual([]);
});

it('asks for a body that waits for it only when there is room', async () => {
  const expecting = async (bytes: number): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n';
    socket.write(`${head}Content-Length: ${bytes}\r\n\r\n`);
    const [first] = await once(socket, 'data');
    if (String(first).includes('100 Continue')) socket.write(bytesOf(bytes));
    else socket.destroy();
    if (!socket.destroyed) await once(socket, 'data');
    socket.destroy();
    return String(first);
  };
  expect(await expecting(3 * mebibyte)).toContain('100 Continue');
  expect(await expecting(3 * mebibyte)).toContain('100 Continue');
  expect(await expecting(3 * mebibyte)).toContain('507');
  expect(await expecting(40_000)).toContain('100 Continue');
});

it('keeps nothing of a sender that leaves before its end, or brings next to nothing', async () => {
  const socket = connect(port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  socket.write(bytesOf(400_000));
  while ((await world.files()).length === 0) await new Promise((next) => setImmediate(next));
  const gone = end();
  socket.destroy();
  await gone;
  expect(ends[0]).toBeInstanceOf(Error);
  for (const head of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
    const slow = connect(port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n1\r\na\r\n`);
    const cut = end();
    const drip = setInterval(() => slow.write('1\r\na\r\n'), 20);
    await cut;
    clearInterval(drip);
    slow.destroy();
  }
  expect(ends).toHaveLength(3);
  expect(await world.files()).toEqual([]);
  expect(bodies.reserve(200_000)).toBe(true);
});

it('answers the part of a body that is asked for', async () => {
  const { text: name } = await send(bytesOf(100_000), 'declared');
  const whole = bytesOf(100_000).toString('latin1');
  const all = await get(name);
  expect(all.headers).toMatchObject({
    'content-type': 'image/png',
    'content-length': '100000',
    'accept-ranges': 'bytes',
    'x-mine': '1',
  });
  const parts: readonly (readonly [string, number, string, string | undefined])[] = [
    ['bytes=0-9', 206, whole.slice(0, 10), 'bytes 0-9/100000'],
    ['bytes=99990-', 206, whole.slice(99_990), 'bytes 99990-99999/100000'],
    ['bytes=-5', 206, whole.slice(-5), 'bytes 99995-99999/100000'],
    ['bytes=99999-200000', 206, whole.slice(-1), 'bytes 99999-99999/100000'],
    ['bytes=100000-', 416, '', 'bytes */100000'],
    ['bytes=5-2', 200, whole, undefined],
    ['bytes=0-1,4-5', 200, whole, undefined],
    ['lines=0-9', 200, whole, undefined],
  ];
  for (const [range, status, text, contentRange] of parts) {
    const answer = await get(name, { range });
    expect([answer.status, answer.headers['content-range']]).toEqual([status, contentRange]);
    expect(answer.text === text, range).toBe(true);
  }
  const tag = all.headers.etag ?? '';
  expect((await get(name, { range: 'bytes=0-0', 'if-range': tag })).status).toBe(206);
  expect((await get(name, { range: 'bytes=0-0', 'if-range': '"other"' })).status).toBe(200);
  expect((await get('../spill.test.ts')).status).toBe(410);
});
