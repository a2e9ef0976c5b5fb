// A set of messages that can say how many of its members come before another message in the order
// of rule 8, however many there are: sorted runs of indexes by priority, none of them long.

import type { Offer } from './offers.ts';

/** Longest run; a longer one is cut in two. */
const runMax = 1024;

export class Ranked {
  readonly #lanes = new Map<number, SortedIndexes>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ index, priority }: Offer): void {
    let lane = this.#lanes.get(priority);
    if (lane === undefined) {
      lane = new SortedIndexes();
      this.#lanes.set(priority, lane);
    }
    if (lane.add(index)) this.#size += 1;
  }

  delete({ index, priority }: Offer): void {
    const lane = this.#lanes.get(priority);
    if (lane?.delete(index) !== true) return;
    this.#size -= 1;
    if (lane.size === 0) this.#lanes.delete(priority);
  }

  /** How many come before (priority, index). */
  before({ index, priority }: Offer): number {
    let count = 0;
    for (const [other, lane] of this.#lanes) {
      if (other > priority) count += lane.size;
      else if (other === priority) count += lane.countBelow(index);
    }
    return count;
  }
}

class SortedIndexes {
  /** Ascending, in runs none of which is empty. */
  readonly #runs: number[][] = [];
  size = 0;

  /** False: it is there already. */
  add(index: number): boolean {
    const at = Math.min(this.#runOf(index), Math.max(0, this.#runs.length - 1));
    const run = this.#runs[at];
    this.size += 1;
    if (run === undefined) {
      this.#runs.push([index]);
      return true;
    }
    const place = firstFrom(run, index);
    if (run[place] === index) {
      this.size -= 1;
      return false;
    }
    run.splice(place, 0, index);
    if (run.length > runMax) this.#runs.splice(at + 1, 0, run.splice(runMax / 2));
    return true;
  }

  delete(index: number): boolean {
    const at = this.#runOf(index);
    const run = this.#runs[at];
    const place = run === undefined ? 0 : firstFrom(run, index);
    if (run?.[place] !== index) return false;
    run.splice(place, 1);
    this.size -= 1;
    if (run.length === 0) this.#runs.splice(at, 1);
    return true;
  }

  countBelow(index: number): number {
    const at = this.#runOf(index);
    let count = 0;
    for (let before = 0; before < at; before += 1) count += this.#runs[before]?.length ?? 0;
    const run = this.#runs[at];
    return run === undefined ? count : count + firstFrom(run, index);
  }

  /** The first run whose last index is not below `index`; behind the last when all are below. */
  #runOf(index: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle]?.at(-1) ?? 0) < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The first place of a run whose index is not below `index`. */
function firstFrom(run: readonly number[], index: number): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((run[middle] ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
