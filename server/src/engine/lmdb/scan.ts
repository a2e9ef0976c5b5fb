// Reads many rows of one kind without copying them: each is decoded where lmdb has put it. This is
// what makes a start with a million messages quick.

import type { Database, RootDatabase } from 'lmdb';
import { RowError, RowReader } from '../codec.ts';
import { after, indexAt, keySeed, kindName, makeKey, type RowKey, subAt } from './keys.ts';

/** Makes something of a row; must not keep the reader, whose bytes are those of the next row then. */
export type Visit<T> = (reader: RowReader, index: number, sub: number) => T;

/** What was made of some rows in order, and where to go on; no `next`: there are no more rows. */
export interface Step<T> {
  readonly made: readonly T[];
  readonly next: RowKey | undefined;
}

/** No read transaction stays open for longer than this many rows. */
const stepRows = 512;

export class RowScan {
  readonly #rows: Database;
  readonly #reader = new RowReader();
  #visit: Visit<unknown> = () => undefined;
  #service = 0;
  #kind = 0;
  #index = 0;
  #sub = 0;
  #failure: unknown;
  #failedAt = 0;

  constructor(root: RootDatabase, table: string) {
    const decode = (bytes: Uint8Array, length: number): unknown => this.#decode(bytes, length);
    // lmdb reads the two coders, but its types have them for the whole file only.
    const options = {
      encoding: 'binary' as const,
      encoder: { decode, encode: (row: Uint8Array) => row },
      keyEncoder: { writeKey: copyKey, readKey: this.#readKey },
    };
    this.#rows = root.openDB<unknown, Uint8Array>(table, options);
  }

  /** What `visit` makes of every row of one kind of a service, from index `from` on. */
  *kind<T>(service: number, kind: number, from: number, visit: Visit<T>): Iterable<T> {
    let next: RowKey | undefined = { service, kind, index: from, sub: 0 };
    while (next !== undefined) {
      const step: Step<T> = this.step(next, stepRows, visit);
      yield* step.made;
      next = step.next;
    }
  }

  /** The same of at most `limit` rows of the kind of `start`, from there on. */
  step<T>(start: RowKey, limit: number, visit: Visit<T>): Step<T> {
    const { service, kind } = start;
    const end = makeKey({ service, kind: kind + 1, index: 0, sub: 0 });
    const made: T[] = [];
    this.#visit = visit;
    this.#service = service;
    this.#kind = kind;
    this.#failure = undefined;
    const range = this.#rows.getRange({ start: makeKey(start), end, limit });
    // `decode` answers what `visit` has made; lmdb's types can't tell.
    for (const { value } of range) made.push(value as T);
    if (this.#failure !== undefined) throw damagedRow(this.#failure, service, kind, this.#failedAt);
    if (made.length < limit) return { made, next: undefined };
    return { made, next: after({ service, kind, index: this.#index, sub: this.#sub }) };
  }

  readonly #readKey = (source: Uint8Array, start: number): void => {
    this.#index = indexAt(source, start);
    this.#sub = subAt(source, start);
  };

  // An error must not leave through lmdb, whose cursor would stay open and keep pages in use.
  #decode(bytes: Uint8Array, length: number): unknown {
    if (this.#failure !== undefined) return undefined;
    try {
      const seed = keySeed(this.#service, this.#kind, this.#index, this.#sub);
      this.#reader.open(bytes, seed, 0, length);
      return this.#visit(this.#reader, this.#index, this.#sub);
    } catch (error) {
      this.#failure = error;
      this.#failedAt = this.#index;
      return undefined;
    }
  }
}

/** A row that can't be read, with where it lies. */
export function damagedRow(cause: unknown, service: number, kind: number, index: number): unknown {
  if (!(cause instanceof RowError)) return cause;
  const where = `${kindName(kind)} ${index} of service ${service}`;
  return new RowError(`Damaged row (${where}): ${cause.message}`, { cause });
}

function copyKey(key: Uint8Array, target: Uint8Array, start: number): number {
  target.set(key, start);
  return start + key.length;
}
