// Large bodies and results of requests that a worker on another machine does: a server and a worker
// as processes of their own, a model that reads as it likes, and a network that can be cut.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mebibyte } from './blobs-world.ts';
import {
  adminToken,
  type JoinedWorld,
  type Network,
  openJoinedWorld,
  type RunningServer,
  seen,
} from './joined-world.ts';

/** Measured: 40 to 75 MB in the worker, 35 MB in the server, for bodies of any size. */
const growthMax = 100 * mebibyte;
const piece = Buffer.alloc(256 * 1024, 'a page of a book; ');

let world: JoinedWorld;
let server: RunningServer;
let network: Network;
let workerPid: number;
let model: ReturnType<typeof createServer>;
let serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>;

beforeAll(async () => {
  world = openJoinedWorld();
  model = createServer((asked, response) => {
    serve(asked, response).catch(() => response.destroy());
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  server = await world.serve();
  network = await world.network(server.url);
  const token = await world.queues(server, 'far');
  const endpoint = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
  const args = ['--endpoint', endpoint, '--data', join(world.commands.home, 'worker')];
  const worker = world.worker({ url: network.url, service: 'far', token, args });
  await seen(server, 'far', ({ state }) => state === 'Running');
  workerPid = worker.child.pid ?? 0;
});

afterAll(async () => {
  await world.close();
  model.closeAllConnections();
  model.close();
});

interface Answer {
  readonly status: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly text: string;
}

/** A call whose body and answer are never whole in the memory of the test. */
async function call(path: string, how: { method?: string; pieces?: number } = {}): Promise<Answer> {
  const { method = 'GET', pieces = 0 } = how;
  const url = `${server.url}/v1/services/far/requests${path}`;
  const headers = { authorization: adminToken, prefer: 'wait=60' };
  const length = pieces === 0 ? {} : { 'content-length': String(pieces * piece.length) };
  const asked = request(url, { method, headers: { ...headers, ...length } });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  for (let count = 0; count < pieces; count += 1) {
    if (!asked.write(piece)) await once(asked, 'drain');
  }
  asked.end();
  const [response] = await answered;
  return { status: response.statusCode ?? 0, ...(await digested(response)) };
}

async function digested(source: AsyncIterable<Buffer>): Promise<Omit<Answer, 'status'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  let text = '';
  for await (const each of source) {
    hash.update(each);
    bytes += each.length;
    if (bytes < 10_000) text += each.toString();
  }
  return { bytes, sha256: hash.digest('hex'), text };
}

function shaOf(pieces: number): string {
  const hash = createHash('sha256');
  for (let count = 0; count < pieces; count += 1) hash.update(piece);
  return hash.digest('hex');
}

/** Submits and answers the id. */
async function submit(pieces: number): Promise<string> {
  const url = `${server.url}/v1/services/far/requests`;
  const headers = { authorization: adminToken };
  const body = Buffer.concat(Array.from({ length: pieces }, () => piece));
  const response = await fetch(url, { method: 'POST', headers, body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

/** The most that a process had in memory since it was asked last, and what it has now. */
function memoryOf(pid: number): { readonly peak: number; readonly now: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
  return { peak: read('VmHWM'), now: read('VmRSS') };
}

const files = (): Promise<readonly string[]> =>
  readdir(join(world.commands.home, 'data', 'bodies')).catch(() => []);

it('gives a worker elsewhere 100 MiB and takes as much back, in little memory', async () => {
  const pieces = (100 * mebibyte) / piece.length;
  let got: Omit<Answer, 'status'> | undefined;
  serve = async (asked, response) => {
    got = await digested(asked);
    response.setHeader('content-type', 'video/mp4');
    for (let count = 0; count < pieces; count += 1) {
      if (!response.write(piece)) await once(response, 'drain');
    }
    response.end();
  };
  const pids = [workerPid, server.command.child.pid ?? 0];
  const before = pids.map((pid) => memoryOf(pid).now);
  const answer = await call('', { method: 'POST', pieces });
  const grown = pids.map((pid, at) => memoryOf(pid).peak - (before[at] ?? 0));
  const sha256 = shaOf(pieces);
  expect(got).toMatchObject({ bytes: 100 * mebibyte, sha256 });
  expect(answer).toMatchObject({ status: 200, bytes: 100 * mebibyte, sha256 });
  for (const each of grown) expect(each).toBeLessThan(growthMax);
  // Nothing lies on the machine of the worker.
  expect(await readdir(join(world.commands.home, 'worker', 'results'))).toEqual([]);
});

it('goes on with a body where the line was cut, in the same delivery', async () => {
  const pieces = (24 * mebibyte) / piece.length;
  let reached: () => void = () => undefined;
  const halfway = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let goOn: () => void = () => undefined;
  const mended = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let attempts = 0;
  serve = async (asked, response) => {
    attempts += 1;
    const held = async function* (): AsyncGenerator<Buffer> {
      let bytes = 0;
      for await (const each of asked) {
        bytes += each.length;
        yield each;
        if (bytes < 2 * mebibyte || bytes - each.length >= 2 * mebibyte) continue;
        reached();
        await mended;
      }
    };
    response.end((await digested(held())).sha256);
  };
  const id = await submit(pieces);
  await halfway;
  network.cut();
  network.mend();
  goOn();
  const answer = await call(`/${id}/result`);
  expect(answer).toMatchObject({ status: 200, text: shaOf(pieces) });
  expect(attempts).toBe(1);
  expect(JSON.parse((await call(`/${id}`)).text)).toMatchObject({ deliveries: 1 });
});

it('brings a result up again when the line was cut in the middle of it', async () => {
  const pieces = (24 * mebibyte) / piece.length;
  let calls = 0;
  serve = async (asked, response) => {
    calls += 1;
    await digested(asked);
    for (let count = 0; count < pieces; count += 1) {
      if (!response.write(piece)) await once(response, 'drain');
    }
    response.end();
  };
  const id = await submit(1);
  // What is on its way up has a file that is not whole.
  while (!(await files()).some((name) => name.endsWith('.part'))) await turn();
  network.cut();
  network.mend();
  const answer = await call(`/${id}/result`);
  expect(answer).toMatchObject({ status: 200, bytes: 24 * mebibyte, sha256: shaOf(pieces) });
  expect(calls).toBe(1);
  while ((await files()).some((name) => name.endsWith('.part'))) await turn();
});

it('lets go of a body in the middle when its request is canceled', async () => {
  let reached: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let body: IncomingMessage | undefined;
  serve = async (asked) => {
    await once(asked, 'readable');
    body = asked;
    reached();
  };
  const id = await submit((24 * mebibyte) / piece.length);
  await begun;
  expect((await call(`/${id}/cancel`, { method: 'POST' })).status).toBe(200);
  // It was cut: what is left of it never comes.
  await expect(digested(body ?? Readable.from([]))).rejects.toThrow('aborted');
  serve = async (asked, response) => void response.end((await digested(asked)).sha256);
  // The slot of a model that lets go of its call is free again: others have theirs.
  const next = await submit(2);
  expect(await call(`/${next}/result`)).toMatchObject({ status: 200, text: shaOf(2) });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
