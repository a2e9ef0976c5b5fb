// When an instance that ended by itself is started again: the more often in a row, the later.

import type { Random } from '../kernel/random.ts';

const firstMs = 500;
const longestMs = 60_000;
/** A copy that was ready for so long starts the row anew. */
const steadyMs = 60_000;
/** From here on a pause is the longest. */
const doublingsMax = 16;

export class Restarts {
  #inARow = 0;
  #isHopeless = false;

  /** How often in a row it has ended by itself. */
  get inARow(): number {
    return this.#inARow;
  }

  /** It has ended. `readyMs`: for how long it had been ready; `isHopeless`: as it was declared it
   * can never run. */
  ended({ readyMs, isHopeless }: { readonly readyMs: number; readonly isHopeless: boolean }): void {
    this.#inARow = readyMs >= steadyMs ? 1 : this.#inARow + 1;
    this.#isHopeless = isHopeless;
  }

  /** How long to wait now. What can never run is still tried now and then: an image may be there
   * tomorrow. A quarter of it is chance, so that many do not come back in step. */
  delayMs(random: Random): number {
    const doublings = this.#isHopeless ? doublingsMax : Math.min(this.#inARow - 1, doublingsMax);
    return Math.min(firstMs * 2 ** doublings, longestMs) * (0.75 + 0.25 * random.fraction());
  }
}
