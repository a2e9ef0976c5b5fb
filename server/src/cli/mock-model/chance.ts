// Chance with a seed: the same seed gives the same run. A small generator (mulberry32) of our own,
// because the platform's randomness cannot be seeded; it decides nothing but mock latencies.

/** Numbers at least 0 and below 1. */
export type Chance = () => number;

export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
