// The one lmdb table and what can go wrong with it. One transaction is under way at a time; it
// resolves when lmdb has flushed it. A disk without room is an answer, every other error of lmdb
// ends the process: after a failed flush nobody knows what the disk holds.

import { mkdirSync, statfsSync } from 'node:fs';
import { ABORT, type Database, open, type RootDatabase } from 'lmdb';
import type { Changes } from './changes.ts';
import { makeKey, type RowKey } from './keys.ts';
import { RowScan } from './scan.ts';

export interface TableOptions {
  /** The folder of lmdb's own two files. */
  readonly folder: string;
  /** Called with an error that leaves no other way than to end the process. */
  readonly fatal: (error: unknown) => void;
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

// Shorter than every key there is.
const absentKey = new Uint8Array(1);

/** The name of the table inside lmdb's file. */
const rowsName = 'rows';

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
  readonly #fatal: (error: unknown) => void;
  readonly #folder: string;

  constructor(options: TableOptions) {
    const readOnly = options.readOnly === true;
    if (!readOnly) mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#fatal = options.fatal;
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
      // Start writing as soon as a transaction has been handed over.
      eventTurnBatching: false,
      ...{ txnStartThreshold: 1 },
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

  /** Writes all changes or nothing. Never resolves after a fatal error. */
  async write(changes: Changes): Promise<'durable' | 'full'> {
    try {
      const written = this.#rows.batch(() => changes.write(this.#rows));
      this.#startWriting();
      await written;
      return 'durable';
    } catch (error) {
      const cause = await commitError(error);
      const full = isNoSpace(cause) || (hasCode(cause, inputOutput) && this.#diskIsFull(changes));
      if (!full) return this.#end(cause);
      try {
        // After some failures lmdb refuses every further transaction, and would do so by silence.
        this.#root.transactionSync(() => undefined);
      } catch (broken) {
        return this.#end(broken);
      }
      return 'full';
    }
  }

  // lmdb starts the first write of a transaction when the event loop has nothing else to do, which
  // is too late by all the answers and requests of this turn; a second write it starts at once.
  // Measured: 40 % more puts a second over the stream protocol. What fails is told by the first.
  #startWriting(): void {
    this.#rows.remove(absentKey).catch(ignore);
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

  keys(start: RowKey, end: RowKey, limit: number): readonly Uint8Array[] {
    return [...this.#rows.getKeys({ start: makeKey(start), end: makeKey(end), limit })];
  }

  space(): SpaceInside {
    return spaceInside(this.#root.getStats(), this.#rows.getStats());
  }

  // When a disk takes only a part of the pages, lmdb calls that an input/output error. It comes
  // before anything refers to those pages, so nothing is changed.
  #diskIsFull(changes: Changes): boolean {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize < 2 * changes.bytes + fullBelowBytes;
  }

  #end(error: unknown): Promise<never> {
    this.#fatal(error);
    return new Promise<never>(() => undefined);
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
  const fatal = (error: unknown): void => {
    throw error;
  };
  try {
    return new Table({ folder, fatal, readOnly });
  } catch (error) {
    if (error instanceof MissingTableError) return undefined;
    throw error;
  }
}

// lmdb rejects with a general error that carries a promise, which rejects with the real one.
async function commitError(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** Whether an error says that a disk or a quota is full. */
export function isNoSpace(error: unknown): boolean {
  return hasCode(error, noSpaceCodes);
}

function ignore(): void {}

function hasCode(error: unknown, codes: readonly unknown[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}
