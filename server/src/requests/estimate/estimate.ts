// When a request that waits may start: a range that holds the true start in 80 of 100 cases, or
// the reason why none can be said. A request with m - 1 others before it starts when the m-th slot
// comes free: the chance that this has happened by a time follows from how many slots come free by
// then, which is taken to be spread like a gamma distribution (exact for random service times, near
// for others). The cost does not depend on how many wait. Played in `requests-estimate.test.ts`.

import type { Estimate } from '../request.ts';
import type { WaitFacts } from '../wait-facts.ts';
import { stepsPerMean } from './counts.ts';
import { whyNone } from './none.ts';
import type { ServiceTimes } from './service-times.ts';
import { freedBy, joinedBy, type Supply, supplyOf } from './supply.ts';

/** Milliseconds from now, by the share of cases in which the request has started by then. */
export interface Forecast {
  /** 10 % */
  readonly earliestMs: number;
  /** 50 % */
  readonly middleMs: number;
  /** 90 % */
  readonly latestMs: number;
}

/** A request that nothing stands before is handed out in the next turn. */
const soon: Forecast = { earliestMs: 0, middleMs: 0, latestMs: 250 };
/** Nobody plans beyond that. */
const horizonMs = 30 * 24 * 3_600_000;
/** How far service times drift from what they were lately, beyond chance. */
const drift = 0.05;
const rateDrift = 0.15;

/** The range for people: widened as far as earlier ones of this service would have needed it. */
export function estimateStart(facts: WaitFacts): Estimate {
  const { record } = facts.observed;
  const forecast = forecastStart(facts);
  if (typeof forecast === 'string') return { kind: 'none', reason: forecast };
  if (record.isUseless) {
    return { kind: 'none', reason: 'the estimates for this service were wrong too often lately' };
  }
  const { earliestMs, middleMs, latestMs } = forecast;
  const earlier = middleMs - (middleMs - earliestMs) * record.earlier;
  const later = middleMs + (latestMs - middleMs) * record.later;
  return {
    kind: 'range',
    earliestMs: Math.max(notBefore(facts), Math.floor(earlier), 0),
    latestMs: Math.ceil(later),
  };
}

/** As it is worked out, for keeping a record of how good it is; or why there is none. */
export function forecastStart(facts: WaitFacts): Forecast | string {
  const none = whyNone(facts);
  if (none !== undefined) return none;
  const supply = supplyOf(facts);
  const waitMs = notBefore(facts);
  const line = queueOf(facts, supply);
  const forecast = line.places > 0 ? solve(line) : soon;
  const canSolve = supply.times.count > 0;
  if (typeof forecast === 'string' || waitMs === 0) return forecast;
  if (!canSolve) return after(waitMs, forecast);
  // By the time that it may go, those before it may have gone; then the next slot is its own.
  const next = solve({ ...line, places: 1, spread: 0 });
  if (typeof next === 'string') return next;
  return {
    earliestMs: Math.max(waitMs, forecast.earliestMs),
    middleMs: Math.max(waitMs + next.middleMs / 2, forecast.middleMs),
    latestMs: Math.max(waitMs + next.latestMs, forecast.latestMs),
  };
}

/** Until when it surely waits, in ms from now. */
function notBefore({ now, request }: WaitFacts): number {
  return Math.max(0, request.delayUntil - now, request.backoffUntil - now);
}

function after(waitMs: number, { earliestMs, middleMs, latestMs }: Forecast): Forecast {
  return {
    earliestMs: earliestMs + waitMs,
    middleMs: middleMs + waitMs,
    latestMs: latestMs + waitMs,
  };
}

/** The line that a request stands in. */
interface Line {
  readonly supply: Supply;
  /** Slots that have to come free for it to start, itself included. */
  readonly places: number;
  /** Variance of that. */
  readonly spread: number;
  /** Relative variance of how fast the line moves: few samples, and drift. */
  readonly doubt: number;
  readonly overtakersPerMs: number;
  readonly bunching: number;
  /** Relative variance of the rate of overtakers. */
  readonly rateDoubt: number;
}

function queueOf({ request, observed }: WaitFacts, supply: Supply): Line {
  const { serviceTimes, overtakers } = observed;
  const { ahead, backingOffBefore } = request;
  return {
    supply,
    // Of those that back off, some come back in time.
    places: ahead + 1 + backingOffBefore / 2 - supply.free,
    spread: backingOffBefore ** 2 / 12,
    doubt: doubtOf(serviceTimes) + drift ** 2,
    overtakersPerMs: overtakers.perSecond / 1000,
    bunching: overtakers.bunching,
    rateDoubt: overtakers.bunching / (overtakers.seen + 1) + rateDrift ** 2,
  };
}

