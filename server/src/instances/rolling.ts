// How an update replaces instances: new ones are ready before old ones go, never more of them than
// `maxSurge` above the wanted number, never fewer ready ones than `maxUnavailable` below it. Pure.
// Ready old ones go by draining; those that are not ready are of no use and go at once.

import type { Rolling, Share } from '../deployment/instances.ts';
import type { DeployedService } from '../deployment/service.ts';
import { byWorth, type Copy, nameOf, staying } from './copy.ts';
import { launchKey } from './wanted.ts';

export interface RollingPlan {
  readonly start: readonly undefined[];
  readonly leave: readonly string[];
}

/** How far an update may go from the wanted number, in whole instances. */
export interface Margins {
  readonly surge: number;
  readonly unavailable: number;
}

/**
 * A share of surge is rounded up and one of absence down: of 10 wanted, 25 % are 3 more and 2
 * fewer. With both 0 nothing could ever be replaced: one more is allowed then.
 */
export function marginsOf(rolling: Rolling, count: number): Margins {
  const surge = amountOf(rolling.maxSurge, count, Math.ceil);
  const unavailable = Math.min(amountOf(rolling.maxUnavailable, count, Math.floor), count);
  return { surge: surge === 0 && unavailable === 0 ? 1 : surge, unavailable };
}

function amountOf(share: Share, count: number, round: (value: number) => number): number {
  if (share.kind === 'count') return Math.max(0, Math.floor(share.value));
  // 2 % of 50 is 1, not 2: the product is off by a little, upwards.
  return Math.max(0, round(Number(((share.value * count) / 100).toFixed(6))));
}

/**
 * With a surge of 0 the machine is said to hold no more than the wanted number: then all that
 * still finish their work count too. Otherwise they don't, or one request of a day would hold up
 * every update for a day; what the machine holds is then bounded by declared resources.
 */
export function rollingPlan(wanted: DeployedService, copies: readonly Copy[]): RollingPlan {
  const { count, rolling } = wanted.instances;
  const { current, old } = sorted(wanted, copies);
  const extra = byWorth(current).slice(0, Math.max(0, current.length - count));
  const missing = Math.max(0, count - current.length);
  const { surge, unavailable } = marginsOf(rolling, count);
  const useless = old.filter(isUseless);
  const readyNew = readyOf(current) - readyOf(extra);
  const replaced = superseded(old, readyNew - Math.max(0, count - unavailable));
  const leaving = copies.filter(({ isLeaving }) => isLeaving).length;
  const going = surge === 0 ? leaving : -useless.length;
  const existing = current.length + old.length + going;
  const room = Math.max(0, count + surge - existing);
  return {
    start: Array(Math.min(missing, room)).fill(undefined),
    leave: [...replaced, ...extra.map(nameOf)],
  };
}

/**
 * Which old instances go, `surplus` being how many more than needed are ready without them: those
 * that are not ready at once, and of the others as many as are too many then.
 */
export function superseded(old: readonly Copy[], surplus: number): readonly string[] {
  const useful = byWorth(old.filter(({ isReady }) => isReady));
  const drained = useful.slice(0, Math.max(0, surplus + useful.length));
  return [...old.filter(isUseless), ...drained].map(nameOf);
}

/** What has just been taken over may well be ready: its first check will tell. */
function isUseless({ isReady, isUnchecked = false }: Copy): boolean {
  return !isReady && !isUnchecked;
}

/**
 * Which old instances have to go for a new one to find room on the machine, when the plan would
 * start one and none fits: "drain, then replace". As few as possible, those of least worth first;
 * none while others are still going or new ones getting ready, and none if it would not help.
 */
export function roomMakers<One extends Copy>(
  wanted: DeployedService,
  copies: readonly One[],
  fitsWithout: (gone: readonly One[]) => boolean,
): readonly string[] {
  const { current, old } = sorted(wanted, copies);
  if (old.length === 0 || current.some(({ isReady }) => !isReady)) return [];
  const going = copies.filter(({ isLeaving }) => isLeaving);
  if (fitsWithout(going)) return [];
  const worst = byWorth(old);
  for (let some = 1; some <= worst.length; some += 1) {
    const chosen = worst.slice(0, some);
    if (fitsWithout([...going, ...chosen])) return chosen.map(nameOf);
  }
  return [];
}

interface Sorted<One extends Copy> {
  readonly current: readonly One[];
  readonly old: readonly One[];
}

function sorted<One extends Copy>(wanted: DeployedService, copies: readonly One[]): Sorted<One> {
  const key = launchKey(wanted);
  return {
    current: staying(copies).filter((copy) => copy.key === key),
    old: staying(copies).filter((copy) => copy.key !== key),
  };
}

function readyOf(copies: readonly Copy[]): number {
  return copies.filter(({ isReady }) => isReady).length;
}
