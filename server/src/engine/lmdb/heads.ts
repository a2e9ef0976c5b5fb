// Heads of many rows, checked and packed one after the other, as one thread gives them to another:
// a few large pieces of memory that change hands without being copied. Payloads stay where they
// are.

import { RowReader } from '../codec.ts';
import type { Visit } from './scan.ts';

/** Memory of a whole array, which can be handed to another thread. */
type Owned<Array extends ArrayBufferView> = Array & { readonly buffer: ArrayBuffer };

export interface PackedHeads {
  readonly count: number;
  readonly indexes: Owned<Float64Array>;
  readonly subs: Owned<Uint32Array>;
  /** Where each head ends in `bytes`; it begins where the one before it ends. */
  readonly ends: Owned<Uint32Array>;
  readonly bytes: Owned<Uint8Array>;
}

const smallestBytes = 64 * 1024;

/** Packs at most `rows` heads. */
export class HeadPacker {
  readonly #indexes: Owned<Float64Array>;
  readonly #subs: Owned<Uint32Array>;
  readonly #ends: Owned<Uint32Array>;
  #bytes: Owned<Uint8Array>;
  #count = 0;
  #end = 0;

  /** `bytes`: how much the heads will take, about. */
  constructor(rows: number, bytes: number) {
    this.#indexes = new Float64Array(rows);
    this.#subs = new Uint32Array(rows);
    this.#ends = new Uint32Array(rows);
    this.#bytes = new Uint8Array(Math.max(bytes, smallestBytes));
  }

  add(reader: RowReader, index: number, sub: number): void {
    const end = this.#end + reader.headBytes;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(end * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    reader.copyHead(this.#bytes, this.#end);
    this.#indexes[this.#count] = index;
    this.#subs[this.#count] = sub;
    this.#ends[this.#count] = end;
    this.#count += 1;
    this.#end = end;
  }

  /** How much the heads take. */
  get bytes(): number {
    return this.#end;
  }

  packed(): PackedHeads {
    return {
      count: this.#count,
      indexes: this.#indexes,
      subs: this.#subs,
      ends: this.#ends,
      bytes: this.#bytes,
    };
  }
}

/** What leaves a thread that gives heads away. */
export function memoryOf({ indexes, subs, ends, bytes }: PackedHeads): ArrayBuffer[] {
  return [indexes.buffer, subs.buffer, ends.buffer, bytes.buffer];
}

/** What `visit` makes of the heads in order. */
export function visitHeads<T>(heads: PackedHeads, visit: Visit<T>): readonly T[] {
  const { count, indexes, subs, ends } = heads;
  const bytes = Buffer.from(heads.bytes.buffer);
  const reader = new RowReader();
  const made: T[] = [];
  let start = 0;
  for (let at = 0; at < count; at += 1) {
    const end = ends[at] ?? 0;
    reader.openHead(bytes, start, end);
    made.push(visit(reader, indexes[at] ?? 0, subs[at] ?? 0));
    start = end;
  }
  return made;
}
