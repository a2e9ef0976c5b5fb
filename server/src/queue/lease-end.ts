// How leases end: the message waits again, is done for a group, or is dead. Everything that takes
// a message away or gives it back is decided here, so that counting is in one place (rules 9, 10).

import { noTags } from '@sluice/sdk/wire';
import type { Change, Closing, Derived } from './change.ts';
import type { Effect } from './decision.ts';
import { emptyMark } from './mark.ts';
import type { RestCause, RestState } from './record.ts';
import {
  capacityOf,
  type Entry,
  type Group,
  hasWorkingGroup,
  isWorkingGroup,
  type QueueState,
  type State,
} from './state.ts';
import { convictedCode, judge, noteOf, survived } from './suspicion.ts';
import type { Time } from './time.ts';
import type { Mark } from './transition.ts';

/** Ended deliveries that a mark and a record list, the latest. */
const outcomesMax = 16;

export interface LeaseEnd {
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
  /** Earliest next delivery from now, in milliseconds. */
  readonly delayMs: number;
  /** Not first choice for the next delivery. */
  readonly avoid: string;
  /** What becomes of the holder's slot: `freed`, its holder is done with it; `kept`, the holder
   * gave the message back while its model may still work; `taken`, the holder does not know yet. */
  readonly slot: 'freed' | 'kept' | 'taken';
}

export interface Consequences {
  readonly changes: Change[];
  readonly effects: Effect[];
}

/** The message of a lease that ended without being done: it waits again, or is dead. */
export function endLease(
  state: State,
  queue: QueueState,
  group: Group,
  entry: Entry,
  end: LeaseEnd,
  now: Time,
): Consequences {
  const counts = end.counted && countsDeliveries(state, queue, group);
  const suspicion = isWorkingGroup(state, queue, group) ? judge(entry, end) : undefined;
  const mark = endedMark(entry.mark, counts, { ...end, ...suspicion?.ending }, now);
  const { deliveryMax } = state.settings;
  if (suspicion?.what === 'convicted' && hasRear(queue)) {
    const why = { code: convictedCode, reason: suspicion.text, cause: 'poison' } as const;
    const dead = die(state, queue, entry, mark, { ...end, ...why }, now);
    dead.effects.push(...noteOf(entry, suspicion));
    return dead;
  }
  if (counts && deliveryMax > 0 && mark.bad >= deliveryMax && hasRear(queue)) {
    return die(state, queue, entry, mark, { ...end, cause: 'deliveries' }, now);
  }
  const back: Change = {
    kind: 'return',
    queue: queue.name,
    gid: group.gid,
    group: group.number,
    index: entry.index,
    mark,
    backoffUntil: end.delayMs > 0 ? now.mono + end.delayMs : 0,
    avoid: end.avoid,
    occupies: end.slot === 'kept' || (end.slot === 'taken' && entry.consumer?.kind !== 'eas'),
  };
  const effects = end.slot === 'taken' ? tell(entry, end.reason).effects : [];
  return { changes: [back], effects: [...effects, ...noteOf(entry, suspicion)] };
}

function hasRear(queue: QueueState): queue is QueueState & { readonly name: 'input' | 'sink' } {
  return queue.name === 'input' || queue.name === 'sink';
}

function countsDeliveries(state: State, queue: QueueState, group: Group): boolean {
  if (queue.name !== 'input' || !hasWorkingGroup(state)) return true;
  return isWorkingGroup(state, queue, group);
}

function endedMark(
  mark: Mark,
  counts: boolean,
  end: LeaseEnd & Partial<Pick<Mark, 'deaths'>>,
  now: Time,
): Mark {
  const outcome = {
    deliveryId: mark.deliveryId,
    uid: mark.uid,
    revision: mark.revision,
    deliveredAt: mark.deliveredAt,
    endedAt: now.wall,
    counted: counts,
    code: end.code,
    reason: end.reason,
  };
  return {
    ...mark,
    state: 'returned',
    resumable: false,
    bad: mark.bad + (counts ? 1 : 0),
    deaths: end.deaths ?? mark.deaths,
    notBefore: end.delayMs > 0 ? now.wall + end.delayMs : 0,
    outcomes: [...mark.outcomes, outcome].slice(-outcomesMax),
  };
}

