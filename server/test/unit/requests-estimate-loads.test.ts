// The ranges of starts on whole loads: how many hold the true start, and how long they are. In
// virtual time, the same each time; `npm run estimate-loads` prints the table with more seeds.

import { describe, expect, test } from 'vitest';
import { type Judgement, judge } from '../estimate/judge.ts';
import {
  burstLoads,
  scalingLoads,
  slowerLoads,
  steadyLoads,
  urgentLoads,
} from '../estimate/loads.ts';
import type { Load } from '../estimate/world.ts';

function judged(loads: readonly Load[], seeds: readonly number[]): readonly Judgement[] {
  return loads.map((load) => judge(load, seeds));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Requests of a steady load share little of their luck, those of a burst nearly all of it.
const steady = judged(
  steadyLoads.filter(({ window }) => window === 1),
  [1],
);
const wide = judged(
  steadyLoads.filter(({ window, name }) => window > 1 && name.includes('85 %')),
  [1],
);
const urgent = judged(urgentLoads, [1]);
const bursts = judged(
  burstLoads.filter(({ window }) => window === 1),
  [1, 2, 3],
);
const wideBursts = judged(
  burstLoads.filter(({ window }) => window > 1),
  [1, 2],
);
const scaling = judged(scalingLoads, [1, 2, 3]);
const slower = judged(slowerLoads, [1, 2, 3]);

describe('under a steady load', () => {
  const all = [...steady, ...wide, ...urgent];

  test.each(all)('3 in 4 ranges hold the true start: $name', ({ answered, held }) => {
    expect(answered).toBeGreaterThan(0.5);
    expect(held).toBeGreaterThanOrEqual(0.75);
  });

  test('there is nearly always a range', () => {
    expect(mean(all.map(({ answered }) => answered))).toBeGreaterThan(0.95);
  });

  test('ranges are of use: on average less than twice the wait', () => {
    for (const { length } of all) expect(length).toBeLessThan(3.6);
    expect(mean(all.map(({ length }) => length))).toBeLessThan(1.8);
  });

  test('they are short, and better than a rule of thumb, where service times do not vary', () => {
    const constant = [...steady, ...wide].filter(({ name }) => name.endsWith('constant'));
    for (const { held, length, thumbHeld } of constant) {
      expect(length).toBeLessThan(0.45);
      expect(held).toBeGreaterThan(0.9);
      expect(thumbHeld).toBeLessThan(0.65);
    }
  });
});

describe('over a burst', () => {
  const all = [...bursts, ...wideBursts, ...scaling];

  test.each(all)('3 in 5 ranges hold the true start: $name', ({ held }) => {
    expect(held).toBeGreaterThanOrEqual(0.6);
  });

  test('there is a range, unless many of higher priority come with it', () => {
    for (const { name, answered } of all) {
      expect(answered).toBeGreaterThan(name.includes('urgent') ? 0.1 : 0.9);
    }
  });

  test('ranges are shorter than the wait', () => {
    expect(mean(all.map(({ length }) => length))).toBeLessThan(0.65);
  });

  test('they see instances that start, and those that may, where a rule of thumb does not', () => {
    for (const { thumbHeld } of scaling) expect(thumbHeld).toBeLessThan(0.35);
    expect(mean(scaling.map(({ held }) => held))).toBeGreaterThan(0.85);
  });

  test.each(slower)('they hold again soon after work takes longer: $name', (judgement) => {
    expect(judgement.answered).toBeGreaterThan(0.5);
    expect(judgement.held).toBeGreaterThanOrEqual(0.6);
  });
});
