// Time as the rules see it: handed in with every command, never read.

/** Two readings of one moment in milliseconds: see the kernel's clock. */
export interface Time {
  readonly wall: number;
  readonly mono: number;
}

/** Chance as the rules see it. */
export interface Chance {
  /** At least 0, below 1. */
  fraction(): number;
}
