// The one lmdb table and what can go wrong with it. It is written in large transactions by one
// thread at a time. A disk without room is an answer, every other error of lmdb an error: after a
// failed flush nobody knows what the disk holds.

import { mkdirSync, statfsSync } from 'node:fs';
import { ABORT, type Database, open, type RootDatabase } from 'lmdb';
import type { FinalRow } from './journal/replay.ts';
import { makeKey, type RowKey } from './keys.ts';
import { rowsName } from './names.ts';
import { RowScan } from './scan.ts';

export interface TableOptions {
  /** The folder of lmdb's own two files. */
  readonly folder: string;
  /** For checks: nothing is written, nothing is created. */
  readonly readOnly?: boolean;
}

/** What is read was never written: the very first start ended too early. */
export class MissingTableError extends Error {
  override readonly name = 'MissingTableError';
}

export interface KeyedRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

// lmdb maps the file read-only and only what exists takes memory; beyond this size it maps anew.
const mapBytes = 64 * 2 ** 30;
// As large as many pages, so that lmdb has to look for free ones.
const rehearsal = new Uint8Array(64 * 1024);
const mapFull = -30792;
const noSpaceCodes: readonly unknown[] = [mapFull, 28, 122, 'ENOSPC', 'EDQUOT'];
const inputOutput: readonly unknown[] = [5];
const fullBelowBytes = 2 ** 20;

export interface SpaceInside {
  /** Bytes of the file that hold nothing and will be used before the file grows. */
  readonly freeBytes: number;
  readonly fileBytes: number;
}

/** Open from its making until `close`. */
export class Table {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #rows: Database<Uint8Array, Uint8Array>;
  /** Reads many rows without copying them. */
  readonly scan: RowScan;
  readonly #folder: string;

  constructor(options: TableOptions) {
    const readOnly = options.readOnly === true;
    if (!readOnly) mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#folder = options.folder;
    this.#root = open<Uint8Array, Uint8Array>({
      path: options.folder,
      readOnly,
      // `permissionsMode` is missing in the types of lmdb 3.5 but read by its native part.
      ...{ permissionsMode: 0o600 },
      mapSize: mapBytes,
      // The same file on every machine; measured: larger pages write more bytes a turn.
      pageSize: 4096,
      maxDbs: 4,
      maxReaders: 16,
      encoding: 'binary',
      keyEncoding: 'binary',
      cache: false,
      // By default an answer comes before the disk has the data.
      overlappingSync: false,
    });
    const rows = this.#root.openDB<Uint8Array, Uint8Array>(rowsName, {
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    // Only a table that is read and not there is undefined, which lmdb's types don't tell.
    if (rows === undefined) throw new MissingTableError('data.mdb has no table of rows');
    this.#rows = rows;
    this.scan = new RowScan(this.#root, rowsName);
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /**
   * Makes the table what `rows` say, in one transaction that is durable when this returns; `full`:
   * nothing was changed. Blocks its thread until then; `rest` is called before each row.
   */
  apply(rows: readonly FinalRow[], rest?: () => void): 'done' | 'full' {
    if (rows.length === 0) return 'done';
    try {
      this.#root.transactionSync(() => {
        for (const { key, row } of rows) {
          rest?.();
          if (row === null) this.#rows.removeSync(key);
          else this.#rows.putSync(key, row);
        }
      });
      return 'done';
    } catch (error) {
      const full = isNoSpace(error) || (hasCode(error, inputOutput) && this.#diskIsFull(rows));
      if (!full) throw error;
      // After some failures lmdb refuses every further transaction: that is another matter.
      this.#root.transactionSync(() => undefined);
      return 'full';
    }
  }

  /** Until the answer is called, what the table holds now stays where it lies in the file. */
  pin(): () => void {
    const transaction = this.#root.useReadTransaction();
    return () => transaction.done();
  }

  /** Reads from now on see what other threads have written so far. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  /** Writes all that is durable now to `data.mdb` in another folder, without gaps. Others may go
   * on writing meanwhile. */
  async copyTo(folder: string): Promise<void> {
    await this.#root.backup(folder, true);
  }

  /** A process that died while it read would keep lmdb from using free pages again. */
  forgetDeadReaders(): void {
    this.#root.readerCheck();
  }

  /** A copy of the value. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.getBinary(key);
  }

  has(key: Uint8Array): boolean {
    return this.#rows.doesExist(key);
  }

  /** Up to `limit` rows from `start` up to and without `end`; the values are copies. */
  range(start: RowKey, end: RowKey, limit: number): readonly KeyedRow[] {
    return [...this.#rows.getRange({ start: makeKey(start), end: makeKey(end), limit })];
  }

  /** Does what a write does, up to the point where it would be kept, and throws it away. */
  rehearse(): void {
    this.#root.transactionSync(() => {
      this.#rows.put(makeKey({ service: 0, kind: 0, index: 0, sub: 0 }), rehearsal);
      return ABORT;
    });
  }

  /** How many rows there are. */
  get count(): number {
    return entryCount(this.#rows.getStats());
  }

  /** The first and the last `count` rows. */
  *ends(count: number): Iterable<KeyedRow> {
    yield* this.#rows.getRange({ limit: count });
    yield* this.#rows.getRange({ limit: count, reverse: true });
  }

  /** The last row below `end`. */
  last(end: RowKey): KeyedRow | undefined {
    const options = { start: makeKey(end), exclusiveStart: true, reverse: true, limit: 1 };
    for (const row of this.#rows.getRange(options)) return row;
    return undefined;
  }

  /** The keys from `start` up to and without `end`; to be read without a pause. */
  eachKey(start: RowKey, end: RowKey): Iterable<Uint8Array> {
    return this.#rows.getKeys({ start: makeKey(start), end: makeKey(end) });
  }

  space(): SpaceInside {
    return spaceInside(this.#root.getStats(), this.#rows.getStats());
  }

  // When a disk takes only a part of the pages, lmdb calls that an input/output error. It comes
  // before anything refers to those pages, so nothing is changed.
  #diskIsFull(rows: readonly FinalRow[]): boolean {
    const { bavail, bsize } = statfsSync(this.#folder);
    const bytes = rows.reduce((sum, { row }) => sum + (row?.length ?? 0), 0);
    return bavail * bsize < 2 * bytes + fullBelowBytes;
  }
}

interface TreeStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface EnvironmentStats extends TreeStats {
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

function entryCount(rows: object): number {
  // As below.
  return (rows as { readonly entryCount: number }).entryCount;
}

// From the untyped figures that lmdb gives of its file.
function spaceInside(root: object, rows: object): SpaceInside {
  // lmdb declares its statistics as `{}`; the fields are those of lmdb's own structures.
  const environment = root as EnvironmentStats;
  const trees = [environment.root, environment.free, rows as TreeStats];
  const used = trees.reduce((sum, tree) => {
    return sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
  }, 2);
  const pages = environment.lastPageNumber + 1;
  const { pageSize } = environment;
  return { freeBytes: Math.max(0, pages - used) * pageSize, fileBytes: pages * pageSize };
}

/** For checks; undefined when nothing was ever written. */
export function openTable(folder: string, readOnly: boolean): Table | undefined {
  try {
    return new Table({ folder, readOnly });
  } catch (error) {
    if (error instanceof MissingTableError) return undefined;
    throw error;
  }
}

/** Whether an error says that a disk or a quota is full. */
export function isNoSpace(error: unknown): boolean {
  return hasCode(error, noSpaceCodes);
}

function hasCode(error: unknown, codes: readonly unknown[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
