// Turns a batch of transitions into changes of rows. All bookkeeping of the service happens here,
// in the order of the batches; the changes are written afterwards, all of them or none.

import { invariant } from '../../kernel/invariant.ts';
import type { MessageMeta, QueueName } from '../../queue/message.ts';
import { queueNumbers } from '../../queue/message.ts';
import type { RequestRecord } from '../../queue/record.ts';
import type {
  Mark,
  MarkKind,
  MarkTransition,
  NewMessage,
  OutboxEntry,
  Transition,
} from '../../queue/transition.ts';
import { RowReader } from '../codec.ts';
import type { Batch } from '../engine.ts';
import { rearOf } from '../rows.ts';
import {
  writeDeparture,
  writeGroup,
  writeMark,
  writeQueue,
  writeRecord,
  writeState,
} from '../rows-codec.ts';
import type { Changes } from './changes.ts';
import { filePayloadBytesMin } from './files.ts';
import { after, keySeed, kinds, messageKind, ownService, type RowKey } from './keys.ts';
import type { Rows } from './rows.ts';
import { groupKey, type LmdbService, markEntries } from './service.ts';
import {
  type MessageRow,
  readMessage,
  resultSlot,
  type StoredPayload,
  storedPayload,
  writeFileOwner,
  writeMessage,
  writeStored,
} from './stored.ts';

export interface EncodeOptions {
  readonly service: LmdbService;
  readonly changes: Changes;
  /** As it was before this transaction. */
  readonly rows: Pick<Rows, 'get' | 'keys'>;
  /** The files of this batch's large payloads, in the order of `largePayloads`. */
  readonly files: readonly number[];
  /** Removes a payload file once everything is durable. */
  readonly removeFile: (file: number) => void;
}

/** The payloads of a batch that lie in files, in the order in which they are encoded. */
export function largePayloads(batch: Batch): readonly Uint8Array[] {
  const large: Uint8Array[] = [];
  const look = (payload: Uint8Array | undefined): void => {
    if (payload !== undefined && payload.length >= filePayloadBytesMin) large.push(payload);
  };
  for (const transition of batch.transitions) {
    if (transition.kind === 'put') look(transition.message.payload);
    else if (transition.kind === 'complete') {
      look(transition.result?.payload);
      look(transition.recordResult);
    } else if (transition.kind === 'dead') look(transition.notice?.payload);
  }
  return large;
}

export function encodeBatch(batch: Batch, options: EncodeOptions): void {
  const encoder = new BatchEncoder(options);
  for (const transition of batch.transitions) encoder.add(transition);
  encoder.end(batch);
}

/** A mark on its way into this batch's row; undefined once it is no longer the newest. */
interface PendingMark {
  readonly queue: QueueName;
  readonly group: number;
  readonly index: number;
  readonly mark: Mark | Uint8Array;
}

/** Live marks moved out of old rows with one append. */
const rewrittenRowsMax = 4;
const trimStepRows = 1000;

class BatchEncoder {
  readonly #options: EncodeOptions;
  readonly #service: LmdbService;
  readonly #changes: Changes;
  readonly #reader = new RowReader();
  readonly #row: number;
  readonly #marks: (PendingMark | undefined)[] = [];
  #filesUsed = 0;

  constructor(options: EncodeOptions) {
    this.#options = options;
    this.#service = options.service;
    this.#changes = options.changes;
    this.#row = options.service.marks.nextRow();
  }

