// One attempt of a call by fetch: the signal that ends it, with the caller's or when its time is
// over, and what a fetch that failed means to the caller.

import { PlatformError } from './errors.ts';
import type { ClientClock, ClientTimer } from './platform.ts';
import { onAbort } from './signals.ts';

/** What timers of browsers and of Node can count to, 25 days; one that is longer fires at once. */
const timerMsMax = 2 ** 31 - 1;
const never: ClientTimer = { cancel: () => undefined };

/** An AbortSignal that ends with the caller's or when the time is over. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #clock: ClientClock;
  readonly #patienceMs: number;
  readonly #caller: AbortSignal | undefined;
  #stopListening: (() => void) | undefined;
  #timer: ClientTimer;
  #isLate = false;

  constructor(clock: ClientClock, patienceMs: number, caller: AbortSignal | undefined) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#caller = caller;
    const abort = (): void => this.#controller.abort(caller?.reason);
    if (caller?.aborted) abort();
    if (caller !== undefined) this.#stopListening = onAbort(caller, abort);
    this.#timer = this.#begin();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has come: the time begins anew. */
  renew(): void {
    this.#timer.cancel();
    this.#timer = this.#begin();
  }

  stop(): void {
    this.#timer.cancel();
    this.#stopListening?.();
  }

  /** What a failed fetch means to the caller. */
  explain(error: unknown, method: string): unknown {
    if (error instanceof PlatformError) return error;
    if (this.#caller?.aborted) return this.#caller.reason;
    if (this.#isLate) return new PlatformError('timeout', `No answer to ${method} in time.`);
    return errorOfFetch(error, method);
  }

  #begin(): ClientTimer {
    if (this.#patienceMs > timerMsMax) return never;
    return this.#clock.after(this.#patienceMs, () => {
      this.#isLate = true;
      this.#controller.abort();
    });
  }
}

/** fetch tells a refused connection only by the cause of its error, and browsers tell nothing. */
export function errorOfFetch(cause: unknown, method: string): PlatformError {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const detail = inner instanceof Error ? inner.message : String(cause);
  const changes = method !== 'GET' && !isRefusedConnection(inner);
  return new PlatformError(
    changes ? 'outcome_unknown' : 'unavailable',
    `No answer from the server: ${detail}`,
    { cause },
  );
}

function isRefusedConnection(cause: unknown): boolean {
  if (!(cause instanceof Error) || !('code' in cause)) return false;
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(String(cause.code));
}
