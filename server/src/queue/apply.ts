// The only way the state of a service changes: live, in recovery and on standbys. Never refuses:
// what arrives here has been decided.

import { applyAttach, applyLeft, applyLost, dropConsumer } from './apply-consumer.ts';
import {
  applyCommit,
  applyDeliver,
  applyKeep,
  applyReady,
  applyReturn,
  setMark,
} from './apply-lease.ts';
import { addMessage, applyHide, removeMessage } from './apply-message.ts';
import type { Change, CompleteChange, DeadChange, Derived, RemoveChange } from './change.ts';
import { type Hash, type HashKey, hashTag, hashText } from './hash.ts';
import type { MessageMeta } from './message.ts';
import { hashTags } from './messages.ts';
import { createGroup, noteSlots, type QueueState, queuesOf, type State } from './state.ts';
import type { Time } from './time.ts';

/** Applies one change. `now` only stamps what is monotonic and passing. */
export function apply(state: State, change: Change, now: Time): void {
  switch (change.kind) {
    case 'put':
      applyPut(state, state.queues[change.queue], change.message.meta);
      return;
    case 'deliver':
      applyDeliver(state, change, now);
      return;
    case 'return':
      applyReturn(state, change, now);
      return;
    case 'keep':
      applyKeep(state, change);
      return;
    case 'commit':
      applyCommit(state, change);
      return;
    case 'remove':
      applyRemove(state, change);
      return;
    case 'complete':
      applyComplete(state, change);
      return;
    case 'dead':
      applyDead(state, change);
      return;
    case 'group':
      applyGroup(state, change, now);
      return;
    case 'groupGone':
      applyGroupGone(state, change);
      return;
    case 'end':
      state.queues[change.queue].ended = change.ended;
      return;
    case 'epoch':
      state.epoch = change.epoch;
      state.deliveries = 0;
      return;
    case 'trimRecords':
      state.records.forget(change.below);
      // Requests may wait for room in the store of results.
      state.queues.input.version += 1;
      return;
    case 'record':
    case 'checkpoint':
    case 'outboxDone':
      return;
    default:
      applyPassing(state, change, now);
      return;
  }
}

function applyPassing(
  state: State,
  change: Extract<Change, { kind: PassingKind }>,
  now: Time,
): void {
  switch (change.kind) {
    case 'attach':
      applyAttach(state, change);
      return;
    case 'lost':
      applyLost(state, change, now);
      return;
    case 'left':
      applyLeft(state, change.consumer, now);
      return;
    case 'hide':
      applyHide(state.queues[change.queue], change);
      return;
    case 'ready':
      applyReady(state.queues[change.queue], change);
      return;
    case 'await':
      state.awaited.set(change.deliveryId, change.index);
      return;
    case 'unawait':
      state.awaited.delete(change.deliveryId);
      return;
    case 'touch': {
      const place = state.leases.get(change.deliveryId);
      if (place !== undefined) place.entry.idleAt = change.idleAt;
      return;
    }
    case 'kept': {
      const place = state.leases.get(change.deliveryId);
      if (place !== undefined) place.entry.keptBy = change.deliveryId;
      return;
    }
    case 'lookAgain':
      state.dues.push(change.at, change.due);
      return;
    case 'advance':
      applyAdvance(state, change);
      return;
    case 'claim': {
      const suspects = state.queues[change.queue].groups.get(change.gid)?.suspects;
      if (change.consumer === 0) suspects?.release(change.index);
      else suspects?.claim(change.index, change.consumer);
      return;
    }
    case 'settings':
      state.settings = change.settings;
      for (const queue of queuesOf(state)) queue.version += 1;
      return;
    case 'count':
      state.queues[change.queue].counters[change.what] += 1;
      return;
    case 'takeDue':
      state.dues.pop();
      return;
    case 'takeExpiry':
      state.queues[change.queue].expiries.pop();
      return;
    case 'forgetIds':
      state.accepted.forget(change.wall, 4096);
      state.rested.forget(change.wall, 4096);
      state.keys.forget(change.wall, 4096, state.settings.idempotencyMs);
      return;
    default:
      applyToConsumer(state, change);
      return;
  }
}