  add(transition: Transition): void {
    const { number } = this.#service;
    switch (transition.kind) {
      case 'put':
        this.#put(transition.queue, transition.message);
        return;
      case 'deliver':
      case 'return':
      case 'keep':
      case 'commit':
        this.#mark(transition);
        return;
      case 'remove':
        this.#remove(transition.queue, transition.index);
        if (transition.record !== undefined) this.#remember(transition.record);
        if (transition.queue === 'sink') this.#depart(transition);
        this.#report(transition.outbox);
        return;
      case 'complete':
        this.#remove('input', transition.index);
        if (transition.result !== undefined) this.#put('sink', transition.result);
        if (transition.recordResult !== undefined) {
          this.#putResult(transition.index, transition.recordResult);
        }
        this.#remember(transition.record);
        this.#report(transition.outbox);
        return;
      case 'dead':
        if (transition.rear === undefined) this.#remove(transition.queue, transition.index);
        else this.#move(transition.queue, transition.index, transition.rear);
        if (transition.notice !== undefined) this.#put('sink', transition.notice);
        if (transition.record !== undefined) this.#remember(transition.record);
        this.#report(transition.outbox);
        return;
      case 'group': {
        const { queue, group } = transition;
        this.#service.groups.add(groupKey(queue, group));
        this.#changes.writer.begin();
        writeGroup(this.#changes.writer, transition);
        this.#changes.put(number, kinds.group, queueNumbers[queue], group);
        return;
      }
      case 'groupGone': {
        const { queue, group } = transition;
        this.#service.groups.delete(groupKey(queue, group));
        this.#service.marks.removeGroup(queue, group, this.#markGone);
        this.#changes.remove(number, kinds.group, queueNumbers[queue], group);
        return;
      }
      case 'trimRecords':
        this.#trim(kinds.record, transition.below);
        this.#trim(kinds.result, transition.below);
        return;
      case 'record':
        this.#remember(transition.record);
        return;
      case 'checkpoint':
        this.#putCheckpoint(transition.index, transition.data);
        return;
      case 'outboxDone':
        this.#changes.remove(number, kinds.outbox, transition.index, 0);
        return;
      case 'end':
      case 'epoch':
        // Both are part of the state that comes with every batch.
        return;
    }
  }

  /** After the last transition: the row of marks and the state. */
  end(batch: Batch): void {
    invariant(this.#filesUsed === this.#options.files.length, 'every payload file is named');
    this.#rewriteMarks();
    this.#writeMarks();
    const { writer } = this.#changes;
    writer.begin();
    writeState(writer, batch.state);
    this.#changes.put(this.#service.number, kinds.state, 0, 0);
  }

  #put(queue: QueueName, { meta, payload }: NewMessage): void {
    invariant(meta.size === payload.length, 'the size of a message is that of its payload');
    const file = this.#file(payload, { slot: queueNumbers[queue], index: meta.index });
    this.#putStored(queue, meta, storedPayload(payload, file), file ? undefined : payload);
  }

  #putStored(
    queue: QueueName,
    meta: MessageMeta,
    stored: StoredPayload,
    payload: Uint8Array | undefined,
  ): void {
    const { number, fresh } = this.#service;
    this.#changes.writer.begin();
    writeMessage(this.#changes.writer, meta, stored);
    const change = this.#changes.put(number, messageKind(queue), meta.index, 0, payload);
    fresh[queueNumbers[queue]]?.set(meta.index, change);
  }

  #putResult(index: number, payload: Uint8Array): void {
    const file = this.#file(payload, { slot: resultSlot, index });
    this.#changes.writer.begin();
    writeStored(this.#changes.writer, storedPayload(payload, file));
    const rest = file === undefined ? payload : undefined;
    this.#putRecordRow(kinds.result, index, 0, rest);
  }

  #putCheckpoint(index: number, data: Uint8Array): void {
    this.#changes.writer.begin();
    writeStored(this.#changes.writer, storedPayload(data, undefined));
    this.#changes.put(this.#service.number, kinds.checkpoint, index, 0, data);
    this.#service.checkpoints.add(index);
  }

  #putRecordRow(kind: number, index: number, sub: number, rest?: Uint8Array): void {
    const change = this.#changes.put(this.#service.number, kind, index, sub, rest);
    this.#service.freshRecords.push({ index, change });
  }

