// Every limit of the edge on real connections: just below it, at it, and just above. What is over
// a limit is refused in words that name it, or cut, and the server goes on.

import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Speaker } from './speaker.ts';
import {
  answersIn,
  ask,
  openWorld,
  type RawPeer,
  requestOf,
  tokenOf,
  type World,
  type WorldOptions,
} from './world.ts';

const queue = '/api/predict/one';
const sink = `${queue}/sink`;
let world: World;

async function limited(limits: readonly string[], options: WorldOptions = {}): Promise<World> {
  world = await openWorld({ ...options, limits });
  return world;
}
afterEach(async () => {
  await world.close();
  expect(world.errors).toEqual([]);
});

/** The answer to a request that is sent on a connection of its own, which stays open. */
async function answered(bytes: string): Promise<{ peer: RawPeer; status: number; body: string }> {
  const peer = await world.peer();
  peer.send(bytes);
  const text = await peer.until((sofar) => answersIn(sofar).length > 0);
  const [answer] = answersIn(text);
  return { peer, status: answer?.status ?? 0, body: answer?.body ?? '' };
}

describe('headersBytesMax', () => {
  it.each(['GET', 'POST'])('counts request line and headers of a %s', async (method) => {
    await limited(['http.headersBytesMax=4096']);
    // Node counts the bytes of the lines in its own way, so the border is found, not computed.
    const statusWith = async (bytes: number): Promise<number> => {
      const bare = requestOf(method, `${queue}?_attrs_=true`, { body: '' });
      const filler = `X-Filler: ${'x'.repeat(bytes - bare.length - 12)}`;
      const bytesSent = requestOf(method, `${queue}?_attrs_=true`, { body: '', headers: [filler] });
      expect(bytesSent.length).toBe(bytes);
      return (await answered(bytesSent)).status;
    };
    expect(await statusWith(4000)).toBe(200);
    expect(await statusWith(4200)).toBe(431);
    const { body } = await answered(requestOf('GET', `/${'x'.repeat(5000)}`));
    expect(body).toContain('http.headersBytesMax = 4096 (sluice serve --limit)');
    let border = 4000;
    while ((await statusWith(border + 1)) === 200) border += 1;
    expect(border).toBeGreaterThan(4040);
    expect(border).toBeLessThan(4160);
    expect(await statusWith(border)).toBe(200);
  });
});