type ConsumerKinds = 'leaving' | 'pause' | 'dry' | 'served' | 'occupy' | 'free';
type PassingKind =
  | ConsumerKinds
  | 'attach'
  | 'lost'
  | 'left'
  | 'hide'
  | 'await'
  | 'unawait'
  | 'ready'
  | 'touch'
  | 'kept'
  | 'lookAgain'
  | 'advance'
  | 'claim'
  | 'settings'
  | 'count'
  | 'takeDue'
  | 'takeExpiry'
  | 'forgetIds';

function applyToConsumer(state: State, change: Extract<Change, { kind: ConsumerKinds }>): void {
  const known = state.consumers.get(change.consumer);
  if (known === undefined) return;
  const { consumer, queue } = known;
  switch (change.kind) {
    case 'leaving':
      consumer.leaving = true;
      return;
    case 'pause':
      consumer.paused = change.paused;
      consumer.dryAt = 0;
      consumer.group.dryAt = 0;
      return;
    case 'dry':
      if (consumer.cursors === undefined) consumer.group.dryAt = queue.version;
      else consumer.dryAt = queue.version;
      return;
    case 'served':
      state.served += 1;
      consumer.servedAt = state.served;
      noteSlots(consumer);
      consumer.lastIndex = change.index;
      consumer.group.delivered += 1;
      queue.counters.delivered += 1;
      return;
    case 'occupy':
      consumer.occupied.add(change.deliveryId);
      noteSlots(consumer);
      return;
    case 'free':
      if (consumer.occupied.delete(change.deliveryId)) queue.version += 1;
      noteSlots(consumer);
      return;
  }
}

function applyAdvance(state: State, change: Extract<Change, { kind: 'advance' }>): void {
  const group = state.queues[change.queue].groups.get(change.gid);
  const cursors =
    change.consumer === undefined
      ? group?.cursors
      : state.consumers.get(change.consumer)?.consumer.cursors;
  for (const [priority, next] of change.cursors) cursors?.set(priority, next);
}

function applyPut(state: State, queue: QueueState, meta: MessageMeta): void {
  const idHash = hashText(state.key, meta.id);
  addMessage(queue, meta, idHash, hashTags(state.key, meta.tags), metaBytesOf(meta));
  queue.counters.put += 1;
  if (queue.name !== 'input') return;
  if (meta.callerId) state.accepted.add(idHash, meta, meta.acceptedAt);
  const key = keyHashOf(state.key, meta);
  if (key !== undefined) state.keys.add(key, meta, meta.acceptedAt);
}

/** The hash of an idempotency key among those of its owner; undefined when there is none. */
export function keyHashOf(
  key: HashKey,
  meta: Pick<MessageMeta, 'owner' | 'idempotencyKey'>,
): Hash | undefined {
  const { owner = '', idempotencyKey } = meta;
  return idempotencyKey === undefined ? undefined : hashTag(key, owner, idempotencyKey);
}

/** Bytes of a message's texts, for the size of its record. */
export function metaBytesOf(
  meta: Pick<MessageMeta, 'id' | 'path' | 'contentType' | 'terms' | 'tags'>,
): number {
  let bytes = meta.id.length + (meta.path?.length ?? 0) + (meta.contentType?.length ?? 0);
  bytes += meta.terms?.length ?? 0;
  for (const [name, value] of meta.tags) bytes += name.length + value.length + 4;
  return bytes;
}

