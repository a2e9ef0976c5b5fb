// The latest calls of a service, and what they say of how long calls take. Old ones are forgotten
// when there are enough later ones, and at once when calls begin to take shorter or longer.

import { type Life, LifeTable } from './life-table.ts';
import { ServiceTimes } from './service-times.ts';

interface Call {
  readonly startedAt: number;
  readonly endedAt: number;
}

const callsMax = 384;
const runningMax = 384;
/** The distribution is made anew when a sixteenth of it is new, or the time of a call has passed. */
const renewedShare = 16;
/** So many of the latest calls are compared with those before. */
const latestCount = 20;
/** Twice in 10,000 times chance alone makes them so different. */
const deviations = 4;

export class Calls {
  #calls: Call[] = [];
  /** Since when all calls are known that ended. */
  #since = Number.NEGATIVE_INFINITY;
  #fresh = 0;
  #madeAt = 0;
  #times = new ServiceTimes([]);

  /** A call of `ms` has ended at `at`. Monotonic, like every time here. */
  ended(ms: number, at: number): void {
    this.#calls.push({ startedAt: at - ms, endedAt: at });
    this.#fresh += 1;
    if (this.#calls.length < 2 * callsMax) return;
    this.#forget(callsMax);
  }

  /** `runningMs`: of calls under way, for how long each has been. */
  times(runningMs: readonly number[], at: number): ServiceTimes {
    const { count, meanMs } = this.#times;
    const isRenewed = this.#fresh > 0 && this.#fresh * renewedShare >= count;
    const isOld = at - this.#madeAt > meanMs;
    if (this.#calls.length === 0 || !(isRenewed || isOld)) return this.#times;
    this.#fresh = 0;
    this.#madeAt = at;
    const running = thinned(runningMs).map((ms) => at - ms);
    if (this.#calls.length > callsMax) this.#forget(callsMax);
    if (this.#isChanged(running, at)) this.#forget(latestCount);
    const table = new LifeTable(this.#lives(running, this.#since, at));
    this.#times = new ServiceTimes(table.times(this.#calls.length));
    return this.#times;
  }

  #forget(kept: number): void {
    this.#since = this.#calls.at(-kept - 1)?.endedAt ?? this.#since;
    this.#calls = this.#calls.slice(-kept);
  }

  /** Whether far more or fewer calls ended lately than were to be expected from those before. */
  #isChanged(running: readonly number[], at: number): boolean {
    const border = this.#calls.at(-latestCount - 1)?.endedAt;
    if (border === undefined || this.#calls.length < 2 * latestCount) return false;
    const before = new LifeTable(this.#lives(running, this.#since, border));
    let expected = 0;
    let ended = 0;
    for (const life of this.#lives(running, border, at)) {
      expected += before.expected(life.from, life.to);
      if (life.ended) ended += 1;
    }
    return Math.abs(ended - expected) > deviations * Math.sqrt(expected);
  }

  /** Calls as they were seen between two times. */
  #lives(running: readonly number[], from: number, to: number): Life[] {
    const lives: Life[] = [];
    for (const { startedAt, endedAt } of this.#calls) {
      if (endedAt <= from || startedAt >= to) continue;
      lives.push({
        from: Math.max(0, from - startedAt),
        to: Math.min(endedAt, to) - startedAt,
        ended: endedAt <= to,
      });
    }
    for (const startedAt of running) {
      if (startedAt >= to) continue;
      lives.push({ from: Math.max(0, from - startedAt), to: to - startedAt, ended: false });
    }
    return lives;
  }
}

/** Of very many some stand for all. */
function thinned(values: readonly number[]): readonly number[] {
  if (values.length <= runningMax) return values;
  const stride = values.length / runningMax;
  return Array.from({ length: runningMax }, (_, one) => values[Math.floor(one * stride)] ?? 0);
}
