// One attempt to deliver one message: the address is checked, connected to where it was checked,
// and given so long. Connections to a target are kept for a few messages in a row; after a while
// the target is checked anew, since names move and settings change.

import { PlatformError } from '@sluice/sdk/wire';
import { Pool } from 'undici';
import { checkTarget, type Resolve } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import { pinnedConnector } from '../kernel/pinned-connector.ts';
import { readRetryAfter } from './schedule.ts';
import type { CallbackSettings } from './source.ts';

export interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Answer =
  | { readonly kind: 'delivered'; readonly status: number }
  | {
      readonly kind: 'failed';
      readonly status: number | null;
      readonly error: string;
      readonly retryAfterMs: number | undefined;
    }
  /** 410: nothing is wanted there any more. */
  | { readonly kind: 'gone'; readonly status: 410 }
  /** The attempt was broken off by us: it says nothing of the receiver. */
  | { readonly kind: 'aborted' };

export interface SenderOptions {
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** Sent as `User-Agent`. */
  readonly agent: string;
}

/** For how long a target that was checked is used; also how long idle connections stay at most. */
const checkedMs = 10_000;
/** Of an answer, only the status matters: a little more is read, to keep the connection. */
const answerBytesMax = 16 * 1024;

interface Door {
  readonly pool: Promise<Pool>;
  readonly checkedAt: number;
  users: number;
}

/** Sends to one origin on behalf of one service. */
export class Sender {
  readonly #options: SenderOptions;
  #door: Door | undefined;
  /** The one to use, and older ones that are still in use. */
  readonly #doors = new Set<Door>();
  #isClosed = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async send(
    message: Sent,
    { allow, timeoutMs }: Pick<CallbackSettings, 'allow' | 'timeoutMs'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { clock } = this.#options;
    const ended = new AbortController();
    const abort = (): void => ended.abort();
    signal.addEventListener('abort', abort, { once: true });
    const timer = clock.after(timeoutMs, abort);
    // What counts is how an answer begins; one that never ends is an answer.
    let answer: Answer | undefined;
    const answered = (found: Answer): void => {
      answer = found;
    };
    try {
      if (signal.aborted) return { kind: 'aborted' };
      return await Promise.race([
        this.#exchange(message, allow, { signal: ended.signal, answered }),
        new Promise<never>((_, reject) => {
          ended.signal.addEventListener('abort', () => reject(new Error('over')), { once: true });
        }),
      ]);
    } catch (error) {
      if (answer !== undefined) return answer;
      if (signal.aborted) return { kind: 'aborted' };
      const late = `no answer within ${timeoutMs / 1000} s`;
      const why = ended.signal.aborted ? late : reasonOf(error);
      return { kind: 'failed', status: null, error: why, retryAfterMs: undefined };
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  /** Ends what is under way and closes every connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#door = undefined;
    await Promise.all([...this.#doors].map(destroy));
  }

  async #exchange(
    { url, headers, body }: Sent,
    allow: CallbackSettings['allow'],
    { signal, answered }: { signal: AbortSignal; answered: (answer: Answer) => void },
  ): Promise<Answer> {
    const { clock, agent } = this.#options;
    const door = this.#enter(url, allow);
    try {
      const pool = await door.pool;
      const { pathname, search } = new URL(url);
      const response = await pool.request({
        method: 'POST',
        path: `${pathname}${search}`,
        headers: { 'content-type': 'application/json', 'user-agent': agent, ...headers },
        body,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const retryAfter = String(response.headers['retry-after'] ?? '');
      const answer = answerOf(response.statusCode, retryAfter, clock.now().wall);
      answered(answer);
      await response.body.dump({ limit: answerBytesMax, signal }).catch(() => undefined);
      return answer;
    } finally {
      this.#leave(door);
    }
  }

  #enter(url: string, allow: CallbackSettings['allow']): Door {
    const { clock } = this.#options;
    const checkedAt = clock.now().mono;
    if (this.#door === undefined || checkedAt - this.#door.checkedAt >= checkedMs) {
      const before = this.#door;
      const door: Door = { pool: this.#open(url, allow), checkedAt, users: 0 };
      this.#door = door;
      this.#doors.add(door);
      door.pool.catch(() => this.#forget(door));
      if (before?.users === 0) this.#forget(before);
    }
    this.#door.users++;
    return this.#door;
  }

  #leave(door: Door): void {
    door.users--;
    if (door.users === 0 && door !== this.#door) this.#forget(door);
  }

  #forget(door: Door): void {
    if (this.#door === door) this.#door = undefined;
    this.#doors.delete(door);
    void destroy(door);
  }

  async #open(url: string, allow: CallbackSettings['allow']): Promise<Pool> {
    const target = await checkTarget(url, allow, this.#options.resolve);
    if (this.#isClosed) throw new Error('closed');
    return new Pool(target.url.origin, {
      connect: pinnedConnector(target),
      connections: null,
      pipelining: 1,
      keepAliveTimeout: checkedMs,
      keepAliveMaxTimeout: checkedMs,
    });
  }
}

async function destroy({ pool }: Door): Promise<void> {
  // One that did not open has nothing to close.
  await pool.then((opened) => opened.destroy()).catch(() => undefined);
}

function answerOf(status: number, retryAfter: string, wall: number): Answer {
  if (status >= 200 && status < 300) return { kind: 'delivered', status };
  if (status === 410) return { kind: 'gone', status };
  const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  const error = `the receiver answered ${status}${redirect}`;
  return { kind: 'failed', status, error, retryAfterMs: readRetryAfter(retryAfter, wall) };
}

function reasonOf(error: unknown): string {
  if (error instanceof PlatformError) return error.message;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.message === '' ? error.code : `${error.message} (${error.code})`;
  }
  return error instanceof Error ? error.message : 'the connection failed';
}
