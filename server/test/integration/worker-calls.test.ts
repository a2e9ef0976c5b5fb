// A worker in front of a real HTTP server: what is sent, what comes back, and what becomes of it.

import type { ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { PlatformError } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import {
  type Answer,
  type Model,
  startModel,
  startWorker,
  type WorkerWorld,
  type WorldOptions,
} from './worker-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function world(
  answer: Answer,
  options: Partial<WorldOptions> = {},
): Promise<WorkerWorld & { readonly model: Model }> {
  const model = await startModel(answer);
  closers.push(() => model.close());
  const started = startWorker({ origin: model.origin, ...options });
  closers.push(() => started.close());
  return { ...started, model };
}

function say(status: number, body = '', headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
}

function textOf(payload: Uint8Array | undefined): string | undefined {
  return payload === undefined ? undefined : Buffer.from(payload).toString();
}

describe('a call', () => {
  it('carries payload, type, ids and path, and its answer becomes the result', async () => {
    const { source, model } = await world(say(200, 'text', { 'content-type': 'text/plain' }));
    source.put({ payload: 'image', id: 'r1', path: 'a/b', contentType: 'image/png' });
    await source.until(({ completions }) => completions.length === 1);
    expect(model.seen[0]).toMatchObject({ method: 'POST', url: '/a/b', body: 'image' });
    expect(model.seen[0]?.headers).toMatchObject({
      'x-request-id': 'r1',
      'x-sluice-delivery': '1',
      'content-type': 'image/png',
    });
    const [done] = source.completions;
    expect(done).toMatchObject({ outcome: 'succeeded', contentType: 'text/plain' });
    expect(textOf(done?.payload)).toBe('text');
    expect(done?.firstOutputAt).toBeGreaterThan(0);
  });

  it('leaves no result when the answer is empty', async () => {
    const { source } = await world(say(204));
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    expect(source.completions[0]).toMatchObject({ outcome: 'succeeded', payload: undefined });
  });

  it('fails with 400 and reaches no model when the path is not allowed', async () => {
    const request = { path: '/v1', paths: [], method: 'POST', contentType: '' };
    const { source, model } = await world(say(200), { settings: { request } });
    source.put({ path: '../admin' }, { path: 'v2' });
    await source.until(({ completions }) => completions.length === 2);
    for (const done of source.completions) expect(done).toMatchObject({ code: '400' });
    expect(model.seen).toEqual([]);
  });

  it('follows no redirect', async () => {
    const { source, model } = await world(say(307, '', { location: '/elsewhere' }));
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    expect(source.completions[0]).toMatchObject({ outcome: 'failed', code: '307' });
    expect(model.seen.length).toBe(1);
  });

  it('sends GET without a body when the message is empty', async () => {
    const request = { path: '/', paths: [], method: 'GET', contentType: '' };
    const { source, model } = await world(say(200, 'x'), { settings: { request } });
    source.put({ payload: '' });
    await source.until(({ completions }) => completions.length === 1);
    expect(model.seen[0]?.headers['content-length']).toBeUndefined();
  });

  it('reports a streamed answer as progress', async () => {
    let stream: ServerResponse | undefined;
    const { source } = await world((_request, response) => {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
      stream.write('data: one\n\n');
    });
    source.put({});
    await source.until(({ progressTexts }) => progressTexts.length === 1);
    expect(source.progressTexts[0]).toBe('data: one\n\n');
    stream?.end('data: two\n\n');
    await source.until(({ completions }) => completions.length === 1);
    expect(textOf(source.completions[0]?.payload)).toBe('data: one\n\ndata: two\n\n');
  });
});

