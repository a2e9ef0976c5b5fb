// The messages of one queue in memory: columns, no object per message (23 bytes a row, more
// where they are used). Holds what
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
  readonly size: Uint32Array;
  readonly metaBytes: Uint16Array;
  readonly flags: Uint8Array;
  // These are made when the first message of a chunk needs one: most queues never do.
  priority: Int32Array | undefined;
  tags: Uint32Array | undefined;
  expiresAt: Float64Array | undefined;
  source: Float64Array | undefined;
  finishBy: Float64Array | undefined;
  retainMs: Float64Array | undefined;
}

const noHashes: readonly Hash[] = [];

const flag = { hidden: 1, leased: 2, recordHome: 4 } as const;

const columnKind: ColumnKind<Columns> = {
  // One buffer for all: a chunk is one piece of memory beside its indexes.
  create(rows) {
    const buffer = new ArrayBuffer(15 * rows);
    return {
      idLow: new Uint32Array(buffer, 0, rows),
      idHigh: new Uint32Array(buffer, 4 * rows, rows),
      size: new Uint32Array(buffer, 8 * rows, rows),
      metaBytes: new Uint16Array(buffer, 12 * rows, rows),
      flags: new Uint8Array(buffer, 14 * rows, rows),
      priority: undefined,
      tags: undefined,
      expiresAt: undefined,
      source: undefined,
      finishBy: undefined,
      retainMs: undefined,
    };
  },
  copy(from, fromRow, to, toRow) {
    to.idLow[toRow] = from.idLow[fromRow] ?? 0;
    to.idHigh[toRow] = from.idHigh[fromRow] ?? 0;
    to.size[toRow] = from.size[fromRow] ?? 0;
    to.metaBytes[toRow] = from.metaBytes[fromRow] ?? 0;
    to.flags[toRow] = from.flags[fromRow] ?? 0;
    setRare(to, toRow, {
      priority: from.priority?.[fromRow] ?? 0,
      tags: from.tags?.[fromRow] ?? 0,
      expiresAt: from.expiresAt?.[fromRow] ?? 0,
      source: from.source?.[fromRow] ?? 0,
      finishBy: from.finishBy?.[fromRow] ?? 0,
      retainMs: from.retainMs?.[fromRow] ?? 0,
    });
  },
};

interface Rare {
  readonly priority: number;
  readonly tags: number;
  readonly expiresAt: number;
  readonly source: number;
  readonly finishBy: number;
  readonly retainMs: number;
}

function setRare(columns: Columns, row: number, rare: Rare): void {
  const rows = columns.idLow.length;
  if (rare.priority !== 0) columns.priority ??= new Int32Array(rows);
  if (rare.tags !== 0) columns.tags ??= new Uint32Array(rows);
  if (rare.expiresAt !== 0) columns.expiresAt ??= new Float64Array(rows);
  if (rare.source !== 0) columns.source ??= new Float64Array(rows);
  if (rare.finishBy !== 0) columns.finishBy ??= new Float64Array(rows);
  if (rare.retainMs !== 0) columns.retainMs ??= new Float64Array(rows);
  // A row that is used again may hold an old value, so zeros are written too.
  if (columns.priority !== undefined) columns.priority[row] = rare.priority;
  if (columns.tags !== undefined) columns.tags[row] = rare.tags;
  if (columns.expiresAt !== undefined) columns.expiresAt[row] = rare.expiresAt;
  if (columns.source !== undefined) columns.source[row] = rare.source;
  if (columns.finishBy !== undefined) columns.finishBy[row] = rare.finishBy;
  if (columns.retainMs !== undefined) columns.retainMs[row] = rare.retainMs;
}

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
  readonly expiresAt: number;
  readonly source: number;
  /** Wall clock: over by then, also while it is under lease; 0 = never. */
  readonly finishBy: number;
  /** What its submitter asked for; 0 = nothing. */
  readonly retainMs: number;
}