/** Rule 10. */
function die(
  state: State,
  queue: QueueState & { readonly name: 'input' | 'sink' },
  entry: Entry,
  mark: Mark,
  end: LeaseEnd & { readonly cause: RestCause },
  now: Time,
): Consequences {
  const own = end.slot === 'taken' ? undefined : entry;
  const { changes, effects } = takeAway(queue, entry.index, 'dead', own);
  if (end.slot === 'kept') changes.push(...tell(entry, 'dead').changes);
  const rearQueue = queue.name === 'input' ? state.queues.inputRear : state.queues.sinkRear;
  const facts = queue.messages.facts(entry.index);
  // A reader takes a result without a code for a success.
  const said = causeTags({ code: end.code || 'Dead', reason: end.reason });
  let rear: Derived | undefined;
  if (state.settings.deadPolicy === 'Rear') {
    if (rearQueue.messages.length >= capacityOf(state, rearQueue)) {
      changes.push(...evict(state, rearQueue, now));
    }
    const count: [string, string][] = [
      ['sourceIndex', String(entry.index)],
      ['deliveryCount', String(mark.deliveries)],
    ];
    rear = {
      role: 'rear',
      index: rearQueue.lastIndex + 1,
      size: facts?.size ?? 0,
      acceptedAt: now.wall,
      expiresAt: now.wall + state.settings.deadRetentionMs,
      source: entry.index,
      contentType: undefined,
      tags: new Map([...count, ...said]),
    };
  }
  const { sink } = state.queues;
  const needsNotice =
    queue.name === 'input' && state.settings.deadNotice && mark.place && mark.placeIndex === 0;
  let notice: Derived | undefined;
  if (needsNotice && facts?.home === 'sink') {
    changes.push(...roomInSink(state, now));
    notice = { ...resultOf(state, entry.index, 0, now), role: 'notice', tags: new Map(said) };
  }
  const resultIndex = notice === undefined ? mark.placeIndex : sink.lastIndex + 1;
  const closing =
    queue.name === 'input'
      ? closingOf(
          mark,
          now,
          { ...end, state: 'dead', resultIndex },
          askedUntil(queue, entry.index, now),
        )
      : undefined;
  changes.push({ kind: 'dead', queue: queue.name, index: entry.index, rear, notice, closing });
  return { changes, effects };
}

/** The tags that tell a reader what went wrong. */
export function causeTags(end: {
  readonly code: string;
  readonly reason: string;
}): [string, string][] {
  const tags: [string, string][] = [];
  if (end.code !== '') tags.push(['lastCode', end.code]);
  if (end.reason !== '') tags.push(['lastReason', end.reason]);
  return tags;
}

/** A new message at the tail of the sink, made from an input message. */
export function resultOf(state: State, source: number, size: number, now: Time): Derived {
  const { expireMs } = state.settings.sink;
  return {
    role: 'result',
    index: state.queues.sink.lastIndex + 1,
    size,
    acceptedAt: now.wall,
    expiresAt: expireMs > 0 ? now.wall + expireMs : 0,
    source,
    contentType: undefined,
    tags: noTags,
  };
}

/** With auto eviction a new result takes the place of the oldest one not under lease. */
export function roomInSink(state: State, now: Time): Change[] {
  const { sink } = state.queues;
  if (!state.settings.sink.autoEvict) return [];
  return sink.messages.length < capacityOf(state, sink) ? [] : evict(state, sink, now);
}

/** Removes the lowest index that is neither under lease nor on its way out; nothing when there is
 * none. */
export function evict(state: State, queue: QueueState, now: Time): Change[] {
  let index = queue.messages.firstFrom(1);
  while (index > 0 && (queue.messages.isLeased(index) || queue.messages.isHidden(index))) {
    index = queue.messages.firstFrom(index + 1);
  }
  if (index === 0) return [];
  return [removal(state, queue, index, { state: 'dropped', cause: 'evicted' }, now)];
}

/** The change that removes a message. Of the input it closes the request. */
export function removal(
  state: State,
  queue: QueueState,
  index: number,
  rest: Rest,
  now: Time,
): Change {
  const closing =
    queue.name === 'input'
      ? closingOf(workingMark(state, queue, index), now, rest, askedUntil(queue, index, now))
      : undefined;
  const source = queue.messages.source(index);
  const { cause } = rest;
  return { kind: 'remove', queue: queue.name, index, cause, at: now.wall, source, closing };
}

/** Until when a submitter asked to keep what became of its request; 0 = it did not. */
function askedUntil(queue: QueueState, index: number, now: Time): number {
  const retainMs = queue.messages.retainMs(index);
  return retainMs > 0 ? now.wall + retainMs : 0;
}