describe('the outcome', () => {
  it('is a result with the code when the model fails', async () => {
    const { source } = await world(say(500, 'traceback'));
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    const [done] = source.completions;
    expect(done).toMatchObject({ outcome: 'failed', code: '500' });
    expect(textOf(done?.payload)).toBe('traceback');
  });

  it('is another delivery after a back-off for what may pass', async () => {
    const statuses = [502, 200];
    const { source, model } = await world((request, response) => {
      say(statuses.shift() ?? 500, 'x')(request, response);
    });
    source.redeliveries = 1;
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
    expect(model.seen[1]?.headers['x-sluice-delivery']).toBe('2');
  });

  it('is 413 with both sizes when the answer is too large, known or streamed', async () => {
    const big = 'x'.repeat(5000);
    const { source, model } = await world(
      (request, response) => {
        if (request.body === 'known')
          return say(200, big, { 'content-length': '5000' })(request, response);
        response.writeHead(200).write(big);
        response.end(big);
      },
      { answerBytesMax: 1000 },
    );
    source.put({ payload: 'known' }, { payload: 'streamed' });
    await source.until(({ completions }) => completions.length === 2);
    expect(source.completions[0]).toMatchObject({ outcome: 'failed', code: '413' });
    expect(source.completions[0]?.reason).toMatch(/5000 bytes.*1000 bytes/);
    expect(source.completions[1]?.reason).toMatch(/of 10000 bytes.*1000 bytes/);
    expect(model.seen.length).toBe(2);
  });

  it('is another delivery when the answer is cut', async () => {
    const { source } = await world((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half', () => {
        response.destroy();
      });
    });
    source.put({});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
    expect(source.returns[0]?.reason).toContain('cut after 4 of 100 bytes');
  });

  it('is not counted when nothing listens, and says so', async () => {
    const { model, source } = await world(say(200));
    await model.close();
    source.put({});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: false, delayMs: 0 });
    expect(source.returns[0]?.reason).toContain('ECONNREFUSED');
    expect(source.isPaused).toBe(true);
  });

  it('survives queues that recover while the result is handed in', async () => {
    const { source } = await world(say(200, 'kept'));
    source.refusals.push(new PlatformError('outcome_unknown', 'lost'));
    source.refusals.push(new PlatformError('unavailable', 'recovering'));
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    expect(textOf(source.completions[0]?.payload)).toBe('kept');
  });

  it('becomes 413 when the queue itself finds the result too large', async () => {
    const { source } = await world(say(200, 'kept'));
    source.refusals.push(new PlatformError('too_large', 'limit 3'));
    source.put({});
    await source.until(({ completions }) => completions.length === 1);
    expect(source.completions[0]).toMatchObject({ code: '413', reason: 'limit 3' });
  });
});

describe('time', () => {
  it('cuts a call at rpc.keepalive, counts it, and keeps its slot until a late check', async () => {
    const clock = new VirtualClock(new SeededRandom(2));
    const settings = { keepaliveMs: 5000, releaseAfterMs: 30_000 };
    const { source, worker, model, outcomes } = await world(() => undefined, { clock, settings });
    source.put({}, {});
    while (model.open() === 0) await clock.settle();
    await clock.advance(4999);
    expect(source.returns).toEqual([]);
    await clock.advance(1);
    while (source.returns.length === 0) await clock.settle();
    expect(source.returns[0]).toMatchObject({ counted: true, code: '408' });
    expect(outcomes).toEqual(['timeout']);
    expect(worker.view()).toMatchObject({ abandoned: 1, holds: ['full'] });
    worker.checked(true, clock.now().mono + 29_999);
    expect(model.seen.length).toBe(1);
    worker.checked(true, clock.now().mono + 30_000);
    while (model.seen.length < 2) await clock.settle();
    expect(worker.view().abandoned).toBe(0);
  });

  it('never cuts a call with rpc.keepalive 0', async () => {
    const clock = new VirtualClock(new SeededRandom(2));
    let answer: ServerResponse | undefined;
    const { source, model } = await world(
      (_request, response) => {
        answer = response;
      },
      { clock, settings: { keepaliveMs: 0 } },
    );
    source.put({});
    while (model.seen.length === 0) await clock.settle();
    await clock.advance(48 * 3_600_000);
    answer?.end('late');
    while (source.completions.length === 0) await clock.settle();
    expect(textOf(source.completions[0]?.payload)).toBe('late');
  });
});

describe('a reused connection', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** `turn` sees each request with its connection's number and its own number on it, from 1. */
  async function rawServer(turn: (socket: Socket, connection: number, at: number) => void) {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      const connection = connections;
      let at = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        at += 1;
        turn(socket, connection, at);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const started = startWorker({ origin: `http://127.0.0.1:${port}` });
    closers.push(() => started.close());
    return { ...started, server, connections: () => connections };
  }
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

  it('closed before the first byte is tried once more on a fresh one, uncounted', async () => {
    const { source, connections } = await rawServer((socket, _connection, at) => {
      if (at === 1) socket.write(ok);
      else socket.destroy();
    });
    source.put({}, {});
    await source.until(({ completions }) => completions.length === 2);
    expect(source.returns).toEqual([]);
    expect(connections()).toBe(2);
  });

  it('counts when the fresh one is cut too', async () => {
    const { source, connections } = await rawServer((socket, connection, at) => {
      if (connection === 1 && at === 1) socket.write(ok);
      else socket.destroy();
    });
    source.put({}, {});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
    expect(connections()).toBe(2);
  });

  it('counts at once when the answer had begun', async () => {
    const { source, connections } = await rawServer((socket, _connection, at) => {
      if (at === 1) socket.write(ok);
      else socket.end('HTTP/1.1 200');
    });
    source.put({}, {});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true });
    expect(connections()).toBe(1);
  });

  it('counts at once when a fresh one is cut', async () => {
    const { source, connections } = await rawServer((socket) => socket.destroy());
    source.put({});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
    expect(connections()).toBe(1);
  });

  it('counts an answer that is not HTTP', async () => {
    const { source } = await rawServer((socket) => socket.end('SSH-2.0-x\r\n'));
    source.put({});
    await source.until(({ returns }) => returns.length === 1);
    expect(source.returns[0]).toMatchObject({ counted: true, code: '502' });
  });
});
