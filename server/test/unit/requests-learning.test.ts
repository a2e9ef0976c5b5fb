// How later ranges learn from requests that were followed until they started.

import { expect, it } from 'vitest';
import type { Known } from '../../src/broker/requests.ts';
import { learnFrom } from '../../src/requests/estimate/learning.ts';
import { WaitObserver } from '../../src/requests/estimate/observer.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { type Differences, waitFacts } from './requests-world.ts';

function world() {
  const clock = new VirtualClock(new SeededRandom(1));
  const observer = new WaitObserver();
  const known = new Map<number, Known>();
  const followers = new Map<number, () => void>();
  const requests = {
    find: (index: number) => Promise.resolve(known.get(index)),
    follow: (index: number, changed: () => void) => {
      followers.set(index, changed);
      return () => followers.delete(index);
    },
  };
  return {
    clock,
    followers,
    wait: (index: number, differences: Differences = {}) =>
      learnFrom(waitFacts(differences), index, { observer, requests, clock }),
    async becomes(index: number, one: Known | undefined) {
      if (one === undefined) known.delete(index);
      else known.set(index, one);
      followers.get(index)?.();
      await Promise.resolve();
      await Promise.resolve();
    },
    record: () => observer.facts(0, [], clock.now().mono).record,
  };
}

function live(firstDeliveredAt: number): Known {
  const mark = firstDeliveredAt === 0 ? undefined : { firstDeliveredAt };
  // As much of it as is looked at.
  return { kind: 'live', standing: { mark } } as unknown as Known;
}

function rested(firstDeliveredAt: number): Known {
  return { kind: 'rested', record: { firstDeliveredAt } } as unknown as Known;
}

it('learns from starts that are far later than was said', async () => {
  const { clock, wait, becomes, record, followers } = world();
  for (let index = 1; index <= 12; index += 1) {
    wait(index);
    await becomes(index, live(0));
    expect(followers.size).toBe(1);
    await clock.advance(200_000);
    await becomes(index, index % 2 === 0 ? live(clock.now().wall) : rested(clock.now().wall));
    expect(followers.size).toBe(0);
  }
  expect(record().isUseless).toBe(true);
});

it('learns nothing from a request that never starts, or waits for a time of its own', async () => {
  const { clock, wait, becomes, record, followers } = world();
  for (let index = 1; index <= 12; index += 1) {
    wait(index);
    await clock.advance(200_000);
    await becomes(index, index % 2 === 0 ? rested(0) : undefined);
    expect(followers.size).toBe(0);
  }
  wait(20, { request: { delayUntil: clock.now().wall + 5 } });
  wait(21, { request: { backoffUntil: clock.now().wall + 5 } });
  wait(22, { queue: { paused: 'is being stopped' } });
  expect(followers.size).toBe(0);
  expect(record()).toEqual({ earlier: 1, later: 1, isUseless: false });
});

it('follows a request once', async () => {
  const { wait, followers, clock } = world();
  wait(1);
  const first = followers.get(1);
  expect(first).toBeDefined();
  await clock.advance(100_000);
  wait(1);
  expect(followers.get(1)).toBe(first);
});
