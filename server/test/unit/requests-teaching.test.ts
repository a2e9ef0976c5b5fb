// What turns of the queues teach about waiting, whoever puts and whoever works.

import { describe, expect, it } from 'vitest';
import { WaitObserver } from '../../src/requests/estimate/observer.ts';
import { teach } from '../../src/requests/estimate/teaching.ts';
import type { ObservedFacts } from '../../src/requests/wait-facts.ts';
import { inWorld, serviceName, type World } from './queue-world.ts';
import { submit } from './request-world.ts';

/** What is known by now, for a request of this priority. */
function taughtBy(world: World): (priority: number) => ObservedFacts {
  const observer = new WaitObserver();
  world.turned = (_service, changes) => teach(observer, changes, world.clock.now().mono);
  return (priority) => observer.facts(priority, [], world.clock.now().mono);
}

const worked = { declaresInstances: true };

describe('a request that comes', () => {
  it('may overtake, by whichever way it came', async () => {
    await inWorld(worked, async (world) => {
      const taught = taughtBy(world);
      await world.put('an EAS put', { priority: 5 });
      await submit(world, 'of the request API', { priority: 5 });
      await world.put('plain');
      expect(taught(0).overtakers.seen).toBe(2);
      expect(taught(5).overtakers.seen).toBe(0);
    });
  });

  it('counts once, however often its put is repeated', async () => {
    await inWorld(worked, async (world) => {
      const taught = taughtBy(world);
      for (let nth = 0; nth < 3; nth += 1) await world.put('x', { priority: 5, id: 'same' });
      expect(taught(0).overtakers.seen).toBe(1);
    });
  });
});

describe('a request that is done', () => {
  const way = { uid: 'w', gid: serviceName };

  it('tells for how long it held a slot, whoever worked on it and said so', async () => {
    await inWorld(worked, async (world) => {
      const taught = taughtBy(world);
      const eas = await world.watch('w', { by: way, kind: 'eas', window: 1 });
      await world.put('by index');
      await world.advance(30_000);
      await world.commit(eas, 1);
      await world.closeWatch(eas, 'drain');
      const worker = await world.worker('i-1');
      await world.put('by its token');
      await world.advance(10_000);
      await world.complete(worker, 2, 'done');
      const { serviceTimes } = taught(0);
      expect(serviceTimes.count).toBe(2);
      expect(serviceTimes.meanMs).toBeGreaterThan(15_000);
      expect(serviceTimes.meanMs).toBeLessThan(25_000);
    });
  });

  it('teaches nothing when it was given back, or never worked on', async () => {
    await inWorld(worked, async (world) => {
      const taught = taughtBy(world);
      const eas = await world.watch('w', { by: way, kind: 'eas', window: 1 });
      await world.put('given back');
      await world.closeWatch(eas, 'drain');
      await world.advance(30_000);
      await world.commit(eas, 1);
      expect(world.view('input').length).toBe(0);
      await world.put('deleted');
      await world.run(world.queues.delete('input', [2]));
      expect(taught(0).serviceTimes.count).toBe(0);
    });
  });
});
