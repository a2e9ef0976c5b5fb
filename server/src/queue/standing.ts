// Where a message of the input stands for the working group, from memory: what a request that waits
// or runs can be told. Nothing here changes anything.

import { hasPlace } from './choice.ts';
import { isDelayed } from './mark.ts';
import { type QueueState, recordLimitsOf, type State } from './state.ts';
import { isSuspect } from './suspects.ts';
import type { Time } from './time.ts';
import type { Mark } from './transition.ts';
import { positionOf } from './view.ts';

export interface Standing {
  readonly index: number;
  readonly isRunning: boolean;
  /** Messages that are handed out before it, as far as is known now: those before it in the order
   * of delivery, but for those that wait for a time of their own. 0 while it runs. */
  readonly position: number;
  /** Messages before it in that order that wait for a time of their own. */
  readonly backingOffBefore: number;
  /** What its deliveries so far tell; undefined = there was none. */
  readonly mark: Mark | undefined;
  /** It waits as its submitter asked for: nobody had it yet. */
  readonly isDelayed: boolean;
  /** Milliseconds until its back-off or delay ends; 0 = it has none. */
  readonly backoffMs: number;
  /** Instances died with it: it has to be alone. */
  readonly isSuspect: boolean;
  /** Whether its result has a place now (rules 3 and 12). */
  readonly hasPlace: boolean;
}

/** Where the results of home `record` are kept. */
export interface ResultRoom {
  readonly isFull: boolean;
}

/** undefined: no such message waits or runs (any more). */
export function standingOf(state: State, index: number, now: Time): Standing | undefined {
  const queue = state.queues.input;
  const { messages } = queue;
  if (!messages.has(index)) return undefined;
  const gid = state.service;
  // One on its way to a reader has no position any more.
  const position = positionOf(state, queue, index, gid, '');
  const group = queue.groups.get(gid);
  const entry = group?.entries.get(index);
  const { mark, backoffUntil = 0 } = entry ?? {};
  const backoffMs = backoffUntil > 0 ? Math.max(0, backoffUntil - now.mono) : 0;
  return {
    index,
    isRunning: messages.isLeased(index) || messages.isHidden(index),
    position: position?.waitCount ?? 0,
    backingOffBefore: group?.backingOff.before({ index, priority: messages.priority(index) }) ?? 0,
    mark,
    isDelayed: backoffMs > 0 && mark !== undefined && isDelayed(mark),
    backoffMs,
    isSuspect: mark !== undefined && isSuspect(mark),
    hasPlace: group === undefined || hasPlace(state, queue, group, index, entry),
  };
}

/** Whether the store of kept results and records has room (rule 12). */
export function resultRoomOf(state: State): ResultRoom {
  return { isFull: state.records.isOver(recordLimitsOf(state)) };
}

/** Indexes of messages of a queue from `from` to below `below`, ascending. */
export function indexesWithin(queue: QueueState, from: number, below: number): number[] {
  const { messages } = queue;
  const found: number[] = [];
  let index = messages.firstFrom(Math.max(1, from));
  while (index > 0 && index < below) {
    found.push(index);
    index = messages.firstFrom(index + 1);
  }
  return found;
}
