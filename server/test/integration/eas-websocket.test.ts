// The WebSocket of a watch: the picky handshake of GO, refusals, takeovers, its heartbeat and its
// end. Real sockets.

import { once } from 'node:events';
import { decodeFrame } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/broker/queues.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { type Client, eventually, path, startService, Watcher } from './eas-broker.ts';
import {
  atEnd,
  closeWorld,
  edgeOptions,
  Peer,
  scripted,
  serviceOf,
  startEdge,
} from './eas-world.ts';

afterEach(closeWorld);

const me = { 'x-eas-queueservice-redis-uid': 'u1', 'x-eas-queueservice-redis-gid': 'eas' };

/** The rest of a watch whose queue does nothing. */
const quietWatch = {
  drained: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  close: () => Promise.resolve(),
};

async function putMany(client: Client, count: number): Promise<number[]> {
  const indexes: number[] = [];
  for (let at = 0; at < count; at++) {
    indexes.push(Number((await client.post(`requestId=r${at}`, `body ${at}`)).text));
  }
  return indexes;
}

function commit(client: Client, index: number | undefined): Promise<unknown> {
  return client.put(`_indexes_=${index}`, '', me);
}

describe('the handshake', () => {
  const handshake = [
    `GET ${path}?_watch_=true&_index_=0&_window_=5 HTTP/1.1`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];

  it('answers as GO wants it: one Connection token, no extension, no subprotocol', async () => {
    const { input } = await startService();
    const peer = await Peer.connect(input.port);
    const offers = [
      'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
      'Sec-WebSocket-Protocol: chat, superchat',
      'Origin: http://localhost',
    ];
    peer.head(...handshake, ...offers);
    await peer.until('\r\n\r\n');
    expect(peer.text.split('\r\n')).toEqual([
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      '',
      '',
    ]);
  });

  it('sends each message whole: one final, unmasked, binary frame, however large', async () => {
    const settings = {
      source: { capacity: 10, payloadBytesMax: 2 ** 22, autoEvict: false, expireMs: 0 },
    };
    const { input } = await startService({ settings });
    const body = 'x'.repeat(3 * 2 ** 20);
    await input.post('', body);
    const peer = await Peer.connect(input.port);
    peer.head(...handshake);
    await peer.until('\r\n\r\n');
    const start = peer.text.indexOf('\r\n\r\n') + 4;
    await peer.until(({ received }) => received.length > start + 10);
    const head = peer.received.subarray(start, start + 10);
    // Final bit and opcode 2; no mask bit, length in 64 bits.
    expect([head[0], head[1]]).toEqual([0x82, 127]);
    const size = Number(head.readBigUInt64BE(2));
    await peer.until(({ received }) => received.length >= start + 10 + size);
    const frame = decodeFrame(peer.received.subarray(start + 10, start + 10 + size));
    expect(Buffer.from(frame.data).toString()).toBe(body);
  });

  it('is refused by a status, never accepted and then closed', async () => {
    const { input } = await startService();
    const status = async (change: (lines: string[]) => string[]): Promise<string> => {
      const peer = await Peer.connect(input.port);
      const lines = change([
        ...handshake,
        'Host: localhost',
        'Authorization: token-of-the-service',
      ]);
      peer.send(`${lines.join('\r\n')}\r\n\r\n`);
      await peer.closed();
      return peer.text.slice(9, 12);
    };
    const replaced = (from: string | RegExp, to: string) => (lines: string[]) =>
      lines.map((line) => line.replace(from, to));
    expect(await status(replaced('token-of-the-service', 'wrong'))).toBe('401');
    expect(await status(replaced('predict/svc', 'predict/other'))).toBe('404');
    expect(await status(replaced('_window_=5', '_window_=0'))).toBe('400');
    expect(await status(replaced('_watch_=true', '_watch_=false'))).toBe('400');
    expect(await status(replaced('Version: 13', 'Version: 7'))).toBe('400');
    expect(await status(replaced(/^Sec-WebSocket-Key.*/, 'X: y'))).toBe('400');
    expect(await status(replaced('GET', 'POST'))).toBe('400');
  });

  it('is refused with 503 by a stopped service', async () => {
    const stopped = serviceOf(scripted({}), { stopped: 'the service is stopped' });
    const { port } = await startEdge([stopped]);
    const refused = Watcher.open(port, '_window_=1');
    await expect(refused).rejects.toThrow('Unexpected server response: 503');
  });
});

