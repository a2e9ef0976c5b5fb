// How good what was said of requests is: how often the true start lay in the range, how long ranges
// are, and the same for the rule of thumb with ranges of the same length.

import { SeededRandom } from '../simulation/seeded-random.ts';
import { type Load, type Saying, World } from './world.ts';

export interface Judgement {
  readonly name: string;
  /** Requests, or moments of them, of which something could be said. */
  readonly asked: number;
  /** Share of them with a range. */
  readonly answered: number;
  /** Share of the ranges that hold the true start; that end before it, that begin after it. */
  readonly held: number;
  readonly late: number;
  readonly early: number;
  /** Median length of the ranges, by the true wait. */
  readonly length: number;
  /** Share held by the rule of thumb with ranges of the same length about it. */
  readonly thumbHeld: number;
}

interface Ranged extends Saying {
  readonly earliestMs: number;
  readonly latestMs: number;
}

export function judge(load: Load, seeds: readonly number[]): Judgement {
  const all = seeds.flatMap((seed) => [...new World(load, new SeededRandom(seed)).run()]);
  const ranged = all.flatMap((saying): Ranged[] => {
    const { estimate } = saying;
    if (estimate.kind === 'none') return [];
    return [{ ...saying, earliestMs: estimate.earliestMs, latestMs: estimate.latestMs }];
  });
  const share = (is: (one: Ranged) => boolean): number => ranged.filter(is).length / ranged.length;
  const lengths = ranged
    .map(({ earliestMs, latestMs, trueMs }) => (latestMs - earliestMs) / Math.max(trueMs, 1))
    .toSorted((one, other) => one - other);
  return {
    name: load.name,
    asked: all.length,
    answered: ranged.length / Math.max(1, all.length),
    held: share((one) => one.trueMs >= one.earliestMs && one.trueMs <= one.latestMs),
    late: share((one) => one.trueMs > one.latestMs),
    early: share((one) => one.trueMs < one.earliestMs),
    length: lengths[Math.floor(lengths.length / 2)] ?? 0,
    thumbHeld: share(
      ({ earliestMs, latestMs, thumbMs, trueMs }) =>
        Math.abs(trueMs - thumbMs) <= (latestMs - earliestMs) / 2,
    ),
  };
}
