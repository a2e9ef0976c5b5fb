// The rows as they are durable: the table, with the journal's rows in front of it.

import { RowReader } from '../codec.ts';
import type { FreshEntry, Overlay } from './journal/overlay.ts';
import { keySeed, makeKey, parseKey, type RowKey } from './keys.ts';
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
    const fresh = this.#overlay.kind(service, kind, start.index);
    const keys: RowKey[] = [];
    for (const { index, sub, row } of fresh) {
      if (row === null || index >= below) continue;
      if (index > start.index || sub >= start.sub) keys.push({ service, kind, index, sub });
    }
    const end: RowKey = { service, kind, index: below, sub: 0 };
    for (const key of this.#table.eachKey(start, end)) {
      if (keys.length >= limit + fresh.length) break;
      const parts = parseKey(key);
      if (this.#overlay.find(parts) === undefined) keys.push(parts);
    }
    return keys.sort(byPlace).slice(0, limit);
  }

  /** What `visit` makes of every row of one kind of a service, from index `from` on. */
  *kind<T>(service: number, kind: number, from: number, visit: Visit<T>): Iterable<T> {
    const fresh = this.#overlay.kind(service, kind, from);
    if (fresh.length === 0) {
      yield* this.#table.scan.kind(service, kind, from, visit);
      return;
    }
    const known = new Set(fresh.map(({ index, sub }) => `${index} ${sub}`));
    const old = this.#table.scan.kind(service, kind, from, (reader, index, sub) => {
      const made = known.has(`${index} ${sub}`) ? undefined : { value: visit(reader, index, sub) };
      return { index, sub, made };
    });
    let at = 0;
    for (const { index, sub, made } of old) {
      for (; at < fresh.length; at++) {
        const entry = fresh[at];
        if (entry === undefined || entry.index > index) break;
        if (entry.index === index && entry.sub >= sub) break;
        yield* visitFresh(service, kind, entry, visit);
      }
      if (made !== undefined) yield made.value;
    }
    for (; at < fresh.length; at++) {
      const entry = fresh[at];
      if (entry !== undefined) yield* visitFresh(service, kind, entry, visit);
    }
  }
}

function* visitFresh<T>(
  service: number,
  kind: number,
  { index, sub, row }: FreshEntry,
  visit: Visit<T>,
): Iterable<T> {
  if (row === null) return;
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

function byPlace(a: RowKey, b: RowKey): number {
  return a.index - b.index || a.sub - b.sub;
}
