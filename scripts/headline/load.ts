// The load: requests that come at random whether earlier ones are done or not, each with a time
// that the model needs for it. One seed is one load, so every way of calling gets the same.

import { seededChance } from '../../server/src/cli/mock-model/chance.ts';
import { draw } from '../../server/src/cli/mock-model/latency.ts';

export interface LoadShape {
  readonly requests: number;
  /** Calls that the model works on at a time. */
  readonly slots: number;
  /** Share of the slots that the load keeps busy. */
  readonly load: number;
  /** Client time-out, and the share of calls that take longer even when they wait for nothing. */
  readonly timeoutMs: number;
  readonly shareAbove: number;
  readonly sigma: number;
  readonly seed: number;
}

export interface Call {
  /** From the beginning of the run. */
  readonly atMs: number;
  readonly workMs: number;
}

export interface Load {
  readonly calls: readonly Call[];
  readonly perSecond: number;
  readonly medianMs: number;
  readonly meanMs: number;
}

/**
 * Log-normal times. Example: 62 % are above 15 s where ln 15 s lies 0.305 deviations below the
 * middle; with sigma 0.8 the median is 15 s * e ^ (0.305 * 0.8) = 19.1 s, and the mean is
 * 19.1 s * e ^ (0.8 ^ 2 / 2) = 26.4 s.
 */
export function loadOf(shape: LoadShape): Load {
  const { requests, slots, load, timeoutMs, shareAbove, sigma, seed } = shape;
  const chance = seededChance(seed);
  const medianMs = timeoutMs * Math.exp(sigma * deviationsAt(shareAbove));
  const meanMs = medianMs * Math.exp(sigma ** 2 / 2);
  const perSecond = (load * slots * 1000) / meanMs;
  let atMs = 0;
  const calls = Array.from({ length: requests }, () => {
    atMs += draw({ kind: 'exponential', meanMs: 1000 / perSecond }, chance);
    return { atMs, workMs: draw({ kind: 'lognormal', medianMs, sigma }, chance) };
  });
  return { calls, perSecond, medianMs, meanMs };
}

/** How many deviations a normal distribution's share begins below the middle, by halving. */
function deviationsAt(share: number): number {
  let low = -8;
  let high = 8;
  for (let halving = 0; halving < 60; halving += 1) {
    const middle = (low + high) / 2;
    if (normalBelow(middle) < share) low = middle;
    else high = middle;
  }
  return low;
}

/** The share of a normal distribution below so many deviations, by Simpson's rule. */
function normalBelow(deviations: number): number {
  const steps = 400;
  const width = deviations / steps;
  let sum = 0;
  for (let step = 0; step <= steps; step += 1) {
    const weight = step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((step * width) ** 2) / 2);
  }
  return 0.5 + (sum * width) / 3 / Math.sqrt(2 * Math.PI);
}
