// The connections of the edge, on real ones: handing out, limits and their refusals, upgrades that
// are none, TLS, and stopping. The queues are played.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as tlsRequest } from 'node:https';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { GetRequest, Message, PutRequest } from '../../src/broker/queues.ts';
import { createEdge } from '../../src/http/edge.ts';
import { createRootQueue } from '../../src/http/root-queue.ts';
import {
  atEnd,
  call,
  closeWorld,
  edgeOptions,
  Peer,
  scripted,
  serviceOf,
  signal,
  startEdge,
  token,
} from './eas-world.ts';

afterEach(closeWorld);

const queue = '/api/predict/svc';

/** Takes every put and remembers it. */
function takingPuts(): { puts: PutRequest[]; service: ReturnType<typeof serviceOf> } {
  const puts: PutRequest[] = [];
  const queues = scripted({
    put: (_queue, request) => {
      puts.push(request);
      return Promise.resolve({ index: puts.length, id: 'made', repeated: false });
    },
  });
  return { puts, service: serviceOf(queues) };
}

function messageOf(payload: Uint8Array): Message {
  return {
    index: 7,
    id: 'r7',
    tags: new Map(),
    priority: 0,
    payload,
    contentType: 'image/png',
    path: undefined,
    acceptedAt: 0,
  };
}