it('keeps what is delivered before the handshake is answered, and sends it first', async () => {
  const delivery = (index: number): Delivery => ({
    index,
    id: `r${index}`,
    tags: new Map(),
    priority: 0,
    payload: Buffer.from('x'),
    contentType: undefined,
    path: undefined,
    acceptedAt: 0,
    deliveryId: index,
    deliveries: 1,
  });
  const eager = scripted({
    watch: async (_queue, { by }, sink) => {
      sink.deliver(delivery(1));
      sink.deliver(delivery(2));
      setImmediate(() => sink.deliver(delivery(3)));
      return { by, held: [], ...quietWatch };
    },
  });
  const { port } = await startEdge([serviceOf(eager)]);
  const watcher = await Watcher.open(port, '_window_=5');
  await watcher.until(3);
  expect(watcher.indexes).toEqual([1, 2, 3]);
});

describe('one consumer, several connections', () => {
  it('lets the newest win and sends it what the old one held', async () => {
    const { input } = await startService();
    const indexes = await putMany(input, 3);
    const old = await Watcher.open(input.port, '_window_=2');
    await old.until(2);
    const fresh = await Watcher.open(input.port, '_window_=2');
    expect(await old.closed()).toBe(4001);
    await fresh.until(2);
    expect(fresh.indexes).toEqual(indexes.slice(0, 2));
  });

  it('refuses the fourth takeover in 10 s with 409', async () => {
    const { input } = await startService();
    for (let round = 0; round < 4; round++) await Watcher.open(input.port, '_window_=1');
    const refused = Watcher.open(input.port, '_window_=1');
    await expect(refused).rejects.toThrow('Unexpected server response: 409');
  });
});

describe('the end', () => {
  it('closes with 1000 once the last message of an ended queue is committed', async () => {
    const { input } = await startService();
    await putMany(input, 2);
    const watcher = await Watcher.open(input.port, '_window_=1');
    await input.post('_eos_=true');
    for (const at of [0, 1]) {
      await watcher.until(at + 1);
      await commit(input, watcher.frames[at]?.index);
    }
    expect(await watcher.closed()).toBe(1000);
  });

  it('says goodbye when the server stops, and what was held is delivered again', async () => {
    const { input } = await startService();
    await putMany(input, 1);
    const watcher = await Watcher.open(input.port, '_window_=1');
    await watcher.until(1);
    await input.stop();
    expect(await watcher.closed()).toBe(1001);
    await eventually(
      async () => input.queues.view('input').waiting,
      (waiting) => waiting === 1,
    );
  });
});

it('delivers nothing more once watches are paused, while commits go on', async () => {
  const { input } = await startService();
  const [index] = await putMany(input, 1);
  const watcher = await Watcher.open(input.port, '_window_=1');
  await watcher.until(1);
  input.pauseWatches();
  await commit(input, index);
  await input.post('', 'later');
  expect((await input.attributes())['stream.length']).toBe('1');
  const refused = Watcher.open(input.port, '_window_=1', { uid: 'u2' });
  await expect(refused).rejects.toThrow('Unexpected server response: 503');
  // Pings and deliveries keep their order: what had been sent would be here before the pong.
  const pong = once(watcher.webSocket, 'pong');
  watcher.webSocket.ping();
  await pong;
  expect(watcher.frames.length).toBe(1);
});

describe('the heartbeat', () => {
  it('answers pings, pings every 15 s, and drops after 45 s of silence', async () => {
    const clock = new VirtualClock(new SeededRandom(1));
    const watched = scripted({
      watch: async (_queue, { by }) => ({ by, held: [], ...quietWatch }),
    });
    const { edge, port } = await startEdge([serviceOf(watched)], { clock: mixed(clock) });
    atEnd(async () => {
      let over = false;
      const stopped = edge.stop().then(() => {
        over = true;
      });
      while (!over) await clock.advance(100);
      await stopped;
    });
    const { webSocket } = await Watcher.open(port, '_window_=1');
    const pong = once(webSocket, 'pong');
    webSocket.ping('ping');
    expect(String((await pong)[0])).toBe('ping');

    const ping = once(webSocket, 'ping');
    await clock.advance(15_000);
    await ping;
    // The pong to that ping was the last that was heard, wherever it got to meanwhile.
    const silent = await Peer.connect(port);
    silent.head(
      `GET ${path}?_watch_=true&_window_=1 HTTP/1.1`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    );
    await silent.until('\r\n\r\n');
    await clock.advance(44_999);
    expect(silent.socket.destroyed).toBe(false);
    await clock.advance(1);
    await silent.closed();
    // Two empty pings had come after the end of the handshake.
    expect([...silent.received.subarray(-6)]).toEqual([13, 10, 0x89, 0, 0x89, 0]);
  });
});

/** Time that the test moves; turns of the event loop that go on by themselves. */
function mixed(clock: VirtualClock): VirtualClock {
  return Object.assign(Object.create(clock), {
    now: () => clock.now(),
    after: (ms: number, fire: () => void) => clock.after(ms, fire),
    defer: edgeOptions([]).clock.defer,
  });
}
