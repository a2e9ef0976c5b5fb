// What holders say of their deliveries: commits by index (rule 6), negative commits, completion by
// fencing token (rules 4, 5), giving back, touching.

import { noTags, oversizedText } from '@sluice/sdk/wire';
import { writeAfterwards } from './afterwards.ts';
import type { Change, CompleteChange } from './change.ts';
import { noteFree } from './decide-cancel.ts';
import { changing, type Decision, refusing, unchanged } from './decision.ts';
import {
  type Consequences,
  causeTags,
  closingOf,
  endLease,
  finish,
  isKept,
  keptUntil,
  type Rest,
  resultOf,
  roomInSink,
  takeAway,
} from './lease-end.ts';
import { isDelayed } from './mark.ts';
import type { QueueName } from './message.ts';
import {
  hasWorkingGroup,
  isWorkingGroup,
  type LeasePlace,
  payloadBytesMaxOf,
  type State,
} from './state.ts';
import { survived } from './suspicion.ts';
import type { BodyPlace } from './terms.ts';
import type { Chance, Time } from './time.ts';

export interface CommitCommand {
  readonly kind: 'commit';
  readonly queue: QueueName;
  readonly index: number;
  readonly gid: string;
  readonly uid: string;
}

export interface NegativeCommand {
  readonly kind: 'negative';
  readonly queue: QueueName;
  readonly index: number;
  readonly gid: string;
  readonly uid: string;
  readonly code: string;
  readonly reason: string;
}

export interface CommitDeliveryCommand {
  readonly kind: 'commitDelivery';
  readonly queue: QueueName;
  readonly deliveryId: number;
}

export interface CompleteCommand {
  readonly kind: 'complete';
  readonly deliveryId: number;
  readonly payload: Uint8Array;
  readonly contentType: string | undefined;
  readonly outcome: 'succeeded' | 'failed';
  readonly code: string;
  readonly reason: string;
  readonly firstOutputAt: number;
  /** Where a result of home `record` lies that is too large for the store; then `payload` is
   * empty. */
  readonly body?: Extract<BodyPlace, { kind: 'file' }> | undefined;
}

export interface GiveBackCommand {
  readonly kind: 'giveBack';
  readonly queue: QueueName;
  readonly deliveryId: number;
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
  readonly delayMs: number;
  /** The model may still be at work. */
  readonly occupies?: boolean;
}

export interface TouchCommand {
  readonly kind: 'touch';
  readonly queue: QueueName;
  readonly deliveryId: number;
}

export interface CheckpointCommand {
  readonly kind: 'checkpoint';
  readonly deliveryId: number;
  readonly data: Uint8Array;
}

export interface FreedCommand {
  readonly kind: 'freed';
  readonly queue: QueueName;
  readonly deliveryId: number;
}

/** Rule 6: any member of the group may commit what was delivered to it; the rest is passed over. */
export function decideCommit(state: State, command: CommitCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  const group = queue.groups.get(command.gid);
  const entry = group?.entries.get(command.index);
  if (group === undefined || entry === undefined) return unchanged;
  // One that was put with a delay waits like one that came back, and nobody had it yet.
  if (isDelayed(entry.mark)) return unchanged;
  const own = entry.consumer?.uid === command.uid ? entry : undefined;
  const { changes, effects } = finish(state, queue, group, command.index, own, 'committed', now);
  return changing(changes, effects);
}

const shutdown = 'Shutdown';
const backoffBaseMs = 1_000;
const backoffMaxMs = 60_000;

/** random(0, min(60 s, 1 s × 2^n)) after `bad` deliveries that ended badly: after the third,
 * something below 8 s. */
export function backoffMs(bad: number, chance: Chance): number {
  return Math.floor(chance.fraction() * Math.min(backoffMaxMs, backoffBaseMs * 2 ** bad));
}

