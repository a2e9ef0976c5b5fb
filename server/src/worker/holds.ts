// The reasons why an instance gets no work for now. The watch is paused while there is any; after a
// refusal that is until the model's Retry-After or a doubling back-off is over, or until a health
// check shows a change.

import type { Clock, Timer } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { backOffMsMax } from './outcome.ts';

/** `refused`: it said no; `full`: abandoned calls fill its window; `check`: its health check
 * fails or times out; `leaving`: it is being drained. */
export type Hold = 'refused' | 'full' | 'check' | 'leaving';

const firstBackOffMs = 1000;
/** A model that asks to come back "in 0 seconds" is not asked in a tight loop. */
const shortestWaitMs = 100;

export interface HoldsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Called when the first hold comes and when the last one goes. */
  readonly changed: (held: boolean) => void;
}

export interface Refusal {
  readonly retryAfterMs: number | undefined;
  /** There was no connection: any check that passes afterwards shows that there is one now. */
  readonly unreachable: boolean;
}

export class Holds {
  readonly #options: HoldsOptions;
  readonly #holds = new Set<Hold>();
  #timer: Timer | undefined;
  /** Refusals in a row, without a success between. */
  #refusals = 0;
  #refusedAt = 0;
  /** Set when the next check that passes ends the refusal early. */
  #checkDecides = false;
  #refusedUntil = 0;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  get isHeld(): boolean {
    return this.#holds.size > 0;
  }

  list(): readonly Hold[] {
    return [...this.#holds];
  }

  has(hold: Hold): boolean {
    return this.#holds.has(hold);
  }

  /** Wall clock of the end of a refusal, 0 = none. */
  get refusedUntil(): number {
    return this.#holds.has('refused') ? this.#refusedUntil : 0;
  }

  set(hold: Hold): void {
    const before = this.isHeld;
    this.#holds.add(hold);
    if (!before) this.#options.changed(true);
  }

  clear(hold: Hold): void {
    if (this.#holds.delete(hold) && !this.isHeld) this.#options.changed(false);
  }

  /** Several refusals at once (a window of them) count as one. */
  refused(refusal: Refusal): void {
    const { clock, random } = this.#options;
    const now = clock.now();
    if (!this.#holds.has('refused')) {
      this.#refusals += 1;
      this.#refusedAt = now.mono;
      this.#checkDecides = false;
      this.#refusedUntil = 0;
    }
    if (refusal.unreachable) this.#checkDecides = true;
    const doubled = Math.min(backOffMsMax, firstBackOffMs * 2 ** Math.min(this.#refusals - 1, 16));
    // Half of it is chance, so that many instances do not come back in step.
    const ownMs = doubled / 2 + (doubled / 2) * random.fraction();
    const waitMs = Math.max(refusal.retryAfterMs ?? ownMs, shortestWaitMs);
    this.set('refused');
    if (now.wall + waitMs <= this.#refusedUntil) return;
    this.#refusedUntil = now.wall + waitMs;
    this.#timer?.cancel();
    this.#timer = clock.after(waitMs, () => this.clear('refused'));
  }

  /**
   * A health check ended. One that passes ends a refusal early only where it proves a change: the
   * model could not be reached before, or a check has failed in between.
   */
  checked(ok: boolean, startedAt: number): void {
    if (!this.#holds.has('refused') || startedAt < this.#refusedAt) return;
    if (!ok) {
      this.#checkDecides = true;
      return;
    }
    if (!this.#checkDecides) return;
    this.#timer?.cancel();
    this.clear('refused');
  }

  /** The model took a request: the next refusal starts its back-off anew. */
  succeeded(): void {
    this.#refusals = 0;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
