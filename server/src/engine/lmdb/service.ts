// What the lmdb engine keeps in memory of one service: its fence, where its newest marks lie and
// which payloads lie in files. Nothing per waiting message. All of it is read back from the rows
// by `load`.

import type { QueueName } from '../../queue/message.ts';
import { queueNumbers } from '../../queue/message.ts';
import { RowReader } from '../codec.ts';
import { Fence } from '../fence.ts';
import { readGroup, readQueue, readState } from '../rows-codec.ts';
import { indexMax, kinds, makeKey, messageKind, parseKey, type RowKey } from './keys.ts';
import { MarkLog } from './mark-log.ts';
import type { KeyedRow, Table } from './table.ts';

export class LmdbService {
  readonly number: number;
  fence: Fence;
  marks = new MarkLog();
  /** Payload files by slot (queue number, or `resultSlot`) and index. */
  readonly files: readonly Map<number, number>[];
  readonly groups = new Set<string>();
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
  load(table: Table): void {
    const reader = new RowReader();
    const row = table.get(makeKey({ service: this.number, kind: kinds.state, index: 0, sub: 0 }));
    if (row === undefined) return;
    reader.open(row);
    this.fence = new Fence(readState(reader).epoch);
    for (const { value } of this.#rows(table, kinds.group)) {
      reader.open(value);
      const { queue, group } = readGroup(reader);
      this.groups.add(groupKey(queue, group));
    }
    this.#loadMarks(table, reader);
  }

  transactionOver(): void {
    for (const fresh of this.fresh) fresh.clear();
    this.freshRecords.length = 0;
  }

  /** All rows of one kind from `index` on, in steps that keep no read transaction open. */
  *#rows(table: Table, kind: number): Iterable<KeyedRow> {
    yield* kindRows(table, this.number, kind, 0);
  }

  #loadMarks(table: Table, reader: RowReader): void {
    for (const { key, value } of this.#rows(table, kinds.marks)) {
      const row = parseKey(key).index;
      this.marks.seen(row);
      reader.open(value);
      for (const { queue, group, index } of markEntries(reader)) {
        if (this.groups.has(groupKey(queue, group)))
          this.marks.set({ queue, group, index }, row, 0);
      }
    }
    for (const { queue, index } of [...this.marks.messages()]) {
      const key = makeKey({ service: this.number, kind: messageKind(queue), index, sub: 0 });
      if (!table.has(key)) this.marks.removeMessage(queue, index, () => undefined);
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

const stepRows = 512;

/** The rows of one kind of a service from index `from` on, read in bounded steps. */
export function* kindRows(
  table: Table,
  service: number,
  kind: number,
  from: number,
): Iterable<KeyedRow> {
  let start: RowKey = { service, kind, index: from, sub: 0 };
  const end: RowKey = { service, kind: kind + 1, index: 0, sub: 0 };
  for (;;) {
    const rows = table.range(start, end, stepRows);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < stepRows) return;
    start = after(parseKey(last.key));
  }
}

/** The lowest key above `key`. */
export function after(key: RowKey): RowKey {
  if (key.sub < 0xffff_ffff) return { ...key, sub: key.sub + 1 };
  if (key.index < indexMax) return { ...key, index: key.index + 1, sub: 0 };
  return { ...key, kind: key.kind + 1, index: 0, sub: 0 };
}
