// Chance that repeats: one seed, one sequence. Everything random in a simulated run comes from one
// of these, so that a failing run is repeated by its seed alone.

import type { Random } from '../../src/kernel/random.ts';

export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    for (let round = 0; round < 4; round += 1) this.uint32();
  }

  /** Mulberry32: small, quick, and good enough to spread choices. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  id(): string {
    const hex = this.secret(16);
    return [8, 4, 4, 4, 12]
      .reduce<{ at: number; parts: string[] }>(
        ({ at, parts }, length) => ({
          at: at + length,
          parts: [...parts, hex.slice(at, at + length)],
        }),
        { at: 0, parts: [] },
      )
      .parts.join('-');
  }

  secret(bytes: number): string {
    let hex = '';
    while (hex.length < bytes * 2) hex += this.uint32().toString(16).padStart(8, '0');
    return hex.slice(0, bytes * 2);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error('nothing to pick from');
    // The place is inside the list.
    return items[this.between(0, items.length - 1)] as Item;
  }

  /** A generator of its own, so that one actor's choices do not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32());
  }
}
