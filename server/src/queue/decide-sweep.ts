// What time brings: idle leases, ended back-offs, consumers that did not resume, groups and
// records that are over, expired messages. One thing a decision, so that a sweep is bounded work.

import type { Change } from './change.ts';
import { takeFromAll } from './decide-cancel.ts';
import { leave } from './decide-consumer.ts';
import { changing, type Decision, unchanged } from './decision.ts';
import { endLease, isKept, removal } from './lease-end.ts';
import {
  type Due,
  type Group,
  isWorkingGroup,
  type QueueState,
  queuesOf,
  recordLimitsOf,
  type State,
} from './state.ts';
import type { Time } from './time.ts';

export interface SweepCommand {
  readonly kind: 'sweep';
}

/** Messages a dying group lets go in one decision. */
const letGoStep = 128;
/** How often a group is looked at that only messages in back-off keep. */
const groupLookMs = 60_000;

export function decideSweep(state: State, now: Time): Decision {
  const due = state.dues.first;
  if (due !== undefined && state.dues.firstAt <= now.mono) return decideDue(state, due, now);
  for (const queue of queuesOf(state)) {
    const index = queue.expiries.first;
    if (index !== undefined && queue.expiries.firstAt <= now.wall) {
      return decideExpiry(state, queue, index, now);
    }
  }
  const below = state.records.forgettable(recordLimitsOf(state), now.wall);
  if (below > 0) return { ...changing([{ kind: 'trimRecords', below }]), more: true };
  const { accepted, rested, keys } = state;
  const isOld =
    accepted.isForgettable(now.wall) ||
    rested.isForgettable(now.wall) ||
    keys.isForgettable(now.wall, state.settings.idempotencyMs);
  if (!isOld) return unchanged;
  return { ...changing([{ kind: 'forgetIds', wall: now.wall }]), more: true };
}

/** When the next sweep is due, from now, in milliseconds; at most a minute. */
export function sweepInMs(state: State, now: Time): number {
  if (state.records.forgettable(recordLimitsOf(state), now.wall) > 0) return 0;
  let wait = state.dues.firstAt - now.mono;
  for (const queue of queuesOf(state)) wait = Math.min(wait, queue.expiries.firstAt - now.wall);
  return Math.max(0, Math.min(wait, 60_000));
}

function decideDue(state: State, due: Due, now: Time): Decision {
  const took: Change = { kind: 'takeDue' };
  const decision = lookAt(state, due, now);
  // A decision that is only part of the work leaves the due entry where it is.
  const changes = decision.more ? decision.changes : [took, ...decision.changes];
  return { ...decision, changes, more: true };
}

function lookAt(state: State, due: Due, now: Time): Decision {
  switch (due.kind) {
    case 'idle':
      return lookAtIdle(state, due.deliveryId, now);
    case 'backoff': {
      const { queue, gid, index } = due;
      const entry = state.queues[queue].groups.get(gid)?.entries.get(index);
      if (entry === undefined || entry.backoffUntil === 0) return unchanged;
      if (entry.backoffUntil > now.mono) return unchanged;
      return changing([{ kind: 'ready', queue, gid, index }]);
    }
    case 'resume': {
      const known = state.consumers.get(due.consumer);
      if (known === undefined || known.consumer.connected) return unchanged;
      return leave(state, known.queue, known.consumer, 'cut', now);
    }
    case 'group': {
      const queue = state.queues[due.queue];
      const group = queue.groups.get(due.gid);
      return group === undefined ? unchanged : lookAtGroup(state, queue, group, now);
    }
  }
}

/** `max_idle`: the lease is over; a worker's slot stays taken until its model is free. */
function lookAtIdle(state: State, deliveryId: number, now: Time): Decision {
  const place = state.leases.get(deliveryId);
  if (place === undefined) return unchanged;
  const { queue, group, entry } = place;
  if (entry.idleAt > now.mono) {
    const due = { kind: 'idle', deliveryId } as const;
    return changing([{ kind: 'lookAgain', due, at: entry.idleAt }]);
  }
  const reason = `no commit within ${state.settings.idleMs} ms`;
  const cause = { counted: true, code: 'Idle', reason, delayMs: 0 };
  const end = { ...cause, avoid: entry.mark.uid, slot: 'taken' } as const;
  const { changes, effects } = endLease(state, queue, group, entry, end, now);
  return changing(changes, effects);
}

/** Rule 7: a group goes `group_retention` after its last consumer or lease, and what only it kept
 * leaves with it. */
function lookAtGroup(state: State, queue: QueueState, group: Group, now: Time): Decision {
  const isUsed =
    group.leased > 0 || [...group.consumers.values()].some((consumer) => consumer.connected);
  if (isUsed || group.usedAt + state.settings.groupRetentionMs > now.mono) return unchanged;
  const changes: Change[] = [];
  if (isWorkingGroup(state, queue, group)) {
    // Its places in the sink go back with it, once nothing declared keeps it in use.
    if (state.settings.declaresInstances) return unchanged;
    // Nobody else knows until when a delayed message is not to be delivered.
    if (group.backingOff.size > 0) {
      const due = { kind: 'group', queue: queue.name, gid: group.gid } as const;
      return changing([{ kind: 'lookAgain', due, at: now.mono + groupLookMs }]);
    }
  }
  const keeps = leftByOthers(state, queue, group);
  for (const index of keeps.slice(0, letGoStep)) {
    changes.push(removal(state, queue, index, { state: 'succeeded', cause: 'committed' }, now));
  }
  if (keeps.length > letGoStep) return { ...changing(changes), more: true };
  changes.push({ kind: 'groupGone', queue: queue.name, group: group.number });
  return changing(changes);
}

/** Messages that every other group has committed, so that only `group` keeps them. */
function leftByOthers(state: State, queue: QueueState, group: Group): number[] {
  const [other] = [...queue.groups.values()].filter((one) => one !== group);
  const found: number[] = [];
  if (other === undefined) return found;
  let index = other.ahead.firstFrom(1);
  while (index > 0 && found.length <= letGoStep) {
    const keptByThird = [...queue.groups.values()].some(
      (one) => one !== group && !one.ahead.has(index),
    );
    const isStored = queue.messages.has(index);
    if (isStored && !keptByThird && isKept(state, queue, other, index)) found.push(index);
    index = other.ahead.firstFrom(index + 1);
  }
  return found;
}

/** Rule 17: expiry takes unleased messages only; a leased one is looked at when it comes back. */
function decideExpiry(state: State, queue: QueueState, index: number, now: Time): Decision {
  const changes: Change[] = [{ kind: 'takeExpiry', queue: queue.name }];
  const facts = queue.messages.facts(index);
  const isOver = facts !== undefined && facts.expiresAt > 0 && facts.expiresAt <= now.wall;
  if (isOver && !facts.leased && !facts.hidden) {
    changes.push(removal(state, queue, index, { state: 'expired', cause: 'expired' }, now));
  } else if (facts !== undefined && facts.finishBy > 0 && facts.finishBy <= now.wall) {
    if (facts.hidden) return { ...changing(changes), more: true };
    const over = { state: 'expired', cause: 'deadline', reason: 'not done in time' } as const;
    const taken = takeFromAll(state, queue, index, over, now);
    return { ...changing([...changes, ...taken.changes], taken.effects), more: true };
  }
  return { ...changing(changes), more: true };
}
