// How many instances a service gets, why, and what was held back: pure, so that every rule can be
// played and simulated. `docs/autoscaling.md` explains the rules to users.
//
// Always: never below the instances that work needs; none is added while new ones crash or wait
// for room; a figure that is not known never takes an instance away; the last ones go only when
// nothing has come, waited or been worked on for the whole grace; at 0 work starts some at once.

import type { ScalingPolicy, ScalingStrategy } from '../deployment/scaling.ts';
import type { Time } from '../kernel/clock.ts';
import { type Bounds, boundsAt } from './bounds.ts';
import type { Observation } from './observation.ts';
import { type Lately, largestOf, nothingLately, remember, smallestOf } from './window.ts';
import { type Wish, wishes } from './wish.ts';

/** What the scaler remembers of a service from one decision to the next. */
export interface Memory {
  readonly lately: Lately;
  /** Puts at the last look. */
  readonly puts: number;
  /** Since when nothing has come, waited or been worked on. Monotonic clock, as all here. */
  readonly idleSince: number;
  /** Since when only work that is spread over more instances than it needs has kept them. */
  readonly spreadSince: number | undefined;
}

/** Why something that was wanted is not done. */
export type HeldBy =
  /** More have not been wanted for the whole window yet. */
  | 'out-window'
  /** Fewer have not been wanted for the whole window yet. */
  | 'in-window'
  /** The service has not been idle for long enough to go to 0. */
  | 'grace'
  /** Instances hold requests. */
  | 'working'
  /** New instances end by themselves. */
  | 'crashing'
  /** Instances wait for room, or for something that is missing. */
  | 'pending'
  /** A figure is not known. */
  | 'unknown'
  /** More than `max` are wanted. */
  | 'max';

export interface Held {
  readonly by: HeldBy;
  /** What was wanted. */
  readonly count: number;
  readonly text: string;
}

export interface Decision {
  readonly count: number;
  /** Why the count is what it is; of use when it has changed. */
  readonly reason: string;
  readonly held: Held | undefined;
  readonly wishes: readonly Wish[];
  readonly memory: Memory;
}

/** What is decided, before it is put together with the rest. */
type Verdict = Pick<Decision, 'count' | 'reason'> & {
  readonly held?: Held;
  readonly spreadSince?: number | undefined;
};

interface Case {
  readonly policy: ScalingPolicy;
  readonly observation: Observation;
  readonly bounds: Bounds;
  readonly memory: Memory;
  readonly now: number;
  /** The wish for most; its text is the reason. */
  readonly top: Wish;
  readonly wishes: readonly Wish[];
}

export function firstMemory(at: number): Memory {
  return { lately: nothingLately(at), puts: -1, idleSince: at, spreadSince: undefined };
}

export function decide(
  policy: ScalingPolicy,
  observation: Observation,
  before: Memory,
  time: Time,
): Decision {
  const now = time.mono;
  const bounds = boundsAt(policy, time.wall);
  const all = wishes({ ...policy, max: bounds.max }, observation);
  const top = highest(all, observation.count);
  const { backlog, leased, puts } = observation;
  const isIdle = backlog === 0 && leased === 0 && puts === before.puts;
  const span = Math.max(policy.scaleInWindowMs, policy.scaleOutWindowMs);
  const memory: Memory = {
    ...before,
    lately: remember(before.lately, top.count, now, span),
    puts,
    idleSince: isIdle ? before.idleSince : now,
  };
  const one: Case = { policy, observation, bounds, memory, now, top, wishes: all };
  const { count, reason, held, spreadSince } = verdict(one);
  return { count, reason, held, wishes: all, memory: { ...memory, spreadSince } };
}

/** Without a strategy the number stays. */
function highest(all: readonly Wish[], count: number): Wish {
  let top: Wish | undefined;
  for (const wish of all) if (top === undefined || wish.count > top.count) top = wish;
  return top ?? { count, value: undefined, text: '', keeps: undefined };
}

function verdict(one: Case): Verdict {
  const { observation, bounds, top } = one;
  const { count } = observation;
  if (count < bounds.min) return { count: bounds.min, reason: bounds.minText };
  if (count > bounds.max) return { count: bounds.max, reason: bounds.maxText };
  if (count === 0) return fromZero(one);
  const wanted = clamp(top.count, bounds);
  if (wanted > count) return out(one, wanted);
  if (top.count > count) {
    const text = `${top.text}, but ${bounds.maxText}`;
    return { count, reason: '', held: { by: 'max', count: top.count, text } };
  }
  return zero(one) ?? (wanted < count ? inwards(one, wanted) : { count, reason: '' });
}

function clamp(count: number, { min, max }: Bounds): number {
  return Math.min(max, Math.max(min, count));
}