export interface NewFacts {
  readonly index: number;
  readonly idHash: Hash;
  readonly tagHashes: readonly Hash[];
  readonly priority: number;
  readonly size: number;
  readonly metaBytes: number;
  readonly home: Home;
  readonly expiresAt: number;
  readonly source: number;
  readonly finishBy: number;
  readonly retainMs: number;
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
export function hashTags(key: HashKey, tags: Tags): readonly Hash[] {
  if (tags.size === 0) return noHashes;
  const hashes: Hash[] = [];
  for (const [name, value] of tags) hashes.push(hashTag(key, name, value));
  return hashes;
}

export class Messages {
  readonly #table = new IndexTable<Columns>(columnKind);
  readonly #ids = new IdTable({
    has: (index, hash) => this.#hasId(index, hash),
    low: (index) => this.#table.seek(index)?.idLow[this.#table.row] ?? 0,
    bounds: () => [this.#table.firstFrom(0), this.#table.last],
    each: (visit) => this.#eachId(visit),
  });
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
    columns.size[row] = facts.size;
    columns.metaBytes[row] = Math.min(facts.metaBytes, 65_535);
    columns.flags[row] = facts.home === 'record' ? flag.recordHome : 0;
    const tags = this.#tags.add(facts.tagHashes);
    const { priority, expiresAt, source, finishBy, retainMs } = facts;
    setRare(columns, row, { priority, expiresAt, source, finishBy, retainMs, tags });
    this.#ids.add(facts.idHash, facts.index);
  }

  /** Many messages follow, until `settle`; nothing need wait for it. */
  gather(): void {
    this.#ids.gather();
  }

  settle(): void {
    this.#ids.settle();
  }

  remove(index: number): void {
    const hash = this.idHash(index);
    invariant(hash !== undefined, 'a message that is removed exists');
    this.#ids.remove(hash, index);
    const tags = this.#table.seek(index)?.tags?.[this.#table.row];
    if (tags !== undefined) this.#tags.remove(tags);
    this.#table.remove(index);
    this.#ids.shrink();
  }

  facts(index: number): Facts | undefined {
    const columns = this.#table.seek(index);
    if (columns === undefined) return undefined;
    const { row } = this.#table;
    const flags = columns.flags[row] ?? 0;
    return {
      index,
      priority: columns.priority?.[row] ?? 0,
      size: columns.size[row] ?? 0,
      metaBytes: columns.metaBytes[row] ?? 0,
      hidden: (flags & flag.hidden) !== 0,
      leased: (flags & flag.leased) !== 0,
      home: (flags & flag.recordHome) !== 0 ? 'record' : 'sink',
      expiresAt: columns.expiresAt?.[row] ?? 0,
      source: columns.source?.[row] ?? 0,
      finishBy: columns.finishBy?.[row] ?? 0,
      retainMs: columns.retainMs?.[row] ?? 0,
    };
  }

  priority(index: number): number {
    return this.#table.seek(index)?.priority?.[this.#table.row] ?? 0;
  }

  /** Of its texts; 0 when there is no such message. */
  metaBytes(index: number): number {
    return this.#table.seek(index)?.metaBytes[this.#table.row] ?? 0;
  }

  /** Of its payload; 0 when there is no such message. */
  size(index: number): number {
    return this.#table.seek(index)?.size[this.#table.row] ?? 0;
  }

  /** The input message that a result was made from; 0 = none. */
  source(index: number): number {
    return this.#table.seek(index)?.source?.[this.#table.row] ?? 0;
  }

  /** For how long its submitter asked to keep what becomes of it; 0 = did not. */
  retainMs(index: number): number {
    return this.#table.seek(index)?.retainMs?.[this.#table.row] ?? 0;
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
    const columns = this.#table.seek(index);
    if (columns === undefined) return undefined;
    const { row } = this.#table;
    return { low: columns.idLow[row] ?? 0, high: columns.idHigh[row] ?? 0 };
  }

  tagHashes(index: number): readonly Hash[] {
    const tags = this.#table.seek(index)?.tags?.[this.#table.row] ?? 0;
    return tags === 0 ? noHashes : this.#tags.list(tags);
  }

  /** The indexes of all messages with this request id, ascending. */
  withId(hash: Hash): readonly number[] {
    return this.#ids.find(hash);
  }

  matches(index: number, filter: Filter): boolean {
    const { id } = filter;
    if (id !== undefined && !this.#hasId(index, id)) return false;
    const columns = this.#table.seek(index);
    if (columns === undefined) return false;
    const tags = columns.tags?.[this.#table.row] ?? 0;
    return filter.tags.every((tag) => this.#tags.has(tags, tag));
  }

  firstFrom(index: number): number {
    return this.#table.firstFrom(index);
  }

  countBelow(index: number): number {
    return this.#table.countBelow(index);
  }

  #hasId(index: number, { low, high }: Hash): boolean {
    const columns = this.#table.seek(index);
    if (columns === undefined) return false;
    const { row } = this.#table;
    return columns.idLow[row] === low && columns.idHigh[row] === high;
  }

  #eachId(visit: (index: number, low: number) => void): void {
    for (const { indexes, columns, head, size } of this.#table.chunks) {
      for (let row = head; row < size; row += 1) {
        const index = indexes[row] ?? 0;
        if (index > 0) visit(index, columns.idLow[row] ?? 0);
      }
    }
  }

  #hasFlag(index: number, bit: number): boolean {
    const flags = this.#table.seek(index)?.flags[this.#table.row] ?? 0;
    return (flags & bit) !== 0;
  }

  #setFlag(index: number, bit: number, on: boolean): void {
    const columns = this.#table.seek(index);
    if (columns === undefined) return;
    const { row } = this.#table;
    const flags = columns.flags[row] ?? 0;
    columns.flags[row] = on ? flags | bit : flags & ~bit;
  }

  #compactTags(): void {
    const compaction = this.#tags.compaction();
    for (const { indexes, columns, size } of this.#table.chunks) {
      const { tags } = columns;
      for (let row = 0; tags !== undefined && row < size; row += 1) {
        if ((indexes[row] ?? 0) > 0) tags[row] = compaction.keep(tags[row] ?? 0);
      }
    }
    compaction.finish();
  }
}
