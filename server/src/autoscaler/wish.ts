// What one strategy wants: its threshold and what is measured → a number of instances, with the
// sentence that says why. The formula is that of EAS and of Kubernetes: the instances times the
// measured value divided by the threshold, rounded up, and no change within 10 %.

import type { ScalingPolicy, ScalingStrategy } from '../deployment/scaling.ts';
import { countFor, type Demand, holds, type Supply, waitOf } from './estimate.ts';
import type { Observation, Reading } from './observation.ts';

export interface Wish {
  readonly count: number;
  /** What was measured, in the unit of the threshold; undefined: not known. */
  readonly value: number | undefined;
  /** Says value, threshold and count. */
  readonly text: string;
  /** Why this strategy cannot allow fewer instances now; undefined: it can. */
  readonly keeps: string | undefined;
}

/** So far from the threshold nothing changes. */
const tolerance = 0.1;

/** One wish for each strategy, in their order. */
export function wishes(policy: ScalingPolicy, observation: Observation): readonly Wish[] {
  return policy.strategies.map((strategy, at) => {
    const reading = observation.readings[at] ?? { kind: 'unknown', why: 'it is not measured' };
    return wishOf(strategy, reading, observation, policy.max);
  });
}

function wishOf(
  strategy: ScalingStrategy,
  reading: Reading,
  observation: Observation,
  max: number,
): Wish {
  const { count } = observation;
  switch (reading.kind) {
    case 'shared': {
      // At 0 there is nothing to divide by, and nothing that may be kept.
      const ratio = reading.total / (Math.max(1, count) * strategy.threshold);
      const wanted = Math.ceil(exact(reading.total / strategy.threshold));
      const value = reading.total / Math.max(1, count);
      return wish(strategy, value, count > 0 && isNear(ratio) ? count : wanted);
    }
    case 'whole':
      return wholeWish(strategy, reading.total, observation);
    case 'each':
      return eachWish(strategy, reading, count);
    case 'wait':
      return waitWish(strategy, observation, max);
    case 'unknown':
      return unknown(strategy, count, reading.why);
  }
}

/** Those that start cannot have helped yet: what there is times the ratio, never fewer for it. */
function wholeWish(strategy: ScalingStrategy, total: number, observation: Observation): Wish {
  const { count, instances } = observation;
  const ratio = total / strategy.threshold;
  if (count > 0 && isNear(ratio)) return wish(strategy, total, count);
  if (ratio > 1) {
    const wanted = Math.ceil(exact(Math.max(1, instances.ready) * ratio));
    return wish(
      strategy,
      total,
      instances.ready === 0 ? Math.max(1, count) : Math.max(count, wanted),
    );
  }
  return wish(strategy, total, Math.ceil(exact(count * ratio)));
}

/** Unknown figures count as 0 for more instances, and keep those that there are. */
function eachWish(
  strategy: ScalingStrategy,
  { sum, known, missing, why }: Extract<Reading, { kind: 'each' }>,
  count: number,
): Wish {
  if (known === 0) return unknown(strategy, count, why);
  const total = count === 0 ? 0 : sum;
  const ratio = total / (Math.max(1, count) * strategy.threshold);
  const wanted = isNear(ratio) ? count : Math.ceil(exact(total / strategy.threshold));
  const silent = count - known;
  const about = missing > 0 ? why : 'not all instances are ready';
  const keeps =
    silent > 0
      ? `${strategy.label} is not known of ${silent} of ${count} instances (${about})`
      : undefined;
  return { ...wish(strategy, sum / known, wanted), keeps };
}

/** Ratios that are whole but for the last bit of a double are whole. */
function exact(value: number): number {
  return Math.abs(value - Math.round(value)) < 1e-9 ? Math.round(value) : value;
}

function isNear(ratio: number): boolean {
  return Math.abs(ratio - 1) <= tolerance + 1e-9;
}

function waitWish(strategy: ScalingStrategy, observation: Observation, max: number): Wish {
  const { count, backlog, leased, putsPerSecond } = observation;
  const supply = supplyOf(observation);
  if (supply === undefined) {
    if (backlog + leased + putsPerSecond === 0) return wish(strategy, 0, 0);
    return unknown(strategy, Math.max(1, count), 'no request has been worked on yet');
  }
  const demand: Demand = {
    backlog,
    putsPerS: putsPerSecond,
    squaredVariation: observation.serviceTime?.squaredVariation ?? 1,
    startUpS: (observation.startUpMs ?? 0) / 1000,
  };
  const waitS = waitOf(backlog, supply);
  const target = strategy.threshold;
  const wanted = countFor(target, max, supply, demand);
  const isEnough = count > 0 && holds(target * (1 + tolerance), count, supply, relaxed(demand));
  const chosen = wanted > count && isEnough ? count : wanted;
  const needs = `${rounded(putsPerSecond)} requests a second of ${rounded(supply.serviceS)} s each`;
  const text =
    chosen > count && waitS <= target
      ? `${strategy.label} would rise above ${target} s: ${needs} need ${chosen}`
      : `${strategy.label} is ${rounded(waitS)} s, wanted are at most ${target} s: with ` +
        `${backlog} waiting and ${needs} that takes ${chosen}`;
  return { count: chosen, value: waitS, text, keeps: undefined };
}

/** The tolerance, for what keeps coming. */
function relaxed(demand: Demand): Demand {
  return { ...demand, putsPerS: demand.putsPerS / (1 + tolerance) };
}

function supplyOf(observation: Observation): Supply | undefined {
  const { instances, serviceTime, startUpMs = 0, window, leased, count } = observation;
  if (serviceTime === undefined || serviceTime.meanMs <= 0) return undefined;
  const { ready, startingForMs, crashing, pending } = instances;
  const started = startingForMs.map((ms) => Math.max(0, startUpMs - ms) / 1000);
  const shown = ready + startingForMs.length + crashing + pending;
  // Decided on and not to be seen yet.
  const coming: number[] = Array(Math.max(0, count - shown)).fill(startUpMs / 1000);
  return {
    ready,
    readyInS: [...started, ...coming],
    window,
    serviceS: serviceTime.meanMs / 1000,
    busy: leased,
  };
}

function wish(strategy: ScalingStrategy, value: number, count: number): Wish {
  const { threshold } = strategy;
  // Thresholds of thousandths have been divided already.
  const label = strategy.label === 'qps1k' ? 'qps' : strategy.label;
  const side = value > threshold ? 'above' : value < threshold ? 'below' : 'at';
  const text = `${label} is ${rounded(value)}, ${side} ${threshold}: that takes ${count}`;
  return { count, value, text, keeps: undefined };
}

function unknown({ label }: ScalingStrategy, count: number, why: string): Wish {
  const keeps = `${label} is not known: ${why}`;
  return { count, value: undefined, text: keeps, keeps };
}

/** Three digits are enough for a sentence. */
export function rounded(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'unlimited';
}