/** Until when a result of home `record` is kept; 0 = it has another home. */
export function keptUntil(state: State, queue: QueueState, index: number, now: Time): number {
  if (!queue.messages.isRecordHome(index)) return askedUntil(queue, index, now);
  return askedUntil(queue, index, now) || now.wall + state.settings.recordRetentionMs;
}

/** What the working group (else any group) knows of a message. */
function workingMark(state: State, queue: QueueState, index: number): Mark | undefined {
  const working = queue.groups.get(state.service)?.entries.get(index);
  if (working !== undefined) return working.mark;
  for (const group of queue.groups.values()) {
    const entry = group.entries.get(index);
    if (entry !== undefined) return entry.mark;
  }
  return undefined;
}

export interface Rest {
  readonly state: RestState;
  readonly cause: RestCause;
  readonly code?: string;
  readonly reason?: string;
  readonly sizeOut?: number;
  readonly resultIndex?: number;
  readonly firstOutputAt?: number;
  readonly contentType?: string | undefined;
  readonly after?: string | undefined;
}

/** How a request came to rest, with what its deliveries tell. */
export function closingOf(
  mark: Mark | undefined,
  now: Time,
  rest: Rest,
  retainUntil: number,
): Closing {
  return {
    state: rest.state,
    cause: rest.cause,
    firstDeliveredAt: mark?.firstDeliveredAt ?? 0,
    lastDeliveredAt: mark?.deliveredAt ?? 0,
    firstOutputAt: rest.firstOutputAt ?? 0,
    doneAt: now.wall,
    deliveries: mark?.deliveries ?? 0,
    outcomes: mark?.outcomes ?? [],
    uid: mark?.uid ?? '',
    revision: mark?.revision ?? 0,
    sizeOut: rest.sizeOut ?? 0,
    resultIndex: rest.resultIndex ?? mark?.placeIndex ?? 0,
    code: rest.code ?? '',
    reason: rest.reason ?? '',
    retainUntil,
    contentType: rest.contentType,
    after: rest.after,
  };
}

/** What taking a message away means to those who hold it, but for the holder of `own`: told to
 * stop, and a worker's slot stays taken until its model is known to be free (rule 2). */
export function takeAway(
  queue: QueueState,
  index: number,
  reason: string,
  own?: Entry | undefined,
): Consequences {
  const all = nothingTold();
  if (!queue.messages.isLeased(index)) return all;
  for (const group of queue.groups.values()) {
    const entry = group.entries.get(index);
    if (entry === undefined || entry === own) continue;
    const told = tell(entry, reason);
    all.changes.push(...told.changes);
    all.effects.push(...told.effects);
  }
  return all;
}

/** Tells the holder of an entry, if there is one, that its lease is over. */
function tell(entry: Entry | undefined, reason: string): Consequences {
  const told = nothingTold();
  const holder = entry?.consumer;
  if (entry === undefined || holder === undefined) return told;
  const { deliveryId } = entry.mark;
  const consumer = holder.number;
  if (holder.kind !== 'eas') told.changes.push({ kind: 'occupy', consumer, deliveryId });
  told.effects.push({ kind: 'voided', consumer, deliveryId, reason });
  return told;
}

function nothingTold(): Consequences {
  return { changes: [], effects: [] };
}

/** The message is done for one group: it leaves when no other group keeps it (rule 7). The holder
 * of `own` says so itself; whoever else holds it is told to stop. */
export function finish(
  state: State,
  queue: QueueState,
  group: Group,
  index: number,
  own: Entry | undefined,
  cause: RestCause,
  now: Time,
): Consequences {
  const entry = group.entries.get(index);
  if (isKept(state, queue, group, index)) {
    const mark: Mark = { ...(entry?.mark ?? emptyMark), state: 'committed', resumable: false };
    const { name } = queue;
    const told = entry === own ? nothingTold() : tell(entry, cause);
    told.changes.push({ kind: 'commit', queue: name, group: group.number, index, mark });
    return told;
  }
  const { changes, effects } = takeAway(queue, index, cause, own);
  effects.push(...survived(entry));
  changes.push(removal(state, queue, index, { state: 'succeeded', cause }, now));
  return { changes, effects };
}

/** Whether the message stays for others when `group` is done with it (rule 7). */
export function isKept(state: State, queue: QueueState, group: Group, index: number): boolean {
  if (queue.name === 'input' && hasWorkingGroup(state)) return !isWorkingGroup(state, queue, group);
  for (const other of queue.groups.values()) {
    if (other !== group && index >= other.from && !other.ahead.has(index)) return true;
  }
  return false;
}
