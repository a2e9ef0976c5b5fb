// Keeps one watch on the source open for as long as the worker lives: opens it, opens it again with
// the deliveries still held when it was lost, and remembers whether it should be paused.

import { PlatformError } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { WorkDelivery, WorkEnd, WorkSource, WorkWatch } from './source.ts';

const firstRetryMs = 100;
const longestRetryMs = 5000;
/** An ended queue is asked at this pace whether it was reopened. */
const endedRetryMs = 1000;

export interface SubscriptionOptions {
  readonly source: WorkSource;
  readonly service: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The deliveries still being worked on. */
  readonly holding: () => readonly number[];
  readonly deliver: (delivery: WorkDelivery) => void;
  readonly voided: (deliveryId: number, reason: string) => void;
  /** The queue is gone, or another worker has taken this instance's name: for good. */
  readonly lost: (why: 'replaced' | 'deleted') => void;
}

/** What a watch is opened with that may change. */
export interface WatchTerms {
  readonly window: number;
  /** Of the service; 0 = not known. */
  readonly revision: number;
}

export class Subscription {
  readonly #options: SubscriptionOptions;
  #terms: WatchTerms;
  #watch: WorkWatch | undefined;
  /** Not heard any more, and open until the next one is let in and takes it over. */
  #before: WorkWatch | undefined;
  #paused = false;
  #closed = false;
  /** Rises with every watch asked for; what an older one still says is not heard. */
  #generation = 0;
  #attempts = 0;
  #timer: Timer | undefined;

  constructor(options: SubscriptionOptions, terms: WatchTerms) {
    this.#options = options;
    this.#terms = terms;
  }

  get isOpen(): boolean {
    return this.#watch !== undefined;
  }

  open(): void {
    this.#timer?.cancel();
    this.#generation += 1;
    this.#before = this.#watch ?? this.#before;
    this.#watch = undefined;
    this.#ask(this.#generation).catch((error: unknown) => {
      this.#options.log.error({ error }, 'opening the watch failed unexpectedly');
    });
  }

  /** Under another window the same name takes its own watch over, with everything it holds; a new
   * revision alone is not worth that, and is told with the next watch. */
  change(terms: WatchTerms): void {
    const { window } = this.#terms;
    this.#terms = terms;
    if (terms.window === window) return;
    if (!this.#closed && this.#generation > 0) this.open();
  }

  pause(): void {
    this.#paused = true;
    this.#watch?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#watch?.resume();
  }

  async close(how: 'cut' | 'dead' | 'drain'): Promise<void> {
    this.#end();
    const watches = [this.#before, this.#watch];
    this.#before = undefined;
    this.#watch = undefined;
    for (const watch of watches) {
      try {
        await watch?.close(how);
      } catch (error) {
        // The source has its own rules for a watch whose holder is gone.
        this.#options.log.debug({ error }, 'closing the watch failed');
      }
    }
  }

  async #ask(generation: number): Promise<void> {
    const { source, service, instance, holding, deliver, voided, lost } = this.#options;
    const isCurrent = (): boolean => generation === this.#generation && !this.#closed;
    const held = holding();
    let watch: WorkWatch;
    let over = false;
    try {
      watch = await source.watch(
        'input',
        {
          by: { gid: service, uid: instance },
          kind: 'worker',
          ...this.#terms,
          from: 0,
          indexOnly: false,
          autoCommit: false,
          tags: new Map(),
          id: undefined,
          holding: held,
        },
        {
          deliver: (delivery) => {
            if (isCurrent()) deliver(delivery);
          },
          voided: (deliveryId, reason) => {
            if (isCurrent()) voided(deliveryId, reason);
          },
          closed: (reason) => {
            if (!isCurrent()) return;
            over = true;
            this.#watch = undefined;
            if (reason === 'replaced' || reason === 'deleted') {
              this.#end();
              lost(reason);
            } else this.#again(reason);
          },
          buffered: () => 0,
        },
      );
    } catch (error) {
      if (isCurrent()) this.#refused(error);
      return;
    }
    if (!isCurrent()) {
      // Closed while it was being opened, or asked for anew: that one takes it over, if let in.
      if (this.#closed) await watch.close('drain').catch(() => undefined);
      else this.#before = watch;
      return;
    }
    if (over) return;
    this.#watch = watch;
    this.#before = undefined;
    this.#attempts = 0;
    if (this.#paused) watch.pause();
    const still = new Set(watch.held);
    for (const id of held) if (!still.has(id)) voided(id, 'the lease was lost with the watch');
  }

  #refused(error: unknown): void {
    const { log } = this.#options;
    const code = error instanceof PlatformError ? error.code : 'internal';
    if (code === 'not_found') {
      this.#end();
      this.#options.lost('deleted');
      return;
    }
    const fields = { code, error: error instanceof Error ? error.message : String(error) };
    if (this.#attempts === 0) log.info(fields, 'watch refused, trying again');
    // An ended queue may be reopened, a service started again: neither is ours to know.
    this.#again(code === 'ended' ? 'ended' : 'recovering');
  }

  #again(why: WorkEnd): void {
    const doubled = firstRetryMs * 2 ** Math.min(this.#attempts, 10);
    const delayMs = why === 'ended' ? endedRetryMs : Math.min(doubled, longestRetryMs);
    this.#attempts += 1;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => this.open());
  }

  #end(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
