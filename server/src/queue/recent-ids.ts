// Ids of a while, at most a million: those that callers chose, for repeated puts (rule 15), those
// of requests that came to rest, for late results (rule 3), and idempotency keys. A ring of typed
// arrays.

import type { Hash } from './hash.ts';
import { IdTable } from './id-table.ts';

export const recentIdsMax = 1_000_000;
export const recentIdsMs = 600_000;

const smallestRing = 256;
const largestRing = 2 ** 20;
/** 2020: times since then fit 32 bits until 2156. */
const epochMs = 1_577_836_800_000;

export interface RecentId {
  /** Of an accepted request its input index; of one at rest its result's sink index, 0 = none. */
  readonly index: number;
  /** Of an accepted request: 32 bits of its payload's hash. */
  readonly bodyHash: number;
}

const none: readonly RecentId[] = [];

export class RecentIds {
  #lows = new Uint32Array(smallestRing);
  #highs = new Uint32Array(smallestRing);
  #bodies = new Uint32Array(smallestRing);
  // Seconds since `epochMs`.
  #times = new Uint32Array(smallestRing);
  #indexes = new Float64Array(smallestRing);
  // Places count up from 1 for ever; the ring slot is the place modulo the size.
  #first = 1;
  #next = 1;
  #table: IdTable = this.#createTable();

  get size(): number {
    return this.#next - this.#first;
  }

  /** `at` is wall clock; ids are added about in its order. */
  add(hash: Hash, id: RecentId, at: number): void {
    if (this.size >= recentIdsMax) this.#dropFirst();
    if (this.size === this.#lows.length) this.#resize(this.#lows.length * 2);
    const slot = this.#next & (this.#lows.length - 1);
    this.#lows[slot] = hash.low;
    this.#highs[slot] = hash.high;
    this.#bodies[slot] = id.bodyHash;
    this.#times[slot] = timeOf(at);
    this.#indexes[slot] = id.index;
    this.#next += 1;
    this.#table.add(hash, this.#next - 1);
  }

  /** Many additions follow, until `settle`; nothing need wait for it. */
  gather(): void {
    this.#table.gather();
  }

  settle(): void {
    this.#table.settle();
  }

  /** The ids with this hash of the `ms` before `wall`, oldest first. */
  find(hash: Hash, wall: number, ms: number = recentIdsMs): readonly RecentId[] {
    const places = this.#table.find(hash);
    if (places.length === 0) return none;
    const found: RecentId[] = [];
    for (const place of places) {
      const slot = place & (this.#lows.length - 1);
      if (isOld(this.#times[slot] ?? 0, wall, ms)) continue;
      found.push({ index: this.#indexes[slot] ?? 0, bodyHash: this.#bodies[slot] ?? 0 });
    }
    return found;
  }

  /** Whether the oldest id is over its time. */
  isForgettable(wall: number, ms: number = recentIdsMs): boolean {
    const slot = this.#first & (this.#lows.length - 1);
    return this.size > 0 && isOld(this.#times[slot] ?? 0, wall, ms);
  }

  /** Forgets at most `limit` ids that are over their time. */
  forget(wall: number, limit: number, ms: number = recentIdsMs): void {
    for (let done = 0; done < limit && this.size > 0; done += 1) {
      if (!this.isForgettable(wall, ms)) break;
      this.#dropFirst();
    }
    this.#table.shrink();
    if (this.#lows.length > smallestRing && this.size * 8 < this.#lows.length) {
      this.#resize(this.#lows.length / 2);
    }
  }

  /** Gives all of them away, the first added first, with the time to the second. */
  drain(visit: (hash: Hash, id: RecentId, at: number) => void): void {
    for (; this.#first < this.#next; this.#first += 1) {
      const slot = this.#first & (this.#lows.length - 1);
      const hash = { low: this.#lows[slot] ?? 0, high: this.#highs[slot] ?? 0 };
      const id = { index: this.#indexes[slot] ?? 0, bodyHash: this.#bodies[slot] ?? 0 };
      visit(hash, id, (this.#times[slot] ?? 0) * 1000 + epochMs);
    }
    this.#table = this.#createTable();
    this.#resize(smallestRing);
  }

  #createTable(): IdTable {
    return new IdTable({
      has: (place, hash) => this.#has(place, hash),
      low: (place) => this.#lows[place & (this.#lows.length - 1)] ?? 0,
      bounds: () => [this.#first, this.#next - 1],
      each: (visit) => this.#each(visit),
    });
  }

  #dropFirst(): void {
    const slot = this.#first & (this.#lows.length - 1);
    const hash = { low: this.#lows[slot] ?? 0, high: this.#highs[slot] ?? 0 };
    this.#table.remove(hash, this.#first);
    this.#first += 1;
  }

  #each(visit: (place: number, low: number) => void): void {
    const mask = this.#lows.length - 1;
    for (let place = this.#first; place < this.#next; place += 1) {
      visit(place, this.#lows[place & mask] ?? 0);
    }
  }

  #has(place: number, { low, high }: Hash): boolean {
    const slot = place & (this.#lows.length - 1);
    return this.#lows[slot] === low && this.#highs[slot] === high;
  }

  #resize(wanted: number): void {
    const length = Math.min(Math.max(wanted, smallestRing), largestRing);
    this.#lows = this.#moved(this.#lows, new Uint32Array(length));
    this.#highs = this.#moved(this.#highs, new Uint32Array(length));
    this.#bodies = this.#moved(this.#bodies, new Uint32Array(length));
    this.#times = this.#moved(this.#times, new Uint32Array(length));
    this.#indexes = this.#moved(this.#indexes, new Float64Array(length));
  }

  #moved<Values extends Uint32Array | Float64Array>(from: Values, to: Values): Values {
    for (let place = this.#first; place < this.#next; ) {
      const start = place & (from.length - 1);
      const slot = place & (to.length - 1);
      const run = Math.min(from.length - start, to.length - slot, this.#next - place);
      to.set(from.subarray(start, start + run), slot);
      place += run;
    }
    return to;
  }
}

function timeOf(wall: number): number {
  return Math.max(0, Math.floor((wall - epochMs) / 1_000));
}

function isOld(time: number, wall: number, ms: number): boolean {
  return time + ms / 1_000 < timeOf(wall);
}
