// What was wanted lately: the largest and the smallest count within a span of time. Both lists hold
// only what can still be an extreme, so they stay short.

/** A count that was wanted from a moment on. */
interface Entry {
  /** Monotonic clock. */
  readonly at: number;
  readonly count: number;
}

/** Plain data: the next one is made from the one before. */
export interface Lately {
  /** Since when there is anything to know. */
  readonly since: number;
  /** Falling counts, oldest first: each the largest since its time. */
  readonly largest: readonly Entry[];
  /** Rising counts, oldest first: each the smallest since its time. */
  readonly smallest: readonly Entry[];
}

export function nothingLately(at: number): Lately {
  return { since: at, largest: [], smallest: [] };
}

/** Adds what is wanted at `at` and forgets what is older than `spanMs`. */
export function remember(lately: Lately, count: number, at: number, spanMs: number): Lately {
  const isYoung = (entry: Entry): boolean => entry.at >= at - spanMs;
  return {
    since: lately.since,
    largest: [...lately.largest.filter((one) => isYoung(one) && one.count > count), { at, count }],
    smallest: [
      ...lately.smallest.filter((one) => isYoung(one) && one.count < count),
      { at, count },
    ],
  };
}

/** The largest count of the last `windowMs`, and when it was wanted last. */
export function largestOf(lately: Lately, at: number, windowMs: number): Entry | undefined {
  return lately.largest.find((entry) => entry.at >= at - windowMs);
}

/** The smallest count of the last `windowMs`, and when it was wanted last. */
export function smallestOf(lately: Lately, at: number, windowMs: number): Entry | undefined {
  return lately.smallest.find((entry) => entry.at >= at - windowMs);
}
