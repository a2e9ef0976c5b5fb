// How often requests come, by priority: counted in buckets of time, the oldest of which are
// forgotten. Priorities beyond the first few are counted with the next lower one that is known.

const bucketMs = 10_000;
const bucketsMax = 30;
const prioritiesMax = 16;
/** A service that is seen for a moment only has no rate yet to speak of. */
const spanMinMs = 5000;

/** More than so many, and so many times what is usual, come in a burst: who knows how many more. */
const burstMin = 6;
const burstTimes = 3;

/** Requests that come with a higher priority than one that waits. */
export interface Overtakers {
  readonly perSecond: number;
  /** How many were counted for that. */
  readonly seen: number;
  /** Variance of their number in a span of time by its mean: 1 = they come at random. */
  readonly bunching: number;
  /** Far more than usual came just now. */
  readonly isBurst: boolean;
}

export const noOvertakers: Overtakers = { perSecond: 0, seen: 0, bunching: 1, isBurst: false };

export class Arrivals {
  /** By number of the bucket: priorities and their counts. */
  readonly #buckets = new Map<number, Map<number, number>>();
  #since: number | undefined;

  /** `at`: monotonic, never falling. */
  add(priority: number, at: number): void {
    this.#since ??= at;
    const number = Math.floor(at / bucketMs);
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = new Map();
      this.#buckets.set(number, bucket);
      for (const old of this.#buckets.keys()) {
        if (old <= number - bucketsMax) this.#buckets.delete(old);
      }
    }
    const counted = bucket.has(priority) || bucket.size < prioritiesMax;
    const key = counted ? priority : nearest(bucket.keys(), priority);
    bucket.set(key, (bucket.get(key) ?? 0) + 1);
  }

  /** Of those with a higher priority. */
  above(priority: number, at: number): Overtakers {
    if (this.#since === undefined) return noOvertakers;
    const last = Math.floor(at / bucketMs);
    const first = Math.max(Math.floor(this.#since / bucketMs), last - bucketsMax + 1);
    const counts = Array.from({ length: last - first + 1 }, (_, place) =>
      countAbove(this.#buckets.get(first + place), priority),
    );
    const seen = counts.reduce((sum, count) => sum + count, 0);
    const mean = seen / counts.length;
    const squares = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0);
    const spanMs = at - Math.max(this.#since, first * bucketMs);
    const latest = (counts.at(-1) ?? 0) + (counts.at(-2) ?? 0);
    const usual = (2 * (seen - latest)) / Math.max(1, counts.length - 2);
    return {
      perSecond: (seen * 1000) / Math.max(spanMs, spanMinMs),
      seen,
      bunching: seen === 0 ? 1 : Math.max(1, squares / counts.length / mean),
      isBurst: latest >= burstMin && latest > burstTimes * usual,
    };
  }
}

function countAbove(bucket: ReadonlyMap<number, number> | undefined, priority: number): number {
  let above = 0;
  for (const [other, count] of bucket ?? []) if (other > priority) above += count;
  return above;
}

/** The highest that is not above, else the lowest. */
function nearest(known: Iterable<number>, priority: number): number {
  const all = [...known];
  const below = all.filter((one) => one <= priority);
  return below.length > 0 ? Math.max(...below) : Math.min(...all);
}
