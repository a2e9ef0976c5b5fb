// Who gets in at the edge, and what becomes of the bodies of puts, on real sockets. The queues are
// played.

import { PlatformError } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import type { PutRequest } from '../../src/broker/queues.ts';
import {
  call,
  closeWorld,
  loopbackAccess,
  Peer,
  scripted,
  serviceOf,
  startEdge,
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

describe('who gets in', () => {
  it('refuses foreign hosts with 421 and foreign origins with 403, on upgrades too', async () => {
    const { port } = await startEdge([takingPuts().service]);
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket' };
    for (const extra of [{}, upgrade]) {
      const host = { ...extra, host: 'evil.example' };
      expect((await call(port, queue, { headers: host })).status).toBe(421);
      const origin = { ...extra, host: 'localhost', origin: 'https://evil.example' };
      expect((await call(port, queue, { headers: origin })).status).toBe(403);
    }
    expect((await call(port, '/', { headers: { host: 'evil.example' } })).status).toBe(421);
  });

  it('answers preflights of allowed origins and lets them read the EAS headers', async () => {
    const access = { ...loopbackAccess, allowOrigins: ['https://app.example'] };
    const { port } = await startEdge([takingPuts().service], { access });
    const origin = 'https://app.example';
    const preflight = await call(port, queue, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,x-eas-queueservice-redis-uid',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe(origin);
    expect(preflight.headers['access-control-allow-methods']).toContain('DELETE');
    const allowed = preflight.headers['access-control-allow-headers']?.toLowerCase();
    expect(allowed).toContain('authorization');
    expect(allowed).toContain('x-eas-queueservice-redis-uid');
    expect(allowed).toContain('x-eas-queueservice-access-rear');

    const put = await call(port, queue, { method: 'POST', headers: { origin }, body: 'x' });
    expect(put.status).toBe(200);
    expect(put.headers['access-control-allow-origin']).toBe(origin);
    expect(put.headers['access-control-expose-headers']).toContain('X-Eas-Queueservice-Request-Id');
    const other = await call(port, '/elsewhere', { headers: { origin } });
    expect(other.headers['access-control-allow-origin']).toBe(origin);
    expect(other.text).toBe('fallback');
  });

  it('answers 401 in plain text without a good token, 404 for an unknown service', async () => {
    const { port } = await startEdge([takingPuts().service]);
    for (const authorization of ['', 'wrong', 'EAS wrong']) {
      const answer = await call(port, queue, { method: 'POST', headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(answer.headers['content-type']).toContain('text/plain');
    }
    expect((await call(port, '/api/predict/other')).status).toBe(404);
    expect((await call(port, queue, { method: 'PATCH' })).status).toBe(405);
  });

  it('takes an empty Authorization on an open service', async () => {
    const open = serviceOf(takingPuts().service.queues, { open: true, tokens: [] });
    const { port } = await startEdge([open]);
    const headers = { authorization: '' };
    expect((await call(port, queue, { method: 'POST', headers, body: 'x' })).text).toBe('1');
  });

  it('answers 503 with the reason while a service is stopped', async () => {
    const stopped = serviceOf(scripted({}), { stopped: 'the service is stopped' });
    const { port } = await startEdge([stopped]);
    const answer = await call(port, queue, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(503);
    expect(answer.text).toBe('the service is stopped');
    expect(answer.headers['retry-after']).toBe('5');
  });
});

describe('puts', () => {
  it('hands over body, tags, path, type and identity, and answers bare digits', async () => {
    const { puts, service } = takingPuts();
    const { port } = await startEdge([service]);
    const answer = await call(port, `${queue}/v1/x?requestId=r1&color=red&_priority_=3&_x_=y`, {
      method: 'POST',
      headers: {
        'content-type': 'image/png',
        'x-eas-queueservice-redis-uid': 'u',
        'x-eas-queueservice-redis-gid': 'g',
      },
      body: 'payload',
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(Buffer.from('1'));
    expect(answer.headers['x-eas-queueservice-request-id']).toBe('made');
    expect(puts[0]).toMatchObject({
      id: 'r1',
      priority: 3,
      path: '/v1/x',
      contentType: 'image/png',
      by: { gid: 'g', uid: 'u' },
      home: 'sink',
      tags: new Map([['color', 'red']]),
      payload: Buffer.from('payload'),
    });
  });

  it('joins a body that comes in pieces, and takes an empty one', async () => {
    const { puts, service } = takingPuts();
    const { port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    peer.head(`POST ${queue} HTTP/1.1`, 'Transfer-Encoding: chunked');
    peer.send('3\r\nabc\r\n');
    peer.send('2\r\nde\r\n0\r\n\r\n');
    await peer.until('\r\n\r\n1');
    await call(port, queue, { method: 'POST' });
    expect(puts.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['abcde', '']);
  });

  it('refuses a declared size before the body comes, and the connection stays usable', async () => {
    const { service, puts } = takingPuts();
    const { port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 9000');
    await peer.until('sluice apply FILE');
    expect(peer.text).toContain('HTTP/1.1 413 Payload Too Large');
    expect(peer.text).toContain('9000 bytes is over the limit of 8192 bytes');
    expect(peer.text).toContain('queue.source.max_payload_size_kb');
    peer.send(Buffer.alloc(9000));
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 2');
    peer.send('ok');
    await peer.until('HTTP/1.1 200');
    expect(puts.length).toBe(1);
  });

  it('refuses a body that grows over the limit', async () => {
    const { service, puts } = takingPuts();
    const { port } = await startEdge([service]);
    const peer = await Peer.connect(port);
    peer.head(`POST ${queue}/sink HTTP/1.1`, 'Transfer-Encoding: chunked');
    peer.send(`2000\r\n${'x'.repeat(8192)}\r\n`);
    peer.send('1\r\nx\r\n');
    await peer.until('sluice apply FILE');
    expect(peer.text).toContain('more than 8192 bytes');
    expect(peer.text).toContain('queue.sink.max_payload_size_kb');
    expect(puts.length).toBe(0);
  });

  it('cuts a client that goes on sending a refused body for ever', async () => {
    const { port } = await startEdge([takingPuts().service], {
      limits: { discardBytesMax: 100_000 },
    });
    const peer = await Peer.connect(port);
    peer.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 1000000000');
    await peer.until('413');
    const flood = Buffer.alloc(50_000);
    const more = (): void => {
      if (!peer.socket.destroyed) peer.socket.write(flood, more);
    };
    more();
    await peer.closed();
  });

  it('says 100 Continue to a body that may come, and not to one that may not', async () => {
    const { port } = await startEdge([takingPuts().service]);
    const good = await Peer.connect(port);
    good.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 2', 'Expect: 100-continue');
    await good.until('HTTP/1.1 100 Continue');
    good.send('ok');
    await good.until('HTTP/1.1 200 OK');
    const large = await Peer.connect(port);
    large.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 9000', 'Expect: 100-continue');
    await large.until('HTTP/1.1 413');
    expect(large.text).not.toContain('100 Continue');
  });

  it('bounds the bytes of all bodies on their way in', async () => {
    const { port } = await startEdge([takingPuts().service], { limits: { bodiesBytesMax: 5000 } });
    const slow = await Peer.connect(port);
    slow.head(`POST ${queue} HTTP/1.1`, 'Content-Length: 4000');
    slow.send('x');
    // The same connection pool would be served in order; another one is not.
    let answer = await call(port, queue, { method: 'POST', body: 'y'.repeat(2000) });
    while (answer.status === 200) {
      answer = await call(port, queue, { method: 'POST', body: 'y'.repeat(2000) });
    }
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('http.bodiesBytesMax = 5000');
    slow.socket.destroy();
    while (answer.status !== 200) {
      answer = await call(port, queue, { method: 'POST', body: 'y'.repeat(2000) });
    }
  });

  it('passes on what the queue refuses: 450 when full, 410 when ended', async () => {
    const errors = [
      new PlatformError('queue_full', 'the queue is full', { retryAfterMs: 2000 }),
      new PlatformError('ended', 'the queue has ended'),
    ];
    const queues = scripted({ put: () => Promise.reject(errors.shift()) });
    const { port } = await startEdge([serviceOf(queues)]);
    const full = await call(port, queue, { method: 'POST', body: 'x' });
    expect([full.status, full.text, full.headers['retry-after']]).toEqual([
      450,
      'the queue is full',
      '2',
    ]);
    expect((await call(port, queue, { method: 'POST', body: 'x' })).status).toBe(410);
  });

  it('refuses a request id that no header can carry', async () => {
    const { port } = await startEdge([takingPuts().service]);
    const answer = await call(port, `${queue}?requestId=a%0Ab`, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(400);
  });

  it('answers 500 and goes on when a put fails by a bug of ours', async () => {
    const queues = scripted({
      put: () => {
        throw new TypeError('a bug');
      },
    });
    const { port } = await startEdge([serviceOf(queues)]);
    for (let round = 0; round < 2; round++) {
      const answer = await call(port, queue, { method: 'POST', body: 'x' });
      expect([answer.status, answer.text]).toEqual([
        500,
        'internal error, see the log of the server',
      ]);
    }
  });
});

it('reads code and reason of a negative commit from a form, each optional', async () => {
  const negatives: unknown[] = [];
  const queues = scripted({
    negative: async (...details: unknown[]) => {
      negatives.push(details);
    },
  });
  const { port } = await startEdge([serviceOf(queues)]);
  const headers = { 'x-eas-queueservice-redis-uid': 'u', 'x-eas-queueservice-redis-gid': 'g' };
  for (const body of ['_reason_=no+room%21&_code_=Model.Busy', '_code_=Shutdown', '']) {
    const at = `${queue}?_indexes_=3,4&_negative_=true`;
    expect((await call(port, at, { method: 'PUT', headers, body })).text).toBe('OK');
  }
  const by = { gid: 'g', uid: 'u' };
  expect(negatives).toEqual([
    ['input', [3, 4], by, 'Model.Busy', 'no room!'],
    ['input', [3, 4], by, 'Shutdown', ''],
    ['input', [3, 4], by, '', ''],
  ]);
});
