// What readers may see of a queue, from memory: lengths, consumers, groups, positions, counts and
// the next messages of a get. Nothing here changes anything.

import type { Tags } from '@sluice/sdk/wire';
import type { QueueName } from './message.ts';
import type { Filter } from './messages.ts';
import { comesBefore } from './offers.ts';
import {
  type Consumer,
  capacityOf,
  type Group,
  hasWorkingGroup,
  payloadBytesMaxOf,
  type QueueState,
  type State,
  slotsTaken,
} from './state.ts';
import type { Time } from './time.ts';

export interface ConsumerView {
  readonly gid: string;
  readonly uid: string;
  readonly index: number;
  readonly pending: number;
  readonly status: 'Running' | 'Leaving' | 'Exit' | 'Complete';
  readonly idleMs: number;
  readonly window: number;
  readonly slots: number;
  readonly autoCommit: boolean;
  readonly tags: Tags;
  /** The suspect that it holds alone, or is reserved for; 0 = none. */
  readonly suspect: number;
}

/** A message that may have no company, because instances died with it. */
export interface SuspectView {
  readonly gid: string;
  readonly index: number;
  /** Who holds it, or is to have it once it is empty; empty when nobody is found yet. */
  readonly uid: string;
  readonly isHeld: boolean;
}

export interface GroupView {
  readonly gid: string;
  readonly index: number;
  readonly pending: number;
  readonly delivered: number;
  readonly consumers: number;
}

export interface QueueView {
  readonly name: QueueName;
  /** Its service is out of use: only what it held then is known. */
  readonly isClosed?: true;
  readonly ended: boolean;
  readonly payloadBytesMax: number;
  readonly capacity: number;
  /** Stored and visible. */
  readonly length: number;
  readonly waiting: number;
  readonly backingOff: number;
  readonly leased: number;
  /** Reserved places (sink only). */
  readonly reserved: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly consumers: readonly ConsumerView[];
  readonly groups: readonly GroupView[];
  /** At most the first hundred that wait. */
  readonly suspects: readonly SuspectView[];
  /** Calls that instances may still be at work on since an earlier run of Sluice, by uid. */
  readonly leftBehind: ReadonlyMap<string, number>;
}

/** Everything attributes and metrics tell of a queue. */
export function viewQueue(state: State, queue: QueueState, now: Time): QueueView {
  const consumers: ConsumerView[] = [];
  const groups: GroupView[] = [];
  for (const group of queue.groups.values()) {
    let connected = 0;
    for (const consumer of group.consumers.values()) {
      consumers.push(consumerViewOf(queue, consumer, now));
      if (consumer.connected) connected += 1;
    }
    const next = group.cursors.get(0) ?? 0;
    groups.push({
      gid: group.gid,
      index: next,
      pending: group.leased,
      delivered: group.delivered,
      consumers: connected,
    });
  }
  const backingOff = backingOffOf(state, queue);
  const length = queue.messages.length - queue.hidden;
  return {
    name: queue.name,
    ended: queue.ended,
    payloadBytesMax: payloadBytesMaxOf(state, queue),
    capacity: capacityOf(state, queue),
    length,
    waiting: Math.max(0, length - queue.leased - backingOff),
    backingOff,
    leased: queue.leased,
    reserved: queue.name === 'sink' ? state.reserved : 0,
    firstIndex: queue.messages.firstFrom(1),
    lastIndex: queue.lastIndex,
    consumers,
    groups,
    suspects: suspectsOf(state, queue),
    leftBehind: state.leftBehind,
  };
}

const suspectsShown = 100;

function suspectsOf(state: State, queue: QueueState): SuspectView[] {
  const all: SuspectView[] = [];
  for (const { gid, consumers, suspects } of queue.groups.values()) {
    for (const { uid, isAlone, held } of consumers.values()) {
      if (!isAlone) continue;
      for (const { index } of held.values()) all.push({ gid, index, uid, isHeld: true });
    }
    for (let at = 0; at < Math.min(suspects.size, suspectsShown); at += 1) {
      const index = suspects.at(at)?.index ?? 0;
      const uid = state.consumers.get(suspects.consumerOf(index))?.consumer.uid ?? '';
      all.push({ gid, index, uid, isHeld: false });
    }
  }
  return all;
}

function backingOffOf(state: State, queue: QueueState): number {
  const working = queue.name === 'input' ? queue.groups.get(state.service) : undefined;
  if (working !== undefined) return working.backingOff.size;
  let most = 0;
  for (const group of queue.groups.values()) most = Math.max(most, group.backingOff.size);
  return most;
}

/** After leaving a consumer shows as `Leaving` for this long. */
const leavingMs = 60_000;