describe('time', () => {
  const late = 250;

  it('headersMs: a head that comes in time is served, one that never ends gets 408', async () => {
    await limited([`http.headersMs=${late}`, `http.requestMs=${late * 8}`]);
    const slow = await world.peer();
    const before = performance.now();
    slow.send('GET /healthz HTTP/1.1\r\nHost: ');
    const text = await slow.closed();
    expect(text).toContain(' 408 ');
    expect(text).toContain(`http.headersMs = ${late}`);
    expect(performance.now() - before).toBeGreaterThan(late * 0.9);
    const good = await world.peer();
    good.send('GET /healthz HTTP/1.1\r\nHo');
    good.send('st: localhost\r\n\r\n');
    await good.until(' 200 ');
  });

  it('headersMs: a connection on which nothing is ever asked gets 408', async () => {
    await limited([`http.headersMs=${late}`]);
    const peer = await world.peer();
    expect(await peer.closed()).toContain(' 408 ');
  });

  it.each(['Content-Length: 10', 'Transfer-Encoding: chunked'])(
    'requestMs: a body that never ends is cut (%s)',
    async (length) => {
      await limited([`http.headersMs=${late}`, `http.requestMs=${late}`]);
      const peer = await world.peer();
      const before = performance.now();
      peer.send(requestOf('POST', queue, { headers: [length] }), '5\r\nhel');
      const text = await peer.closed();
      expect(performance.now() - before).toBeGreaterThan(late * 0.9);
      expect(text === '' || text.includes(' 408 ')).toBe(true);
      expect((await answered(requestOf('POST', queue, { body: 'x' }))).body).toBe('1');
    },
  );

  it('keepAliveMs: a connection is used again in time, and closed after it', async () => {
    await limited(['http.keepAliveMs=1000']);
    for (const request of [requestOf('POST', queue, { body: 'x' }), requestOf('GET', '/healthz')]) {
      const { peer } = await answered(request);
      peer.send(request);
      await peer.until((text) => answersIn(text).length === 2);
      const before = performance.now();
      const text = await peer.closed();
      expect(performance.now() - before).toBeGreaterThan(900);
      expect(text).not.toContain(' 408 ');
    }
  });

  it('pollMs: a poll waits no longer, whatever it asks for', async () => {
    await limited([`http.pollMs=${late}`]);
    for (const timeout of ['1ms', '250ms', '251ms', '600s', '9999999h', '99999999999999999999']) {
      const before = performance.now();
      expect((await answered(requestOf('GET', `${sink}?_timeout_=${timeout}`))).status).toBe(204);
      expect(performance.now() - before).toBeLessThan(late * 4);
    }
  });

  it('pingMs, silenceMs: who answers pings stays, who is silent is dropped', async () => {
    await limited([`http.pingMs=${late / 5}`, `http.silenceMs=${late}`]);
    const open = async (autoPong: boolean): Promise<WebSocket> => {
      const webSocket = new WebSocket(`ws://127.0.0.1:${world.port}${queue}?_watch_=true`, {
        headers: { authorization: tokenOf('one') },
        autoPong,
      });
      await once(webSocket, 'open');
      return webSocket;
    };
    const alive = await open(true);
    const silent = await open(false);
    const before = performance.now();
    await once(silent, 'close');
    expect(performance.now() - before).toBeGreaterThan(late * 0.9);
    for (let pings = 0; pings < 8; pings++) await once(alive, 'ping');
    expect(alive.readyState).toBe(WebSocket.OPEN);
    alive.terminate();
  });

  it('stallMs: who reads answers stays, who reads none is cut', async () => {
    await limited([`http.stallMs=${late}`]);
    const put = requestOf('POST', queue, { body: 'x' });
    const many = put.repeat(100);
    const reader = await world.peer();
    for (let batch = 1; batch <= 20; batch++) {
      reader.send(many);
      await reader.until((text) => answersIn(text).length === batch * 100);
    }
    const deaf = await world.peer();
    deaf.socket.pause();
    const more = (): void => {
      if (deaf.socket.writable) deaf.socket.write(many, more);
    };
    more();
    await deaf.closed();
    expect((await answered(put)).status).toBe(200);
  });
});

