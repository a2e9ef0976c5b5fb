// How late the event loop serves what is due: the first sign that the process has too much to do.
// Figures are of the last whole window, so that a look does not change what the next one sees.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Timer } from './clock.ts';
import type { Component } from './component.ts';

export interface LoopDelayFigures {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const windowMs = 10_000;
const resolutionMs = 10;

export class LoopDelay implements Component {
  readonly #clock: Clock;
  readonly #histogram: IntervalHistogram;
  #timer: Timer | undefined;
  #last: LoopDelayFigures | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  }

  async start(): Promise<void> {
    if (this.#timer !== undefined) return;
    this.#histogram.enable();
    this.#next();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#histogram.disable();
  }

  /** Of the last 10 s window, or of the running one while it is the first. */
  figures(): LoopDelayFigures {
    return this.#last ?? this.#read();
  }

  #next(): void {
    this.#timer = this.#clock.after(windowMs, () => {
      this.#last = this.#read();
      this.#histogram.reset();
      this.#next();
    });
  }

  // The histogram measures the time between two ticks that should be `resolutionMs` apart.
  #read(): LoopDelayFigures {
    const delay = (nanoseconds: number): number =>
      Math.max(0, nanoseconds / 1e6 - resolutionMs) || 0;
    if (this.#histogram.count === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 };
    return {
      p50Ms: delay(this.#histogram.percentile(50)),
      p99Ms: delay(this.#histogram.percentile(99)),
      maxMs: delay(this.#histogram.max),
    };
  }
}
