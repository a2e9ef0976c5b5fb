// The arithmetic of waiting: the examples of the source, and an exact queue to compare with.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countFor, holds, type Supply, shareAbove, waitOf } from '../../src/autoscaler/estimate.ts';

const one: Supply = { ready: 1, readyInS: [], window: 1, serviceS: 10, busy: 1 };

test('a request waits for those before it and for instances that start', () => {
  const supply: Supply = { ready: 2, readyInS: [4], window: 1, serviceS: 10, busy: 2 };
  expect(waitOf(5, supply)).toBeCloseTo(18);
});

test('a request that finds a free slot does not wait', () => {
  expect(waitOf(0, { ...one, busy: 0 })).toBe(0);
  expect(waitOf(2, { ...one, ready: 2, window: 4, busy: 5 })).toBe(0);
  expect(waitOf(3, { ...one, ready: 2, window: 4, busy: 5 })).toBeCloseTo(10 / 8);
});

test('a request that finds an instance about to be ready waits for that', () => {
  expect(waitOf(0, { ...one, ready: 0, readyInS: [7, 3], busy: 0 })).toBe(3);
  expect(waitOf(1, { ...one, ready: 0, readyInS: [7, 3], busy: 0 })).toBe(7);
  expect(waitOf(0, { ...one, ready: 0, busy: 0 })).toBe(Number.POSITIVE_INFINITY);
});

test('a share of requests waits longer than the target while they keep coming', () => {
  const share = shareAbove(
    10,
    3,
    { window: 1, serviceS: 4 },
    { putsPerS: 0.5, squaredVariation: 1 },
  );
  expect(share).toBeCloseTo(0.039, 3);
});

test('requests that come faster than they are served wait for ever longer', () => {
  const demand = { putsPerS: 1, squaredVariation: 1 };
  expect(shareAbove(1000, 2, { window: 2, serviceS: 4 }, demand)).toBe(1);
});

// As long as nothing else varies, the approximation is held against the exact M/M/m queue.
test.each([
  [0.5, 4, 3, 10],
  [2, 3, 8, 5],
  [1, 10, 12, 15],
  [0.1, 5, 1, 20],
])(
  'comes near the exact share for %d requests/s of %d s on %d slots',
  (putsPerS, serviceS, slots, targetS) => {
    const load = putsPerS * serviceS;
    let term = 1;
    let sum = 1;
    for (let k = 1; k < slots; k += 1) {
      term *= load / k;
      sum += term;
    }
    const last = ((term * load) / slots) * (slots / (slots - load));
    const exact = (last / (sum + last)) * Math.exp((-targetS * (slots - load)) / serviceS);
    const supply = { window: 1, serviceS };
    const share = shareAbove(targetS, slots, supply, { putsPerS, squaredVariation: 1 });
    expect(Math.abs(share - exact)).toBeLessThan(0.03);
  },
);

test('starts as many as work a backlog off in the time that starting takes', () => {
  const supply: Supply = { ready: 1, readyInS: [], window: 1, serviceS: 3, busy: 1 };
  const demand = { backlog: 300, putsPerS: 0, squaredVariation: 1, startUpS: 30 };
  // 300 * 3 / 30 = 30, less what the one that is ready does and what each takes at once.
  expect(countFor(10, 1000, supply, demand)).toBe(27);
  // Where starting is quick it is the target that counts.
  expect(countFor(10, 1000, supply, { ...demand, startUpS: 1 })).toBe(76);
});

test('counts instances that start as there', () => {
  const demand = { backlog: 30, putsPerS: 0, squaredVariation: 1, startUpS: 20 };
  const alone: Supply = { ready: 1, readyInS: [], window: 1, serviceS: 5, busy: 1 };
  const wanted = countFor(10, 100, alone, demand);
  const started: Supply = { ...alone, readyInS: Array(wanted - 1).fill(15) };
  expect(countFor(10, 100, started, demand)).toBeLessThanOrEqual(wanted);
});

test('needs nothing when there is nothing to do', () => {
  const demand = { backlog: 0, putsPerS: 0, squaredVariation: 1, startUpS: 20 };
  expect(countFor(10, 100, { ...one, busy: 0 }, demand)).toBe(0);
  expect(countFor(10, 100, one, demand)).toBe(1);
});

test('more instances never hold a target that fewer hold not to hold it', () => {
  const supplies = fc.record({
    ready: fc.integer({ min: 0, max: 20 }),
    readyInS: fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 10 }),
    window: fc.integer({ min: 1, max: 8 }),
    serviceS: fc.double({ min: 0.01, max: 120, noNaN: true }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const demands = fc.record({
    backlog: fc.integer({ min: 0, max: 2000 }),
    putsPerS: fc.double({ min: 0, max: 20, noNaN: true }),
    squaredVariation: fc.double({ min: 0, max: 4, noNaN: true }),
    startUpS: fc.integer({ min: 0, max: 120 }),
  });
  const targets = fc.integer({ min: 1, max: 100 });
  fc.assert(
    fc.property(supplies, demands, targets, ({ share, ...rest }, demand, target) => {
      const supply = { ...rest, busy: Math.floor(share * rest.ready * rest.window) };
      const answers = Array.from({ length: 60 }, (_, at) => holds(target, at + 1, supply, demand));
      const first = answers.indexOf(true);
      if (first < 0) return;
      expect(answers.slice(first)).not.toContain(false);
    }),
  );
});
