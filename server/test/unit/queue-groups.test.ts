// Rule 7: who gets copies, who keeps a message alive, and how long a group lives.

import { describe, expect, it } from 'vitest';
import { inWorld, serviceName } from './queue-world.ts';

const groupA = { gid: 'a', uid: 'w' };
const groupB = { gid: 'b', uid: 'w' };

describe('where no working group is in use', () => {
  it('hands every group its own copy of each message', async () => {
    await inWorld({}, async (world) => {
      const a = await world.watch('w', { by: groupA });
      const b = await world.watch('w', { by: groupB });
      const index = await world.put('x');
      expect([a.indexes, b.indexes]).toEqual([[index], [index]]);
    });
  });

  it('shares the messages of one group among its consumers', async () => {
    await inWorld({}, async (world) => {
      const one = await world.watch('one', { window: 1 });
      const two = await world.watch('two', { window: 1 });
      const indexes = [await world.put('x'), await world.put('y')];
      expect([...one.indexes, ...two.indexes].sort()).toEqual(indexes);
      expect([one.indexes.length, two.indexes.length]).toEqual([1, 1]);
    });
  });

  it('keeps a message until every living group has committed it', async () => {
    await inWorld({}, async (world) => {
      const a = await world.watch('w', { by: groupA });
      const b = await world.watch('w', { by: groupB, window: 1 });
      const index = await world.put('x');
      await world.commit(a, index);
      expect(world.view('input').length).toBe(1);
      await world.commit(b, index);
      expect(world.view('input').length).toBe(0);
    });
  });

  it('does not deliver a committed message to the same group again', async () => {
    await inWorld({}, async (world) => {
      const a = await world.watch('w', { by: groupA });
      await world.watch('w', { by: groupB });
      const index = await world.put('x');
      await world.commit(a, index);
      await world.closeWatch(a, 'cut');
      const again = await world.watch('again', { by: { gid: 'a', uid: 'again' } });
      expect(again.indexes).toEqual([]);
      await world.crash();
      const afterCrash = await world.watch('w', { by: groupA });
      expect(afterCrash.indexes).toEqual([]);
      expect(world.view('input').length).toBe(1);
    });
  });

  it('frees the committer’s window at once though another group keeps the message', async () => {
    await inWorld({}, async (world) => {
      const a = await world.watch('w', { by: groupA, window: 1 });
      await world.watch('w', { by: groupB, window: 1 });
      const [first, second] = [await world.put('x'), await world.put('y')];
      await world.commit(a, first);
      expect(a.indexes).toEqual([first, second]);
    });
  });

  it('deletes a message for every group at once', async () => {
    await inWorld({}, async (world) => {
      const a = await world.watch('w', { by: groupA, window: 1 });
      const b = await world.watch('w', { by: groupB, window: 1 });
      const [first, second] = [await world.put('x'), await world.put('y')];
      await world.run(world.queues.delete('input', [first]));
      await world.settle();
      expect(a.indexes).toEqual([first, second]);
      expect(b.indexes).toEqual([first, second]);
    });
  });

  it('lets a group die when it had no consumer and no lease for its retention', async () => {
    await inWorld({ groupRetentionMs: 60_000 }, async (world) => {
      const a = await world.watch('w', { by: groupA });
      const b = await world.watch('w', { by: groupB });
      const index = await world.put('x');
      await world.closeWatch(b, 'drain');
      await world.commit(a, index);
      await world.advance(30_000);
      expect(world.view('input').length).toBe(1);
      await world.advance(120_000);
      expect(world.view('input').length).toBe(0);
      expect(world.view('input').groups.map(({ gid }) => gid)).toEqual(['a']);
    });
  });

  it('keeps a group that comes back within its retention, where it was', async () => {
    await inWorld({ groupRetentionMs: 60_000 }, async (world) => {
      const a = await world.watch('w', { by: groupA, window: 1 });
      const first = await world.put('x');
      await world.watch('w', { by: groupB });
      await world.commit(a, first);
      await world.closeWatch(a, 'drain');
      const second = await world.put('y');
      await world.advance(30_000);
      const again = await world.watch('w', { by: groupA, window: 1 });
      expect(again.indexes).toEqual([second]);
    });
  });
});

describe('new groups', () => {
  it('start at the head', async () => {
    await inWorld({}, async (world) => {
      const first = await world.put('x');
      const second = await world.put('y');
      const consumer = await world.watch('w', { by: groupA });
      expect(consumer.indexes).toEqual([first, second]);
    });
  });

  it('ignore what is there with _index_=-1', async () => {
    await inWorld({}, async (world) => {
      await world.put('x');
      const consumer = await world.watch('w', { by: groupA, from: -1 });
      const later = await world.put('y');
      expect(consumer.indexes).toEqual([later]);
    });
  });

  it('resolve _index_=-1 once per consumer, so that a reconnect misses nothing', async () => {
    await inWorld({}, async (world) => {
      await world.put('before');
      const first = await world.watch('w', { by: groupA, from: -1 });
      await world.closeWatch(first, 'cut');
      const between = await world.put('between');
      const second = await world.watch('w', { by: groupA, from: -1 });
      expect(second.indexes).toEqual([between]);
      await world.crash();
      const third = await world.watch('w', { by: groupA, from: -1 });
      expect(third.indexes).toEqual([between]);
    });
  });
});

describe('where the service has a working group in use', () => {
  it('lets only that group’s commits remove a message', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const other = await world.watch('w', { by: groupA });
      const worker = await world.worker('w');
      const index = await world.put('x');
      expect([other.indexes, worker.indexes]).toEqual([[index], [index]]);
      await world.commit(other, index);
      expect(world.view('input').length).toBe(1);
      await world.complete(worker, index, 'r');
      expect(world.view('input').length).toBe(0);
    });
  });

  it('never keeps a message alive for other groups', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      await world.watch('w', { by: groupA, window: 1 });
      const worker = await world.worker('w');
      const [first, second] = [await world.put('x'), await world.put('y')];
      await world.complete(worker, first, 'r');
      await world.complete(worker, second, 'r');
      expect(world.view('input').length).toBe(0);
    });
  });

  it('counts bad deliveries of that group only', async () => {
    await inWorld({ declaresInstances: true, deliveryMax: 1 }, async (world) => {
      const other = await world.watch('w', { by: groupA });
      const index = await world.put('x');
      await world.negative(other, index, 'Failed', 'no');
      expect(world.view('input').length).toBe(1);
      expect(world.view('inputRear').length).toBe(0);
    });
  });

  it('takes a declared service with no instance at all as having one', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const other = await world.watch('w', { by: groupA });
      const index = await world.put('x');
      await world.commit(other, index);
      expect(world.view('input').length).toBe(1);
    });
  });

  it('takes a queue as worked on while its group has or lately had a consumer', async () => {
    await inWorld({ groupRetentionMs: 60_000 }, async (world) => {
      const other = await world.watch('w', { by: groupA, window: 5 });
      const outside = await world.watch('w', {
        by: { gid: serviceName, uid: 'w' },
        window: 1,
      });
      const first = await world.put('x');
      await world.closeWatch(outside, 'drain');
      const second = await world.put('y');
      await world.commit(other, first);
      await world.commit(other, second);
      expect(world.view('input').length).toBe(2);
    });
  });
});