describe('counts', () => {
  it('connectionsMax: the last one is served, one more gets 503, until one leaves', async () => {
    await limited(['http.connectionsMax=5']);
    const peers: RawPeer[] = [];
    const ask = async (peer: RawPeer): Promise<string> => {
      peer.forget();
      peer.send(requestOf('GET', '/healthz'));
      return peer.until('HTTP/1.1 ');
    };
    // The connections by which the world was made still count.
    let refusal = '';
    while (refusal === '') {
      const peer = await world.peer();
      if ((await ask(peer)).includes(' 200 ')) peers.push(peer);
      else refusal = await peer.closed();
    }
    expect(peers.length).toBeGreaterThan(0);
    expect(peers.length).toBeLessThanOrEqual(5);
    expect(refusal).toContain(' 503 ');
    expect(refusal).toContain('Retry-After: 5');
    expect(refusal).toContain('http.connectionsMax = 5 (sluice serve --limit)');
    for (const peer of peers) expect(await ask(peer)).toContain(' 200 ');
    peers[0]?.socket.destroy();
    for (let text = ''; !text.includes(' 200 '); ) {
      const next = await world.peer();
      text = await ask(next);
      next.socket.destroy();
    }
  });

  it('pollsMax: the last poll waits, one more gets 503, until one leaves', async () => {
    await limited(['http.pollsMax=3']);
    const poll = requestOf('GET', `${sink}?_timeout_=30s`);
    const waiting: RawPeer[] = [];
    for (let count = 0; count < 3; count++) {
      const peer = await world.peer();
      peer.send(poll);
      waiting.push(peer);
    }
    const quick = requestOf('GET', `${sink}?_timeout_=1ms`);
    let { status, body } = await answered(quick);
    while (status !== 503) ({ status, body } = await answered(quick));
    expect(body).toContain('http.pollsMax = 3 (sluice serve --limit)');
    expect(waiting.map((peer) => peer.text)).toEqual(['', '', '']);
    // A get that does not wait is none.
    expect((await answered(requestOf('GET', sink))).status).toBe(204);
    waiting[0]?.socket.destroy();
    while ((await answered(quick)).status !== 204);
  });

  it('watchesMax: the last watch is opened, one more gets 503, until one leaves', async () => {
    await limited(['http.watchesMax=3']);
    const watch = (uid: number): string =>
      requestOf('GET', `${queue}?_watch_=true`, {
        headers: [`X-EAS-QueueService-Redis-Uid: u${uid}`],
      });
    const open: RawPeer[] = [];
    for (let uid = 0; uid < 3; uid++) {
      const peer = await world.peer();
      peer.send(watch(uid));
      await peer.until(' 200 ');
      open.push(peer);
    }
    const { status, body } = await answered(watch(9));
    expect(status).toBe(503);
    expect(body).toContain('http.watchesMax = 3 (sluice serve --limit)');
    open[0]?.socket.destroy();
    for (let done = false; !done; ) {
      const peer = await world.peer();
      peer.send(watch(9));
      await peer.until('\r\n\r\n');
      done = peer.text.includes(' 200 ');
      peer.socket.destroy();
    }
  });
});

describe('bytes', () => {
  it('bodiesBytesMax: bodies on their way fill it, one byte more gets 503', async () => {
    await limited(['http.bodiesBytesMax=20000']);
    const slow = await world.peer();
    slow.send(requestOf('POST', queue, { headers: ['Content-Length: 8000'] }));
    slow.send('x');
    const other = await world.peer();
    other.send(requestOf('POST', queue, { headers: ['Content-Length: 8000'] }));
    other.send('x');
    const attempt = async (bytes: number) => {
      const headers = [`Content-Length: ${bytes}`, 'Expect: 100-continue'];
      const peer = await world.peer();
      peer.send(requestOf('POST', queue, { headers }));
      const text = await peer.until('\r\n\r\n');
      peer.socket.destroy();
      return text;
    };
    // As soon as both have begun there is room for 4000.
    let text = await attempt(4001);
    while (!text.includes(' 503 ')) text = await attempt(4001);
    expect(text).toContain('http.bodiesBytesMax = 20000 (sluice serve --limit)');
    text = await attempt(4000);
    while (!text.includes(' 100 ')) text = await attempt(4000);
    slow.send('x'.repeat(7999));
    other.send('x'.repeat(7999));
    await Promise.all([slow.until(' 200 '), other.until(' 200 ')]);
    text = await attempt(8192);
    while (!text.includes(' 100 ')) text = await attempt(8192);
  });

  it.each([
    [1024, 200],
    [1025, 413],
  ])('formBytesMax: a form of %d bytes gets %d', async (bytes, status) => {
    await limited(['http.formBytesMax=1024']);
    const body = '_reason_='.padEnd(bytes, 'x');
    const at = `${queue}?_indexes_=1&_negative_=true`;
    expect((await ask(world, requestOf('PUT', at, { body }))).status).toBe(status);
  });

  it.each([
    [30_000, false],
    [100_000, true],
  ])('discardBytesMax: of a refused body %d bytes are read: cut is %s', async (bytes, isCut) => {
    await limited(['http.discardBytesMax=50000']);
    const peer = await world.peer();
    peer.send(requestOf('POST', queue, { headers: [`Content-Length: ${bytes}`] }));
    await peer.until(' 413 ');
    peer.send('x'.repeat(bytes));
    if (isCut) {
      await peer.closed();
    } else {
      peer.send(requestOf('POST', queue, { body: 'next' }));
      await peer.until(' 200 ');
    }
  });

  it.each([
    [2 ** 20 - 1, undefined],
    [2 ** 20, undefined],
    [2 ** 20 + 1, 1009],
  ])('streamMessageBytesMax: a message of %d bytes is closed with %s', async (bytes, code) => {
    await limited([]);
    const speaker = await Speaker.open(world.port);
    const message = Buffer.alloc(bytes);
    // One operation of an unknown kind over the whole message.
    message.writeUIntLE(bytes - 3, 0, 3);
    message[3] = 0x7f;
    speaker.bytes(message);
    speaker.say({ kind: 'ping', number: 77 });
    if (code === undefined) await speaker.answer(77);
    else expect(await speaker.closed()).toBe(code);
    speaker.close();
  });

  it.each([
    [65_536, undefined],
    [65_537, 1009],
  ])('a watcher that sends %d bytes is closed with %s', async (bytes, code) => {
    await limited(['http.pingMs=100', 'http.silenceMs=10000']);
    const webSocket = new WebSocket(`ws://127.0.0.1:${world.port}${queue}?_watch_=true`, {
      headers: { authorization: tokenOf('one') },
    });
    await once(webSocket, 'open');
    webSocket.send(Buffer.alloc(bytes));
    const ended = once(webSocket, code === undefined ? 'ping' : 'close');
    expect((await ended)[0]).toEqual(code === undefined ? expect.anything() : code);
    webSocket.terminate();
  });
});

