// A service's state from what an engine kept of it. Leases that may be resumed wait for their
// consumers; the others go back uncounted, since it was Sluice that stopped (rule 9).

import { readAfterwards } from './afterwards.ts';
import { keyHashOf, metaBytesOf } from './apply.ts';
import { addConsumer, createConsumer } from './apply-consumer.ts';
import { addOffer, entryOf, lease, setMark } from './apply-lease.ts';
import { addMessage } from './apply-message.ts';
import type { Change } from './change.ts';
import { uncounted } from './decide-consumer.ts';
import { changing, type Decision } from './decision.ts';
import { type Hash, hashText } from './hash.ts';
import { endLease } from './lease-end.ts';
import { isDelayed } from './mark.ts';
import { type MessageMeta, type QueueName, queueNames } from './message.ts';
import { hashTags } from './messages.ts';
import { recentIdsMs } from './recent-ids.ts';
import { RecentRows } from './recent-rows.ts';
import type { RequestRecord } from './record.ts';
import { type Consumer, createGroup, type Group, isWorkingGroup, type State } from './state.ts';
import type { Time } from './time.ts';
import type { Mark, ServiceState } from './transition.ts';

type AcceptedRow = Pick<
  MessageMeta,
  'id' | 'index' | 'bodyHash' | 'acceptedAt' | 'callerId' | 'owner' | 'idempotencyKey'
>;

/** Takes the rows of one service, in the order the engine gives them, then finishes. */
export class Restorer {
  readonly #state: State;
  readonly #now: Time;
  readonly #accepted: RecentRows;
  readonly #rested: RecentRows;
  readonly #keys: RecentRows;

  constructor(state: State, now: Time) {
    this.#state = state;
    this.#now = now;
    this.#accepted = new RecentRows(state.accepted);
    this.#rested = new RecentRows(state.rested);
    this.#keys = new RecentRows(state.keys);
    for (const { messages } of Object.values(state.queues)) messages.gather();
  }

  state(durable: ServiceState): void {
    this.#state.epoch = durable.epoch;
    this.#state.lastGroup = durable.lastGroup;
    for (const [number, name] of queueNames.entries()) {
      this.#state.queues[name].lastIndex = durable.lastIndexes[number] ?? 0;
      this.#state.queues[name].ended = durable.ended[number] ?? false;
    }
  }

