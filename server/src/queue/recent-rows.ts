// Recent ids as a start finds them: rows of messages and of records, each about in the order of
// time, but not both together. Columns, since there may be millions of them.

import type { Hash } from './hash.ts';
import type { RecentId, RecentIds } from './recent-ids.ts';

export class RecentRows {
  readonly #lows: number[] = [];
  readonly #highs: number[] = [];
  readonly #indexes: number[] = [];
  readonly #bodies: number[] = [];
  readonly #times: number[] = [];
  #isSorted = true;

  /** `at` is wall clock. */
  add(hash: Hash, { index, bodyHash }: RecentId, at: number): void {
    if (at < (this.#times.at(-1) ?? 0)) this.#isSorted = false;
    this.#lows.push(hash.low);
    this.#highs.push(hash.high);
    this.#indexes.push(index);
    this.#bodies.push(bodyHash);
    this.#times.push(at);
  }

  /** Adds all of them to `ids`, the oldest first; of the same time in the order they came. */
  fill(ids: RecentIds): void {
    if (this.#isSorted) {
      for (let row = 0; row < this.#times.length; row += 1) this.#give(row, ids);
      return;
    }
    const order = Uint32Array.from(this.#times.keys());
    const times = this.#times;
    order.sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0) || left - right);
    for (const row of order) this.#give(row, ids);
  }

  #give(row: number, ids: RecentIds): void {
    const hash = { low: this.#lows[row] ?? 0, high: this.#highs[row] ?? 0 };
    const id = { index: this.#indexes[row] ?? 0, bodyHash: this.#bodies[row] ?? 0 };
    ids.add(hash, id, this.#times[row] ?? 0);
  }
}
