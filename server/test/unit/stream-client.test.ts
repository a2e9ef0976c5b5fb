// The SDK's stream client against the server's handler and the real broker, joined in memory.

import type { Client, Delivery } from '@sluice/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamWorld, service } from './stream-world.ts';

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: Error) => controller.abort(reason) };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

let world: StreamWorld;
let client: Client;

beforeEach(async () => {
  world = await StreamWorld.open();
  client = await world.connect({ gid: service });
});

afterEach(() => world.close());

describe('the stream client', () => {
  it('gets what it put, with its tags, priority, path and content type', async () => {
    const answer = await client.input.put('hello', {
      id: 'r-1',
      tags: { lang: 'de' },
      priority: 7,
      path: '/v2/read',
      contentType: 'text/plain',
    });
    expect(answer).toEqual({ index: 1, id: 'r-1', repeated: false });
    const [message] = await client.input.get();
    expect(message).toMatchObject({
      index: 1,
      id: 'r-1',
      priority: 7,
      path: '/v2/read',
      contentType: 'text/plain',
    });
    expect(text(message?.payload ?? new Uint8Array(0))).toBe('hello');
    expect(message?.tags).toEqual(new Map([['lang', 'de']]));
  });

  it('answers a repeated put to the input with the first index', async () => {
    const first = await client.input.put('same', { id: 'r-1' });
    const second = await client.input.put('same', { id: 'r-1' });
    expect(second).toEqual({ ...first, repeated: true });
  });

  it('waits for a message in a long poll and deletes it once it has arrived', async () => {
    const found = client.input.get({ waitMs: 10_000 });
    await client.input.put('late');
    expect((await found).map(({ payload }) => text(payload))).toEqual(['late']);
    expect(await client.input.count()).toBe(0);
  });

  it('gives a poll up when its signal is aborted, and holds nothing', async () => {
    const controller = new AbortController();
    const found = client.input.get({ waitMs: 10_000, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(found).rejects.toThrow('enough');
    await client.input.put('still there');
    expect(await client.input.count()).toBe(1);
  });

  it('takes one signal for any number of calls without a warning', async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listener);
    const { signal, abort } = abortable();
    await client.input.putMany(
      Array.from({ length: 100 }, (_, at) => ({ payload: `m${at}` })),
      { signal },
    );
    const polls = Array.from({ length: 50 }, () =>
      client.input.get({ from: 1000, waitMs: 10_000, signal }),
    );
    abort(new Error('enough'));
    const ends = await Promise.allSettled(polls);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    await new Promise((done) => setImmediate(done));
    process.off('warning', listener);
    expect(warnings).toEqual([]);
  });

  it('delivers, completes and hands the result to the submitter', async () => {
    const submitter = await world.connect();
    const results = submitter.sink.watch({ autoCommit: true });
    const work = client.input.watch({ window: 2 });
    const put = await submitter.input.put('page', { tags: { lang: 'de' } });
    const delivery = await work.next();
    expect(delivery).toMatchObject({ index: put.index, id: put.id, deliveries: 1 });
    await delivery?.progress('half');
    await delivery?.touch();
    expect(await client.input.search(put.index)).toMatchObject({ isPending: true });
    expect(await delivery?.complete('text of the page')).toBe(1);
    const result = await results.next();
    expect(result).toMatchObject({ id: put.id, index: 1 });
    expect(text(result?.payload ?? new Uint8Array(0))).toBe('text of the page');
    expect(await client.input.count()).toBe(0);
  });

  it('never has more than its window delivered', async () => {
    await client.input.putMany(Array.from({ length: 10 }, (_, at) => ({ payload: `m${at}` })));
    const work = client.input.watch({ window: 3 });
    const held: Delivery[] = [];
    for (let count = 0; count < 3; count++) held.push((await work.next()) as Delivery);
    expect(world.queues.view('input')).toMatchObject({ leased: 3, waiting: 7 });
    await held[0]?.commit();
    expect((await work.next())?.index).toBe(4);
    expect(world.queues.view('input').leased).toBe(3);
  });

  it('delivers a message again after a negative commit, with a count', async () => {
    const work = client.input.watch({ window: 1 });
    await client.input.put('hard');
    await (await work.next())?.negative({ code: 'Busy', reason: 'no memory' });
    expect(await work.next()).toMatchObject({ index: 1, deliveries: 2 });
  });

  it('commits, rejects and deletes by index', async () => {
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }, { payload: 'c' }]);
    const work = client.input.watch({ window: 2 });
    await work.next();
    await work.next();
    await client.input.commit([1, 99]);
    await client.input.negative(2, { code: 'Shutdown' });
    await client.input.delete([2]);
    expect((await client.input.get({ length: 10, autoDelete: false })).map((m) => m.index)).toEqual(
      [3],
    );
    await client.input.truncate(4);
    expect(await client.input.count()).toBe(0);
    expect((await client.input.attributes()).get('stream.lastEntry')).toBe('3');
  });

  it('finishes its loops when the queue has ended and is empty', async () => {
    await client.input.put('last');
    const seen: string[] = [];
    await client.input.end();
    for await (const delivery of client.input.watch()) {
      seen.push(text(delivery.payload));
      await delivery.commit();
    }
    expect(seen).toEqual(['last']);
    await expect(client.input.put('too late')).rejects.toMatchObject({ code: 'ended' });
  });

  it('gives what it holds back, uncounted, when a loop is left', async () => {
    await client.input.put('a');
    for await (const delivery of client.input.watch()) {
      expect(delivery.index).toBe(1);
      break;
    }
    expect(world.queues.view('input')).toMatchObject({ leased: 0, waiting: 1 });
    const work = client.input.watch();
    expect(await work.next()).toMatchObject({ index: 1 });
  });

  it('stops a watch only when everything handed out is settled', async () => {
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }]);
    const work = client.input.watch({ window: 2 });
    const delivery = await work.next();
    const stopped = work.stop();
    await delivery?.complete('done');
    await stopped;
    expect(await work.next()).toBeUndefined();
    expect(world.queues.view('input')).toMatchObject({ leased: 0, waiting: 1 });
  });

  it('refuses to settle a delivery twice', async () => {
    await client.input.put('a');
    const delivery = await client.input.watch().next();
    await delivery?.complete('once');
    await expect(delivery?.complete('twice')).rejects.toMatchObject({ code: 'stale_delivery' });
    expect(delivery?.signal.aborted).toBe(true);
  });

  it('tells a consumer that its lease was taken away', async () => {
    await client.input.put('a');
    const delivery = await client.input.watch().next();
    const voided = new Promise((resolve) => {
      delivery?.signal.addEventListener('abort', resolve);
    });
    await client.input.delete(1);
    await voided;
    await expect(delivery?.commit()).rejects.toMatchObject({ code: 'stale_delivery' });
  });

  it('ends a watch with an error when another of the same user takes it over', async () => {
    const work = client.input.watch();
    await work.ready();
    const other = await world.connect({ gid: service, uid: client.uid });
    await other.input.watch().ready();
    await expect(work.next()).rejects.toMatchObject({ code: 'conflict' });
  });

  it('carries payloads far larger than one message, both ways, byte for byte', async () => {
    const big = await StreamWorld.open({
      settings: {
        source: { capacity: 10, payloadBytesMax: 2 ** 23, autoEvict: false, expireMs: 0 },
        sink: { capacity: 10, payloadBytesMax: 2 ** 23, autoEvict: false, expireMs: 0 },
      },
    });
    const own = await big.connect({ gid: service });
    const payload = Uint8Array.from({ length: 6_000_001 }, (_, at) => at * 31);
    const small = own.input.put('small');
    await Promise.all([own.input.put(payload), own.input.put(payload), small]);
    const work = own.input.watch({ window: 5 });
    for (let count = 0; count < 3; count++) {
      const delivery = await work.next();
      if (delivery?.payload.length === 5) await delivery.commit();
      else {
        expect(Buffer.compare(delivery?.payload ?? new Uint8Array(0), payload)).toBe(0);
        await delivery?.complete(payload);
      }
    }
    const results = await own.sink.get({ length: 10 });
    expect(results.map((message) => Buffer.compare(message.payload, payload))).toEqual([0]);
    expect((await own.sink.get({ length: 10 })).length).toBe(1);
    await big.close();
  });

  it('refuses a payload over the limit before it has come, and names the setting', async () => {
    const refused = client.input.put(new Uint8Array(300_000));
    await expect(refused).rejects.toMatchObject({ code: 'too_large' });
    await expect(refused).rejects.toThrow(
      /300000 bytes.*queue\.source\.max_payload_size_kb.*`sluice apply FILE`/,
    );
    await expect(client.input.put('small')).resolves.toMatchObject({ index: 1 });
  });

  it('refuses numbers and texts that cannot be sent, and goes on', async () => {
    const bad = { code: 'bad_request' };
    await expect(client.input.put('a', { priority: -1 })).rejects.toMatchObject(bad);
    await expect(client.input.get({ from: -2 })).rejects.toMatchObject(bad);
    await expect(client.input.get({ length: Number.NaN })).rejects.toMatchObject(bad);
    await expect(client.input.count({ priority: Infinity })).rejects.toMatchObject(bad);
    await expect(client.input.delete([1.5])).rejects.toMatchObject(bad);
    await expect(client.input.truncate(-1)).rejects.toMatchObject(bad);
    expect(() => client.input.watch({ window: 0 })).toThrow('A window');
    const long = client.input.put('a', { tags: { long: 'x'.repeat(70_000) } });
    await expect(long).rejects.toMatchObject({ code: 'too_large' });
    const reason = 'x'.repeat(1_100_000);
    await expect(client.input.negative(1, { reason })).rejects.toMatchObject({ code: 'too_large' });
    await expect(client.input.put('a')).resolves.toMatchObject({ index: 1 });
  });

  it('rejects at once with a wrong token or an unknown service', async () => {
    await expect(world.connect({ token: 'wrong' })).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(world.connect({ service: 'none' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses puts while the service is stopped, and still takes completions', async () => {
    await client.input.put('a');
    const delivery = await client.input.watch().next();
    world.stopped = 'the service is stopped';
    await expect(client.input.put('b')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(delivery?.complete('done')).resolves.toBe(1);
  });

  it('keeps to the scopes of its token', async () => {
    const submit = await world.connect({ token: world.addToken('submit', ['submit']) });
    await submit.input.put('a');
    await expect(submit.input.get()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(submit.input.end()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(submit.input.watch().next()).rejects.toMatchObject({ code: 'forbidden' });
    const read = await world.connect({ token: world.addToken('read', ['read']) });
    await expect(read.sink.get()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(read.sink.get({ id: 'mine' })).resolves.toEqual([]);
    await expect(read.input.put('a')).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('stops working for a token that was taken away', async () => {
    await client.input.put('a');
    world.tokens.splice(0, 1, { name: 'main', secret: 'rotated', scopes: undefined });
    await expect(client.input.count()).rejects.toMatchObject({ code: 'unauthorized' });
  });
});
