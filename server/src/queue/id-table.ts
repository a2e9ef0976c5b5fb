// Where messages are found by request id: an open-addressing table from the hash of an id to the
// place of a message, at most 70 % full. Several messages may have the same id. A slot has the
// distance of a place from the lowest one: 4 bytes, or 8 where places lie too far apart for that.

import type { Hash } from './hash.ts';

const empty = 0;
const deleted = 1;
/** A place is kept as its distance from the table's base, and this. */
const firstPlace = 2;
/** The largest distance that fits a slot of 4 bytes. */
const nearMax = 2 ** 32 - 1 - firstPlace;
const smallestSlots = 64;
const none: readonly number[] = [];

/** Who keeps the hashes. */
export interface IdOwner {
  /** Whether the place, which is in the table, has this hash. */
  has(place: number, hash: Hash): boolean;
  /** Visits every place that is in the table with the lower half of its hash, when the table is
   * built anew. */
  each(visit: (place: number, low: number) => void): void;
}

export class IdTable {
  #slots: Uint32Array | Float64Array = new Uint32Array(smallestSlots);
  #base = 0;
  #used = 0;
  #live = 0;
  #isGathering = false;
  readonly #owner: IdOwner;

  constructor(owner: IdOwner) {
    this.#owner = owner;
  }

  /** `place` is above 0 and its owner has it already. */
  add(hash: Hash, place: number): void {
    this.#used += 1;
    this.#live += 1;
    if (this.#isGathering) return;
    const isFull = this.#used * 10 > this.#slots.length * 7;
    if (isFull || !this.#isNear(place)) this.#rebuild();
    else this.#insert(place, hash.low);
  }

  /** From now on additions are only counted, until something else is asked for: a million of them
   * are faster at once than one by one. */
  gather(): void {
    this.#isGathering = true;
  }

  /** Takes up what was gathered; its owner is in step with the table. */
  settle(): void {
    if (this.#isGathering) this.#rebuild();
  }

  /** Before its owner forgets it. */
  remove(hash: Hash, place: number): void {
    this.settle();
    const mask = this.#slots.length - 1;
    for (let at = hash.low & mask; this.#slots[at] !== empty; at = (at + 1) & mask) {
      if (this.#slots[at] !== place - this.#base + firstPlace) continue;
      this.#live -= 1;
      // A gap before an empty slot need not be remembered.
      if (this.#slots[(at + 1) & mask] === empty) {
        this.#slots[at] = empty;
        this.#used -= 1;
      } else {
        this.#slots[at] = deleted;
      }
      break;
    }
  }

  /** Gives memory back when few are left; with the owner in step with the table. */
  shrink(): void {
    this.settle();
    if (this.#slots.length > smallestSlots && this.#live * 8 < this.#slots.length) this.#rebuild();
  }

  /** All places with this hash, in ascending order. */
  find(hash: Hash): readonly number[] {
    this.settle();
    const mask = this.#slots.length - 1;
    let places: number[] | undefined;
    for (let at = hash.low & mask; this.#slots[at] !== empty; at = (at + 1) & mask) {
      const slot = this.#slots[at] ?? empty;
      if (slot === deleted) continue;
      const place = this.#base + slot - firstPlace;
      if (!this.#owner.has(place, hash)) continue;
      if (places === undefined) places = [place];
      else places.push(place);
    }
    if (places === undefined) return none;
    return places.length > 1 ? places.sort((left, right) => left - right) : places;
  }

  #insert(place: number, low: number): void {
    fill(this.#slots, low, place - this.#base + firstPlace);
  }

  #isNear(place: number): boolean {
    if (this.#slots instanceof Float64Array) return place >= this.#base;
    return place >= this.#base && place - this.#base <= nearMax;
  }

  #rebuild(): void {
    this.#isGathering = false;
    let length = smallestSlots;
    while (length < this.#live * 2) length *= 2;
    let lowest = Number.POSITIVE_INFINITY;
    let highest = 0;
    this.#owner.each((place) => {
      lowest = Math.min(lowest, place);
      highest = Math.max(highest, place);
    });
    const isNear = highest - lowest <= nearMax;
    const slots = isNear ? new Uint32Array(length) : new Float64Array(length);
    this.#base = lowest;
    this.#slots = slots;
    this.#used = this.#live;
    // Without a look at the table for each of a million.
    this.#owner.each((place, low) => fill(slots, low, place - lowest + firstPlace));
  }
}

/** Writes to the first empty slot from where a hash belongs. */
function fill(slots: Uint32Array | Float64Array, low: number, slot: number): void {
  const mask = slots.length - 1;
  let at = low & mask;
  while (slots[at] !== empty) at = (at + 1) & mask;
  slots[at] = slot;
}
