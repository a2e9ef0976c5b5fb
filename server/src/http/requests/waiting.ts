// Answers that are held back for a while: until something happens, the time is up, the client goes
// away or the server stops.

import { PlatformError } from '@sluice/sdk/wire';
import type { RequestCall, RequestParts } from './call.ts';

/**
 * Does `work`, whose signal aborts after so many seconds or when the client leaves. `undefined`:
 * too many wait already, nothing was done.
 */
export async function holding<Value>(
  parts: Pick<RequestParts, 'polls' | 'clock' | 'meters'>,
  { request }: Pick<RequestCall, 'request'>,
  seconds: number,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<{ readonly value: Value } | undefined> {
  const poll = enter(parts, request);
  if (poll === undefined) return undefined;
  const end = new AbortController();
  const abort = (): void => end.abort();
  const timer = parts.clock.after(seconds * 1000, abort);
  if (poll.signal.aborted) abort();
  poll.signal.addEventListener('abort', abort, { once: true });
  const over = parts.meters.wait();
  try {
    return { value: await work(end.signal) };
  } finally {
    over();
    timer.cancel();
    poll.leave();
  }
}

function enter(
  { polls }: Pick<RequestParts, 'polls'>,
  request: RequestCall['request'],
): ReturnType<RequestParts['polls']['enter']> | undefined {
  try {
    return polls.enter(request.socket);
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

/** How many submitters wait for the result of each request: with a key there may be several. */
export class Waiters {
  readonly #counts = new Map<string, number>();

  /** The function that comes back ends the wait, and says whether nobody else waits any more. */
  enter(service: string, id: string): () => boolean {
    const name = `${service} ${id}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
      return left === 0;
    };
  }
}
