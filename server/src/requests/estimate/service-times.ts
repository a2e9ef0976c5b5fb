// How long requests hold a slot, learned from a bounded number of the latest: their distribution,
// what is left of one that has run for a while, and how many one slot works off in a given time.
// A value: made once from samples, asked often.

import { Counts } from './counts.ts';

/** A part of a distribution: between `lowMs` and `highMs` with this weight, evenly. */
export interface Cell {
  readonly lowMs: number;
  readonly highMs: number;
  readonly weight: number;
}

/** Above the longest that was seen, what is left is guessed as this share of the age. */
const tailShare = 0.4;
const tailVariationMax = 1.5;
const shortestMs = 0.01;

export class ServiceTimes {
  readonly #sorted: Float64Array;
  readonly meanMs: number;
  /** Variance divided by the square of the mean: 0 = always the same, 1 = exponential. */
  readonly squaredVariation: number;
  #counts: Counts | undefined;

  /** `samples`: in ms, in any order; none are fine. */
  constructor(samples: Iterable<number>) {
    this.#sorted = Float64Array.from(samples, (ms) => Math.max(ms, shortestMs)).sort();
    let sum = 0;
    for (const ms of this.#sorted) sum += ms;
    const count = this.#sorted.length;
    this.meanMs = count === 0 ? 0 : sum / count;
    let squares = 0;
    for (const ms of this.#sorted) squares += (ms - this.meanMs) ** 2;
    this.squaredVariation = count < 2 ? 1 : squares / (count - 1) / this.meanMs ** 2;
  }

  get count(): number {
    return this.#sorted.length;
  }

  /** How many requests one slot works off that never stands idle. Needs a sample. */
  get counts(): Counts {
    this.#counts ??= new Counts(this.#sorted, this.meanMs, this.squaredVariation);
    return this.#counts;
  }

  /**
   * What is left of a request that has run for `ageMs`, in `parts` cells of equal weight: of those
   * that took longer than that. Example: of 2, 4, 6 and 8 s two are longer than 5 s, by 1 and 3 s.
   */
  left(ageMs: number, parts: number): Cell[] {
    const sorted = this.#sorted;
    const from = firstAbove(sorted, ageMs);
    const known = sorted.length - from;
    if (known === 0) return this.#tail(ageMs, parts);
    // As if one more had been seen, longer than all: where few are known there may well be one.
    const longest = at(sorted, sorted.length - 1) * (1 + this.#tailShare);
    const first = at(sorted, from);
    // The shortest that may be left lies as far below the first as the second lies above it.
    const second = known > 1 ? at(sorted, from + 1) : longest;
    let lowMs = Math.max(0, 2 * first - second - ageMs);
    const cells: Cell[] = [];
    for (let part = 1; part <= parts; part += 1) {
      const place = (part / parts) * known;
      const below = Math.min(Math.floor(place), known - 1);
      const low = at(sorted, from + below);
      const high = below + 1 < known ? at(sorted, from + below + 1) : longest;
      const highMs = low + (place - below) * (high - low) - ageMs;
      cells.push({ lowMs, highMs, weight: 1 / parts });
      lowMs = highMs;
    }
    return cells;
  }

  /**
   * What is left of a request of which nobody knows how long it has run, in `parts` cells: long
   * ones are more likely to be met under way, and are met anywhere on their way.
   */
  leftOfAny(parts: number): Cell[] {
    const sorted = this.#sorted;
    const total = this.meanMs * sorted.length;
    const edges = [0];
    let area = 0;
    let before = 0;
    for (let one = 0; one < sorted.length && edges.length < parts; one += 1) {
      const above = sorted.length - one;
      const step = (at(sorted, one) - before) * above;
      while (edges.length < parts && area + step >= (total * edges.length) / parts) {
        edges.push(before + ((total * edges.length) / parts - area) / above);
      }
      area += step;
      before = at(sorted, one);
    }
    edges.push(at(sorted, sorted.length - 1));
    const weight = 1 / (edges.length - 1);
    return edges.slice(1).map((highMs, part) => ({ lowMs: edges[part] ?? 0, highMs, weight }));
  }

  /** How much longer than the longest the next longer one may be. */
  get #tailShare(): number {
    return tailShare * Math.min(tailVariationMax, this.squaredVariation);
  }

  /** None took longer. */
  #tail(ageMs: number, parts: number): Cell[] {
    const scaleMs = Math.max(shortestMs, ageMs * this.#tailShare);
    const weight = 1 / parts;
    const edge = (share: number): number => -Math.log(1 - Math.min(share, 0.98)) * scaleMs;
    return Array.from({ length: parts }, (_, part) => ({
      lowMs: edge(part / parts),
      highMs: edge((part + 1) / parts),
      weight,
    }));
  }
}

function at(sorted: Float64Array, place: number): number {
  return sorted[place] ?? 0;
}

function firstAbove(sorted: Float64Array, ms: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(sorted, middle) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}
