// Leases begin, change and end: the entry of a message in its group, its holder's slots, the
// reserved places and the table of fencing tokens.

import { invariant } from '../kernel/invariant.ts';
import type { DeliverChange, ReturnChange } from './change.ts';
import { emptyMark, isDelayed } from './mark.ts';
import {
  type Consumer,
  type Entry,
  type Group,
  isWorkingGroup,
  noteSlots,
  type QueueState,
  type State,
} from './state.ts';
import { isSuspect } from './suspects.ts';
import type { Time } from './time.ts';
import type { Mark, MarkTransition } from './transition.ts';

export function applyDeliver(state: State, change: DeliverChange, now: Time): void {
  const queue = state.queues[change.queue];
  const group = queue.groups.get(change.gid);
  const consumer = state.consumers.get(change.consumer)?.consumer;
  invariant(group !== undefined, 'the group of a delivery exists');
  invariant(consumer !== undefined, 'the consumer of a delivery is attached');
  const entry = entryOf(queue, group, change.index);
  dropLease(state, group, entry);
  takeOffer(group, entry);
  setMark(state, queue, group, entry, change.mark);
  const { idleMs } = state.settings;
  entry.idleAt = idleMs > 0 ? now.mono + idleMs : Number.POSITIVE_INFINITY;
  entry.recovered = false;
  state.served += 1;
  consumer.servedAt = state.served;
  lease(state, queue, group, entry, consumer);
  if (idleMs > 0) {
    state.dues.push(entry.idleAt, { kind: 'idle', deliveryId: change.mark.deliveryId });
  }
  state.deliveries += 1;
  consumer.lastIndex = change.index;
  group.delivered += 1;
  queue.counters.delivered += 1;
}

/** Puts an entry under lease to a consumer, in live delivery and in recovery. */
export function lease(
  state: State,
  queue: QueueState,
  group: Group,
  entry: Entry,
  consumer: Consumer,
): void {
  const { deliveryId } = entry.mark;
  entry.consumer = consumer;
  consumer.isAlone ||= isSuspect(entry.mark);
  consumer.held.set(deliveryId, entry);
  noteSlots(consumer);
  state.leases.set(deliveryId, { queue, group, entry });
  group.leased += 1;
  if (!queue.messages.isLeased(entry.index)) {
    queue.messages.setLeased(entry.index, true);
    queue.leased += 1;
  }
}

export function applyReturn(state: State, change: ReturnChange, now: Time): void {
  const queue = state.queues[change.queue];
  const group = queue.groups.get(change.gid);
  invariant(group !== undefined, 'the group of a message that waits exists');
  const entry = entryOf(queue, group, change.index);
  const holder = entry.consumer;
  if (change.occupies) holder?.occupied.add(entry.mark.deliveryId);
  dropLease(state, group, entry);
  clearLeased(queue, change.index);
  setMark(state, queue, group, entry, change.mark);
  entry.avoid = change.avoid;
  if (change.backoffUntil > now.mono) {
    if (entry.backoffUntil === 0) group.backingOff.add(entry);
    entry.backoffUntil = change.backoffUntil;
    const { queue: name, gid, index } = change;
    state.dues.push(change.backoffUntil, { kind: 'backoff', queue: name, gid, index });
  } else {
    addOffer(group, entry);
  }
  if (!isDelayed(change.mark)) queue.counters.returned += 1;
  queue.version += 1;
  group.usedAt = now.mono;
}

/** The mark of a held or waiting message changes: its place was used, or it was touched. */
export function applyKeep(state: State, change: MarkTransition<'keep'>): void {
  const queue = state.queues[change.queue];
  for (const group of queue.groups.values()) {
    const entry = group.number === change.group ? group.entries.get(change.index) : undefined;
    if (entry !== undefined) setMark(state, queue, group, entry, change.mark);
  }
}

/** Done for one group while others keep the message. */
export function applyCommit(state: State, change: MarkTransition<'commit'>): void {
  const queue = state.queues[change.queue];
  for (const group of queue.groups.values()) {
    if (group.number !== change.group) continue;
    const entry = group.entries.get(change.index);
    if (entry !== undefined) {
      dropLease(state, group, entry);
      if (entry.backoffUntil > 0) group.backingOff.delete(entry);
      takeOffer(group, entry);
      group.entries.delete(change.index);
      clearLeased(queue, change.index);
    }
    group.ahead.add(change.index);
    queue.counters.completed += 1;
  }
}

/** A back-off has ended. */
export function applyReady(
  queue: QueueState,
  change: { readonly gid: string; readonly index: number },
): void {
  const group = queue.groups.get(change.gid);
  const entry = group?.entries.get(change.index);
  if (group === undefined || entry === undefined || entry.backoffUntil === 0) return;
  entry.backoffUntil = 0;
  group.backingOff.delete(entry);
  addOffer(group, entry);
  queue.version += 1;
}

/** A message that came back may be delivered again: a suspect apart from the others. */
export function addOffer(group: Group, { index, priority, mark }: Entry): void {
  if (isSuspect(mark)) group.suspects.add({ index, priority });
  else group.offers.add({ index, priority });
}

/** It is delivered, or gone. */
export function takeOffer(group: Group, entry: Pick<Entry, 'index' | 'priority'>): void {
  if (group.offers.size > 0) group.offers.delete(entry);
  if (group.suspects.size > 0) group.suspects.delete(entry);
}

/** Ends the lease of an entry, if it is under lease. The queue's count of leased messages is the
 * caller's: the message may be on its way out, or under lease again at once. */
export function dropLease(state: State, group: Group, entry: Entry): void {
  const { consumer } = entry;
  if (consumer === undefined) return;
  if (isSuspect(entry.mark)) consumer.isAlone = false;
  consumer.held.delete(entry.mark.deliveryId);
  noteSlots(consumer);
  state.leases.delete(entry.mark.deliveryId);
  entry.consumer = undefined;
  entry.idleAt = Number.POSITIVE_INFINITY;
  group.leased -= 1;
}

function clearLeased(queue: QueueState, index: number): void {
  if (!queue.messages.isLeased(index)) return;
  for (const group of queue.groups.values()) {
    if (group.entries.get(index)?.consumer !== undefined) return;
  }
  queue.messages.setLeased(index, false);
  queue.leased -= 1;
  // Expiry passes over what is under lease: it looks again now.
  const expiresAt = queue.messages.facts(index)?.expiresAt ?? 0;
  if (expiresAt > 0) queue.expiries.push(expiresAt, index);
}

/** The entry of a message in a group, made with the mark of one that was never delivered. */
export function entryOf(queue: QueueState, group: Group, index: number): Entry {
  let entry = group.entries.get(index);
  if (entry === undefined) {
    entry = {
      index,
      priority: queue.messages.priority(index),
      mark: emptyMark,
      consumer: undefined,
      idleAt: Number.POSITIVE_INFINITY,
      backoffUntil: 0,
      avoid: '',
      recovered: false,
      keptBy: 0,
    };
    group.entries.set(index, entry);
  }
  return entry;
}

/** Replaces the mark and keeps the count of reserved places in step with it. */
export function setMark(
  state: State,
  queue: QueueState,
  group: Group,
  entry: Entry,
  mark: Mark,
): void {
  if (isWorkingGroup(state, queue, group)) {
    state.reserved += Number(holdsPlace(mark)) - Number(holdsPlace(entry.mark));
  }
  entry.mark = mark;
}

function holdsPlace(mark: Mark): boolean {
  return mark.place && mark.placeIndex === 0;
}
