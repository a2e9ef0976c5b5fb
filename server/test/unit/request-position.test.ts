// The position of a request that waits: how many are handed out before it, as far as is known.

import { describe, expect, it } from 'vitest';
import { inWorld, type World } from './queue-world.ts';
import { submit, viewOf } from './request-world.ts';

const worked = { declaresInstances: true };
const hour = 3_600_000;

async function delayed(world: World, body: string): Promise<string> {
  const delayUntil = world.clock.now().wall + hour;
  return (await submit(world, body, { delayUntil })).id;
}

async function positions(world: World, ...ids: readonly string[]): Promise<unknown[]> {
  const views = await Promise.all(ids.map((id) => viewOf(world, id)));
  return views.map(({ position }) => position);
}

describe('the position of a request', () => {
  it('leaves out what is delayed, until its time has come', async () => {
    await inWorld(worked, async (world) => {
      const late = await delayed(world, 'late');
      const { id: first } = await submit(world, 'first');
      const { id: second } = await submit(world, 'second');
      expect(await positions(world, late, first, second)).toEqual([0, 0, 1]);
      await world.advance(hour);
      expect(await positions(world, late, first, second)).toEqual([0, 1, 2]);
    });
  });

  it('leaves out what backs off, over a crash too', async () => {
    await inWorld(worked, async (world) => {
      const { id: bad } = await submit(world, 'bad');
      const { id: next } = await submit(world, 'next');
      const { id: last } = await submit(world, 'last');
      const worker = await world.worker('i-1', { window: 1 });
      worker.watch.pause();
      await world.giveBack(worker, 1, { counted: true, delayMs: hour });
      expect(await positions(world, bad, next, last)).toEqual([0, 0, 1]);
      await world.crash();
      expect(await positions(world, bad, next, last)).toEqual([0, 0, 1]);
      await world.advance(hour);
      expect(await positions(world, bad, next, last)).toEqual([0, 1, 2]);
    });
  });

  it('counts what it overtakes no more, whatever priority that has', async () => {
    await inWorld(worked, async (world) => {
      const delayUntil = world.clock.now().wall + hour;
      await submit(world, 'urgent, but later', { priority: 9, delayUntil });
      await submit(world, 'urgent', { priority: 9 });
      const { id } = await submit(world, 'plain');
      expect(await positions(world, id)).toEqual([1]);
    });
  });

  it('leaves out what runs where nothing but clients of other groups works', async () => {
    await inWorld({}, async (world) => {
      await submit(world, 'taken');
      const { id } = await submit(world, 'waits');
      const other = { gid: 'theirs', uid: 'c' };
      const consumer = await world.watch('c', { by: other, window: 1 });
      expect(consumer.indexes).toEqual([1]);
      expect(await positions(world, id)).toEqual([0]);
    });
  });
});