/** Work waits for nobody here: it starts instances at once, as many as are wanted already. */
function fromZero({ policy, observation, bounds, wishes: all }: Case): Verdict {
  const { backlog } = observation;
  if (backlog === 0) {
    // Figures of other services may call before the work is here.
    const called = highest(
      all.filter((_, at) => isForeign(policy.strategies[at])),
      0,
    );
    return { count: clamp(called.count, bounds), reason: called.text };
  }
  const most = highest(all, 0);
  const count = clamp(Math.max(1, policy.activationCount, most.count), bounds);
  const waiting = backlog === 1 ? 'a request waits' : `${backlog} requests wait`;
  const why = most.count > policy.activationCount ? `; ${most.text}` : '';
  return { count, reason: `${waiting} and there are no instances${why}` };
}

function isForeign(strategy: ScalingStrategy | undefined): boolean {
  return strategy?.service !== undefined;
}

function out(one: Case, wanted: number): Verdict {
  const { policy, observation, memory, now, top } = one;
  const { count } = observation;
  const { crashing, pending, trouble } = observation.instances;
  const hold = (by: HeldBy, why: string): Verdict => ({
    count,
    reason: '',
    held: { by, count: wanted, text: `${top.text}, but ${why}` },
  });
  const because = trouble === '' ? '' : `: ${trouble}`;
  if (crashing > 0) {
    return hold('crashing', `${crashing} of ${count} crash before they are ready${because}`);
  }
  if (pending > 0) return hold('pending', `${pending} of ${count} cannot be started${because}`);
  const windowMs = policy.scaleOutWindowMs;
  if (windowMs === 0) return { count: wanted, reason: top.text };
  const least = smallestOf(memory.lately, now, windowMs)?.count ?? wanted;
  const isLong = now - memory.lately.since >= windowMs;
  if (least <= count || !isLong) {
    return hold('out-window', `not yet for the ${seconds(windowMs)} of the scale-out window`);
  }
  const chosen = Math.min(wanted, least);
  return { count: chosen, reason: top.text };
}

/** To 0, when the service has been idle for long enough; undefined: not about that. */
function zero(one: Case): Verdict | undefined {
  const { policy, observation, bounds, memory, now, wishes: all, top } = one;
  const { count, backlog, leased } = observation;
  if (bounds.min > 0 || backlog + leased > 0 || observation.instances.working > 0) return undefined;
  const idleMs = now - memory.idleSince;
  const graceMs = policy.zeroGraceMs;
  // What the queue says is settled: there is nothing. Other figures may still want instances.
  const others = all.filter((_, at) => isOther(observation, policy, at));
  if (others.some((wish) => wish.count > 1 || wish.keeps !== undefined)) return undefined;
  if (idleMs >= graceMs) {
    return { count: 0, reason: `nothing has come, waited or run for ${seconds(graceMs)}` };
  }
  if (count > 1 || top.count > 1) return undefined;
  const text = `idle for ${seconds(idleMs)} of the ${seconds(graceMs)} before it goes to 0`;
  return { count, reason: '', held: { by: 'grace', count: 0, text } };
}

function isOther(observation: Observation, policy: ScalingPolicy, at: number): boolean {
  const kind = observation.readings[at]?.kind;
  return kind === 'each' || isForeign(policy.strategies[at]);
}

function inwards(one: Case, wanted: number): Verdict {
  const { policy, observation, memory, now, bounds, top, wishes: all } = one;
  const { count } = observation;
  const hold = (by: HeldBy, why: string): Verdict => ({
    count,
    reason: '',
    held: { by, count: wanted, text: `${top.text}, but ${why}` },
  });
  const unknown = all.find(({ keeps }) => keeps !== undefined);
  if (unknown?.keeps !== undefined) return hold('unknown', unknown.keeps);
  const windowMs = policy.scaleInWindowMs;
  const largest = largestOf(memory.lately, now, windowMs);
  const most = clamp(Math.max(wanted, largest?.count ?? wanted), bounds);
  if (most >= count || now - memory.lately.since < windowMs) {
    return hold('in-window', `not yet for the ${seconds(windowMs)} of the scale-in window`);
  }
  // The last one leaves by the grace alone.
  const lowest = Math.max(most, 1);
  if (lowest >= count) return { count, reason: '' };
  return keepingWork(one, lowest, hold);
}

/**
 * Never below the instances that hold work. Where an instance works on several requests, work may
 * be spread thinly over all of them for ever: then, after another whole window, one instance at a
 * time finishes what it has and goes, as far as the rest can hold the work.
 */
function keepingWork(
  one: Case,
  lowest: number,
  hold: (by: HeldBy, why: string) => Verdict,
): Verdict {
  const { policy, observation, memory, now, top } = one;
  const { count, leased, window } = observation;
  const { working } = observation.instances;
  const kept = Math.min(count, Math.max(lowest, working));
  if (kept < count) return { count: kept, reason: top.text };
  const spreadSince = memory.spreadSince ?? now;
  const needed = Math.max(lowest, Math.min(working, Math.ceil(leased / window)));
  if (needed < count && now - spreadSince >= policy.scaleInWindowMs && spreadSince < now) {
    const reason = `${top.text}; the ${leased} running requests need ${needed} instances`;
    return { count: count - 1, reason };
  }
  const verb = working === 1 ? 'holds' : 'hold';
  return { ...hold('working', `${working} of ${count} ${verb} requests`), spreadSince };
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)} s`;
}
