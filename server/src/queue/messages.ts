// The messages of one queue in memory: columns, no object per message (53 bytes a row). Holds what
// the rules need to decide; ids, tags and payloads themselves stay with the engine.

import type { Tags } from '@sluice/sdk/wire';
import { invariant } from '../kernel/invariant.ts';
import { type Hash, type HashKey, hashTag, hashText } from './hash.ts';
import { IdTable } from './id-table.ts';
import { type ColumnKind, IndexTable } from './index-table.ts';
import type { Home } from './message.ts';
import { TagArena } from './tag-arena.ts';

interface Columns {
  readonly idLow: Uint32Array;
  readonly idHigh: Uint32Array;
  readonly priority: Int32Array;
  readonly size: Uint32Array;
  readonly metaBytes: Uint16Array;
  readonly flags: Uint8Array;
  readonly tags: Uint32Array;
  readonly acceptedAt: Float64Array;
  readonly expiresAt: Float64Array;
  readonly source: Float64Array;
}

const flag = { hidden: 1, leased: 2, recordHome: 4 } as const;

const columnKind: ColumnKind<Columns> = {
  create: (rows) => ({
    idLow: new Uint32Array(rows),
    idHigh: new Uint32Array(rows),
    priority: new Int32Array(rows),
    size: new Uint32Array(rows),
    metaBytes: new Uint16Array(rows),
    flags: new Uint8Array(rows),
    tags: new Uint32Array(rows),
    acceptedAt: new Float64Array(rows),
    expiresAt: new Float64Array(rows),
    source: new Float64Array(rows),
  }),
  copy(from, fromRow, to, toRow) {
    to.idLow[toRow] = from.idLow[fromRow] ?? 0;
    to.idHigh[toRow] = from.idHigh[fromRow] ?? 0;
    to.priority[toRow] = from.priority[fromRow] ?? 0;
    to.size[toRow] = from.size[fromRow] ?? 0;
    to.metaBytes[toRow] = from.metaBytes[fromRow] ?? 0;
    to.flags[toRow] = from.flags[fromRow] ?? 0;
    to.tags[toRow] = from.tags[fromRow] ?? 0;
    to.acceptedAt[toRow] = from.acceptedAt[fromRow] ?? 0;
    to.expiresAt[toRow] = from.expiresAt[fromRow] ?? 0;
    to.source[toRow] = from.source[fromRow] ?? 0;
  },
};

/** What the rules know of one message. */
export interface Facts {
  readonly index: number;
  readonly priority: number;
  readonly size: number;
  readonly metaBytes: number;
  readonly hidden: boolean;
  /** Under lease to a member of any group. */
  readonly leased: boolean;
  readonly home: Home;
  readonly acceptedAt: number;
  readonly expiresAt: number;
  readonly source: number;
}

export interface NewFacts {
  readonly index: number;
  readonly idHash: Hash;
  readonly tagHashes: readonly Hash[];
  readonly priority: number;
  readonly size: number;
  readonly metaBytes: number;
  readonly home: Home;
  readonly acceptedAt: number;
  readonly expiresAt: number;
  readonly source: number;
}

/** Tags a message must have, as hashes; `id` is its request id. */
export interface Filter {
  readonly id: Hash | undefined;
  readonly tags: readonly Hash[];
}

/** The filter of a reader or consumer; undefined when it wants everything. */
export function filterOf(key: HashKey, tags: Tags, id: string | undefined): Filter | undefined {
  if (id === undefined && tags.size === 0) return undefined;
  return { id: id === undefined ? undefined : hashText(key, id), tags: hashTags(key, tags) };
}

/** One hash a tag, in the order of the tags. */
export function hashTags(key: HashKey, tags: Tags): Hash[] {
  const hashes: Hash[] = [];
  for (const [name, value] of tags) hashes.push(hashTag(key, name, value));
  return hashes;
}

export class Messages {
  readonly #table = new IndexTable<Columns>(columnKind);
  readonly #ids = new IdTable((index) => this.idHash(index));
  readonly #tags = new TagArena();

  get length(): number {
    return this.#table.length;
  }

  has(index: number): boolean {
    return this.#table.has(index);
  }

