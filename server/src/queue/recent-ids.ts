// The request ids of the last million accepted input messages, for ten minutes: for repeated puts
// (rule 15) and for results of requests that have come to rest (rule 3). A ring of typed arrays.

import type { Hash } from './hash.ts';
import { IdTable } from './id-table.ts';

export const recentIdsMax = 1_000_000;
export const recentIdsMs = 600_000;

const smallestRing = 256;
const largestRing = 2 ** 20;

export interface RecentId {
  readonly index: number;
  readonly bodyHash: number;
  readonly callerId: boolean;
  /** The sink index of its result; 0 = none. */
  readonly resultIndex: number;
}

export class RecentIds {
  #lows = new Uint32Array(smallestRing);
  #highs = new Uint32Array(smallestRing);
  #bodies = new Uint32Array(smallestRing);
  // The acceptance time in whole milliseconds, times two, plus one where the caller chose the id.
  #times = new Float64Array(smallestRing);
  #indexes = new Float64Array(smallestRing);
  #results = new Float64Array(smallestRing);
  // Places count up from 1 for ever; the ring slot is the place modulo the size.
  #first = 1;
  #next = 1;
  readonly #table = new IdTable((place) => this.#hashAt(place));

  get size(): number {
    return this.#next - this.#first;
  }

  add(hash: Hash, id: RecentId, acceptedAt: number): void {
    if (this.size >= recentIdsMax) this.#dropFirst();
    if (this.size === this.#lows.length) this.#resize(this.#lows.length * 2);
    const slot = this.#next & (this.#lows.length - 1);
    this.#lows[slot] = hash.low;
    this.#highs[slot] = hash.high;
    this.#bodies[slot] = id.bodyHash;
    this.#times[slot] = Math.floor(acceptedAt) * 2 + (id.callerId ? 1 : 0);
    this.#indexes[slot] = id.index;
    this.#results[slot] = id.resultIndex;
    this.#table.add(hash, this.#next);
    this.#next += 1;
  }

  /** The ids with this hash that were accepted within ten minutes of `wall`, oldest first. */
  find(hash: Hash, wall: number): RecentId[] {
    const found: RecentId[] = [];
    for (const place of this.#table.find(hash)) {
      const slot = place & (this.#lows.length - 1);
      const time = this.#times[slot] ?? 0;
      if (Math.floor(time / 2) + recentIdsMs < wall) continue;
      found.push({
        index: this.#indexes[slot] ?? 0,
        bodyHash: this.#bodies[slot] ?? 0,
        callerId: time % 2 === 1,
        resultIndex: this.#results[slot] ?? 0,
      });
    }
    return found;
  }

  setResult(hash: Hash, index: number, resultIndex: number): void {
    for (const place of this.#table.find(hash)) {
      const slot = place & (this.#lows.length - 1);
      if (this.#indexes[slot] === index) this.#results[slot] = resultIndex;
    }
  }

  /** Forgets at most `limit` ids that are over their time. */
  forget(wall: number, limit: number): void {
    for (let done = 0; done < limit && this.size > 0; done += 1) {
      const slot = this.#first & (this.#lows.length - 1);
      if (Math.floor((this.#times[slot] ?? 0) / 2) + recentIdsMs >= wall) break;
      this.#dropFirst();
    }
    if (this.#lows.length > smallestRing && this.size * 8 < this.#lows.length) {
      this.#resize(this.#lows.length / 2);
    }
  }

  #dropFirst(): void {
    const hash = this.#hashAt(this.#first);
    if (hash !== undefined) this.#table.remove(hash, this.#first);
    this.#first += 1;
  }

  #hashAt(place: number): Hash | undefined {
    if (place < this.#first || place >= this.#next) return undefined;
    const slot = place & (this.#lows.length - 1);
    return { low: this.#lows[slot] ?? 0, high: this.#highs[slot] ?? 0 };
  }

  #resize(wanted: number): void {
    const length = Math.min(Math.max(wanted, smallestRing), largestRing);
    this.#lows = this.#moved(this.#lows, new Uint32Array(length));
    this.#highs = this.#moved(this.#highs, new Uint32Array(length));
    this.#bodies = this.#moved(this.#bodies, new Uint32Array(length));
    this.#times = this.#moved(this.#times, new Float64Array(length));
    this.#indexes = this.#moved(this.#indexes, new Float64Array(length));
    this.#results = this.#moved(this.#results, new Float64Array(length));
  }

  #moved<Values extends Uint32Array | Float64Array>(from: Values, to: Values): Values {
    for (let place = this.#first; place < this.#next; place += 1) {
      to[place & (to.length - 1)] = from[place & (from.length - 1)] ?? 0;
    }
    return to;
  }
}
