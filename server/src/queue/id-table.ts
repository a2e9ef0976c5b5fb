// Where messages are found by request id: an open-addressing table from the hash of an id to the
// place of a message, at most 70 % full. Several messages may have the same id. A table that has
// become too full or too empty is built anew beside the old one, a few slots with each addition and
// removal: a million at once would stop everything for a tenth of a second.

import type { Hash } from './hash.ts';

const empty = 0;
const deleted = 1;
/** A place is kept as its distance from the slots' base, and this. */
const firstPlace = 2;
/** The largest distance that fits a slot of 4 bytes. */
const nearMax = 2 ** 32 - 1 - firstPlace;
const smallestSlots = 64;
/** Slots that move with each addition and removal. A new table has room for an addition for every
 * twentieth slot of the old one, so all have moved before it is too full. */
const movedAtOnce = 32;
const none: readonly number[] = [];

/** Who keeps the hashes. */
export interface IdOwner {
  /** Whether the place, which is in the table, has this hash. */
  has(place: number, hash: Hash): boolean;
  /** The lower half of the hash of a place that is in the table. */
  low(place: number): number;
  /** No place in the table is below the first of them or above the second. */
  bounds(): readonly [lowest: number, highest: number];
  /** Visits every place that is in the table with the lower half of its hash. */
  each(visit: (place: number, low: number) => void): void;
}

export class IdTable {
  #slots: Slots = new Slots(smallestSlots, 0, 0);
  #live = 0;
  #isGathering = false;
  /** What has not yet moved into `#slots`: from `#movedTo` on. */
  #old: Slots | undefined;
  #movedTo = 0;
  readonly #owner: IdOwner;

  constructor(owner: IdOwner) {
    this.#owner = owner;
  }

  /** `place` is above 0 and its owner has it already. */
  add(hash: Hash, place: number): void {
    this.#live += 1;
    if (this.#isGathering) return;
    const used = this.#slots.used + 1 + (this.#old?.live ?? 0);
    if (used * 10 > this.#slots.length * 7 || !this.#slots.takes(place)) this.#begin();
    this.#slots.insert(hash.low, place);
    if (this.#old !== undefined) this.#move(this.#old, movedAtOnce);
  }

  /** From now on additions are only counted, until something else is asked for: a million of them
   * are faster at once than one by one. */
  gather(): void {
    this.#moveAll();
    this.#isGathering = true;
  }

  /** Takes up what was gathered; its owner is in step with the table. */
  settle(): void {
    if (!this.#isGathering) return;
    this.#isGathering = false;
    const slots = this.#newSlots();
    this.#slots = slots;
    this.#owner.each((place, low) => slots.insert(low, place));
  }

  /** Before its owner forgets it. */
  remove(hash: Hash, place: number): void {
    this.settle();
    const old = this.#old;
    if (!this.#slots.remove(hash.low, place) && old?.remove(hash.low, place) !== true) return;
    this.#live -= 1;
    if (old !== undefined) this.#move(old, movedAtOnce);
  }

  /** Gives memory back when few are left; with the owner in step with the table. */
  shrink(): void {
    this.settle();
    const { length } = this.#slots;
    if (length > smallestSlots && this.#live * 8 < length && this.#old === undefined) this.#begin();
  }

  /** All places with this hash, in ascending order. */
  find(hash: Hash): readonly number[] {
    this.settle();
    const found = this.#slots.find(hash, this.#owner, undefined);
    const places = this.#old === undefined ? found : this.#old.find(hash, this.#owner, found);
    if (places === undefined) return none;
    return places.length > 1 ? places.sort((left, right) => left - right) : places;
  }

  /** New slots, with the owner in step with the table but for a place that is being added. */
  #begin(): void {
    this.#moveAll();
    this.#old = this.#slots.live > 0 ? this.#slots : undefined;
    this.#movedTo = 0;
    this.#slots = this.#newSlots();
  }

  #newSlots(): Slots {
    let length = smallestSlots;
    while (length < this.#live * 2) length *= 2;
    const [lowest, highest] = this.#owner.bounds();
    return new Slots(length, lowest, highest);
  }

  #moveAll(): void {
    while (this.#old !== undefined) this.#move(this.#old, this.#old.length);
  }

  #move(old: Slots, count: number): void {
    const end = Math.min(old.length, this.#movedTo + count);
    for (; this.#movedTo < end && old.live > 0; this.#movedTo += 1) {
      const place = old.leave(this.#movedTo);
      if (place > 0) this.#slots.insert(this.#owner.low(place), place);
    }
    if (old.live === 0) this.#old = undefined;
  }
}

/** Slots of 4 bytes, or of 8 where places lie too far apart for that. */
class Slots {
  /** Places in them. */
  live = 0;
  /** Slots that are not empty: places, and marks of those that went. */
  used = 0;
  readonly #values: Uint32Array | Float64Array;
  readonly #base: number;

  /** `length` is a power of two. */
  constructor(length: number, lowest: number, highest: number) {
    const isNear = highest - lowest <= nearMax;
    this.#values = isNear ? new Uint32Array(length) : new Float64Array(length);
    this.#base = lowest;
  }

  get length(): number {
    return this.#values.length;
  }

  takes(place: number): boolean {
    if (place < this.#base) return false;
    return this.#values instanceof Float64Array || place - this.#base <= nearMax;
  }

  insert(low: number, place: number): void {
    const values = this.#values;
    const mask = values.length - 1;
    let at = low & mask;
    while (values[at] !== empty) at = (at + 1) & mask;
    values[at] = place - this.#base + firstPlace;
    this.used += 1;
    this.live += 1;
  }

  /** False when it is not here. */
  remove(low: number, place: number): boolean {
    const values = this.#values;
    const mask = values.length - 1;
    const wanted = place - this.#base + firstPlace;
    let at = low & mask;
    for (; values[at] !== wanted; at = (at + 1) & mask) {
      if (values[at] === empty) return false;
    }
    this.live -= 1;
    // A gap before an empty slot need not be remembered.
    if (values[(at + 1) & mask] === empty) {
      values[at] = empty;
      this.used -= 1;
    } else {
      values[at] = deleted;
    }
    return true;
  }

  /** Adds the places with this hash to those found before. */
  find(hash: Hash, owner: IdOwner, before: number[] | undefined): number[] | undefined {
    const values = this.#values;
    const mask = values.length - 1;
    let places = before;
    for (let at = hash.low & mask; values[at] !== empty; at = (at + 1) & mask) {
      const value = values[at] ?? empty;
      if (value === deleted) continue;
      const place = this.#base + value - firstPlace;
      if (!owner.has(place, hash)) continue;
      if (places === undefined) places = [place];
      else places.push(place);
    }
    return places;
  }

  /** Takes out what is in this slot; 0 when nothing is. */
  leave(at: number): number {
    const value = this.#values[at] ?? empty;
    if (value < firstPlace) return 0;
    this.#values[at] = deleted;
    this.live -= 1;
    return this.#base + value - firstPlace;
  }
}
