// A table whose rows are kept in the order of a rising index, in chunks of typed arrays: 8 bytes a
// row plus the caller's columns, no object per row. Removed rows leave a gap that goes with their
// chunk; neighbours that have become sparse are merged, so memory follows what is live.

/** Rows of one chunk: few while a table is small, so that a quiet queue costs little; many in a
 * long one, so that chunks are rare. */
const smallChunkRows = 256;
const largeChunkRows = 4_096;
const largeTableRows = 8_192;

export interface Chunk<Columns> {
  /** Ascending; a removed row is negated. */
  readonly indexes: Float64Array;
  /** Rows in use, removed ones included. */
  size: number;
  live: number;
  /** The first row that may be live. */
  head: number;
  readonly columns: Columns;
}

export interface ColumnKind<Columns> {
  create(rows: number): Columns;
  /** Copies one row, when chunks are merged. */
  copy(from: Columns, fromRow: number, to: Columns, toRow: number): void;
}

export const noColumns: ColumnKind<undefined> = {
  create: () => undefined,
  copy: () => undefined,
};

export class IndexTable<Columns> {
  /** Where `seek` found something last: the row in the columns that it answered. */
  row = 0;
  readonly #kind: ColumnKind<Columns>;
  readonly #chunks: Chunk<Columns>[] = [];
  /** The chunk that was looked up last. */
  #near = 0;
  #length = 0;

  constructor(kind: ColumnKind<Columns>) {
    this.#kind = kind;
  }

  get length(): number {
    return this.#length;
  }

  get chunks(): readonly Chunk<Columns>[] {
    return this.#chunks;
  }

  /** No row has an index above it. */
  get last(): number {
    const last = this.#chunks.at(-1);
    return last === undefined || last.size === 0 ? 0 : lastOf(last);
  }

  /** Adds a row at the end; `index` must be above every index ever added. Answers its row. */
  append(index: number): { chunk: Chunk<Columns>; row: number } {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.size === chunk.indexes.length) {
      chunk = this.#newChunk(this.#length < largeTableRows ? smallChunkRows : largeChunkRows);
      this.#chunks.push(chunk);
    }
    const row = chunk.size;
    chunk.indexes[row] = index;
    chunk.size += 1;
    chunk.live += 1;
    this.#length += 1;
    return { chunk, row };
  }

  /**
   * The columns of a live row, whose place in them is `row` until the next call; undefined when
   * there is none. No object and no closure: rules look up dozens of rows for each message.
   */
  seek(index: number): Columns | undefined {
    const chunk = this.#chunks[this.#chunkOf(index)];
    if (chunk === undefined) return undefined;
    this.row = rowOf(chunk, index);
    return isLive(chunk, this.row, index) ? chunk.columns : undefined;
  }

  has(index: number): boolean {
    const chunk = this.#chunks[this.#chunkOf(index)];
    return chunk !== undefined && isLive(chunk, rowOf(chunk, index), index);
  }

  /** Removes a live row; false when there is none. */
  remove(index: number): boolean {
    const at = this.#chunkOf(index);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    const row = rowOf(chunk, index);
    if (!isLive(chunk, row, index)) return false;
    chunk.indexes[row] = -index;
    chunk.live -= 1;
    this.#length -= 1;
    while (chunk.head < chunk.size && (chunk.indexes[chunk.head] ?? 0) < 0) chunk.head += 1;
    this.#tidy(at);
    return true;
  }

  /** The lowest live index that is >= `from`; 0 = none. */
  firstFrom(from: number): number {
    for (let at = this.#chunkOf(from); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at];
      if (chunk === undefined) break;
      for (let row = Math.max(chunk.head, rowOf(chunk, from)); row < chunk.size; row += 1) {
        const index = chunk.indexes[row] ?? 0;
        if (index > 0) return index;
      }
    }
    return 0;
  }

  /** How many live rows have an index below `index`. */
  countBelow(index: number): number {
    const at = this.#chunkOf(index);
    let count = 0;
    for (let before = 0; before < at; before += 1) count += this.#chunks[before]?.live ?? 0;
    const chunk = this.#chunks[at];
    if (chunk === undefined) return count;
    const end = rowOf(chunk, index);
    for (let row = chunk.head; row < end; row += 1) {
      if ((chunk.indexes[row] ?? 0) > 0) count += 1;
    }
    return count;
  }

  #newChunk(rows: number): Chunk<Columns> {
    return {
      indexes: new Float64Array(rows),
      size: 0,
      live: 0,
      head: 0,
      columns: this.#kind.create(rows),
    };
  }

  /** The chunk whose range holds `index`: the first whose last index is not below it. */
  #chunkOf(index: number): number {
    let low = 0;
    let high = this.#chunks.length;
    // What was looked up last is often looked up again.
    const near = this.#chunks[this.#near];
    if (near !== undefined && lastOf(near) >= index) {
      const before = this.#chunks[this.#near - 1];
      if (before === undefined || lastOf(before) < index) return this.#near;
      high = this.#near;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle];
      if (chunk !== undefined && lastOf(chunk) < index) low = middle + 1;
      else high = middle;
    }
    this.#near = low;
    return low;
  }

  #tidy(at: number): void {
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    if (chunk.live === 0 && at < this.#chunks.length - 1) {
      this.#chunks.splice(at, 1);
      return;
    }
    if (chunk.live === 0) {
      // The last chunk is used again, so that a short queue allocates nothing.
      chunk.size = 0;
      chunk.head = 0;
      return;
    }
    if (!this.#merge(at)) this.#merge(at - 1);
  }

  /** Merges two sparse neighbours into one chunk. The last chunk still grows and is left alone. */
  #merge(at: number): boolean {
    const chunk = this.#chunks[at];
    const next = this.#chunks[at + 1];
    if (chunk === undefined || next === undefined || at + 2 >= this.#chunks.length) return false;
    const rows = Math.max(chunk.indexes.length, next.indexes.length);
    if (chunk.live + next.live > rows / 4) return false;
    const merged = this.#newChunk(rows);
    for (const part of [chunk, next]) this.#copyLive(part, merged);
    this.#chunks.splice(at, 2, merged);
    return true;
  }

  #copyLive(from: Chunk<Columns>, to: Chunk<Columns>): void {
    for (let row = from.head; row < from.size; row += 1) {
      const index = from.indexes[row] ?? 0;
      if (index <= 0) continue;
      to.indexes[to.size] = index;
      this.#kind.copy(from.columns, row, to.columns, to.size);
      to.size += 1;
      to.live += 1;
    }
  }
}

/** The last index of a chunk, removed or not. The last chunk may be empty: all that is not in the
 * chunks before it belongs there. */
function lastOf(chunk: Chunk<unknown>): number {
  if (chunk.size === 0) return Number.POSITIVE_INFINITY;
  return Math.abs(chunk.indexes[chunk.size - 1] ?? 0);
}

function isLive(chunk: Chunk<unknown>, row: number, index: number): boolean {
  return row < chunk.size && chunk.indexes[row] === index;
}

/** The first row of a chunk whose index (removed or not) is not below `index`. */
function rowOf({ indexes, size }: Chunk<unknown>, index: number): number {
  // Indexes rise by one or more from row to row: a row is never behind its distance from the first
  // index, and in most chunks exactly there.
  const last = Math.min(size, Math.max(0, index - Math.abs(indexes[0] ?? 0)));
  if (last < size && Math.abs(indexes[last] ?? 0) === index) return last;
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Math.abs(indexes[middle] ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
