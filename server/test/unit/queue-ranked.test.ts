// The set that counts what waits for a time of its own before a message, against a plain list.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comesBefore, type Offer } from '../../src/queue/offers.ts';
import { Ranked } from '../../src/queue/ranked.ts';

const anyOffer = fc.record({
  index: fc.integer({ min: 1, max: 3_000 }),
  priority: fc.integer({ min: 0, max: 2 }),
});
const anySteps = fc.array(fc.record({ offer: anyOffer, isGone: fc.boolean() }), {
  maxLength: 200,
});

function add(set: Ranked, list: Map<string, Offer>, offer: Offer): void {
  set.add(offer);
  list.set(`${offer.priority} ${offer.index}`, offer);
}

function remove(set: Ranked, list: Map<string, Offer>, offer: Offer): void {
  set.delete(offer);
  list.delete(`${offer.priority} ${offer.index}`);
}

describe('messages that wait for a time of their own', () => {
  it('are counted before any other, whatever came and went', async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, fc.array(anyOffer, { minLength: 1 }), async (steps, looks) => {
        const set = new Ranked();
        const list = new Map<string, Offer>();
        // More than one run of them, of which each step changes one.
        for (let index = 1; index < 3_000; index += 2) add(set, list, { index, priority: 1 });
        for (const { offer, isGone } of steps) (isGone ? remove : add)(set, list, offer);
        expect(set.size).toBe(list.size);
        for (const look of looks) {
          const before = [...list.values()].filter((offer) => comesBefore(offer, look));
          expect(set.before(look)).toBe(before.length);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are counted in no time, however many there are', () => {
    const set = new Ranked();
    const many = 300_000;
    for (let index = 1; index <= many; index += 1) set.add({ index, priority: 0 });
    const begunAt = performance.now();
    let sum = 0;
    for (let nth = 0; nth < 1_000; nth += 1) sum += set.before({ index: many - nth, priority: 0 });
    expect(sum).toBe(1_000 * many - 500_500);
    expect(performance.now() - begunAt).toBeLessThan(200);
  });

  it('may all go again', () => {
    const set = new Ranked();
    for (let index = 1; index <= 5_000; index += 1) set.add({ index, priority: 0 });
    for (let index = 5_000; index >= 1; index -= 1) set.delete({ index, priority: 0 });
    expect(set.size).toBe(0);
    expect(set.before({ index: 9_000, priority: 0 })).toBe(0);
  });
});
