// Tells the source what became of a delivery, and keeps at it: a result that exists must not be
// lost to a moment in which the queues recover. It gives up only when the lease is gone.

import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Call } from './call.ts';
import type { WorkCompletion, WorkReturn, WorkSource } from './source.ts';

const firstRetryMs = 50;
const longestRetryMs = 2000;

export interface ReporterOptions {
  readonly source: WorkSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when nothing more is to be waited for. */
  readonly hurry: AbortSignal;
}

export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async complete(call: Call, completion: WorkCompletion): Promise<void> {
    const { source, log } = this.#options;
    const failure = await this.#persist(call, () => source.complete(completion));
    if (failure === undefined) return;
    const { index, deliveryId } = call.delivery;
    log.warn({ index, error: failure.message, code: failure.code }, 'result not accepted');
    if (failure.code === 'too_large') {
      const empty = { payload: undefined, contentType: undefined, firstOutputAt: 0 };
      const why = { outcome: 'failed', code: '413', reason: failure.message } as const;
      const again = { ...empty, ...why, deliveryId };
      await this.#persist(call, () => source.complete(again));
      return;
    }
    const reason = `the result was not accepted: ${failure.message}`;
    await this.giveBack(call, { counted: true, code: String(failure.status), reason, delayMs: 0 });
  }

  async giveBack(call: Call, how: Omit<WorkReturn, 'deliveryId'>): Promise<void> {
    const { source, log } = this.#options;
    const { deliveryId, index } = call.delivery;
    const failure = await this.#persist(call, () => {
      return source.giveBack('input', { deliveryId, ...how });
    });
    if (failure === undefined) return;
    log.warn({ index, error: failure.message, code: failure.code }, 'delivery not given back');
  }

  /** undefined: done, or no longer ours to do. */
  async #persist(call: Call, send: () => Promise<unknown>): Promise<PlatformError | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await send();
        return undefined;
      } catch (error) {
        const failure = asPlatformError(error);
        if (failure.code === 'stale_delivery') return undefined;
        if (!failure.retry) return failure;
        if (this.#options.hurry.aborted) return undefined;
      }
      await this.#pause(Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(attempt, 10)));
      if (call.ending === 'voided') return undefined;
    }
  }

  #pause(delayMs: number): Promise<void> {
    const { clock, hurry } = this.#options;
    return new Promise((resolve) => {
      if (hurry.aborted) return resolve();
      const done = (): void => {
        timer.cancel();
        hurry.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.after(delayMs, done);
      hurry.addEventListener('abort', done, { once: true });
    });
  }
}

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new PlatformError('internal', text, { cause: error });
}
