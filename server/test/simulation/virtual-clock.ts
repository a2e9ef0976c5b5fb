// Time that stands still until it is moved. Callbacks that are ready at the same moment run in an
// order chosen by the seed; promises drain between any two of them, as between turns of the real
// event loop.

import type { Clock, Time, Timer } from '../../src/kernel/clock.ts';
import type { SeededRandom } from './seeded-random.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Callbacks that may run in one moment; each further one takes some time. */
const spinsFree = 500;
const spinMs = 0.1;

/** A clock for one process of the simulated world; when it is cut, its callbacks never run. */
export interface ProcessClock extends Clock {
  cut(): void;
}

export class VirtualClock implements Clock {
  readonly #random: SeededRandom;
  #mono = 1_000;
  #wall = 1_700_000_000_000;
  #order = 0;
  #ready: Pending[] = [];
  #timers: Pending[] = [];
  #steps = 0;
  #spins = 0;
  #spunAt = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get steps(): number {
    return this.#steps;
  }

  now(): Time {
    return { wall: this.#wall, mono: this.#mono };
  }

  after(delayMs: number, fire: () => void): Timer {
    const at = this.#mono + Math.max(0, delayMs);
    const pending = { at, order: this.#nextOrder(), run: fire, cancelled: false };
    insert(this.#timers, pending);
    return { cancel: () => this.#cancel(pending) };
  }

  defer(run: () => void): void {
    this.#ready.push({ at: this.#mono, order: this.#nextOrder(), run, cancelled: false });
  }

  /** Moves the wall clock alone, as an administrator or a time server would. */
  jumpWall(byMs: number): void {
    this.#wall += byMs;
  }

  /** A clock that shows this time, for a process that may be killed. */
  process(): ProcessClock {
    let alive = true;
    const guarded = (run: () => void) => (): void => {
      if (alive) run();
    };
    return {
      now: () => this.now(),
      after: (delayMs, fire) => this.after(delayMs, guarded(fire)),
      defer: (run) => this.defer(guarded(run)),
      cut: () => {
        alive = false;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Runs everything that is ready now, without moving time. */
  async settle(): Promise<void> {
    await drainPromises();
    while (this.#runOne()) await drainPromises();
  }

  /** Moves time by `ms`, running what becomes due on the way. */
  async advance(ms: number): Promise<void> {
    const target = this.#mono + ms;
    await this.settle();
    while (this.#moveToNext(target)) await this.settle();
    this.#moveTo(target);
    await this.settle();
  }

  /** One step: a ready callback, or else the next timer up to `until`; false: nothing to run. */
  async step(until: number): Promise<boolean> {
    await drainPromises();
    if (!this.#runOne()) {
      if (!this.#moveToNext(until)) return false;
      this.#runOne();
    }
    await drainPromises();
    return true;
  }

  /** Runs until `promise` settles, moving time as needed, at most by `limitMs`. */
  async run<Value>(promise: Promise<Value>, limitMs = 3_600_000): Promise<Value> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    const limit = this.#mono + limitMs;
    await drainPromises();
    while (!settled && (await this.step(limit))) {
      // Each step runs one callback.
    }
    if (!settled) throw new Error(`nothing left to run within ${limitMs} ms, not settled`);
    return watched;
  }

  #runOne(): boolean {
    while (this.#timers[0] !== undefined && this.#timers[0].at <= this.#mono) {
      const due = this.#timers.shift();
      if (due !== undefined && !due.cancelled) this.#ready.push(due);
    }
    while (this.#ready.length > 0) {
      const at = this.#random.between(0, this.#ready.length - 1);
      const [chosen] = this.#ready.splice(at, 1);
      if (chosen === undefined || chosen.cancelled) continue;
      this.#steps += 1;
      this.#creep();
      chosen.run();
      return true;
    }
    return false;
  }

  /** Work takes time: who spins until something happens does not stop the world. */
  #creep(): void {
    this.#spins = this.#mono === this.#spunAt ? this.#spins + 1 : 0;
    if (this.#spins >= spinsFree) this.#moveTo(this.#mono + spinMs);
    this.#spunAt = this.#mono;
    if (this.#spins >= spinsFree) this.#spins = spinsFree;
  }

  #moveToNext(limit: number): boolean {
    const next = this.#timers[0];
    if (next === undefined || next.at > limit) return false;
    this.#moveTo(next.at);
    return true;
  }

  #moveTo(mono: number): void {
    const by = Math.max(0, mono - this.#mono);
    this.#mono += by;
    this.#wall += by;
  }

  #cancel(pending: Pending): void {
    pending.cancelled = true;
    const at = this.#timers.indexOf(pending);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  #nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }
}

/** Resolves when no promise can go on by itself: the only use of the real event loop. */
export function drainPromises(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function insert(timers: Pending[], pending: Pending): void {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = timers[middle];
    if (other !== undefined && other.at <= pending.at) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, pending);
}
