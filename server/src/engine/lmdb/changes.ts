// What one transaction is going to write: rows and removals, first gathered completely, then
// handed to lmdb in one go, so that an error while a row is made leaves nothing half written.

import { RowWriter } from '../codec.ts';
import { keyBytes, keySeed, setKey } from './keys.ts';

/** The part of an lmdb table that takes changes. */
export interface ChangeSink {
  put(key: Uint8Array, value: Uint8Array): unknown;
  remove(key: Uint8Array): unknown;
}

const removal = null;
const nothing = undefined;

export class Changes {
  /** Where the row that `put` will take is written. */
  readonly writer: RowWriter = new RowWriter();
  // Columns instead of objects: a busy second has some 100,000 of them.
  readonly #services: number[] = [];
  readonly #kinds: number[] = [];
  readonly #indexes: number[] = [];
  readonly #subs: number[] = [];
  readonly #values: (Buffer | null | undefined)[] = [];
  readonly #key = Buffer.alloc(keyBytes);
  readonly #keyView = new DataView(this.#key.buffer, this.#key.byteOffset, keyBytes);
  #afterwards: (() => void)[] = [];
  #bytes = 0;

  get count(): number {
    return this.#values.length;
  }

  /** Bytes of all rows that will be written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Ends the row begun in `writer` and adds it. Answers its number among the changes. */
  put(service: number, kind: number, index: number, sub: number, rest?: Uint8Array): number {
    const row = this.writer.end(keySeed(service, kind, index, sub), rest);
    this.#bytes += row.length;
    return this.#add(service, kind, index, sub, row);
  }

  remove(service: number, kind: number, index: number, sub: number): void {
    this.#add(service, kind, index, sub, removal);
  }

  /** Takes a row back that would have been written. */
  cancel(change: number): void {
    this.#values[change] = nothing;
  }

  /** The row that is going to be written by `change`. */
  value(change: number): Buffer | undefined {
    return this.#values[change] ?? undefined;
  }

  /** `run` is called once all of this is durable. */
  afterwards(run: () => void): void {
    this.#afterwards.push(run);
  }

  /** Hands everything to `sink`; the rows must stay until `clear`. */
  write(sink: ChangeSink): void {
    for (let at = 0; at < this.#values.length; at++) {
      const value = this.#values[at];
      if (value === nothing) continue;
      // The columns have the same length.
      setKey(
        this.#keyView,
        this.#services[at] ?? 0,
        this.#kinds[at] ?? 0,
        this.#indexes[at] ?? 0,
        this.#subs[at] ?? 0,
      );
      if (value === removal) sink.remove(this.#key);
      else sink.put(this.#key, value);
    }
  }

  /** The transaction is over: what was to be done afterwards, and a clean slate. */
  clear(): readonly (() => void)[] {
    const afterwards = this.#afterwards;
    this.#afterwards = [];
    this.#services.length = 0;
    this.#kinds.length = 0;
    this.#indexes.length = 0;
    this.#subs.length = 0;
    this.#values.length = 0;
    this.#bytes = 0;
    this.writer.recycle();
    return afterwards;
  }

  #add(service: number, kind: number, index: number, sub: number, value: Buffer | null): number {
    this.#services.push(service);
    this.#kinds.push(kind);
    this.#indexes.push(index);
    this.#subs.push(sub);
    return this.#values.push(value) - 1;
  }
}
