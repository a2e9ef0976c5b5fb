// The consumer that is next is always the one that a look at all of them would find.

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createConsumer } from '../../src/queue/apply-consumer.ts';
import { type Consumer, createGroup } from '../../src/queue/state.ts';

interface Step {
  readonly at: number;
  readonly free: number;
  readonly isServed: boolean;
}

const group = createGroup(1, 'g', 1, 0);

function nextOf(consumers: readonly Consumer[], free: readonly number[]): Consumer | undefined {
  const able = consumers.filter((_, at) => (free[at] ?? 0) > 0);
  const order = (a: Consumer, b: Consumer): number => {
    const byFree = (free[b.number] ?? 0) - (free[a.number] ?? 0);
    return byFree || a.servedAt - b.servedAt || a.number - b.number;
  };
  return able.sort(order)[0];
}

it('names the one with most free slots, then the least recently served', async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    at: fc.nat(19),
    free: fc.integer({ min: -1, max: 3 }),
    isServed: fc.boolean(),
  });
  const agree = (steps: readonly Step[]): void => {
    const consumers = Array.from({ length: 20 }, (_, at) => createConsumer(group, `${at}`, at));
    const free = consumers.map(() => 0);
    for (const [served, { at, free: slots, isServed }] of steps.entries()) {
      const consumer = consumers[at];
      if (consumer === undefined) continue;
      if (isServed) consumer.servedAt = served + 1;
      free[at] = slots;
      group.open.note(consumer, slots);
      expect(group.open.first?.number).toBe(nextOf(consumers, free)?.number);
      expect(new Set(group.open)).toEqual(new Set(consumers.filter((_, n) => (free[n] ?? 0) > 0)));
    }
    for (const consumer of consumers) group.open.note(consumer, 0);
    expect(group.open.size).toBe(0);
  };
  await fc.assert(fc.property(fc.array(step, { maxLength: 120 }), agree), { numRuns: 200 });
});