function consumerViewOf(queue: QueueState, consumer: Consumer, now: Time): ConsumerView {
  const taken = slotsTaken(consumer);
  const suspect = suspectOf(consumer);
  const idleMs = consumer.connected ? 0 : Math.max(0, now.mono - consumer.lostAt);
  return {
    gid: consumer.group.gid,
    uid: consumer.uid,
    index: consumer.lastIndex,
    pending: consumer.held.size,
    status: statusOf(queue, consumer, idleMs),
    idleMs,
    window: consumer.window,
    slots: suspect > 0 ? 0 : Math.max(0, consumer.window - taken),
    autoCommit: consumer.autoCommit,
    tags: consumer.tags,
    suspect,
  };
}

function suspectOf({ group, isAlone, held, number }: Consumer): number {
  if (!isAlone) return group.suspects.indexOf(number);
  for (const { index } of held.values()) return index;
  return 0;
}

function statusOf(queue: QueueState, consumer: Consumer, idleMs: number): ConsumerView['status'] {
  if (consumer.connected) return consumer.leaving ? 'Leaving' : 'Running';
  if (idleMs < leavingMs) return 'Leaving';
  return queue.messages.length === 0 ? 'Complete' : 'Exit';
}

/** Where a message stands for a group. */
export interface SearchAnswer {
  /** The consumer that has it, as `gid.uid`; of the caller itself when nobody has it. */
  readonly consumerId: string;
  readonly isPending: boolean;
  /** Messages that are handed out to the group before it, as far as is known now: those before it
   * in the order of delivery that nobody holds and that do not wait for a time of their own. */
  readonly waitCount: number;
}

/** Where a message stands for a group; undefined when there is no such message. */
export function positionOf(
  state: State,
  queue: QueueState,
  index: number,
  gid: string,
  uid: string,
): SearchAnswer | undefined {
  if (!queue.messages.has(index) || queue.messages.isHidden(index)) return undefined;
  const group = queue.groups.get(gid);
  const holder = group?.entries.get(index)?.consumer;
  if (holder !== undefined) {
    return { consumerId: `${gid}.${holder.uid}`, isPending: true, waitCount: 0 };
  }
  const priority = queue.messages.priority(index);
  const rank = queue.lanes.rank(index, priority);
  // Where no group works for the service, whoever holds a message has it.
  const isAnybodys = gid === state.service && !hasWorkingGroup(state);
  const nobody = isAnybodys ? heldBefore(queue, index, priority) : 0;
  const away = group === undefined ? nobody : awayBefore(queue, group, index, priority);
  const waitCount = Math.max(0, rank - away);
  return { consumerId: `${gid}.${uid}`, isPending: false, waitCount };
}

/** Messages before this one that are not handed out before it, as far as is known now: held or
 * committed, or waiting for a time of their own. */
function awayBefore(queue: QueueState, group: Group, index: number, priority: number): number {
  let away = group.backingOff.before({ index, priority });
  for (const { held } of group.consumers.values()) {
    for (const entry of held.values()) if (comesBefore(entry, { index, priority })) away += 1;
  }
  for (let one = group.ahead.firstFrom(1); one > 0; one = group.ahead.firstFrom(one + 1)) {
    const other = { index: one, priority: queue.messages.priority(one) };
    if (comesBefore(other, { index, priority })) away += 1;
  }
  return away;
}

/** Messages before this one that anybody holds. */
function heldBefore(queue: QueueState, index: number, priority: number): number {
  const held = new Set<number>();
  for (const { consumers } of queue.groups.values()) {
    for (const consumer of consumers.values()) {
      for (const entry of consumer.held.values()) {
        if (comesBefore(entry, { index, priority })) held.add(entry.index);
      }
    }
  }
  return held.size;
}

export interface Scan {
  readonly found: readonly number[];
  /** Where to go on; 0 = the end was reached. */
  readonly next: number;
}

/** Visible messages from `from` on that match, at most `limit`, looking at `steps` at most. */
export function scan(
  queue: QueueState,
  from: number,
  filter: Filter | undefined,
  limit: number,
  steps: number,
): Scan {
  const found: number[] = [];
  if (filter?.id !== undefined) {
    for (const index of queue.messages.withId(filter.id)) {
      const isSeen = index >= from && !queue.messages.isHidden(index);
      if (isSeen && found.length < limit && queue.messages.matches(index, filter)) {
        found.push(index);
      }
    }
    return { found, next: 0 };
  }
  let index = queue.messages.firstFrom(Math.max(1, from));
  for (let step = 0; index > 0; step += 1) {
    if (found.length >= limit || step >= steps) return { found, next: index };
    const isSeen = queue.hidden === 0 || !queue.messages.isHidden(index);
    if (isSeen && (filter === undefined || queue.messages.matches(index, filter))) {
      found.push(index);
    }
    index = queue.messages.firstFrom(index + 1);
  }
  return { found, next: 0 };
}
