// Consumers come and go: groups begin, windows are set, what an earlier connection of the same uid
// held goes on or goes back (rules 2, 5, 7, 9, 16).

import type { Tags } from '@sluice/sdk/wire';
import type { Attach, Change } from './change.ts';
import { noteFree, noteLost } from './decide-cancel.ts';
import { nextDeliveryId } from './decide-deliver.ts';
import { changing, type Decision, type Effect, refusing, unchanged } from './decision.ts';
import { endLease, type LeaseEnd } from './lease-end.ts';
import type { QueueName } from './message.ts';
import { filterOf } from './messages.ts';
import type { Consumer, ConsumerKind, Entry, QueueState, State } from './state.ts';
import type { Time } from './time.ts';

export const windowMax = 65_536;
export const groupsMax = 4_096;
export const consumersMax = 16_384;
/** Uids whose `_index_=-1` is kept, of a group and of all groups of a queue. */
export const resolvedMax = 10_000;
export const allResolvedMax = 65_536;
const takeoversMax = 3;
const takeoverMs = 10_000;

export interface AttachCommand {
  readonly kind: 'attach';
  readonly queue: QueueName;
  readonly gid: string;
  readonly uid: string;
  readonly consumerKind: ConsumerKind;
  readonly window: number;
  readonly from: number;
  readonly indexOnly: boolean;
  readonly autoCommit: boolean;
  readonly tags: Tags;
  readonly id: string | undefined;
  readonly holding: readonly number[];
  readonly revision?: number;
}

export interface DetachCommand {
  readonly kind: 'detach';
  readonly consumer: number;
  readonly how: 'cut' | 'dead' | 'drain';
}

export interface PauseCommand {
  readonly kind: 'pause';
  readonly consumer: number;
  readonly paused: boolean;
}

export function decideAttach(state: State, command: AttachCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  const refusal = refuseAttach(state, queue, command, now);
  if (refusal !== undefined) return refusal;
  const changes: Change[] = [];
  const effects: Effect[] = [];
  const group = queue.groups.get(command.gid);
  const before = group?.consumers.get(command.uid);
  const groupNumber = group?.number ?? state.lastGroup + 1;
  const resolvedFrom = resolveFrom(queue, command, group?.resolved.get(command.uid));
  if (group === undefined || resolvedFrom.isNew) {
    const resolved = new Map(resolvedFrom.isNew ? [[command.uid, resolvedFrom.from]] : []);
    const { gid } = command;
    const { name } = queue;
    changes.push({
      kind: 'group',
      queue: name,
      group: groupNumber,
      gid,
      from: 0,
      usedAt: now.wall,
      resolved,
    });
  }
  const number = state.lastConsumer + 1;
  if (before?.connected === true) {
    effects.push({ kind: 'closed', consumer: before.number, reason: 'replaced' });
  }
  changes.push(attachOf(state, command, number, resolvedFrom.from, before, now));
  const held: number[] = [];
  if (before !== undefined) {
    const carried = carryOver(state, queue, before, number, command, now);
    changes.push(...carried.changes);
    effects.push(...carried.effects);
    held.push(...carried.held);
  }
  return { changes, effects, reply: { kind: 'attached', consumer: number, held }, more: false };
}

function refuseAttach(
  state: State,
  queue: QueueState,
  command: AttachCommand,
  now: Time,
): Decision | undefined {
  if (queue.ended && queue.messages.length === 0) {
    return refusing('ended', `the ${queue.name} queue of ${state.service} has ended and is empty`);
  }
  const { window } = command;
  const isWindow = Number.isInteger(window) && window >= 1 && window <= windowMax;
  if (!command.autoCommit && !isWindow) {
    return refusing('bad_request', `the window is a whole number from 1 to ${windowMax}`);
  }
  const group = queue.groups.get(command.gid);
  if (group === undefined && queue.groups.size >= groupsMax) {
    return refusing('conflict', `the ${queue.name} queue has ${groupsMax} groups, its limit`);
  }
  if (state.consumers.size >= consumersMax) {
    return refusing('conflict', `the service has ${consumersMax} consumers, its limit`);
  }
  const before = group?.consumers.get(command.uid);
  const recent = before === undefined ? [] : recentTakeovers(before, now);
  if (before?.connected === true && recent.length >= takeoversMax) {
    const who = `${command.gid}.${command.uid}`;
    const often = `${takeoversMax} times within ${takeoverMs / 1000} s`;
    const text = `${who} is connected and was taken over ${often}: give each consumer its own uid`;
    return refusing('conflict', text);
  }
  return undefined;
}

function recentTakeovers(before: Consumer, now: Time): number[] {
  return before.takeovers.filter((at) => at > now.mono - takeoverMs);
}

/** `_index_=-1` is resolved once per gid and uid: nothing that is there now is this consumer's. */
function resolveFrom(
  queue: QueueState,
  command: AttachCommand,
  known: number | undefined,
): { readonly from: number; readonly isNew: boolean } {
  if (command.from >= 0) return { from: command.from, isNew: false };
  if (known !== undefined) return { from: known, isNew: false };
  const own = queue.groups.get(command.gid)?.resolved.size ?? 0;
  let all = 0;
  for (const group of queue.groups.values()) all += group.resolved.size;
  const isKept = own < resolvedMax && all < allResolvedMax;
  return { from: queue.lastIndex + 1, isNew: isKept };
}

