// One call to the model under way: its time limit, and who ended it if it did not end by itself.

import type { Clock, Timer } from '../kernel/clock.ts';
import type { WorkDelivery } from './source.ts';

/** Why we ended a call ourselves. */
export type CallEnding = 'timeout' | 'voided' | 'shutdown' | 'dead';

/** A call as status pages show it. */
export interface RunningCall {
  readonly deliveryId: number;
  readonly index: number;
  readonly id: string;
  readonly deliveries: number;
  /** Wall clock. */
  readonly startedAt: number;
}

export class Call {
  readonly delivery: WorkDelivery;
  readonly startedAt: number;
  readonly #clock: Clock;
  readonly #startedMono: number;
  readonly #controller = new AbortController();
  /** Nobody wants the result any more: the model should be told to stop. */
  isUnwanted = false;
  #ending: CallEnding | undefined;
  #timer: Timer | undefined;
  /** The model has answered (or never will); what is left is to say so to the queue. */
  #answered = false;

  constructor(delivery: WorkDelivery, clock: Clock) {
    this.delivery = delivery;
    this.#clock = clock;
    const now = clock.now();
    this.startedAt = now.wall;
    this.#startedMono = now.mono;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get ending(): CallEnding | undefined {
    return this.#ending;
  }

  get isAnswered(): boolean {
    return this.#answered;
  }

  /** 0 = no limit. */
  limit(keepaliveMs: number): void {
    if (keepaliveMs > 0) this.#timer = this.#clock.after(keepaliveMs, () => this.end('timeout'));
  }

  /** Cuts the connection. The first reason stays, but a lost lease and a death beat the others. */
  end(why: CallEnding): void {
    const final = why === 'dead' || why === 'voided';
    if (this.#ending === undefined || (final && this.#ending !== 'dead')) this.#ending = why;
    this.#controller.abort();
  }

  /** The exchange is over; answers how long it took. */
  answered(): number {
    this.#answered = true;
    this.#timer?.cancel();
    return this.#clock.now().mono - this.#startedMono;
  }

  view(): RunningCall {
    const { deliveryId, index, id, deliveries } = this.delivery;
    return { deliveryId, index, id, deliveries, startedAt: this.startedAt };
  }
}