  group(queue: QueueName, row: GroupRow): void {
    // Its retention begins anew: nobody could come while Sluice was away.
    const group = createGroup(row.group, row.gid, row.from, this.#now.mono);
    for (const [uid, from] of row.resolved) group.resolved.set(uid, from);
    this.#state.queues[queue].groups.set(row.gid, group);
    this.#state.lastGroup = Math.max(this.#state.lastGroup, row.group);
    const lookAt = this.#now.mono + this.#state.settings.groupRetentionMs;
    this.#state.dues.push(lookAt, { kind: 'group', queue, gid: row.gid });
  }

  message(name: QueueName, meta: MessageMeta): void {
    const queue = this.#state.queues[name];
    const { key } = this.#state;
    const idHash = hashText(key, meta.id);
    addMessage(queue, meta, idHash, hashTags(key, meta.tags), metaBytesOf(meta));
    if (name === 'input') this.#accept(meta, idHash);
  }

  mark(name: QueueName, groupNumber: number, index: number, mark: Mark): void {
    const state = this.#state;
    const queue = state.queues[name];
    const group = [...queue.groups.values()].find((one) => one.number === groupNumber);
    if (group === undefined || !queue.messages.has(index)) return;
    if (mark.state === 'committed') {
      group.ahead.add(index);
      return;
    }
    const entry = entryOf(queue, group, index);
    setMark(state, queue, group, entry, mark);
    if (isWorkingGroup(state, queue, group)) this.#countLeft(mark);
    if (mark.state === 'leased') {
      entry.recovered = true;
      const { idleMs } = state.settings;
      entry.idleAt = idleMs > 0 ? this.#now.mono + idleMs : Number.POSITIVE_INFINITY;
      lease(state, queue, group, entry, this.#holder(name, group, mark));
      if (idleMs > 0) {
        state.dues.push(entry.idleAt, { kind: 'idle', deliveryId: mark.deliveryId });
      }
      return;
    }
    // A delay may be long.
    const waitMsMax = isDelayed(mark) ? Number.POSITIVE_INFINITY : longestBackoffMs;
    const waitMs = Math.min(Math.max(0, mark.notBefore - this.#now.wall), waitMsMax);
    if (waitMs === 0) {
      addOffer(group, entry);
      return;
    }
    entry.backoffUntil = this.#now.mono + waitMs;
    group.backingOff.add(entry);
    state.dues.push(entry.backoffUntil, { kind: 'backoff', queue: name, gid: group.gid, index });
  }

  record(record: RequestRecord): void {
    const texts = metaBytesOf({ ...record, contentType: undefined });
    const bytes = 160 + texts + record.reason.length + 96 * record.outcomes.length;
    const { doneAt, retainUntil } = record;
    const resultBytes = record.home === 'record' ? record.sizeOut : 0;
    this.#state.records.add(record.index, { bytes, resultBytes, doneAt, retainUntil });
    this.#accept(record);
    const { wasRunning, freedAt } = readAfterwards(record.after);
    const isCut = wasRunning === true && freedAt === undefined;
    if (isCut && doneAt > this.#now.wall - cutMs) this.#leave(record.uid);
    if (doneAt + recentIdsMs < this.#now.wall) return;
    const hash = hashText(this.#state.key, record.id);
    this.#rested.add(hash, { index: record.resultIndex, bodyHash: 0 }, doneAt);
  }

  /** Once, after the last row. */
  finish(): void {
    for (const { messages } of Object.values(this.#state.queues)) messages.settle();
    for (const recent of [this.#accepted, this.#rested, this.#keys]) recent.finish();
  }

  #accept(row: AcceptedRow, idHash?: Hash): void {
    const { id, acceptedAt: at } = row;
    const { key, settings } = this.#state;
    if (row.callerId && at + recentIdsMs >= this.#now.wall) {
      this.#accepted.add(idHash ?? hashText(key, id), row, at);
    }
    const hash = keyHashOf(key, row);
    if (hash !== undefined && at + settings.idempotencyMs >= this.#now.wall) {
      this.#keys.add(hash, row, at);
    }
  }

  /** A model works on what it was given whether or not Sluice is there (rule 2). Which calls ended
   * without an answer is known as long as their messages are there; those that were taken away are
   * known from their records. */
  #countLeft(mark: Mark): void {
    if (mark.state === 'leased' && !mark.resumable) this.#leave(mark.uid);
    for (const { uid, counted, reason, endedAt } of mark.outcomes) {
      const isCut = counted || reason === restartReason;
      if (isCut && endedAt > this.#now.wall - cutMs) this.#leave(uid);
    }
  }

  #leave(uid: string): void {
    const { leftBehind } = this.#state;
    leftBehind.set(uid, (leftBehind.get(uid) ?? 0) + 1);
  }

  #holder(name: QueueName, group: Group, mark: Mark): Consumer {
    const known = group.consumers.get(mark.uid);
    if (known !== undefined) return known;
    const consumer = createConsumer(group, mark.uid, this.#state.lastConsumer + 1);
    consumer.kind = mark.resumable ? 'stream' : 'eas';
    consumer.lostAt = this.#now.mono;
    addConsumer(this.#state, this.#state.queues[name], consumer);
    const resumeAt = this.#now.mono + this.#state.settings.resumeMs;
    const due = { kind: 'resume', queue: name, consumer: consumer.number } as const;
    this.#state.dues.push(resumeAt, due);
    return consumer;
  }
}

const longestBackoffMs = 600_000;
/** A call that was cut longer ago is taken to be over. */
const cutMs = 60_000;
const restartReason = 'restart';

interface GroupRow {
  readonly group: number;
  readonly gid: string;
  readonly from: number;
  readonly resolved: ReadonlyMap<string, number>;
}

/** First after recovery, repeated while there is more. */
export interface RecoveredCommand {
  readonly kind: 'recovered';
}

const recoveredStep = 128;

/** Gives back the leases that nobody can resume, and opens a new epoch when none is left. */
export function decideRecovered(state: State, now: Time): Decision {
  const changes: Change[] = [];
  for (const { queue, group, entry } of state.leases.values()) {
    if (entry.mark.resumable || !entry.recovered) continue;
    if (changes.length >= recoveredStep) return { ...changing(changes), more: true };
    changes.push(...endLease(state, queue, group, entry, uncounted(restartReason), now).changes);
  }
  for (const { consumer } of state.consumers.values()) {
    const isLeft = consumer.kind === 'eas' && !consumer.connected;
    if (isLeft) changes.push({ kind: 'left', consumer: consumer.number });
  }
  return changing(changes);
}
