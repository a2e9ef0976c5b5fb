// What is measured over time: how often requests come, and how long they take. Bounded in memory,
// and forgets.

import type { ServiceTime } from './observation.ts';

interface Reading {
  readonly at: number;
  readonly value: number;
}

const longSpanMs = 300_000;
const shortSpanMs = 60_000;
/** A service that is seen for a moment only has no rate yet to speak of. */
const spanMinMs = 15_000;
const readingGapMs = 1000;
/** The last minute differs from the minutes before when chance would seldom make it so. */
const deviations = 2;

/**
 * How fast a counter rises: over the last five minutes, or over the last minute when that is too
 * different to be chance. Requests that come at random vary by the square root of their number:
 * with 2 a second some 120 come in a minute, and 98 to 142 are taken for the same load.
 */
export class Rate {
  #readings: readonly Reading[] = [];

  /** By the monotonic clock. A counter that falls has begun anew. */
  note(at: number, value: number): void {
    const last = this.#readings.at(-1);
    if (last !== undefined && value < last.value) this.#readings = [];
    if (last !== undefined && value >= last.value && at - last.at < readingGapMs) return;
    const kept = this.#readings.filter((reading) => reading.at >= at - longSpanMs);
    this.#readings = [...kept, { at, value }];
  }

  perSecond(at: number, value: number): number {
    const long = this.#over(longSpanMs, at, value);
    const short = this.#over(shortSpanMs, at, value);
    const shortS = shortSpanMs / 1000;
    const chance = (deviations * Math.sqrt(long * shortS)) / shortS;
    return Math.abs(short - long) <= chance ? long : short;
  }

  #over(spanMs: number, at: number, value: number): number {
    const first = this.#readings.find((reading) => reading.at >= at - spanMs);
    if (first === undefined || value < first.value) return 0;
    return ((value - first.value) * 1000) / Math.max(at - first.at, spanMinMs);
  }
}

const durationsMax = 200;
/** Fewer tell nothing of how much they vary. */
const varyingMin = 10;
const variationMax = 4;

/** How long the latest calls to the model took. */
export class Durations {
  readonly #latest: number[] = [];
  #next = 0;

  add(ms: number): void {
    if (this.#latest.length < durationsMax) this.#latest.push(ms);
    else this.#latest[this.#next] = ms;
    this.#next = (this.#next + 1) % durationsMax;
  }

  /** undefined: none yet. */
  get mean(): number | undefined {
    if (this.#latest.length === 0) return undefined;
    return this.#latest.reduce((sum, ms) => sum + ms, 0) / this.#latest.length;
  }

  /** `longestRunningMs`: of calls under way; as long as none has ended that is all there is. */
  serviceTime(longestRunningMs: number): ServiceTime | undefined {
    const mean = this.mean;
    if (mean === undefined) {
      if (longestRunningMs <= 0) return undefined;
      return { meanMs: longestRunningMs, squaredVariation: 1 };
    }
    const meanMs = Math.max(mean, 1);
    if (this.#latest.length < varyingMin) return { meanMs, squaredVariation: 1 };
    const squares = this.#latest.reduce((sum, ms) => sum + (ms - mean) ** 2, 0);
    const squaredVariation = Math.min(variationMax, squares / this.#latest.length / meanMs ** 2);
    return { meanMs, squaredVariation };
  }
}
