// Watches one service for what estimates are made of: how long requests hold a slot, how long
// instances take to start, how often requests of each priority come, and how good earlier ranges
// were. Bounded: the latest of each. Times are monotonic where nothing else is said.

import { StartUps } from '../../deployment/start-ups.ts';
import type { ObservedFacts } from '../wait-facts.ts';
import { Arrivals } from './arrivals.ts';
import { Calls } from './calls.ts';
import type { Forecast } from './estimate.ts';
import { Scores } from './scores.ts';

export class WaitObserver {
  readonly #calls = new Calls();
  readonly #startUps = new StartUps();
  readonly #arrivals = new Arrivals();
  readonly #scores = new Scores();

  /** A request has held a slot for `ms` until `at`, and the model has answered it. */
  served(ms: number, at: number): void {
    this.#calls.ended(ms, at);
  }

  /** An instance is ready, by the wall clock; may be told of the same start again. */
  started(instance: string, startedAt: number, readyAt: number): void {
    this.#startUps.note(instance, startedAt, readyAt);
  }

  /** A request was accepted. */
  arrived(priority: number, at: number): void {
    this.#arrivals.add(priority, at);
  }

  /** Some requests are followed, to see how good their forecasts are: whether the next is. */
  wantsToFollow(at: number): boolean {
    return this.#scores.hasRoom(at);
  }

  /** Of a request that waits. False: it is not followed, or was already. */
  follow(index: number, forecast: Forecast, at: number): boolean {
    return this.#scores.follow(index, forecast, at);
  }

  /** A request was delivered for the first time. Cheap for those that are not followed. */
  delivered(index: number, at: number): void {
    this.#scores.delivered(index, at);
  }

  /** A request is over without having been delivered. */
  left(index: number): void {
    this.#scores.left(index);
  }

  /** What is known, for a request of this priority. `runningMs`: of each call under way, for how
   * long it has been, as far as that is known. */
  facts(priority: number, runningMs: readonly number[], at: number): ObservedFacts {
    return {
      serviceTimes: this.#calls.times(runningMs, at),
      startUpsMs: this.#startUps.latestMs,
      overtakers: this.#arrivals.above(priority, at),
      record: this.#scores.record(at),
    };
  }
}