describe('requests sent ahead', () => {
  it('answers three thousand of them in order, through the lane and through Node', async () => {
    await limited([]);
    const count = 3000;
    const peer = await world.peer();
    for (let at = 1; at <= count; at++) {
      peer.send(requestOf(at % 3 === 0 ? 'GET' : 'POST', `${queue}?_length_=1`, { body: '' }));
    }
    const text = await peer.until((sofar) => sofar.split('HTTP/1.1 200 ').length > count);
    const indexes = answersIn(text)
      .map(({ head, body }) => (/^x-eas-queueservice-index/im.test(head) ? '' : body))
      .filter((body) => body !== '');
    expect(indexes.length).toBe(count - Math.floor(count / 3));
    expect(indexes).toEqual([...indexes].sort((one, other) => Number(one) - Number(other)));
  });

  it('pipelinedMax: as many as that wait for answers, one more cuts the connection', async () => {
    await limited(['http.pipelinedMax=20']);
    const poll = requestOf('GET', `${sink}?_timeout_=300ms`);
    for (const [count, isCut] of [
      [19, false],
      [20, false],
      [21, true],
    ] as const) {
      const peer = await world.peer();
      peer.send(poll.repeat(count));
      if (isCut) expect(await peer.closed()).toBe('');
      else await peer.until((text) => answersIn(text).length === count);
    }
  });

  it.each([
    ['puts', () => requestOf('POST', `${queue}?a=b`, { body: 'x' })],
    ['gets', () => requestOf('GET', `${queue}?_attrs_=true`)],
    ['addresses of nothing', () => requestOf('GET', '/nothing')],
  ])('reads no more %s than it can answer to a client that reads none', async (_name, make) => {
    await limited([], { queue: { source: { max_length: 5 } } });
    const peer = await world.peer();
    peer.socket.pause();
    const many = make().repeat(200);
    let sent = 0;
    const more = (): void => {
      sent += 200;
      if (peer.socket.writable) peer.socket.write(many, more);
    };
    more();
    // It is cut, or stands once what both kernels hold is full; one that swallowed all never would.
    for (let before = -1, calm = 0; calm < 30 && !peer.isClosed; before = sent) {
      calm = before === sent ? calm + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(sent).toBeLessThan(300_000);
    expect((await answered(requestOf('GET', '/healthz'))).status).toBe(200);
  });
});
