// The rows as they are durable: the table, with the journal's rows in front of it.

import { RowReader } from '../codec.ts';
import type { FreshEntry, Overlay } from './journal/overlay.ts';
import { indexAt, keySeed, makeKey, type RowKey, subAt } from './keys.ts';
import { damagedRow, type Visit } from './scan.ts';
import type { Table } from './table.ts';

export class Rows {
  readonly #table: Table;
  readonly #overlay: Overlay;

  constructor(table: Table, overlay: Overlay) {
    this.#table = table;
    this.#overlay = overlay;
  }

  /** A copy of the row. */
  get(key: RowKey): Uint8Array | undefined {
    const fresh = this.#overlay.find(key);
    if (fresh === undefined) return this.#table.get(makeKey(key));
    return fresh === null ? undefined : Buffer.from(fresh);
  }

  has(key: RowKey): boolean {
    const fresh = this.#overlay.find(key);
    return fresh === undefined ? this.#table.has(makeKey(key)) : fresh !== null;
  }

  /**
   * Up to `limit` keys of one kind from `start` up to and without index `below`, in order. None:
   * there are no more.
   */
  keys(start: RowKey, below: number, limit: number): readonly RowKey[] {
    const { service, kind } = start;
    const fresh = this.#overlay.kind(service, kind, start.index, below);
    const keys: RowKey[] = [];
    for (const { index, sub, row } of fresh) {
      if (row === null) continue;
      if (index > start.index || sub >= start.sub) keys.push({ service, kind, index, sub });
    }
    const end: RowKey = { service, kind, index: below, sub: 0 };
    for (const bytes of this.#table.eachKey(start, end)) {
      if (keys.length >= limit + fresh.length) break;
      const key = { service, kind, index: indexAt(bytes, 0), sub: subAt(bytes, 0) };
      if (fresh.length === 0 || this.#overlay.find(key) === undefined) keys.push(key);
    }
    return fresh.length === 0 ? keys : keys.sort(byPlace).slice(0, limit);
  }

  /** What `visit` makes of every row of one kind of a service, from index `from` on. */
  *kind<T>(service: number, kind: number, from: number, visit: Visit<T>): Iterable<T> {
    const fresh = this.#overlay.kind(service, kind, from);
    if (fresh.length === 0) {
      yield* this.#table.scan.kind(service, kind, from, visit);
      return;
    }
    const between = new Interleaving({ service, kind, fresh, visit });
    for (const old of this.#table.scan.kind(service, kind, from, between.visitOld)) {
      yield* between.upTo(old);
    }
    yield* between.rest();
  }
}

/** What was made of a row of the table; nothing when the journal knows it better. */
export interface OldRow<T> {
  readonly index: number;
  readonly sub: number;
  readonly made: { readonly value: T } | undefined;
}

interface InterleavingOptions<T> {
  readonly service: number;
  readonly kind: number;
  readonly fresh: readonly FreshEntry[];
  readonly visit: Visit<T>;
}

/** Puts the journal's rows of one kind between those of the table, which come in order. */
export class Interleaving<T> {
  readonly #options: InterleavingOptions<T>;
  readonly #known: ReadonlySet<string>;
  #at = 0;

  constructor(options: InterleavingOptions<T>) {
    this.#options = options;
    this.#known = new Set(options.fresh.map(({ index, sub }) => `${index} ${sub}`));
  }

  /** For each row of the table. */
  readonly visitOld: Visit<OldRow<T>> = (reader, index, sub) => {
    const isKnown = this.#known.has(`${index} ${sub}`);
    const made = isKnown ? undefined : { value: this.#options.visit(reader, index, sub) };
    return { index, sub, made };
  };

  /** What lies before the next row of the table, and that row itself. */
  *upTo({ index, sub, made }: OldRow<T>): Iterable<T> {
    const { fresh } = this.#options;
    for (; this.#at < fresh.length; this.#at++) {
      const entry = fresh[this.#at];
      if (entry === undefined || entry.index > index) break;
      if (entry.index === index && entry.sub >= sub) break;
      yield* this.#fresh(entry);
    }
    if (made !== undefined) yield made.value;
  }

  /** What lies after the last row of the table. */
  *rest(): Iterable<T> {
    for (const entry of this.#options.fresh.slice(this.#at)) yield* this.#fresh(entry);
  }

  *#fresh({ index, sub, row }: FreshEntry): Iterable<T> {
    if (row === null) return;
    const { service, kind, visit } = this.#options;
    let value: T;
    try {
      const reader = new RowReader();
      reader.open(row, keySeed(service, kind, index, sub));
      value = visit(reader, index, sub);
    } catch (error) {
      throw damagedRow(error, service, kind, index);
    }
    yield value;
  }
}

function byPlace(a: RowKey, b: RowKey): number {
  return a.index - b.index || a.sub - b.sub;
}
