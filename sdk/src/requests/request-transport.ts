// How the request API is asked: fetch with a deadline for every attempt, and attempts that are
// repeated while that can do no harm and somebody still waits. Problems become PlatformErrors.

import { isCode, textOf } from '../admin-transport.ts';
import { Deadline } from '../deadline.ts';
import { type ErrorCode, type ErrorDetails, PlatformError } from '../errors.ts';
import { type ClientPlatform, codeOfStatus, defaultPlatform } from '../platform.ts';
import { onAbort } from '../signals.ts';
import type { RequestInfo, ResultProblem } from './request-info.ts';

export interface RequestClientOptions {
  /** Of the server, such as `http://127.0.0.1:8600`; a path is kept as a prefix. */
  readonly url: string;
  readonly service: string;
  /** One of the service's tokens, or the admin token; not needed for an open service. */
  readonly token?: string | undefined;
  /** How long one attempt waits for its answer; bodies get more. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** How long a call is repeated while the server can't be reached or has no room, from its first
   * failure; 0 = not at all. Default 60 s. */
  readonly patienceMs?: number | undefined;
  /** Time, chance and fetch; for tests. */
  readonly platform?: Partial<ClientPlatform> | undefined;
}

/** One call; the path begins with `/` and stands below the address of the service. */
export interface RequestCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | Blob | undefined;
  /** How long the server was asked to hold the answer back. */
  readonly waitMs?: number | undefined;
  /** Answers besides the good ones that are no failure. */
  readonly expect?: readonly number[] | undefined;
  /** `always`: doing it twice does no harm. `unchanged`: only when surely nothing happened. */
  readonly repeat: 'always' | 'unchanged';
  readonly signal?: AbortSignal | undefined;
}

/** A request gave no result, or not in the time it had; with `timeout` it goes on. */
export class RequestError extends PlatformError {
  override readonly name = 'RequestError';
  /** The id of the request. */
  readonly id: string;
  /** As the server last told it. */
  readonly request: RequestInfo | undefined;

  constructor(code: ErrorCode, message: string, about: RequestErrorDetails) {
    super(code, message, about);
    this.id = about.id;
    this.request = about.request;
  }
}

export interface RequestErrorDetails extends ErrorDetails {
  readonly id: string;
  readonly request: RequestInfo | undefined;
}

const timeoutMsDefault = 30_000;
const patienceMsDefault = 60_000;
// A body may travel as slowly as this before its attempt is given up.
const bodyBytesPerMs = 100;
const firstPauseMs = 200;
const longestPauseMs = 5_000;
const textMax = 2_000;