/** Relative variance of a mean of few samples; these seldom have the long ones that make it so. */
function doubtOf({ squaredVariation, count }: ServiceTimes): number {
  return (squaredVariation / count) * (1 + 4 / Math.sqrt(count));
}

/** A tenth of a normal distribution is so many deviations above its middle. */
const tenth = 1.2816;
/** A range is as precise as a thousandth of where it ends. */
const halvings = 9;

function solve(line: Line): Forecast | string {
  const slots = line.supply.blocks.reduce((sum, block) => sum + block.slots, 0);
  let highMs = Math.max(1, (1.2 * line.places * line.supply.times.meanMs) / Math.max(1, slots));
  let lowMs = 0;
  while (shareStarted(line, highMs) < 0.9) {
    if (highMs > horizonMs) {
      return line.overtakersPerMs > 0
        ? 'requests of higher priority come as fast as requests are worked off'
        : 'it is not known when there will be instances enough';
    }
    lowMs = highMs;
    highMs *= 2;
  }
  const late = timeOf(line, 0.9, lowMs, highMs);
  const middleMs = timeOf(line, 0.5, 0, late);
  const early = timeOf(line, 0.1, 0, middleMs);
  // All may go faster or slower than it seems. Curves have steps where service times do not vary,
  // and are known as finely as their grid is.
  const doubtMs = tenth * Math.sqrt(line.doubt) * middleMs;
  const blurMs = Math.min(line.supply.times.meanMs, middleMs) / stepsPerMean;
  return {
    earliestMs: Math.max(0, middleMs - Math.hypot(middleMs - early, doubtMs) - blurMs),
    middleMs,
    latestMs: middleMs + Math.hypot(late - middleMs, doubtMs) + blurMs,
  };
}

/** When the share of cases in which it has started reaches `share`. */
function timeOf(line: Line, share: number, fromMs: number, toMs: number): number {
  let low = fromMs;
  let high = toMs;
  for (let halving = 0; halving < halvings; halving += 1) {
    const middle = (low + high) / 2;
    if (shareStarted(line, middle) >= share) high = middle;
    else low = middle;
  }
  return high;
}

/** The share of cases in which the request has started after `ms`. */
function shareStarted(line: Line, ms: number): number {
  const { supply, overtakersPerMs, bunching, rateDoubt } = line;
  const base = freedBy(ms, supply);
  const overtakers = overtakersPerMs * ms;
  const chance = bunching * overtakers + rateDoubt * overtakers ** 2;
  let share = 0;
  for (const scenario of supply.scenarios) {
    const joined = joinedBy(ms, scenario, supply.times);
    const mean = base.mean + joined.mean - overtakers;
    const variance = base.variance + joined.variance + chance;
    share += scenario.weight * shareAbove(line, mean, variance);
  }
  return share;
}

/**
 * The share of cases in which at least `places` slots have come free, when `mean` have on average:
 * a gamma distribution of mean `places` is below `mean`, by the cube root rule of E. Wilson and M.
 * Hilferty (1931). Example: with random service times (variance = mean) the first of slots that
 * come free once a second has by 2.3 s in 90 of 100 cases: 1 - e ^ -2.3. Where nothing varies, half
 * a place short of the whole is enough: the mean goes from one whole number to the next at once.
 */
function shareAbove({ places, spread }: Line, mean: number, variance: number): number {
  if (mean <= 0) return 0;
  const dispersion = variance / mean;
  const target = places - Math.max(0, 1 - dispersion) / 2;
  const shape = target ** 2 / Math.max(target * dispersion + spread, 1e-9);
  return normalBelow(3 * Math.sqrt(shape) * (Math.cbrt(mean / target) - 1 + 1 / (9 * shape)));
}

/** The share of a standard normal distribution below `deviations` (M. Abramowitz and I. Stegun,
 * 26.2.17: wrong by less than 1e-7). */
function normalBelow(deviations: number): number {
  const distance = Math.abs(deviations);
  const step = 1 / (1 + 0.2316419 * distance);
  let sum = 1.330274429 * step - 1.821255978;
  sum = sum * step + 1.781477937;
  sum = sum * step - 0.356563782;
  sum = (sum * step + 0.31938153) * step;
  const above = (Math.exp((-distance * distance) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return deviations > 0 ? 1 - above : above;
}
