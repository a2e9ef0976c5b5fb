// Answers that are one JSON value a line and may go on for ever. An empty line now and then keeps a
// quiet one alive: proxies and clients cut connections on which nothing comes for minutes.

import type { ServerResponse } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../../kernel/clock.ts';
import { drained } from '../drained.ts';

/** Most answers of one kind that are being followed at the same time. */
export const followersMax: number = 64;

const quietMs = 15_000;

/** What every such answer needs. */
export interface LineStreamBasics {
  readonly clock: Clock;
  /** Aborted: the server is about to stop, and whoever follows gets the end of the answer. */
  readonly closing: AbortSignal;
}

export interface LineStreamOptions extends LineStreamBasics {
  readonly response: ServerResponse;
  /** Gives the values, to their end or that of the signal. Rejections before the first
   * line are refusals like any other. */
  readonly open: (signal: AbortSignal) => Promise<AsyncIterable<unknown>>;
}

/** Counts who follows what, and refuses one too many. */
export class Followers {
  readonly #what: string;
  #count = 0;

  /** `what` in the plural: `logs`. */
  constructor(what: string) {
    this.#what = what;
  }

  async run(follow: boolean, work: () => Promise<void>): Promise<void> {
    if (!follow) return work();
    if (this.#count >= followersMax) {
      throw new PlatformError(
        'rate_limited',
        `${followersMax} ${this.#what} are being followed, the most at a time`,
        { retryAfterMs: 5000 },
      );
    }
    this.#count += 1;
    try {
      await work();
    } finally {
      this.#count -= 1;
    }
  }
}

/** Writes the values as they come; resolves when the answer is complete or the caller has left. */
export async function answerLines(options: LineStreamOptions): Promise<void> {
  const { clock, closing, response, open } = options;
  const end = new AbortController();
  const stop = (): void => end.abort();
  response.once('close', stop);
  closing.addEventListener('abort', stop, { once: true });
  if (closing.aborted) stop();
  try {
    await write(response, clock, await open(end.signal));
  } finally {
    closing.removeEventListener('abort', stop);
  }
}

async function write(
  response: ServerResponse,
  clock: Clock,
  values: AsyncIterable<unknown>,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'application/x-ndjson; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.flushHeaders();
  const beat = (): void => {
    if (!response.writableNeedDrain) response.write('\n');
    timer = clock.after(quietMs, beat);
  };
  let timer = clock.after(quietMs, beat);
  try {
    for await (const value of values) {
      if (response.destroyed) break;
      if (!response.write(`${JSON.stringify(value)}\n`)) await drained(response);
    }
    response.end();
  } catch {
    // The caller left, or it could not be read on: a cut answer says so.
    response.destroy();
  } finally {
    timer.cancel();
  }
}