export function decideNegative(
  state: State,
  command: NegativeCommand,
  now: Time,
  chance: Chance,
): Decision {
  const queue = state.queues[command.queue];
  const group = queue.groups.get(command.gid);
  const entry = group?.entries.get(command.index);
  if (group === undefined || entry?.consumer === undefined) return unchanged;
  const holder = entry.consumer;
  const isShutdown = command.code === shutdown;
  const backsOff = !isShutdown && command.code !== '';
  const { changes, effects } = endLease(
    state,
    queue,
    group,
    entry,
    {
      counted: !isShutdown,
      code: command.code,
      reason: command.reason,
      delayMs: backsOff ? backoffMs(entry.mark.bad + 1, chance) : 0,
      avoid: holder.uid,
      slot: holder.uid === command.uid ? 'freed' : 'taken',
    },
    now,
  );
  if (isShutdown) {
    const leaver = group.consumers.get(command.uid) ?? holder;
    changes.push({ kind: 'leaving', consumer: leaver.number });
  }
  return changing(changes, effects);
}

export function decideCommitDelivery(
  state: State,
  command: CommitDeliveryCommand,
  now: Time,
): Decision {
  const place = leaseOf(state, command.queue, command.deliveryId);
  if (place === undefined) return stale(state, command.queue, command.deliveryId, now);
  const { queue, group, entry } = place;
  const { changes, effects } = finish(state, queue, group, entry.index, entry, 'committed', now);
  return changing(changes, effects);
}

/** Rule 4. Never refused for lack of room. */
export function decideComplete(state: State, command: CompleteCommand, now: Time): Decision {
  const place = leaseOf(state, 'input', command.deliveryId);
  if (place === undefined) return stale(state, 'input', command.deliveryId, now);
  const { queue, group, entry } = place;
  if (hasWorkingGroup(state) && !isWorkingGroup(state, queue, group)) {
    const text = `only members of the group ${state.service} complete requests of this service`;
    return refusing('forbidden', text);
  }
  const { sink } = state.queues;
  const size = command.payload.length;
  const sizeMax = payloadBytesMaxOf(state, sink);
  const isRecord = queue.messages.isRecordHome(entry.index);
  if (size > sizeMax) {
    const sizes = { bytes: size, bytesMax: sizeMax, queue: sink.name };
    return refusing('too_large', oversizedText({ what: 'a result', ...sizes }));
  }
  const failed = command.outcome === 'failed';
  if (command.body !== undefined && !isRecord) {
    return refusing('too_large', 'only a result of home record may lie outside of the queue');
  }
  const hasResult = failed || size > 0;
  const isLast = !isKept(state, queue, group, entry.index);
  const putsResult = hasResult && !isRecord && entry.mark.placeIndex === 0;
  const resultIndex = putsResult ? sink.lastIndex + 1 : entry.mark.placeIndex;
  if (!isLast) return completeForGroup(state, place, command, putsResult, resultIndex, now);
  const tags = failed ? new Map(causeTags(command)) : noTags;
  const rest: Rest = {
    state: failed ? 'failed' : 'succeeded',
    cause: failed ? (command.code === '413' ? 'tooLarge' : 'modelAnswer') : 'completed',
    code: command.code,
    reason: command.reason,
    sizeOut: command.body?.size ?? size,
    resultIndex,
    firstOutputAt: command.firstOutputAt,
    contentType: isRecord ? command.contentType : undefined,
    after: command.body === undefined ? undefined : writeAfterwards({ result: command.body }),
  };
  const retainUntil = keptUntil(state, queue, entry.index, now);
  const closing = closingOf(entry.mark, now, rest, retainUntil);
  const { contentType, payload } = command;
  const complete: CompleteChange = {
    kind: 'complete',
    index: entry.index,
    result: putsResult
      ? { ...resultOf(state, entry.index, size, now), contentType, tags }
      : undefined,
    payload,
    recordResult: isRecord && hasResult && command.body === undefined ? payload : undefined,
    closing,
  };
  const changes: Change[] = putsResult ? roomInSink(state, now) : [];
  const others = takeAway(queue, entry.index, 'completed', entry);
  changes.push(...others.changes, complete);
  others.effects.push(...survived(entry));
  return {
    changes,
    effects: others.effects,
    reply: { kind: 'completed', resultIndex },
    more: false,
  };
}