function applyRemove(state: State, change: RemoveChange): void {
  const queue = state.queues[change.queue];
  if (change.cause === 'evicted') queue.counters.evicted += 1;
  if (change.cause === 'expired') queue.counters.expired += 1;
  if (change.cause === 'committed') queue.counters.completed += 1;
  close(state, queue, change.index, change.closing);
  removeMessage(state, queue, change.index);
}

function applyComplete(state: State, change: CompleteChange): void {
  const { input, sink } = state.queues;
  input.counters.completed += 1;
  const isRecord = input.messages.isRecordHome(change.index);
  close(state, input, change.index, change.closing, isRecord ? change.closing.sizeOut : 0);
  const idHash = input.messages.idHash(change.index);
  const tags = input.messages.tagHashes(change.index);
  removeMessage(state, input, change.index);
  if (change.result !== undefined && idHash !== undefined) {
    addDerived(state, sink, change.result, idHash, tags);
  }
}

function applyDead(state: State, change: DeadChange): void {
  const queue = state.queues[change.queue];
  queue.counters.dead += 1;
  close(state, queue, change.index, change.closing);
  const facts = queue.messages.facts(change.index);
  const idHash = queue.messages.idHash(change.index);
  const tags = queue.messages.tagHashes(change.index);
  removeMessage(state, queue, change.index);
  if (idHash === undefined) return;
  const rear = change.queue === 'input' ? state.queues.inputRear : state.queues.sinkRear;
  if (change.rear !== undefined) {
    addDerived(state, rear, change.rear, idHash, tags, facts?.priority ?? 0);
  }
  if (change.notice !== undefined) {
    addDerived(state, state.queues.sink, change.notice, idHash, tags);
  }
}

function addDerived(
  state: State,
  queue: QueueState,
  derived: Derived,
  idHash: Hash,
  tags: readonly Hash[],
  priority = 0,
): void {
  const added = [...tags, ...hashTags(state.key, derived.tags)];
  const { index, size, expiresAt, source } = derived;
  const facts = { index, size, expiresAt, source, priority, home: 'sink' as const };
  addMessage(queue, facts, idHash, added, 64);
  queue.counters.put += 1;
}

function close(
  state: State,
  queue: QueueState,
  index: number,
  closing: RemoveChange['closing'],
  resultBytes = 0,
): void {
  if (closing === undefined) return;
  const metaBytes = queue.messages.metaBytes(index);
  const bytes = 160 + metaBytes + closing.reason.length + 96 * closing.outcomes.length;
  const { doneAt, retainUntil } = closing;
  state.records.add(index, { bytes, resultBytes, doneAt, retainUntil });
  const idHash = queue.messages.idHash(index);
  const rested = { index: closing.resultIndex, bodyHash: 0 };
  if (idHash !== undefined) state.rested.add(idHash, rested, closing.doneAt);
}

function applyGroup(state: State, change: Extract<Change, { kind: 'group' }>, now: Time): void {
  const { groups } = state.queues[change.queue];
  let group = groups.get(change.gid);
  if (group === undefined) {
    group = createGroup(change.group, change.gid, change.from, now.mono);
    groups.set(change.gid, group);
    state.lastGroup = Math.max(state.lastGroup, change.group);
    // One that a delay began may never have a consumer that leaves it.
    const lookAt = now.mono + state.settings.groupRetentionMs;
    state.dues.push(lookAt, { kind: 'group', queue: change.queue, gid: change.gid });
  }
  for (const [uid, from] of change.resolved) group.resolved.set(uid, from);
}

function applyGroupGone(state: State, change: Extract<Change, { kind: 'groupGone' }>): void {
  const queue = state.queues[change.queue];
  for (const group of queue.groups.values()) {
    if (group.number !== change.group) continue;
    for (const consumer of group.consumers.values()) dropConsumer(state, consumer);
    for (const entry of group.entries.values()) {
      // Places in the sink that it held go back.
      setMark(state, queue, group, entry, { ...entry.mark, place: false });
    }
    queue.groups.delete(group.gid);
    return;
  }
}
