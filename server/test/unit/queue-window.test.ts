// Rule 2: a window is never exceeded, and a slot is free only when the model behind it is.

import { describe, expect, it } from 'vitest';
import { inWorld, serviceName, type World } from './queue-world.ts';

async function putAll(world: World, bodies: string): Promise<number[]> {
  const indexes: number[] = [];
  for (const body of bodies) indexes.push(await world.put(body));
  return indexes;
}

describe('windows (rule 2)', () => {
  it('never has more under way than the window, and fills it again after a commit', async () => {
    await inWorld({}, async (world) => {
      const indexes = await putAll(world, 'abcde');
      const consumer = await world.watch('w', { window: 2 });
      expect(consumer.indexes).toEqual(indexes.slice(0, 2));
      await world.commit(consumer, indexes[1] ?? 0);
      expect(consumer.indexes).toEqual(indexes.slice(0, 3));
    });
  });

  it('keeps the slot of a worker whose lease was taken until the model is free of it', async () => {
    await inWorld({ idleMs: 10_000 }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.advance(11_000);
      expect(worker.voids.map(({ deliveryId }) => deliveryId)).toEqual([
        worker.of(index).deliveryId,
      ]);
      expect(worker.indexes).toEqual([index]);
      world.queues.freed('input', worker.of(index).deliveryId);
      await world.settle();
      expect(worker.indexes).toEqual([index, index]);
    });
  });

  it('keeps the slot of a worker whose message another member committed', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      const other = { gid: serviceName, uid: 'another' };
      await world.run(world.queues.commit('input', [first], other));
      await world.settle();
      const { deliveryId } = worker.of(first);
      expect(worker.voids.map((told) => told.deliveryId)).toEqual([deliveryId]);
      expect(worker.indexes).toEqual([first]);
      world.queues.freed('input', deliveryId);
      await world.settle();
      expect(worker.indexes).toEqual([first, second]);
    });
  });

  it('frees the slot of an EAS watcher at once when its lease is taken', async () => {
    await inWorld({ idleMs: 10_000 }, async (world) => {
      const watcher = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      await world.advance(11_000);
      expect(watcher.indexes.length).toBeGreaterThanOrEqual(2);
      expect(new Set(watcher.indexes)).toEqual(new Set([index]));
    });
  });

  it('counts resumed leases in the window of the new connection', async () => {
    await inWorld({}, async (world) => {
      const indexes = await putAll(world, 'abcd');
      const first = await world.watch('w', { kind: 'stream', window: 2 });
      const holding = first.deliveries.map(({ deliveryId }) => deliveryId);
      await world.closeWatch(first, 'cut');
      const second = await world.watch('w', { kind: 'stream', window: 2, holding });
      expect(second.watch.held).toEqual(holding);
      expect(second.indexes).toEqual([]);
      await world.run(world.queues.commitDelivery('input', holding[0] ?? 0));
      await world.settle();
      expect(second.indexes).toEqual([indexes[2]]);
    });
  });

  it('sends nothing while paused and goes on after resume', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w');
      consumer.watch.pause();
      const index = await world.put('a');
      expect(consumer.indexes).toEqual([]);
      consumer.watch.resume();
      await world.settle();
      expect(consumer.indexes).toEqual([index]);
    });
  });

  it('sends nothing above 1 MiB of unsent bytes, auto commit or not', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { autoCommit: true });
      consumer.bufferedBytes = 2 ** 20 + 1;
      const index = await world.put('a');
      expect(consumer.indexes).toEqual([]);
      consumer.bufferedBytes = 0;
      consumer.watch.drained();
      await world.settle();
      expect(consumer.indexes).toEqual([index]);
    });
  });

  it('delivers to the consumer with most free slots', async () => {
    await inWorld({}, async (world) => {
      const small = await world.watch('small', { window: 1 });
      const large = await world.watch('large', { window: 5 });
      await putAll(world, 'abcd');
      expect(large.indexes).toHaveLength(4);
      expect(small.indexes).toHaveLength(0);
    });
  });
});
