// Messages that two instances died with, for the tests of the guard against such messages.

import { expect } from 'vitest';
import type { World } from './queue-world.ts';

/** Instances that all die with what they hold, so often that it is suspect. */
export async function makeSuspects(world: World, bodies: string): Promise<number[]> {
  const indexes: number[] = [];
  for (const body of bodies) indexes.push(await world.put(body));
  for (const uid of ['d1', 'd2']) {
    const doomed = await world.worker(uid, { window: bodies.length });
    expect(doomed.indexes).toEqual(indexes);
    await world.closeWatch(doomed, 'dead');
  }
  return indexes;
}
