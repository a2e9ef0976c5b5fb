// The rows of one service in memory, and what each transition does to them. This is the plain
// statement of what every engine has to keep; the memory engine is little more than this file.

import { invariant } from '../kernel/invariant.ts';
import type { MessageMeta, QueueName } from '../queue/message.ts';
import { queueNames, queueNumbers } from '../queue/message.ts';
import type { RequestRecord } from '../queue/record.ts';
import type {
  Mark,
  NewMessage,
  OutboxEntry,
  ServiceState,
  Transition,
} from '../queue/transition.ts';
import type { Batch, Departure, Row } from './engine.ts';

export type GroupRow = Extract<Row, { kind: 'group' }>;

/** One message with its newest mark in each group. */
interface KeptMessage {
  readonly meta: MessageMeta;
  readonly payload: Uint8Array;
  readonly marks: Map<number, Mark>;
}

/** The rear queue of each queue that has one. */
export const rearOf = { input: 'inputRear', sink: 'sinkRear' } as const;

export class ServiceRows {
  #state: ServiceState | undefined;
  readonly #groups = new Map<string, GroupRow>();
  readonly #messages: Readonly<Record<QueueName, Map<number, KeptMessage>>> = {
    input: new Map(),
    sink: new Map(),
    inputRear: new Map(),
    sinkRear: new Map(),
  };
  readonly #records = new Map<number, RequestRecord>();
  readonly #results = new Map<number, Uint8Array>();
  readonly #checkpoints = new Map<number, Uint8Array>();
  readonly #departures = new Map<number, Departure>();
  readonly #outbox = new Map<number, OutboxEntry>();

  apply(batch: Batch): void {
    for (const transition of batch.transitions) this.#apply(transition);
    this.#state = batch.state;
  }

  message(queue: QueueName, index: number): KeptMessage | undefined {
    return this.#messages[queue].get(index);
  }

  records(from: number, limit: number): readonly RequestRecord[] {
    return sorted(this.#records)
      .filter((record) => record.index >= from)
      .slice(0, limit);
  }

  outbox(from: number, limit: number): readonly OutboxEntry[] {
    return sorted(this.#outbox)
      .filter((entry) => entry.index >= from)
      .slice(0, limit);
  }

  result(index: number): Uint8Array | undefined {
    return this.#results.get(index);
  }

  checkpoint(index: number): Uint8Array | undefined {
    return this.#checkpoints.get(index);
  }

  departure(index: number): Departure | undefined {
    return this.#departures.get(index);
  }

  /** In the order that the contract gives. */
  *all(): Iterable<Row> {
    if (this.#state === undefined) return;
    yield { kind: 'state', state: this.#state };
    yield* [...this.#groups.values()].sort((a, b) => {
      return queueNumbers[a.queue] - queueNumbers[b.queue] || a.group - b.group;
    });
    for (const queue of queueNames) {
      for (const { meta } of sorted(this.#messages[queue])) yield { kind: 'message', queue, meta };
    }
    for (const queue of queueNames) {
      for (const { meta, marks } of sorted(this.#messages[queue])) {
        for (const [group, mark] of [...marks].sort((a, b) => a[0] - b[0])) {
          yield { kind: 'mark', queue, group, index: meta.index, mark };
        }
      }
    }
    for (const record of sorted(this.#records)) yield { kind: 'record', record };
    for (const entry of sorted(this.#outbox)) yield { kind: 'outbox', entry };
  }

  #apply(transition: Transition): void {
    switch (transition.kind) {
      case 'put':
        this.#put(transition.queue, transition.message);
        return;
      case 'deliver':
      case 'return':
      case 'keep':
      case 'commit': {
        const { queue, group, index, mark } = transition;
        invariant(this.#groups.has(`${queue} ${group}`), 'a mark belongs to a group that lives');
        const message = this.#messages[queue].get(index);
        invariant(message !== undefined, 'a mark belongs to a message that exists');
        message.marks.set(group, mark);
        return;
      }
      case 'remove':
        this.#take(transition.queue, transition.index);
        if (transition.record !== undefined) this.#remember(transition.record);
        if (transition.queue === 'sink' && transition.source !== 0) {
          const { source, cause, at } = transition;
          this.#departures.set(source, { cause, at });
        }
        if (transition.outbox !== undefined) this.#addOutbox(transition.outbox);
        return;
      case 'complete':
        this.#take('input', transition.index);
        if (transition.result !== undefined) this.#put('sink', transition.result);
        if (transition.recordResult !== undefined) {
          this.#results.set(transition.index, new Uint8Array(transition.recordResult));
        }
        this.#remember(transition.record);
        if (transition.outbox !== undefined) this.#addOutbox(transition.outbox);
        return;
      case 'dead': {
        const { payload } = this.#take(transition.queue, transition.index);
        if (transition.rear !== undefined) {
          this.#put(rearOf[transition.queue], { meta: transition.rear, payload });
        }
        if (transition.notice !== undefined) this.#put('sink', transition.notice);
        if (transition.record !== undefined) this.#remember(transition.record);
        if (transition.outbox !== undefined) this.#addOutbox(transition.outbox);
        return;
      }
      case 'group':
        this.#groups.set(`${transition.queue} ${transition.group}`, transition);
        return;
      case 'groupGone':
        this.#groups.delete(`${transition.queue} ${transition.group}`);
        for (const { marks } of this.#messages[transition.queue].values()) {
          marks.delete(transition.group);
        }
        return;
      case 'trimRecords':
        for (const rows of this.#withRecords) {
          for (const index of rows.keys()) if (index < transition.below) rows.delete(index);
        }
        return;
      case 'record':
        this.#remember(transition.record);
        return;
      case 'checkpoint':
        invariant(this.#messages.input.has(transition.index), 'a checkpoint is of a message');
        this.#checkpoints.set(transition.index, new Uint8Array(transition.data));
        return;
      case 'outboxDone':
        this.#outbox.delete(transition.index);
        return;
      case 'end':
      case 'epoch':
        // Both are part of the state that comes with every batch.
        return;
    }
  }

  /** What goes with the records. */
  get #withRecords(): readonly Map<number, unknown>[] {
    return [this.#records, this.#results, this.#departures];
  }

  #put(queue: QueueName, { meta, payload }: NewMessage): void {
    const messages = this.#messages[queue];
    invariant(!messages.has(meta.index), 'an index is given out once');
    invariant(meta.size === payload.length, 'the size of a message is that of its payload');
    messages.set(meta.index, { meta, payload: new Uint8Array(payload), marks: new Map() });
  }

  #take(queue: QueueName, index: number): KeptMessage {
    const message = this.#messages[queue].get(index);
    invariant(message !== undefined, 'a message that leaves exists');
    this.#messages[queue].delete(index);
    if (queue === 'input') this.#checkpoints.delete(index);
    return message;
  }

  #remember(record: RequestRecord): void {
    this.#records.set(record.index, record);
  }

  #addOutbox(entry: OutboxEntry): void {
    this.#outbox.set(entry.index, entry);
  }
}

function sorted<T>(rows: ReadonlyMap<number, T>): readonly T[] {
  return [...rows].sort((a, b) => a[0] - b[0]).map((row) => row[1]);
}
