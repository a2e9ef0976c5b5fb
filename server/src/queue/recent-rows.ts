// Recent ids as a start finds them: rows of messages and of records, each about in the order of
// time, but not both together. What comes in order goes where it belongs at once; from the first
// that does not on, all are collected and sorted. Columns, since there may be millions of them.

import type { Hash } from './hash.ts';
import type { RecentId, RecentIds } from './recent-ids.ts';

const smallestRows = 64;

export class RecentRows {
  #lows = new Uint32Array(smallestRows);
  #highs = new Uint32Array(smallestRows);
  #bodies = new Uint32Array(smallestRows);
  #indexes = new Float64Array(smallestRows);
  #times = new Float64Array(smallestRows);
  #length = 0;
  readonly #ids: RecentIds;
  #newest = 0;
  #isCollecting = false;

  /** For empty `ids`, which nobody else uses until `finish`. */
  constructor(ids: RecentIds) {
    this.#ids = ids;
    ids.gather();
  }

  /** `at` is wall clock. */
  add(hash: Hash, id: RecentId, at: number): void {
    if (!this.#isCollecting) {
      if (at >= this.#newest) {
        this.#newest = at;
        this.#ids.add(hash, id, at);
        return;
      }
      this.#isCollecting = true;
      this.#ids.drain((...given) => this.#collect(...given));
      this.#ids.gather();
    }
    this.#collect(hash, id, at);
  }

  /** Once, after the last row: the oldest come first; of the same time in the order they came. */
  finish(): void {
    for (const row of this.#byTime()) this.#give(row);
    this.#ids.settle();
  }

  #collect(hash: Hash, { index, bodyHash }: RecentId, at: number): void {
    if (this.#length === this.#lows.length) this.#grow();
    const row = this.#length;
    this.#lows[row] = hash.low;
    this.#highs[row] = hash.high;
    this.#indexes[row] = index;
    this.#bodies[row] = bodyHash;
    this.#times[row] = at;
    this.#length += 1;
  }

  #byTime(): Uint32Array {
    const order = Uint32Array.from({ length: this.#length }, (_, row) => row);
    const times = this.#times;
    return order.sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0) || left - right);
  }

  #give(row: number): void {
    const hash = { low: this.#lows[row] ?? 0, high: this.#highs[row] ?? 0 };
    const id = { index: this.#indexes[row] ?? 0, bodyHash: this.#bodies[row] ?? 0 };
    this.#ids.add(hash, id, this.#times[row] ?? 0);
  }

  #grow(): void {
    const rows = this.#length * 2;
    this.#lows = larger(this.#lows, new Uint32Array(rows));
    this.#highs = larger(this.#highs, new Uint32Array(rows));
    this.#bodies = larger(this.#bodies, new Uint32Array(rows));
    this.#indexes = larger(this.#indexes, new Float64Array(rows));
    this.#times = larger(this.#times, new Float64Array(rows));
  }
}

function larger<Values extends Uint32Array | Float64Array>(from: Values, to: Values): Values {
  to.set(from);
  return to;
}
