// Times many operations and makes the answer of a load program of them. The histogram is an HDR
// one: three digits at every size, nothing allocated for an operation.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Answer } from './jobs.ts';

export class Stopwatch {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });
  readonly #cpu = process.cpuUsage();
  #startedAt = Number.POSITIVE_INFINITY;
  #total = 0;
  #done = 0;

  /** From now on operations count; those before only warmed both ends up. */
  start(): void {
    this.#startedAt = performance.now();
  }

  /** One operation that took so many milliseconds. */
  record(ms: number): void {
    this.#total += 1;
    if (this.#startedAt === Number.POSITIVE_INFINITY) return;
    this.#done += 1;
    this.#histogram.record(Math.max(1, Math.round(ms * 1e6)));
  }

  answer(): Answer {
    const { user, system } = process.cpuUsage(this.#cpu);
    const now = performance.now();
    return {
      done: this.#done,
      seconds: (now - this.#startedAt) / 1000,
      total: this.#total,
      cpuUs: user + system,
      p50Ms: this.#histogram.percentile(50) / 1e6,
      p99Ms: this.#histogram.percentile(99) / 1e6,
      endedAt: performance.timeOrigin + now,
    };
  }
}
