// Suspects whose turn has come where instances are busy: one is reserved, the others go on.

import { describe, expect, it } from 'vitest';
import { makeSuspects } from './queue-suspects.ts';
import { type Consumer, inWorld, serviceName, type World } from './queue-world.ts';

const declared = { declaresInstances: true, deliveryMax: 0 } as const;

describe('where instances are busy', () => {
  /** Two instances with two of two slots taken and a suspect that came back before more came. */
  async function crowd(
    act: (world: World, suspect: number, one: Consumer, two: Consumer) => Promise<void>,
  ): Promise<void> {
    await inWorld(declared, async (world) => {
      const one = await world.worker('one', { window: 2 });
      const two = await world.worker('two', { window: 2 });
      for (const body of 'abcd') await world.put(body);
      const by = { gid: serviceName, uid: 'w' };
      for (let round = 0; round < 2; round += 1) {
        const doomed = await world.watch('w', { by, kind: 'worker', window: 1 });
        if (round === 0) await world.put('killer');
        expect(doomed.indexes).toEqual([5]);
        await world.closeWatch(doomed, 'dead');
      }
      for (const body of 'efgh') await world.put(body);
      await act(world, 5, one, two);
    });
  }

  it('one is reserved for a suspect and gets nothing new; the other goes on', async () => {
    await crowd(async (world, suspect, one, two) => {
      const [first = 0, second = 0] = one.indexes;
      await world.complete(one, first, 'r');
      expect(one.indexes).toEqual([first, second]);
      for (let round = 0; round < 2; round += 1) {
        await world.complete(two, two.indexes.at(-1) ?? 0, 'r');
      }
      expect(two.indexes).toHaveLength(4);
      expect(two.indexes).not.toContain(suspect);
      await world.complete(one, second, 'r');
      expect(one.indexes).toEqual([first, second, suspect]);
      await world.complete(one, suspect, 'r');
      expect(one.indexes.length).toBeGreaterThan(3);
    });
  });

  it('the reservation is shown, and passes on when its instance leaves', async () => {
    await crowd(async (world, suspect, one, two) => {
      const reserved = (): unknown[] =>
        world.view('input').consumers.map(({ uid, suspect: index, slots }) => [uid, index, slots]);
      await world.complete(one, one.indexes[0] ?? 0, 'r');
      expect(reserved()).toContainEqual(['one', suspect, 0]);
      one.watch.pause();
      await world.settle();
      expect(reserved()).toContainEqual(['two', suspect, 0]);
      one.watch.resume();
      for (const index of two.indexes) await world.complete(two, index, 'r');
      expect(two.indexes.at(-1)).toBe(suspect);
      expect(reserved()).toContainEqual(['two', suspect, 0]);
      expect(one.indexes.length).toBeGreaterThan(2);
    });
  });

  it('another instance that is empty sooner takes the suspect', async () => {
    await crowd(async (world, suspect, one) => {
      const third = await world.worker('third', { window: 2 });
      expect(third.indexes).toEqual([suspect]);
      await world.complete(one, one.indexes[0] ?? 0, 'r');
      expect(one.indexes).toHaveLength(3);
    });
  });

  it('a reservation ends when the suspect is deleted', async () => {
    await crowd(async (world, suspect, one) => {
      await world.complete(one, one.indexes[0] ?? 0, 'r');
      expect(one.indexes).toHaveLength(2);
      await world.run(world.queues.delete('input', [suspect]));
      await world.settle();
      expect(one.indexes).toHaveLength(3);
    });
  });

  it('several suspects never take all instances from the others', async () => {
    await inWorld(declared, async (world) => {
      const suspects = await makeSuspects(world, 'abc');
      await world.putMany(20);
      const instances: Consumer[] = [];
      for (const uid of ['w1', 'w2', 'w3']) {
        instances.push(await world.worker(uid, { window: 2 }));
      }
      const alone = instances.filter((one) => suspects.includes(one.indexes[0] ?? 0));
      expect(alone.map(({ indexes }) => indexes)).toEqual([[suspects[0]], [suspects[1]]]);
      const third = instances.find((one) => !alone.includes(one));
      expect(third?.indexes).toHaveLength(2);
      const [first] = alone;
      if (first !== undefined) await world.complete(first, suspects[0] ?? 0, 'r');
      expect(first?.indexes).toEqual([suspects[0], suspects[2]]);
    });
  });

  it('nothing else waiting, all instances take suspects', async () => {
    await inWorld(declared, async (world) => {
      const suspects = await makeSuspects(world, 'ab');
      const one = await world.worker('one', { window: 2 });
      const two = await world.worker('two', { window: 2 });
      expect([...one.indexes, ...two.indexes]).toEqual(suspects);
    });
  });

  it('the only instance pauses the others while a suspect runs', async () => {
    await inWorld(declared, async (world) => {
      const only = await world.worker('only', { window: 2 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      const doomed = await world.worker('d1', { window: 1 });
      const suspect = await world.put('killer');
      await world.closeWatch(doomed, 'dead');
      const again = await world.worker('d2', { window: 1 });
      await world.closeWatch(again, 'dead');
      const [third, fourth] = [await world.put('c'), await world.put('d')];
      await world.complete(only, first, 'r');
      await world.complete(only, second, 'r');
      expect(only.indexes).toEqual([first, second, suspect]);
      await world.complete(only, suspect, 'r');
      expect(only.indexes).toEqual([first, second, suspect, third, fourth]);
    });
  });

  it('a better message still comes first, but does not take the turn of a suspect', async () => {
    await inWorld(declared, async (world) => {
      const only = await world.worker('only', { window: 2 });
      const first = await world.put('a');
      const doomed = await world.worker('d1', { window: 1 });
      only.watch.pause();
      await world.settle();
      const suspect = await world.put('killer');
      await world.closeWatch(doomed, 'dead');
      const urgent = await world.put('urgent', { priority: 5 });
      const again = await world.worker('d2', { window: 2 });
      expect(again.indexes).toEqual([urgent, suspect]);
      await world.complete(again, urgent, 'r');
      await world.closeWatch(again, 'dead');
      const second = await world.put('urgent too', { priority: 5 });
      only.watch.resume();
      await world.settle();
      // It came before the suspect had a turn.
      expect(only.indexes).toEqual([first, second]);
      await world.complete(only, first, 'r');
      const third = await world.put('urgent again', { priority: 5 });
      expect(only.indexes).toEqual([first, second]);
      await world.complete(only, second, 'r');
      expect(only.indexes).toEqual([first, second, suspect]);
      await world.complete(only, suspect, 'r');
      expect(only.indexes).toEqual([first, second, suspect, third]);
    });
  });

  it('goes to a consumer with auto commit rather than nowhere', async () => {
    await inWorld(declared, async (world) => {
      const suspect = (await makeSuspects(world, 'a'))[0];
      const auto = await world.worker('auto', { kind: 'eas', autoCommit: true });
      expect(auto.indexes).toEqual([suspect]);
    });
  });

  it('goes only where the filter of the consumer lets it', async () => {
    await inWorld(declared, async (world) => {
      const suspect = (await makeSuspects(world, 'a'))[0];
      const wants = await world.worker('wants', { tags: { page: '7' } });
      expect(wants.indexes).toEqual([]);
      const tagged = await world.put('b', { tags: { page: '7' } });
      expect(wants.indexes).toEqual([tagged]);
      expect((await world.worker('all')).indexes).toEqual([suspect]);
    });
  });
});