function attachOf(
  state: State,
  command: AttachCommand,
  number: number,
  from: number,
  before: Consumer | undefined,
  now: Time,
): Attach {
  const { queue, gid, uid, consumerKind, window, autoCommit, indexOnly, tags, id } = command;
  const recent = before === undefined ? [] : recentTakeovers(before, now);
  return {
    kind: 'attach',
    queue,
    gid,
    uid,
    number,
    consumerKind,
    window,
    autoCommit,
    indexOnly,
    filter: filterOf(state.key, tags, id),
    tags,
    id,
    from,
    revision: command.revision ?? 0,
    takeovers: before?.connected === true ? [...recent, now.mono] : recent,
  };
}

/** What the same uid held before. A consumer that names what it still works on keeps that; to an
 * EAS watcher it is sent again, at most its window. The rest goes back, uncounted. */
function carryOver(
  state: State,
  queue: QueueState,
  before: Consumer,
  number: number,
  command: AttachCommand,
  now: Time,
): { readonly changes: Change[]; readonly effects: Effect[]; readonly held: number[] } {
  const changes: Change[] = [];
  const effects: Effect[] = [];
  const held: number[] = [];
  const holding = new Set(command.holding);
  const entries = before.held
    .values()
    .sort((left, right) => right.priority - left.priority || left.index - right.index);
  let sent = before.occupied.size;
  for (const entry of entries) {
    if (command.consumerKind !== 'eas' && holding.has(entry.mark.deliveryId)) {
      held.push(entry.mark.deliveryId);
      sent += 1;
    } else if (command.consumerKind === 'eas' && !command.autoCommit && sent < command.window) {
      sent += 1;
      const again = sendAgain(state, queue, before, entry, number, effects.length + 1, now);
      changes.push(again.change);
      effects.push(again.effect);
    } else {
      const ended = endLease(state, queue, before.group, entry, uncounted('takeover'), now);
      changes.push(...ended.changes);
    }
  }
  return { changes, effects, held };
}

function sendAgain(
  state: State,
  queue: QueueState,
  before: Consumer,
  entry: Entry,
  number: number,
  ahead: number,
  now: Time,
): { readonly change: Change; readonly effect: Effect } {
  const deliveryId = nextDeliveryId(state, ahead);
  const deliveries = entry.mark.deliveries + 1;
  const { name } = queue;
  const { index } = entry;
  const { gid, number: group } = before.group;
  const mark = { ...entry.mark, deliveryId, deliveries, deliveredAt: now.wall, resumable: false };
  return {
    change: { kind: 'deliver', queue: name, gid, group, consumer: number, index, mark },
    effect: { kind: 'deliver', consumer: number, queue: name, index, deliveryId, deliveries },
  };
}

/** Why a lease ended that says nothing about the work. */
export function uncounted(reason: string): LeaseEnd {
  return { counted: false, code: '', reason, delayMs: 0, avoid: '', slot: 'freed' };
}

/** A connection is lost or closed, or an instance is dead (rule 9). */
export function decideDetach(state: State, command: DetachCommand, now: Time): Decision {
  const known = state.consumers.get(command.consumer);
  if (known === undefined) return unchanged;
  const { consumer, queue } = known;
  if (command.how === 'cut' && consumer.kind === 'stream') {
    if (!consumer.connected) return unchanged;
    const resumeAt = now.mono + state.settings.resumeMs;
    return changing([{ kind: 'lost', consumer: consumer.number, resumeAt }]);
  }
  return leave(state, queue, consumer, command.how, now);
}

/** Everything a consumer holds goes back, then the consumer goes. */
export function leave(
  state: State,
  queue: QueueState,
  consumer: Consumer,
  how: 'cut' | 'dead' | 'drain',
  now: Time,
): Decision {
  // Leaving may take several steps: nothing new is given to it between them.
  const changes: Change[] = [{ kind: 'leaving', consumer: consumer.number }];
  const effects: Effect[] = [];
  const counted = how !== 'drain' && queue.name === 'input';
  const code = how === 'dead' ? 'InstanceDied' : 'ConnectionLost';
  const reason = how === 'drain' ? 'drained' : how === 'dead' ? 'instance died' : 'connection lost';
  for (const [, entry] of consumer.held.entries()) {
    const isBad = counted && !entry.recovered;
    const end = { ...uncounted(reason), counted: isBad, code: isBad ? code : '' };
    const ended = endLease(state, queue, consumer.group, entry, end, now);
    changes.push(...ended.changes);
    effects.push(...ended.effects);
    // Deaths give out indexes of other queues: the next one is decided when this one is applied.
    if (ended.changes.some((change) => change.kind === 'dead')) {
      return { ...changing(changes, effects), more: true };
    }
  }
  // Of a process that is gone the model is surely free; else nobody knows.
  if (how === 'dead') {
    const noted = noteFree(state, consumer.occupied, now);
    changes.push(...noted.changes);
    effects.push(...noted.effects);
  } else {
    changes.push(...noteLost(state, consumer.occupied));
  }
  changes.push({ kind: 'left', consumer: consumer.number });
  return changing(changes, effects);
}

/** Passing: the connection is full, or the instance must not be given more for now. */
export function decidePause(_state: State, command: PauseCommand): Decision {
  return changing([{ kind: 'pause', consumer: command.consumer, paused: command.paused }]);
}
