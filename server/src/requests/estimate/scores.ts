// How good the latest forecasts were: a few requests are followed until they start, and what their
// ranges should have been says by how much the next ones are widened.

import type { TrackRecord } from '../wait-facts.ts';
import type { Forecast } from './estimate.ts';

interface Followed {
  readonly at: number;
  readonly forecast: Forecast;
}

/** Where the true start lay: 0 in the middle, -1 at the earliest, 1 at the latest of the range. */
type Score = number;

const followedMax = 32;
/** Those that come together share their luck: one of them is enough for a part of their wait. */
const apart = 16;
const scoresMax = 64;
/** Fewer are chance. */
const scoresMin = 10;
/** Somewhat less than the tenth that may lie beyond each end: few scores say little of their tails. */
const missedShare = 0.07;
const factorMax = 4;

export class Scores {
  readonly #followed = new Map<number, Followed>();
  readonly #scores: Score[] = [];
  #nextAt = 0;

  /** Whether another one may be followed. `at`: monotonic. */
  hasRoom(at: number): boolean {
    return this.#followed.size < followedMax && at >= this.#nextAt;
  }

  /** False: there is no room, or it was followed already. */
  follow(index: number, forecast: Forecast, at: number): boolean {
    if (!this.hasRoom(at) || this.#followed.has(index)) return false;
    this.#followed.set(index, { at, forecast });
    this.#nextAt = at + forecast.middleMs / apart;
    return true;
  }

  delivered(index: number, at: number): void {
    const followed = this.#followed.get(index);
    if (followed === undefined) return;
    this.#followed.delete(index);
    this.#scores.push(scoreOf(followed, at));
    if (this.#scores.length > scoresMax) this.#scores.shift();
  }

  /** It never started: that says nothing. */
  left(index: number): void {
    this.#followed.delete(index);
  }

  record(at: number): TrackRecord {
    // Those that are late already are known to be wrong before they start.
    const late = [...this.#followed.values()]
      .map((followed) => scoreOf(followed, at))
      .filter((score) => score > 1);
    const all = [...this.#scores, ...late].toSorted((one, other) => one - other);
    if (all.length < scoresMin) return { earlier: 1, later: 1, isUseless: false };
    const early = -(all[Math.floor(missedShare * all.length)] ?? 0);
    const latest = all[Math.ceil((1 - missedShare) * all.length) - 1] ?? 0;
    return {
      earlier: Math.min(factorMax, Math.max(1, early)),
      later: Math.min(factorMax, Math.max(1, latest)),
      isUseless: early > factorMax || latest > factorMax,
    };
  }
}

/** Ranges of constant service times are short: a start that misses one by little is not far off. */
const shortestSideMs = 20;
const shortestSideShare = 0.05;

function scoreOf({ at, forecast }: Followed, startedAt: number): Score {
  const { earliestMs, middleMs, latestMs } = forecast;
  const off = startedAt - at - middleMs;
  const side = off < 0 ? middleMs - earliestMs : latestMs - middleMs;
  return off / Math.max(side, shortestSideMs, shortestSideShare * middleMs);
}
