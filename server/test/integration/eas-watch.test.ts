// Watches: what the suites of the official SDKs expect of them, what is delivered to whom, and the
// transport over HTTP. Real sockets, real queues.

import { randomUUID } from 'node:crypto';
import { decodeFrame, type Frame } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Client,
  eventually,
  idOf,
  path,
  protobuf,
  startService,
  Watcher,
} from './eas-broker.ts';
import { closeWorld, Peer } from './eas-world.ts';

afterEach(closeWorld);

const me = { 'x-eas-queueservice-redis-uid': 'u1', 'x-eas-queueservice-redis-gid': 'eas' };

async function putMany(client: Client, count: number): Promise<number[]> {
  const indexes: number[] = [];
  for (let at = 0; at < count; at++) {
    indexes.push(Number((await client.post(`requestId=r${at}`, `body ${at}`)).text));
  }
  return indexes;
}

function length(client: Client): Promise<string | undefined> {
  return client.attributes().then((attributes) => attributes['stream.length']);
}

function commit(client: Client, index: number | undefined): Promise<unknown> {
  return client.put(`_indexes_=${index}`, '', me);
}

describe('what the suites of the SDKs expect', () => {
  it('pushes 10 messages in order with auto commit, and the queue is empty', async () => {
    const { input } = await startService();
    const indexes = await putMany(input, 10);
    const watcher = await Watcher.open(input.port, '_index_=0&_window_=5&_auto_commit_=true');
    await watcher.until(10);
    expect(watcher.indexes).toEqual(indexes);
    expect(watcher.frames.map(({ data }) => Buffer.from(data).toString())).toEqual(
      indexes.map((_, at) => `body ${at}`),
    );
    expect(watcher.frames.map(idOf)).toEqual(indexes.map((_, at) => `r${at}`));
    await eventually(
      () => length(input),
      (text) => text === '0',
    );
  });

  it('pushes 10 messages with manual commits, and is empty with the last answer', async () => {
    const { input } = await startService();
    const indexes = await putMany(input, 10);
    const watcher = await Watcher.open(input.port, '_index_=0&_window_=5');
    for (let at = 0; at < 10; at++) {
      await watcher.until(at + 1);
      // Never more than the window is open at the same time.
      expect(watcher.frames.length - at).toBeLessThanOrEqual(5);
      await commit(input, watcher.frames[at]?.index);
    }
    expect(await length(input)).toBe('0');
    expect(watcher.indexes).toEqual(indexes);
  });

  it('hands each of 2000 puts once to a running auto-commit watch of window 5', async () => {
    const { input } = await startService();
    const watcher = await Watcher.open(input.port, '_index_=0&_window_=5&_auto_commit_=true');
    const ids = new Set<string>();
    const putter = async (): Promise<void> => {
      while (ids.size < 2000) {
        const id = randomUUID();
        ids.add(id);
        const put = await input.queues.put('input', {
          payload: Buffer.from(id),
          id,
          tags: new Map(),
          priority: 0,
          by: { gid: 'default', uid: '' },
          path: undefined,
          contentType: undefined,
          home: 'sink',
          expiresAt: 0,
          owner: undefined,
          idempotencyKey: undefined,
          terms: undefined,
        });
        expect(put.repeated).toBe(false);
      }
    };
    await Promise.all(Array.from({ length: 20 }, putter));
    await watcher.until(ids.size);
    expect(watcher.frames.length).toBe(ids.size);
    expect(new Set(watcher.frames.map(idOf))).toEqual(ids);
  });

  it('loses nothing when the connection breaks in mid-stream', async () => {
    const { input } = await startService();
    const indexes = await putMany(input, 40);
    const done = new Set<number>();
    while (done.size < indexes.length) {
      const watcher = await Watcher.open(input.port, '_index_=0&_window_=5');
      const before = done.size;
      while (done.size < indexes.length && done.size - before < 7) {
        const next = () => watcher.indexes.find((index) => !done.has(index));
        while (next() === undefined) await watcher.until(watcher.frames.length + 1);
        const index = next() ?? 0;
        await commit(input, index);
        done.add(index);
      }
      watcher.cut();
    }
    expect([...done].sort((one, other) => one - other)).toEqual(indexes);
    expect(await length(input)).toBe('0');
  });
});

