// Types of vitest.js for its test.

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of the skipped tests. */
  readonly skips: readonly string[];
  /** The failed tests: file, name and the first lines of why. */
  readonly failures: readonly string[];
}

/** Adds up a report of vitest (undefined: it wrote none) and its exit code. */
export function countTests(report: unknown, code: number): Totals;