describe('handing out', () => {
  /** Hands out one message and tells which of the two ends came. */
  function handing(payload: Uint8Array): {
    service: ReturnType<typeof serviceOf>;
    ends: string[];
    ended: Promise<void>;
  } {
    const ends: string[] = [];
    const { promise, resolve } = signal();
    const end = (how: string) => () => {
      ends.push(how);
      resolve();
    };
    const get = () =>
      Promise.resolve({ messages: [messageOf(payload)], taken: end('taken'), cut: end('cut') });
    return { service: serviceOf(scripted({ get })), ends, ended: promise };
  }

  it('says taken once the socket has the whole answer', async () => {
    const { service, ends, ended } = handing(Buffer.from('result'));
    const { port } = await startEdge([service]);
    const answer = await call(port, `${queue}/sink`);
    await ended;
    expect(answer.text).toBe('result');
    expect(answer.headers['content-type']).toBe('image/png');
    expect(answer.headers['x-eas-queueservice-request-id']).toBe('r7');
    expect(answer.headers['x-eas-queueservice-index']).toBe('7');
    expect(ends).toEqual(['taken']);
  });

  it('says cut when the client goes away in the middle of the answer', async () => {
    const { service, ends, ended } = handing(Buffer.alloc(64 * 2 ** 20));
    const { port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    peer.head(`GET ${queue}/sink HTTP/1.1`);
    await peer.until('HTTP/1.1 200');
    peer.socket.pause();
    peer.socket.resetAndDestroy();
    await ended;
    expect(ends).toEqual(['cut']);
  });

  it('says cut for an answer behind another one when the connection is lost', async () => {
    const { service, ends } = handing(Buffer.alloc(64 * 2 ** 20));
    const { edge, port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    peer.socket.pause();
    peer.head(`GET ${queue}/sink HTTP/1.1`);
    peer.head(`GET ${queue}/sink HTTP/1.1`);
    while (edge.connections() === 0) await new Promise((resolve) => setImmediate(resolve));
    peer.socket.resume();
    await peer.until('HTTP/1.1 200');
    peer.socket.resetAndDestroy();
    while (ends.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(ends).toEqual(['cut', 'cut']);
  });

  it('cuts a reader that takes nothing', async () => {
    const { service, ends, ended } = handing(Buffer.alloc(64 * 2 ** 20));
    // 64 MiB earn 1,024 s of patience besides; a clock that runs fast shortens both.
    const { clock } = edgeOptions([]);
    const fast = { ...clock, after: (ms: number, run: () => void) => clock.after(ms / 5000, run) };
    const { port } = await startEdge([service], { clock: fast, limits: { stallMs: 1 } });
    const peer = await Peer.connect(port);
    peer.socket.pause();
    peer.head(`GET ${queue}/sink HTTP/1.1`);
    await ended;
    expect(ends).toEqual(['cut']);
  });

  it('ends the wait of a client that goes away', async () => {
    const asked = signal<AbortSignal>();
    const queues = scripted({
      get: (_queue: string, _request: GetRequest, wait: AbortSignal | undefined) =>
        new Promise((_resolve, reject) => {
          if (wait === undefined) throw new Error('a poll has a signal');
          wait.addEventListener('abort', () => reject(new Error('cancelled')));
          asked.resolve(wait);
        }),
    });
    const { port } = await startEdge([serviceOf(queues)]);
    const peer = await Peer.connect(port);
    peer.head(`GET ${queue}?_timeout_=60s HTTP/1.1`);
    const wait = await asked.promise;
    expect(wait.aborted).toBe(false);
    peer.socket.destroy();
    await once(wait, 'abort');
  });
});

describe('limits of a connection', () => {
  it('answers 431 with the limit when headers are too large', async () => {
    const { port } = await startEdge([], { limits: { headersBytesMax: 4096 } });
    const peer = await Peer.connect(port);
    peer.head(`GET / HTTP/1.1`, `X-Long: ${'x'.repeat(5000)}`);
    await peer.closed();
    expect(peer.text).toContain('HTTP/1.1 431');
    expect(peer.text).toContain('http.headersBytesMax = 4096');
  });

  it('answers 400 to what is no HTTP', async () => {
    const { port } = await startEdge([]);
    const peer = await Peer.connect(port);
    peer.send('hello, is anybody there?\r\n\r\n');
    await peer.closed();
    expect(peer.text).toContain('HTTP/1.1 400');
  });

  it('answers 408 with the limit when headers do not arrive', async () => {
    const { port } = await startEdge([], { limits: { headersMs: 50, requestMs: 50 } });
    const peer = await Peer.connect(port);
    peer.send('GET / HTTP/1.1\r\nHost: localhost\r\n');
    await peer.closed();
    expect(peer.text).toContain('HTTP/1.1 408');
    expect(peer.text).toContain('http.headersMs = 50');
  });

  it('answers 503 to one connection too many', async () => {
    const { edge, port } = await startEdge([], { limits: { connectionsMax: 1 } });
    const first = await Peer.connect(port);
    while (edge.connections() === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = await Peer.connect(port);
    await second.closed();
    expect(second.text).toContain('HTTP/1.1 503');
    expect(second.text).toContain('http.connectionsMax = 1');
    first.head('GET / HTTP/1.1');
    await first.until('fallback');
  });

  it('keeps an idle connection for 75 s, so that pooled clients never race its end', async () => {
    const { port } = await startEdge([takingPuts().service]);
    const answer = await call(port, queue, {
      method: 'POST',
      headers: { connection: 'keep-alive' },
      body: 'x',
    });
    expect(answer.headers['keep-alive']).toBe('timeout=75');
  });
});

describe('upgrades', () => {
  it('serves a request that offers h2c as a plain one, body and all', async () => {
    const { puts, service } = takingPuts();
    const { port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAA'];
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 5', ...offer);
    peer.send('hello');
    await peer.until('HTTP/1.1 200');
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 5');
    peer.send('again');
    await peer.until((each) => each.text.split('HTTP/1.1 200').length === 3);
    expect(puts.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['hello', 'again']);
  });

  it('answers 404 to a WebSocket where there is none', async () => {
    const { port } = await startEdge([]);
    const headers = { connection: 'Upgrade', upgrade: 'websocket' };
    expect((await call(port, '/elsewhere', { headers })).status).toBe(404);
  });
});

describe('listening', () => {
  it('waits for a busy port to become free', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const address = blocker.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const edge = createEdge(edgeOptions([], { port }));
    atEnd(() => edge.stop());
    const started = edge.start();
    await new Promise<void>((resolve) => blocker.close(() => resolve()));
    await started;
    expect(edge.address().port).toBe(port);
  });

  it('says so when the port stays busy', async () => {
    const { port } = await startEdge([]);
    const second = createEdge({ ...edgeOptions([], { port }), limits: { bindRetryMs: 0 } });
    await expect(second.start()).rejects.toThrow(`127.0.0.1:${port} is in use`);
    await second.stop();
  });

  it('speaks TLS with a certificate and key', async () => {
    const pem = (name: string) => readFileSync(new URL(`eas-tls/${name}.pem`, import.meta.url));
    const { puts, service } = takingPuts();
    const tls = { cert: pem('cert'), key: pem('key') };
    const { port } = await startEdge([service], { tls });
    const headers = { authorization: token };
    const options = { host: '127.0.0.1', port, path: queue, method: 'POST', headers };
    const request = tlsRequest({ ...options, ca: tls.cert, servername: 'localhost', agent: false });
    request.end('secret');
    const [response] = await once(request, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(puts.length).toBe(1);
  });

  it('has a queue at the root of an address of its own', async () => {
    const { puts, service } = takingPuts();
    const { stream: _, fallback: __, ...basics } = edgeOptions([service]);
    const root = createRootQueue({ ...basics, service: 'svc' });
    atEnd(() => root.stop());
    await root.start();
    const { port } = root.address();
    expect((await call(port, '/', { method: 'POST', body: 'a' })).text).toBe('1');
    expect((await call(port, '/sink', { method: 'POST', body: 'b' })).text).toBe('2');
    expect((await call(port, '/v1/x', { method: 'POST', body: 'c' })).text).toBe('3');
    expect(puts.map(({ path }) => path)).toEqual([undefined, undefined, '/v1/x']);
    const refused = await call(port, '/', { method: 'POST', headers: { authorization: '' } });
    expect(refused.status).toBe(401);
  });
});

describe('stopping', () => {
  it('lets running answers finish, ends polls in vain, and closes what is idle', async () => {
    const asked = signal();
    const release = signal();
    const queues = scripted({
      put: async () => {
        asked.resolve();
        await release.promise;
        return { index: 5, id: 'r5', repeated: false };
      },
      get: (_queue: string, _request: GetRequest, wait: AbortSignal | undefined) =>
        new Promise((_resolve, reject) => {
          wait?.addEventListener('abort', () => reject(new Error('cancelled')));
        }),
    });
    const { edge, port } = await startEdge([serviceOf(queues)], { limits: { stopMs: 10_000 } });
    const idle = await Peer.connect(port);
    const poll = await Peer.connect(port);
    poll.head(`GET ${queue}?_timeout_=60s HTTP/1.1`);
    const put = await Peer.connect(port);
    put.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 1');
    put.send('x');
    await asked.promise;
    const stopped = edge.stop();
    await idle.closed();
    await poll.closed();
    expect(poll.text).toContain('HTTP/1.1 204');
    release.resolve();
    await put.closed();
    expect(put.text).toContain('HTTP/1.1 200');
    await stopped;
    expect(edge.connections()).toBe(0);
  });

  it('cuts what does not end in time, and may be called twice', async () => {
    const asked = signal();
    const queues = scripted({
      put: () => {
        asked.resolve();
        return new Promise(() => undefined);
      },
    });
    const { edge, port } = await startEdge([serviceOf(queues)], { limits: { stopMs: 20 } });
    const peer = await Peer.connect(port);
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 0');
    await asked.promise;
    await Promise.all([edge.stop(), edge.stop()]);
    await peer.closed();
  });
});