  // A large payload lies in the next of the batch's files; the row that says whose it is comes
  // with it.
  #file(
    payload: Uint8Array,
    owner: { readonly slot: number; readonly index: number },
  ): number | undefined {
    if (payload.length < filePayloadBytesMin) return undefined;
    const file = this.#options.files[this.#filesUsed];
    this.#filesUsed++;
    invariant(file !== undefined, 'a large payload has a file');
    this.#own(file, owner);
    return file;
  }

  #own(file: number, owner: { readonly slot: number; readonly index: number }): void {
    this.#service.files[owner.slot]?.set(owner.index, file);
    this.#changes.writer.begin();
    writeFileOwner(this.#changes.writer, { service: this.#service.number, ...owner });
    this.#changes.put(ownService, kinds.file, file, 0);
  }

  #remove(queue: QueueName, index: number): void {
    this.#removeRow(queue, index);
    const files = this.#service.files[queueNumbers[queue]];
    const file = files?.get(index);
    if (file !== undefined) this.#dropFile(files, index, file);
  }

  #dropFile(files: Map<number, number> | undefined, index: number, file: number): void {
    files?.delete(index);
    this.#changes.remove(ownService, kinds.file, file, 0);
    this.#options.removeFile(file);
  }

  // A row that was to be written by this same transaction needs neither be written nor removed.
  #removeRow(queue: QueueName, index: number): void {
    const { number, marks } = this.#service;
    const fresh = this.#service.fresh[queueNumbers[queue]];
    const change = fresh?.get(index);
    if (change === undefined) this.#changes.remove(number, messageKind(queue), index, 0);
    else {
      fresh?.delete(index);
      this.#changes.cancel(change);
    }
    marks.removeMessage(queue, index, this.#markGone);
    if (queue === 'input' && this.#service.checkpoints.delete(index)) {
      this.#changes.remove(number, kinds.checkpoint, index, 0);
    }
  }

  // The payload goes along: copied when it lies in the row, left where it is when in a file.
  #move(queue: 'input' | 'sink', index: number, rear: MessageMeta): void {
    const { stored, payload } = this.#find(queue, index);
    const to = rearOf[queue];
    if (stored.storage.kind === 'inline') this.#putStored(to, rear, stored, payload);
    else {
      this.#service.files[queueNumbers[queue]]?.delete(index);
      this.#own(stored.storage.file, { slot: queueNumbers[to], index: rear.index });
      this.#putStored(to, rear, stored, undefined);
    }
    this.#removeRow(queue, index);
  }

  #find(queue: QueueName, index: number): MessageRow & { readonly payload: Buffer } {
    const change = this.#service.fresh[queueNumbers[queue]]?.get(index);
    const { number } = this.#service;
    const row =
      change === undefined
        ? this.#options.rows.get({ service: number, kind: messageKind(queue), index, sub: 0 })
        : this.#changes.value(change);
    invariant(row !== undefined, 'a message that leaves exists');
    this.#reader.open(row, keySeed(number, messageKind(queue), index, 0));
    return { ...readMessage(this.#reader), payload: this.#reader.rest() };
  }

  #remember(record: RequestRecord): void {
    this.#changes.writer.begin();
    writeRecord(this.#changes.writer, record);
    this.#putRecordRow(kinds.record, record.index, 0);
  }

  #depart(departure: Extract<Transition, { kind: 'remove' }>): void {
    const { source } = departure;
    if (source === 0) return;
    this.#changes.writer.begin();
    writeDeparture(this.#changes.writer, departure);
    this.#putRecordRow(kinds.record, source, 1);
  }

  // The rules trim block by block, so there is little below that was not trimmed before.
  #trim(kind: number, below: number): void {
    const { number, freshRecords } = this.#service;
    for (const { index, change } of freshRecords) if (index < below) this.#changes.cancel(change);
    let start: RowKey = { service: number, kind, index: 0, sub: 0 };
    for (;;) {
      const step = this.#options.rows.keys(start, below, trimStepRows);
      for (const { index, sub } of step) this.#changes.remove(number, kind, index, sub);
      const last = step.at(-1);
      if (last === undefined) break;
      start = after(last);
    }
    if (kind !== kinds.result) return;
    const files = this.#service.files[resultSlot];
    for (const [index, file] of files ?? []) if (index < below) this.#dropFile(files, index, file);
  }

  #report(entry: OutboxEntry | undefined): void {
    if (entry === undefined) return;
    this.#changes.writer.begin();
    this.#changes.writer.uint(entry.index);
    this.#changes.writer.text(entry.terms);
    this.#changes.put(this.#service.number, kinds.outbox, entry.index, 0);
  }

  #mark({ queue, group, index, mark }: MarkTransition<MarkKind>): void {
    invariant(
      this.#service.groups.has(groupKey(queue, group)),
      'a mark belongs to a group that lives',
    );
    this.#pend({ queue, group, index, mark });
  }

  #pend(pending: PendingMark): void {
    const slot = this.#marks.push(pending) - 1;
    const before = this.#service.marks.set(pending, this.#row, slot);
    if (before !== undefined) this.#markGone(before.row, before.slot);
  }

  // A mark is no longer the newest: it is taken out of this batch's row, or its row goes when
  // nothing else in it is current.
  readonly #markGone = (row: number, slot: number): void => {
    if (row === this.#row) this.#marks[slot] = undefined;
    else if (this.#service.marks.retire(row)) {
      this.#changes.remove(this.#service.number, kinds.marks, row, 0);
    }
  };

  #rewriteMarks(): void {
    const { marks, number } = this.#service;
    for (let left = rewrittenRowsMax; left > 0; left--) {
      const row = marks.rowToRewrite();
      if (row === undefined || row === this.#row) return;
      const bytes = this.#options.rows.get({
        service: number,
        kind: kinds.marks,
        index: row,
        sub: 0,
      });
      // Not yet written: it belongs to an earlier batch of this very transaction.
      if (bytes === undefined) return;
      this.#reader.open(bytes, keySeed(number, kinds.marks, row, 0));
      for (const entry of markEntries(this.#reader)) {
        if (marks.find(entry.queue, entry.group, entry.index) === row) this.#pend(entry);
      }
    }
  }

  #writeMarks(): void {
    const { writer } = this.#changes;
    if (this.#marks.every((pending) => pending === undefined)) {
      this.#service.marks.retire(this.#row);
      return;
    }
    writer.begin();
    for (const pending of this.#marks) {
      if (pending === undefined) continue;
      const { queue, group, index, mark } = pending;
      writeQueue(writer, queue);
      writer.uint(group);
      writer.uint(index);
      writer.sized(() => {
        if (mark instanceof Uint8Array) writer.raw(mark);
        else writeMark(writer, mark);
      });
    }
    this.#changes.put(this.#service.number, kinds.marks, this.#row, 0);
  }
}