describe('delivery', () => {
  it('goes by priority first, then by index, and never beyond the window', async () => {
    const { input } = await startService();
    const plain = Number((await input.post('', 'plain')).text);
    const first = Number((await input.post('_priority_=5', 'first')).text);
    const header = { 'x-eas-queueservice-priority': '9' };
    const urgent = Number((await input.post('', 'urgent', header)).text);
    const watcher = await Watcher.open(input.port, '_window_=1');
    for (const at of [0, 1, 2]) {
      await watcher.until(at + 1);
      expect(watcher.frames.length).toBe(at + 1);
      await commit(input, watcher.frames[at]?.index);
    }
    expect(watcher.indexes).toEqual([urgent, first, plain]);
  });

  it('filters by tags and first index, and leaves old data alone with -1', async () => {
    const { input } = await startService();
    const [one = 0, two = 0] = await putMany(input, 2);
    const red = Number((await input.post('color=red', 'red')).text);
    const tagged = await Watcher.open(input.port, '_window_=9&color=red', { gid: 'a' });
    const later = await Watcher.open(input.port, `_window_=9&_index_=${two}`, { gid: 'b' });
    const newer = await Watcher.open(input.port, '_window_=9&_index_=-1', { gid: 'c' });
    await later.until(2);
    const fresh = Number((await input.post('color=red', 'fresh')).text);
    await Promise.all([tagged.until(2), later.until(3), newer.until(1)]);
    expect(tagged.indexes).toEqual([red, fresh]);
    expect(later.indexes).toEqual([two, red, fresh]);
    expect(newer.indexes).toEqual([fresh]);
    expect(one).toBeLessThan(two);
  });

  it('sends no data with _index_only_, tags and index kept', async () => {
    const { input } = await startService();
    const [index] = await putMany(input, 1);
    const watcher = await Watcher.open(input.port, '_window_=1&_index_only_=true');
    await watcher.until(1);
    expect(watcher.frames[0]).toMatchObject({ index, tags: new Map([['requestId', 'r0']]) });
    expect(watcher.frames[0]?.data.length).toBe(0);
  });

  it('gives what a lost consumer held to others of its group', async () => {
    const { input } = await startService();
    const indexes = await putMany(input, 4);
    const first = await Watcher.open(input.port, '_window_=2', { uid: 'u1' });
    await first.until(2);
    const second = await Watcher.open(input.port, '_window_=4', { uid: 'u2' });
    await second.until(2);
    first.cut();
    await second.until(4);
    expect([...second.indexes].sort((one, other) => one - other)).toEqual(indexes);
  });

  it('bounds what a slow reader of an auto-commit watch takes', async () => {
    const settings = {
      source: { capacity: 1000, payloadBytesMax: 2 ** 20, autoEvict: false, expireMs: 0 },
    };
    const { input } = await startService({ settings });
    const watcher = await Watcher.open(input.port, '_auto_commit_=true');
    watcher.webSocket.pause();
    for (let at = 0; at < 64; at++) await input.post('', 'x'.repeat(2 ** 20));
    expect(Number(await length(input))).toBeGreaterThan(10);
    watcher.webSocket.resume();
    await watcher.until(64);
    expect(await length(input)).toBe('0');
  });
});

describe('the HTTP stream', () => {
  const head = `GET ${path}?_watch_=true&_index_=0&_window_=5 HTTP/1.1`;

  /** The records in what came, chunk sizes taken away. */
  function records(peer: Peer): Frame[] {
    const body = dechunked(peer.received.subarray(peer.text.indexOf('\r\n\r\n') + 4));
    const frames: Frame[] = [];
    for (let at = 0; at + 4 <= body.length; ) {
      const size = body.readUInt32BE(at);
      expect(size).toBeGreaterThan(0);
      if (body.length < at + 4 + size) break;
      frames.push(decodeFrame(body.subarray(at + 4, at + 4 + size)));
      at += 4 + size;
    }
    return frames;
  }

  it('sends a length of four bytes and the message, at once and never packed', async () => {
    const { input } = await startService();
    const peer = await Peer.connect(input.port);
    peer.head(head, 'Accept-Encoding: gzip', `Accept: ${protobuf}`);
    await peer.until('\r\n\r\n');
    expect(peer.text).toContain('HTTP/1.1 200 OK');
    expect(peer.text).toContain(`Content-Type: ${protobuf}`);
    expect(peer.text.toLowerCase()).not.toContain('content-encoding');
    for (const count of [1, 2, 3]) {
      await input.post('', `body ${count}`);
      await peer.until((each) => records(each).length === count);
    }
    const bodies = records(peer).map(({ data }) => Buffer.from(data).toString());
    expect(bodies).toEqual(['body 1', 'body 2', 'body 3']);
  });

  it('ends with the queue', async () => {
    const { input } = await startService();
    const [index] = await putMany(input, 1);
    const peer = await Peer.connect(input.port);
    const identity = Object.entries(me).map(([name, value]) => `${name}: ${value}`);
    peer.head(head, ...identity);
    await peer.until((each) => records(each).length === 1);
    await input.post('_eos_=true');
    await commit(input, index);
    await peer.until('0\r\n\r\n');
  });

  it('gives back what it sent when its connection is lost', async () => {
    const { input } = await startService();
    const [index] = await putMany(input, 1);
    const peer = await Peer.connect(input.port);
    peer.head(head, 'X-EAS-QueueService-Redis-Gid: eas');
    await peer.until((each) => records(each).length === 1);
    peer.socket.destroy();
    const watcher = await Watcher.open(input.port, '_window_=1');
    await watcher.until(1);
    expect(watcher.indexes).toEqual([index]);
  });

  it('is refused by a status', async () => {
    const { input } = await startService();
    const flatbuffers = { accept: 'application/x-flatbuffers' };
    expect((await input.get('_watch_=true&_window_=1', flatbuffers)).status).toBe(406);
    expect((await input.get('_watch_=true&_window_=0')).status).toBe(400);
    expect((await input.get('_watch_=true', { authorization: 'wrong' })).status).toBe(401);
  });
});

function dechunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line === -1) break;
    const size = Number.parseInt(bytes.subarray(at, line).toString(), 16);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