export class RequestTransport {
  readonly clock: ClientPlatform['clock'];
  readonly random: ClientPlatform['random'];
  readonly #base: string;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #patienceMs: number;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: RequestClientOptions) {
    const platform = { ...defaultPlatform, ...options.platform };
    this.clock = platform.clock;
    this.random = platform.random;
    this.#fetch = platform.fetch;
    const server = options.url.replace(/\/+$/, '');
    this.#base = `${server}/v1/services/${encodeURIComponent(options.service)}`;
    this.#token = options.token ?? '';
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault;
    this.#patienceMs = options.patienceMs ?? patienceMsDefault;
  }

  /** The good answer, or one that was expected; its body is still to be read. */
  call(call: RequestCall): Promise<Response> {
    return this.#repeated(call, (response) => Promise.resolve(response));
  }

  /** Status, headers and the whole text of an answer. */
  text(call: RequestCall): Promise<{ readonly response: Response; readonly text: string }> {
    return this.#repeated(call, async (response, signal) => {
      const text = await wholeText(response, signal);
      return { response, text };
    });
  }

  /** The value of an answer in JSON. */
  async json<T>(call: RequestCall): Promise<T> {
    const { text } = await this.text(call);
    // The server's schemas are held to the types of request-info.ts.
    return JSON.parse(text) as T;
  }

  /** A pause before attempt number `attempt`, counted from 1: longer ones and by chance, so that
   * clients that failed together don't come back together. Rejects with the signal's reason. */
  pause(attempt: number, leastMs: number, signal: AbortSignal | undefined): Promise<void> {
    const most = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt, 10));
    const delayMs = Math.max(leastMs, most * (0.5 + this.random.fraction() / 2));
    return this.sleep(delayMs, signal);
  }

  /** Rejects with the signal's reason. */
  sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = this.clock.after(delayMs, () => {
        forget?.();
        resolve();
      });
      const forget =
        signal &&
        onAbort(signal, () => {
          timer.cancel();
          reject(signal.reason);
        });
    });
  }

  /** A deadline for the next piece of an answer that goes on and on. */
  idle(idleMs: number, signal: AbortSignal | undefined): Deadline {
    return new Deadline(this.clock, idleMs, signal);
  }

  get patienceMs(): number {
    return this.#patienceMs;
  }

  async #repeated<T>(
    call: RequestCall,
    read: (response: Response, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    let failedAt: number | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(call, read);
      } catch (error) {
        if (!mayRepeat(call, error)) throw error;
        const now = this.clock.now().mono;
        failedAt ??= now;
        const leastMs = error.retryAfterMs ?? 0;
        if (now + leastMs - failedAt >= this.#patienceMs) throw error;
        await this.pause(attempt, leastMs, call.signal);
      }
    }
  }

  async #once<T>(
    call: RequestCall,
    read: (response: Response, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { method, path, body, waitMs = 0, expect = [] } = call;
    const travelMs = bytesIn(body) / bodyBytesPerMs;
    const deadline = new Deadline(this.clock, this.#timeoutMs + waitMs + travelMs, call.signal);
    try {
      const response = await this.#fetch(`${this.#base}${path}`, {
        method,
        headers: { ...this.#authorization(), ...call.headers },
        signal: deadline.signal,
        redirect: 'error',
        // The types of the DOM leave shared memory out; bodies are never shared.
        ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> | Blob }),
      });
      if (!response.ok && !expect.includes(response.status)) {
        throw await errorOf(response, deadline.signal);
      }
      return await read(response, deadline.signal);
    } catch (error) {
      throw deadline.explain(error, method);
    } finally {
      deadline.stop();
    }
  }

  #authorization(): Record<string, string> {
    return this.#token === '' ? {} : { Authorization: `Bearer ${this.#token}` };
  }
}

/** The text of an answer, until its signal. */
export async function wholeText(response: Response, signal: AbortSignal): Promise<string> {
  let text = '';
  for await (const piece of textOf(response, signal)) text += piece;
  return text;
}

function mayRepeat(call: RequestCall, error: unknown): error is PlatformError {
  if (call.signal?.aborted === true || !(error instanceof PlatformError) || !error.retry) {
    return false;
  }
  // A call whose answer never came may have been done.
  return call.repeat === 'always' || !['outcome_unknown', 'timeout'].includes(error.code);
}

function bytesIn(body: RequestCall['body']): number {
  if (body === undefined) return 0;
  if (typeof body === 'string') return body.length;
  return body instanceof Blob ? body.size : body.byteLength;
}

async function errorOf(response: Response, signal: AbortSignal): Promise<PlatformError> {
  const text = await wholeText(response, signal);
  const { code, detail, request } = problemOf(text);
  const seconds = Number(response.headers.get('retry-after') ?? '');
  const known = isCode(code) ? code : codeOfStatus(response.status);
  const message = detail || text.trim().slice(0, textMax) || `HTTP ${response.status}`;
  const details = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  if (request === undefined) return new PlatformError(known, message, details);
  return new RequestError(known, message, { ...details, id: request.id, request });
}

type ProblemParts = Pick<ResultProblem, 'detail'> & {
  readonly code: string;
  readonly request: RequestInfo | undefined;
};

function problemOf(text: string): ProblemParts {
  const nothing = { code: '', detail: '', request: undefined };
  try {
    const value: unknown = JSON.parse(text);
    // As for `json`; what is no problem document lacks the members and is shown as its text.
    return value instanceof Object ? { ...nothing, ...(value as Partial<ProblemParts>) } : nothing;
  } catch {
    return nothing;
  }
}
