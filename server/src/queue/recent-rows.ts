// Recent ids as a start finds them: rows of messages and of records, each about in the order of
// time, but not both together. Columns, since there may be millions of them.

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
  #isSorted = true;

  /** `at` is wall clock. */
  add(hash: Hash, { index, bodyHash }: RecentId, at: number): void {
    if (this.#length === this.#lows.length) this.#grow();
    const row = this.#length;
    if (row > 0 && at < (this.#times[row - 1] ?? 0)) this.#isSorted = false;
    this.#lows[row] = hash.low;
    this.#highs[row] = hash.high;
    this.#indexes[row] = index;
    this.#bodies[row] = bodyHash;
    this.#times[row] = at;
    this.#length += 1;
  }

  /** Adds all of them to `ids`, the oldest first; of the same time in the order they came. */
  fill(ids: RecentIds): void {
    ids.gather();
    if (this.#isSorted) {
      for (let row = 0; row < this.#length; row += 1) this.#give(row, ids);
    } else {
      for (const row of this.#byTime()) this.#give(row, ids);
    }
    ids.settle();
  }

  #byTime(): Uint32Array {
    const order = Uint32Array.from({ length: this.#length }, (_, row) => row);
    const times = this.#times;
    return order.sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0) || left - right);
  }

  #give(row: number, ids: RecentIds): void {
    const hash = { low: this.#lows[row] ?? 0, high: this.#highs[row] ?? 0 };
    const id = { index: this.#indexes[row] ?? 0, bodyHash: this.#bodies[row] ?? 0 };
    ids.add(hash, id, this.#times[row] ?? 0);
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
