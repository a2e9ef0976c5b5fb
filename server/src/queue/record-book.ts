// How many records there are and how old: enough to know which to forget (rule 14). Records are
// counted in blocks of neighbouring input indexes, so that a million of them cost a few kilobytes;
// forgetting goes by whole blocks, lowest first.

const blockIndexes = 256;

interface Block {
  count: number;
  bytes: number;
  resultBytes: number;
  doneAt: number;
  retainUntil: number;
}

export interface BookedRecord {
  readonly bytes: number;
  readonly resultBytes: number;
  /** Wall clock, as is `retainUntil`. */
  readonly doneAt: number;
  readonly retainUntil: number;
}

export interface RecordLimits {
  readonly countMax: number;
  readonly bytesMax: number;
  readonly retentionMs: number;
  /** Bytes of results of home `record`. */
  readonly resultBytesMax: number;
}

export class RecordBook {
  readonly #blocks = new Map<number, Block>();
  #lowest = Number.POSITIVE_INFINITY;
  #count = 0;
  #bytes = 0;
  #resultBytes = 0;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the results of home `record`, which are kept with their records. */
  get resultBytes(): number {
    return this.#resultBytes;
  }

  add(index: number, record: BookedRecord): void {
    const number = Math.floor(index / blockIndexes);
    let block = this.#blocks.get(number);
    if (block === undefined) {
      block = { count: 0, bytes: 0, resultBytes: 0, doneAt: 0, retainUntil: 0 };
      this.#blocks.set(number, block);
      this.#lowest = Math.min(this.#lowest, number);
    }
    block.count += 1;
    block.bytes += record.bytes;
    block.resultBytes += record.resultBytes;
    block.doneAt = Math.max(block.doneAt, record.doneAt);
    block.retainUntil = Math.max(block.retainUntil, record.retainUntil);
    this.#count += 1;
    this.#bytes += record.bytes;
    this.#resultBytes += record.resultBytes;
  }

  /** Whether there are records of indexes around this one. */
  has(index: number): boolean {
    return this.#blocks.has(Math.floor(index / blockIndexes));
  }

  /** The input index below which all records may go now; 0 = nothing to forget. */
  forgettable(limits: RecordLimits, wall: number): number {
    const block = this.#blocks.get(this.#lowest);
    if (block === undefined || block.retainUntil > wall) return 0;
    const over = this.isOver(limits);
    const old = block.doneAt + limits.retentionMs < wall;
    return over || old ? (this.#lowest + 1) * blockIndexes : 0;
  }

  /** Whether something has to go before more results may come. */
  isOver(limits: RecordLimits): boolean {
    const { countMax, bytesMax, resultBytesMax } = limits;
    const isFull = this.#resultBytes >= resultBytesMax;
    return isFull || this.#count > countMax || this.#bytes > bytesMax;
  }

  /** Takes the records of all indexes below `below` (a block's end) off the books. */
  forget(below: number): void {
    for (const [number, block] of this.#blocks) {
      if ((number + 1) * blockIndexes > below) continue;
      this.#count -= block.count;
      this.#bytes -= block.bytes;
      this.#resultBytes -= block.resultBytes;
      this.#blocks.delete(number);
    }
    this.#lowest = Number.POSITIVE_INFINITY;
    for (const number of this.#blocks.keys()) this.#lowest = Math.min(this.#lowest, number);
  }
}