  add(facts: NewFacts): void {
    if (this.#tags.wasteful) this.#compactTags();
    const { chunk, row } = this.#table.append(facts.index);
    const columns = chunk.columns;
    columns.idLow[row] = facts.idHash.low;
    columns.idHigh[row] = facts.idHash.high;
    columns.priority[row] = facts.priority;
    columns.size[row] = facts.size;
    columns.metaBytes[row] = Math.min(facts.metaBytes, 65_535);
    columns.flags[row] = facts.home === 'record' ? flag.recordHome : 0;
    columns.tags[row] = this.#tags.add(facts.tagHashes);
    columns.acceptedAt[row] = facts.acceptedAt;
    columns.expiresAt[row] = facts.expiresAt;
    columns.source[row] = facts.source;
    this.#ids.add(facts.idHash, facts.index);
  }

  remove(index: number): void {
    const hash = this.idHash(index);
    invariant(hash !== undefined, 'a message that is removed exists');
    this.#ids.remove(hash, index);
    this.#table.read(index, (columns, row) => this.#tags.remove(columns.tags[row] ?? 0));
    this.#table.remove(index);
  }

  facts(index: number): Facts | undefined {
    return this.#table.read(index, (columns, row) => {
      const flags = columns.flags[row] ?? 0;
      return {
        index,
        priority: columns.priority[row] ?? 0,
        size: columns.size[row] ?? 0,
        metaBytes: columns.metaBytes[row] ?? 0,
        hidden: (flags & flag.hidden) !== 0,
        leased: (flags & flag.leased) !== 0,
        home: (flags & flag.recordHome) !== 0 ? 'record' : 'sink',
        acceptedAt: columns.acceptedAt[row] ?? 0,
        expiresAt: columns.expiresAt[row] ?? 0,
        source: columns.source[row] ?? 0,
      };
    });
  }

  priority(index: number): number {
    return this.#table.read(index, (columns, row) => columns.priority[row]) ?? 0;
  }

  isHidden(index: number): boolean {
    return this.#hasFlag(index, flag.hidden);
  }

  isLeased(index: number): boolean {
    return this.#hasFlag(index, flag.leased);
  }

  isRecordHome(index: number): boolean {
    return this.#hasFlag(index, flag.recordHome);
  }

  setHidden(index: number, on: boolean): void {
    this.#setFlag(index, flag.hidden, on);
  }

  setLeased(index: number, on: boolean): void {
    this.#setFlag(index, flag.leased, on);
  }

  idHash(index: number): Hash | undefined {
    return this.#table.read(index, (columns, row) => ({
      low: columns.idLow[row] ?? 0,
      high: columns.idHigh[row] ?? 0,
    }));
  }

  tagHashes(index: number): Hash[] {
    return this.#table.read(index, (c, row) => this.#tags.list(c.tags[row] ?? 0)) ?? [];
  }

  /** The indexes of all messages with this request id, ascending. */
  withId(hash: Hash): number[] {
    return this.#ids.find(hash);
  }

  matches(index: number, filter: Filter): boolean {
    const found = this.#table.read(index, (columns, row) => {
      const { id } = filter;
      if (id !== undefined && (columns.idLow[row] !== id.low || columns.idHigh[row] !== id.high)) {
        return false;
      }
      const tags = columns.tags[row] ?? 0;
      return filter.tags.every((tag) => this.#tags.has(tags, tag));
    });
    return found ?? false;
  }

  firstFrom(index: number): number {
    return this.#table.firstFrom(index);
  }

  countBelow(index: number): number {
    return this.#table.countBelow(index);
  }

  #hasFlag(index: number, bit: number): boolean {
    return this.#table.read(index, (c, row) => ((c.flags[row] ?? 0) & bit) !== 0) ?? false;
  }

  #setFlag(index: number, bit: number, on: boolean): void {
    this.#table.read(index, (columns, row) => {
      const flags = columns.flags[row] ?? 0;
      columns.flags[row] = on ? flags | bit : flags & ~bit;
    });
  }

  #compactTags(): void {
    const compaction = this.#tags.compaction();
    for (const chunk of this.#table.chunks) {
      for (let row = 0; row < chunk.size; row += 1) {
        if ((chunk.indexes[row] ?? 0) <= 0) continue;
        chunk.columns.tags[row] = compaction.keep(chunk.columns.tags[row] ?? 0);
      }
    }
    compaction.finish();
  }
}
