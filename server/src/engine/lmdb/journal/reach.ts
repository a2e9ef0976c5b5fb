// How far the journal has reached the table, as a row of the table itself: a table whose journal
// was taken away or replaced by an older one must not be taken for whole. The row is there while
// the table needs its journal, and gone after a clean stop and in a backup.

import { RowError, RowReader, RowWriter } from '../../codec.ts';
import { kinds, makeKey, ownService, type RowKey, seedOf } from '../keys.ts';
import type { Table } from '../table.ts';
import type { FinalRow, JournalContent } from './replay.ts';

/** Both are generations of segments. */
export interface Reach {
  /** All records up to this one's are in the table. */
  readonly applied: number;
  /** The journal has this one or a newer one. */
  readonly present: number;
}

const key: RowKey = { service: ownService, kind: kinds.journal, index: 0, sub: 0 };

/** The row to be written with what was applied; `undefined`: the table stands alone. */
export function reachRow(reach: Reach | undefined): FinalRow {
  if (reach === undefined) return { key: makeKey(key), row: null };
  const writer = new RowWriter();
  writer.begin();
  writer.uint(reach.applied);
  writer.uint(reach.present);
  return { key: makeKey(key), row: Buffer.from(writer.end(seedOf(key))) };
}

/** What an open reader of such a row holds. */
export function readReach(reader: RowReader): Reach {
  return { applied: reader.uint(), present: reader.uint() };
}

/** Throws a `RowError` when the journal that was found is not the one this table needs. */
export function checkReach(table: Table, { newest }: JournalContent): void {
  const row = table.get(makeKey(key));
  if (row === undefined) return;
  const reader = new RowReader();
  reader.open(row, seedOf(key));
  const { applied, present } = readReach(reader);
  if (newest === undefined) {
    throw new RowError('The journal is missing: put the folder queue/journal back as it was.');
  }
  const { generation, from } = newest;
  if (generation >= present && from <= applied + 1) return;
  const found = `it has segments ${from} to ${generation}`;
  const needed = `the table has taken up ${applied} and needs ${present}`;
  throw new RowError(`The journal does not belong to this table: ${found}, ${needed}.`);
}