/** Where groups are equal and another one keeps the message, completing is committing; its result
 * would be one of several for one message, so there is none. */
function completeForGroup(
  state: State,
  place: LeasePlace,
  command: CompleteCommand,
  putsResult: boolean,
  resultIndex: number,
  now: Time,
): Decision {
  if (putsResult) {
    const who = `only the group ${state.service} may complete with a result`;
    const text = `other groups keep message ${place.entry.index}: ${who}`;
    return refusing('conflict', text);
  }
  const { queue, group, entry } = place;
  const cause = command.outcome === 'failed' ? 'modelAnswer' : 'committed';
  const { changes, effects } = finish(state, queue, group, entry.index, entry, cause, now);
  return { changes, effects, reply: { kind: 'completed', resultIndex }, more: false };
}

export function decideGiveBack(state: State, command: GiveBackCommand, now: Time): Decision {
  const place = leaseOf(state, command.queue, command.deliveryId);
  if (place === undefined) return stale(state, command.queue, command.deliveryId, now);
  const { queue, group, entry } = place;
  const holder = entry.consumer;
  const { counted, code, reason, delayMs } = command;
  const slot = command.occupies === true ? 'kept' : 'freed';
  const end = { counted, code, reason, delayMs, avoid: entry.mark.uid, slot } as const;
  const { changes, effects } = endLease(state, queue, group, entry, end, now);
  if (code === shutdown && holder !== undefined) {
    changes.push({ kind: 'leaving', consumer: holder.number });
  }
  return changing(changes, effects);
}

export function decideTouch(state: State, command: TouchCommand, now: Time): Decision {
  const place = leaseOf(state, command.queue, command.deliveryId);
  if (place === undefined) return stale(state, command.queue, command.deliveryId, now);
  const { idleMs } = state.settings;
  if (idleMs === 0) return unchanged;
  return changing([{ kind: 'touch', deliveryId: command.deliveryId, idleAt: now.mono + idleMs }]);
}

/** The model is known to be free of a lease that was taken away. */
export function decideFreed(state: State, command: FreedCommand, now: Time): Decision {
  const { changes, effects } = freeing(state, command.deliveryId, now);
  return changing(changes, effects);
}

function freeing(state: State, deliveryId: number, now: Time): Consequences {
  const { changes, effects } = noteFree(state, new Set([deliveryId]), now);
  for (const { consumer } of state.consumers.values()) {
    if (!consumer.occupied.has(deliveryId)) continue;
    changes.push({ kind: 'free', consumer: consumer.number, deliveryId });
    break;
  }
  return { changes, effects };
}

/** The lease of a token, unless it is over or lies in another queue. */
export function leaseOf(
  state: State,
  queue: QueueName,
  deliveryId: number,
): LeasePlace | undefined {
  const place = state.leases.get(deliveryId);
  return place?.queue.name === queue ? place : undefined;
}

/** What an instance wants kept for the next delivery; it also starts the idle time anew. */
export function decideCheckpoint(state: State, command: CheckpointCommand, now: Time): Decision {
  const { deliveryId, data } = command;
  const place = leaseOf(state, 'input', deliveryId);
  if (place === undefined) return stale(state, 'input', deliveryId, now);
  const touched = decideTouch(state, { kind: 'touch', queue: 'input', deliveryId }, now);
  const kept = { kind: 'checkpoint', index: place.entry.index, data } as const;
  return changing([kept, { kind: 'kept', deliveryId }, ...touched.changes]);
}

/** Rule 5: refused and counted. Whoever says that it is done is also known to be free. */
function stale(state: State, queue: QueueName, deliveryId: number, now: Time): Decision {
  const { changes, effects } = freeing(state, deliveryId, now);
  changes.unshift({ kind: 'count', queue, what: 'stale' });
  const why = 'its lease ended or went to another consumer';
  const text = `delivery ${deliveryId} is no longer current: ${why}`;
  return { ...refusing('stale_delivery', text, changes), effects };
}
