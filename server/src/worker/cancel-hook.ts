// What is done about a model that works on a request nobody wants any more, after its call was
// aborted: it is told over the service's cancel hook, and when no word comes within the grace its
// instance may be ended. Until one of these happens its slot stays taken.

import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { ModelClient } from './model.ts';
import type { CancelSettings } from './settings.ts';
import type { WorkDelivery } from './source.ts';

/** The request was taken out; these are words of the rules. Other leases that are taken away go to
 * other instances, or back to this one. */
const unwanted: ReadonlySet<string> = new Set([
  ...['canceled', 'deadline', 'expired', 'deleted', 'truncated', 'forceEnded', 'evicted'],
]);
const answerBytesMax = 64 * 1024;

export interface CancelHookOptions {
  readonly model: ModelClient;
  /** The path of the instance's own address. */
  readonly basePath: string;
  /** Ends the instance; undefined: that cannot be done from here. */
  readonly end: ((reason: string) => void) | undefined;
  /** Its model is known to be free. */
  readonly free: (deliveryId: number) => void;
  readonly isTaken: (deliveryId: number) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class CancelHook {
  readonly #options: CancelHookOptions;
  readonly #running = new Set<AbortController>();

  constructor(options: CancelHookOptions) {
    this.#options = options;
  }

  /** Whether the model should be stopped when a lease ends for this reason. */
  static applies(reason: string): boolean {
    return unwanted.has(reason);
  }

  /** The call was aborted while the model may have been at work on it. Returns at once. */
  begin(delivery: WorkDelivery, settings: CancelSettings): void {
    const { clock, log } = this.#options;
    const abort = new AbortController();
    this.#running.add(abort);
    const timer = clock.after(settings.graceMs, () => {
      this.#running.delete(abort);
      abort.abort();
      this.#graceIsOver(delivery, settings);
    });
    abort.signal.addEventListener('abort', () => timer.cancel(), { once: true });
    if (settings.path === undefined) return;
    this.#call(delivery, settings.path, settings.method, abort.signal)
      .then((isFree) => {
        if (!isFree || abort.signal.aborted) return;
        this.#running.delete(abort);
        abort.abort();
        this.#options.free(delivery.deliveryId);
      })
      .catch((error: unknown) => log.error({ error }, 'a cancel hook failed unexpectedly'));
  }

  /** Waits for nothing any more. */
  stop(): void {
    for (const abort of this.#running) abort.abort();
    this.#running.clear();
  }

  async #call(
    { index, id, deliveries }: WorkDelivery,
    path: string,
    method: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { model, basePath, log } = this.#options;
    const stem = basePath.endsWith('/') ? basePath.slice(0, -1) : basePath;
    const headers = {
      'user-agent': 'sluice',
      'x-request-id': encodeURIComponent(id),
      'sluice-index': String(index),
      'sluice-attempt': String(deliveries),
    };
    const request = { method, path: stem + path, headers, body: new Uint8Array(0) };
    const result = await model.call(request, { signal, answerBytesMax });
    if (result.kind !== 'answer') {
      if (result.kind !== 'aborted') log.warn({ index, ...result }, 'cancel hook not reached');
      return false;
    }
    const isFree = result.status >= 200 && result.status < 300;
    log.info({ index, status: result.status, isFree }, 'cancel hook answered');
    return isFree;
  }

  #graceIsOver({ deliveryId, index }: WorkDelivery, settings: CancelSettings): void {
    const { end, isTaken, log } = this.#options;
    if (!isTaken(deliveryId)) return;
    const seconds = settings.graceMs / 1000;
    const reason = `it did not let go of the canceled request ${index} within ${seconds} s`;
    if (settings.endsInstance && end !== undefined) end(reason);
    else log.warn({ index }, `not known to be free: ${reason}`);
  }
}
