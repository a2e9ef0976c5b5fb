// What a stream client keeps when its connection is lost: leases, calls, and exactly one result.

import type { Delivery } from '@sluice/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { StreamWorld, service } from './stream-world.ts';

let world: StreamWorld;

afterEach(() => world.close());

const next = async (watch: { next(): Promise<Delivery | undefined> }): Promise<Delivery> => {
  const delivery = await watch.next();
  if (delivery === undefined) throw new Error('the watch is over');
  return delivery;
};

describe('a stream client whose connection is lost', () => {
  it('keeps its leases and completes them on the next connection', async () => {
    world = await StreamWorld.open();
    const client = await world.connect({ gid: service });
    const work = client.input.watch({ window: 2 });
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }, { payload: 'c' }]);
    const first = await next(work);
    const second = await next(work);
    world.cutAll();
    await expect(first.complete('one')).resolves.toBe(1);
    await expect(second.complete('two')).resolves.toBe(2);
    expect(await next(work)).toMatchObject({ index: 3, deliveries: 1 });
    expect(first.signal.aborted || second.signal.aborted).toBe(false);
  });

  it('repeats a completion whose answer was lost and is told what it was', async () => {
    world = await StreamWorld.open();
    const client = await world.connect({ gid: service });
    const work = client.input.watch();
    await client.input.put('a');
    const delivery = await next(work);
    const [link] = world.links;
    link?.stall();
    const completed = delivery.complete('result');
    while (world.queues.view('sink').length === 0) await new Promise((done) => setImmediate(done));
    world.cutAll();
    await expect(completed).resolves.toBe(1);
    expect(world.queues.view('sink').length).toBe(1);
    expect(world.queues.counters('input').stale).toBe(1);
  });

  it('repeats a put to the input without making a second message', async () => {
    world = await StreamWorld.open();
    const client = await world.connect();
    const [link] = world.links;
    link?.stall();
    const put = client.input.put('a');
    while (world.queues.view('input').length === 0) await new Promise((done) => setImmediate(done));
    world.cutAll();
    await expect(put).resolves.toMatchObject({ index: 1, repeated: true });
    expect(world.queues.view('input').length).toBe(1);
  });

  it('says that the outcome is unknown where repeating could double', async () => {
    world = await StreamWorld.open();
    const client = await world.connect();
    const [link] = world.links;
    link?.stall();
    const put = client.sink.put('a');
    while (world.queues.view('sink').length === 0) await new Promise((done) => setImmediate(done));
    world.cutAll();
    await expect(put).rejects.toMatchObject({ code: 'outcome_unknown' });
  });

  it('shows the messages of a get again when the client never said that it had them', async () => {
    world = await StreamWorld.open();
    const client = await world.connect();
    await client.input.put('a');
    const [link] = world.links;
    link?.stall();
    const got = client.input.get();
    while (world.queues.view('input').length === 1) await new Promise((done) => setImmediate(done));
    world.cutAll();
    // Sent again by the client itself.
    expect((await got).map((message) => message.index)).toEqual([1]);
  });

  it('gives calls up at their deadline while there is no server', async () => {
    world = await StreamWorld.open();
    const client = await world.connect();
    world.isDown = true;
    world.cutAll();
    const count = client.input.count({ timeoutMs: 200 });
    await expect(count).rejects.toMatchObject({ code: 'unavailable' });
    world.isDown = false;
    await expect(client.input.count()).resolves.toBe(0);
  });

  it('loses and doubles nothing however often it is cut', async () => {
    world = await StreamWorld.open();
    const submitter = await world.connect();
    const worker = await world.connect({ gid: service });
    const results = submitter.sink.watch({ window: 16 });
    const work = worker.input.watch({ window: 16 });
    const total = 400;
    const seen = new Map<string, number>();
    const working = (async () => {
      for await (const delivery of work) {
        void delivery.complete(`result of ${delivery.id}`).catch((error: unknown) => {
          // Only a lease that was lost may fail: then somebody else has it.
          if (!String(error).includes('lease') && !String(error).includes('current')) throw error;
        });
      }
    })();
    const puts = worker.input.putMany(
      Array.from({ length: total }, (_, at) => ({ payload: `m${at}` })),
      { concurrency: 20 },
    );
    let received = 0;
    for await (const result of results) {
      await result.commit().catch(() => undefined);
      seen.set(result.id, (seen.get(result.id) ?? 0) + 1);
      received += 1;
      if (received % 50 === 25) world.cutAll();
      if (seen.size === total) break;
    }
    const answers = await puts;
    expect(new Set(answers.map(({ id }) => id))).toEqual(new Set(seen.keys()));
    expect(new Set(answers.map(({ index }) => index)).size).toBe(total);
    expect(world.queues.counters('sink').put).toBe(total);
    await work.close();
    await working;
  });
});

describe('a stream server that says goodbye', () => {
  it('lets held work finish, delivers nothing more, and is come back to', async () => {
    world = await StreamWorld.open();
    const client = await world.connect({ gid: service });
    const work = client.input.watch({ window: 1 });
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }]);
    const held = await next(work);
    world.streams.goodbye('the server is stopping', 50);
    const put = client.input.put('c');
    await expect(held.complete('done')).resolves.toBe(1);
    expect(world.queues.view('input').leased).toBe(0);
    world.streams.close();
    await expect(put).resolves.toMatchObject({ index: 3 });
    expect(await next(work)).toMatchObject({ index: 2 });
  });
});
