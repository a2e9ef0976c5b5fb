// What the lmdb engine keeps in memory of one service: its fence, where its newest marks lie and
// which payloads lie in files. Nothing per waiting message. All of it is read back from the rows
// by `load`.

import type { QueueName } from '../../queue/message.ts';
import { queueNumbers } from '../../queue/message.ts';
import { RowReader } from '../codec.ts';
import { Fence } from '../fence.ts';
import { readGroup, readQueue, readState } from '../rows-codec.ts';
import { kinds, messageKind, type RowKey, seedOf } from './keys.ts';
import { MarkLog } from './mark-log.ts';
import type { Rows } from './rows.ts';

export class LmdbService {
  readonly number: number;
  fence: Fence;
  readonly marks: MarkLog = new MarkLog();
  /** Payload files by slot (queue number, or `resultSlot`) and index. */
  readonly files: readonly Map<number, number>[];
  readonly groups: Set<string> = new Set();
  /** Messages of the input that have a checkpoint. */
  readonly checkpoints: Set<number> = new Set();
  /** Set when a batch was not written after all: what is in memory is ahead of the disk. */
  broken = false;
  /** By queue number: the messages that the open transaction writes, and their change. */
  readonly fresh: readonly Map<number, number>[] = [new Map(), new Map(), new Map(), new Map()];
  /** The rows of records, results and departures that the open transaction writes. */
  readonly freshRecords: { readonly index: number; readonly change: number }[] = [];

  constructor(number: number, files: readonly Map<number, number>[]) {
    this.number = number;
    this.files = files;
    this.fence = new Fence(0);
  }

  /** Reads everything but the messages and records themselves. */
  load(rows: Rows): void {
    const reader = new RowReader();
    const key: RowKey = { service: this.number, kind: kinds.state, index: 0, sub: 0 };
    const row = rows.get(key);
    if (row === undefined) return;
    reader.open(row, seedOf(key));
    this.fence = new Fence(readState(reader).epoch);
    for (const { queue, group } of rows.kind(this.number, kinds.group, 0, readGroup)) {
      this.groups.add(groupKey(queue, group));
    }
    for (const index of rows.kind(this.number, kinds.checkpoint, 0, (_row, index) => index)) {
      this.checkpoints.add(index);
    }
    this.#loadMarks(rows);
  }

  transactionOver(): void {
    for (const fresh of this.fresh) fresh.clear();
    this.freshRecords.length = 0;
  }

  #loadMarks(rows: Rows): void {
    const all = rows.kind(this.number, kinds.marks, 0, (reader, row) => {
      this.marks.seen(row);
      for (const { queue, group, index } of markEntries(reader)) {
        if (this.groups.has(groupKey(queue, group)))
          this.marks.set({ queue, group, index }, row, 0);
      }
    });
    for (const _ of all);
    for (const { queue, index } of [...this.marks.messages()]) {
      const key = { service: this.number, kind: messageKind(queue), index, sub: 0 };
      if (!rows.has(key)) this.marks.removeMessage(queue, index, () => undefined);
    }
  }
}

export function groupKey(queue: QueueName, group: number): string {
  return `${queueNumbers[queue]} ${group}`;
}

export interface MarkEntry {
  readonly queue: QueueName;
  readonly group: number;
  readonly index: number;
  /** The encoded mark; a view. */
  readonly mark: Buffer;
}

/** The marks in a row of marks. */
export function* markEntries(reader: RowReader): Iterable<MarkEntry> {
  while (!reader.done) {
    yield {
      queue: readQueue(reader),
      group: reader.uint(),
      index: reader.uint(),
      mark: reader.sized(),
    };
  }
}
