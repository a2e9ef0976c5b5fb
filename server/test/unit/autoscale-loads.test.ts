// The autoscaler on synthetic loads, beside the formula of Kubernetes on the same loads: how long
// requests wait, what is wasted, how often the number of instances turns round. In virtual time,
// the same each time.

import { describe, expect, test } from 'vitest';
import { max, model, outcomes, type Pair, targetS } from '../autoscale/compare.ts';
import { loadsOf } from '../autoscale/loads.ts';

const seeds = [0, 1, 2];
const all = new Map(
  ['steady', 'burst', 'sawtooth', 'day'].map((name) => [
    name,
    seeds.map((seed) => pair(name, seed)),
  ]),
);

function pair(name: string, seed: number): Pair {
  const load = loadsOf(seed).find((one) => one.name === name);
  if (load === undefined) throw new Error(`no load ${name}`);
  return outcomes(load);
}

function pairs(name: string): readonly Pair[] {
  return all.get(name) ?? [];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe.each([...all.keys()])('queue[wait] on the %s load', (name) => {
  test('lets requests wait clearly less than the formula of Kubernetes', () => {
    for (const { formula, wait } of pairs(name)) {
      expect(wait.waitP95).toBeLessThan(0.8 * formula.waitP95);
      expect(wait.late).toBeLessThan(formula.late);
      expect(wait.waitMax).toBeLessThanOrEqual(formula.waitMax);
    }
  });

  test('wastes no more instances', () => {
    for (const { formula, wait } of pairs(name)) {
      expect(wait.wasted).toBeLessThan(1.02 * formula.wasted);
    }
    const wasted = sum(pairs(name).map(({ wait }) => wait.wasted));
    expect(wasted).toBeLessThan(sum(pairs(name).map(({ formula }) => formula.wasted)));
  });

  test('turns round less often', () => {
    for (const { formula, wait } of pairs(name)) {
      expect(wait.turns).toBeLessThan(formula.turns);
    }
  });

  test('serves every request, in its bounds', () => {
    for (const { formula, average, wait } of pairs(name)) {
      expect(wait.requests).toBe(formula.requests);
      expect(average.requests).toBe(formula.requests);
      for (const { count } of wait.counts) {
        expect(count).toBeGreaterThanOrEqual(1);
        expect(count).toBeLessThanOrEqual(max);
      }
    }
  });
});

test('a steady load is met by a steady number of instances', () => {
  for (const { wait } of pairs('steady')) {
    expect(wait.turns).toBeLessThanOrEqual(3);
    const later = wait.counts.filter(({ atS }) => atS > 600).map(({ count }) => count);
    expect(Math.max(...later) - Math.min(...later)).toBeLessThanOrEqual(3);
    expect(wait.late).toBeLessThan(0.05);
  }
});

test('a day is followed up and down without much to and fro', () => {
  for (const { wait } of pairs('day')) {
    expect(wait.turns).toBeLessThanOrEqual(15);
    expect(wait.late).toBeLessThan(0.02);
    expect(wait.waitP95).toBeLessThan(targetS);
  }
});

test('queue[avgbacklog] lets requests wait less than the formula of Kubernetes', () => {
  for (const name of ['steady', 'burst', 'day']) {
    for (const { formula, average } of pairs(name)) {
      expect(average.waitP95).toBeLessThan(0.8 * formula.waitP95);
    }
  }
});

test('a trickle costs little when it may go to 0, and waits for one start at most', () => {
  const { formula, zero } = pair('trickle', 0);
  expect(zero.wasted).toBeLessThan(0.5 * formula.wasted);
  expect(zero.waitMax).toBeLessThan(1.1 * model.startUpS + 2 * model.serviceS);
  expect(zero.counts.at(-1)?.count).toBeLessThanOrEqual(1);
});
