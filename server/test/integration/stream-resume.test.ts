// The stream protocol over real sockets that are cut in mid-stream.

import { afterEach, describe, expect, it } from 'vitest';
import { openSdkWorld, type SdkWorld, service } from './sdk-world.ts';

let world: SdkWorld;

afterEach(() => world.close());

describe('a stream over a connection that is cut again and again', () => {
  it('brings every accepted request exactly one result', async () => {
    world = await openSdkWorld();
    const submitter = await world.connect();
    const worker = await world.connect({ gid: service });
    const results = submitter.sink.watch({ window: 32 });
    const work = worker.input.watch({ window: 16 });
    const total = 2000;
    const payload = new Uint8Array(1024).fill(7);
    const working = (async () => {
      for await (const delivery of work) {
        void delivery.complete(delivery.payload).catch(() => undefined);
      }
    })();
    const puts = submitter.input.putMany(
      Array.from({ length: total }, () => ({ payload })),
      { concurrency: 50 },
    );
    const seen = new Map<string, Set<number>>();
    let nextCut = 100;
    for await (const result of results) {
      await result.commit().catch(() => undefined);
      const indexes = seen.get(result.id) ?? new Set();
      seen.set(result.id, indexes.add(result.index));
      if (seen.size === total) break;
      if (seen.size < nextCut) continue;
      nextCut += 200;
      world.cut();
    }
    const accepted = await puts;
    expect(new Set(accepted.map(({ id }) => id))).toEqual(new Set(seen.keys()));
    // A duplicate would be two results with different indexes for one request.
    expect([...seen.values()].filter(({ size }) => size !== 1)).toEqual([]);
    expect(world.queues.counters('sink').put).toBe(total);
    expect(world.queues.view('input').length).toBe(0);
    await work.close();
    await working;
  });

  it('carries a payload of 20 MB in parts, also when it is cut on its way', async () => {
    const size = 20_000_000;
    const limits = { capacity: 10, payloadBytesMax: 31 * 2 ** 20, autoEvict: false, expireMs: 0 };
    world = await openSdkWorld({ settings: { source: limits, sink: limits } });
    const client = await world.connect({ gid: service });
    const payload = new Uint8Array(size).map((_, at) => at * 7);
    const put = client.input.put(payload);
    await client.input.count();
    world.cut();
    await expect(put).resolves.toMatchObject({ index: 1 });
    const work = client.input.watch();
    const taken = work.next();
    await client.sink.count();
    world.cut();
    const delivery = await taken;
    expect(Buffer.compare(delivery?.payload ?? new Uint8Array(0), payload)).toBe(0);
    await delivery?.complete('done');
  });
});
