// Consumers come, lose their connection and go.

import { NumberTable } from '@sluice/sdk/wire';
import { invariant } from '../kernel/invariant.ts';
import type { Attach } from './change.ts';
import { createOpenPlace } from './open-consumers.ts';
import { type Consumer, type Group, noteSlots, type QueueState, type State } from './state.ts';
import type { Time } from './time.ts';

/** Consumers that have left, per group, that views still show. */
const departedMax = 1_000;

/** A consumer comes, or comes again: it takes over what its uid holds. */
export function applyAttach(state: State, change: Attach): void {
  const queue = state.queues[change.queue];
  const group = queue.groups.get(change.gid);
  invariant(group !== undefined, 'the group of a consumer exists');
  const consumer = createConsumer(group, change.uid, change.number);
  consumer.kind = change.consumerKind;
  consumer.window = change.window;
  consumer.autoCommit = change.autoCommit;
  consumer.indexOnly = change.indexOnly;
  consumer.filter = change.filter;
  consumer.tags = change.tags;
  consumer.id = change.id;
  consumer.from = change.from;
  consumer.revision = change.revision;
  consumer.connected = true;
  consumer.takeovers = change.takeovers;
  const walksAlone = change.filter !== undefined || change.from > 1;
  consumer.cursors = walksAlone ? new Map() : undefined;
  const before = group.consumers.get(change.uid);
  if (before !== undefined) {
    for (const [deliveryId, entry] of before.held.entries()) {
      entry.consumer = consumer;
      entry.recovered = false;
      consumer.held.set(deliveryId, entry);
    }
    before.held.clear();
    for (const deliveryId of before.occupied) consumer.occupied.add(deliveryId);
    consumer.isAlone = before.isAlone;
    before.isAlone = false;
    before.connected = false;
    noteSlots(before);
    state.consumers.delete(before.number);
  }
  addConsumer(state, queue, consumer);
  noteSlots(consumer);
}

/** A consumer that is not connected and holds nothing. */
export function createConsumer(group: Group, uid: string, number: number): Consumer {
  return {
    number,
    group,
    uid,
    kind: 'eas',
    window: 1,
    autoCommit: false,
    indexOnly: false,
    filter: undefined,
    tags: new Map(),
    id: undefined,
    from: 0,
    revision: 0,
    connected: false,
    paused: false,
    leaving: false,
    isAlone: false,
    lostAt: 0,
    held: new NumberTable(),
    occupied: new Set(),
    cursors: undefined,
    dryAt: 0,
    servedAt: 0,
    lastIndex: 0,
    open: createOpenPlace(),
    takeovers: [],
  };
}

/** Makes a consumer known to its group and to the service. */
export function addConsumer(state: State, queue: QueueState, consumer: Consumer): void {
  // Insertion order is order of arrival: a consumer that comes again goes to the end.
  consumer.group.consumers.delete(consumer.uid);
  consumer.group.consumers.set(consumer.uid, consumer);
  state.consumers.set(consumer.number, { queue, consumer });
  state.lastConsumer = Math.max(state.lastConsumer, consumer.number);
}

/** Its connection is lost; it may come again until `resumeAt`. */
export function applyLost(
  state: State,
  change: { readonly consumer: number; readonly resumeAt: number },
  now: Time,
): void {
  const known = state.consumers.get(change.consumer);
  if (known === undefined) return;
  known.consumer.connected = false;
  noteSlots(known.consumer);
  known.consumer.lostAt = now.mono;
  const due = { kind: 'resume', queue: known.queue.name, consumer: change.consumer } as const;
  state.dues.push(change.resumeAt, due);
}

/** It is gone; its leases have ended before. It stays in views for a while. */
export function applyLeft(state: State, number: number, now: Time): void {
  const known = state.consumers.get(number);
  if (known === undefined) return;
  const { consumer, queue } = known;
  const { group } = consumer;
  state.consumers.delete(number);
  consumer.connected = false;
  noteSlots(consumer);
  consumer.lostAt = now.mono;
  consumer.occupied.clear();
  group.usedAt = now.mono;
  const lookAt = now.mono + state.settings.groupRetentionMs;
  state.dues.push(lookAt, { kind: 'group', queue: queue.name, gid: group.gid });
  if (group.consumers.size <= departedMax) return;
  for (const other of group.consumers.values()) {
    if (other.connected || other.held.size > 0) continue;
    group.consumers.delete(other.uid);
    return;
  }
}

/** Forgets a consumer together with its group. */
export function dropConsumer(state: State, consumer: Consumer): void {
  state.consumers.delete(consumer.number);
}
