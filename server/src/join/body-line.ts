// The way to the server over which bodies travel: plain HTTP beside the stream protocol, tried
// again for a while when the server cannot be reached, and its refusals as errors.

import { type ErrorCode, errorKinds, PlatformError } from '@sluice/sdk';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../kernel/clock.ts';

export interface BodyLineOptions {
  /** Of the server, without a slash at its end. */
  readonly url: string;
  readonly service: string;
  readonly token: string;
  readonly clock: Clock;
}

export interface BodyCall {
  readonly method: 'GET' | 'PUT';
  /** Below the service's address. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: () => Dispatcher.DispatchOptions['body'];
  readonly signal: AbortSignal;
}

const connectMs = 10_000;
/** Longest silence in the middle. */
const silenceMs = 30_000;
/** How long the server may be out of reach before the delivery is given up. */
const patienceMs = 60_000;
const retryMs = { first: 100, most: 2000 } as const;
const problemBytesMax = 64 * 1024;

export class BodyLine {
  readonly #options: BodyLineOptions;
  readonly #agent: Agent;

  constructor(options: BodyLineOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connect: { timeout: connectMs },
      headersTimeout: silenceMs * 2,
      bodyTimeout: silenceMs,
    });
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Makes a call until it is answered with one of the statuses. Rejects with the refusal when that
   * is final, or when the server was out of reach for too long. */
  async call(call: BodyCall, statuses: readonly number[]): Promise<Dispatcher.ResponseData> {
    const { clock } = this.#options;
    const since = clock.now().mono;
    for (let delayMs: number = retryMs.first; ; delayMs = Math.min(delayMs * 2, retryMs.most)) {
      try {
        return await this.#once(call, statuses);
      } catch (error) {
        call.signal.throwIfAborted();
        const failure = asFailure(error);
        if (!failure.retry || clock.now().mono - since > patienceMs) throw failure;
        await this.#pause(Math.max(delayMs, failure.retryAfterMs ?? 0), call.signal);
      }
    }
  }

  async #once(call: BodyCall, statuses: readonly number[]): Promise<Dispatcher.ResponseData> {
    const { url, service, token } = this.#options;
    const { method, path, headers, body, signal } = call;
    const response = await this.#agent.request({
      origin: new URL(url).origin,
      path: `${new URL(url).pathname.replace(/\/$/, '')}/v1/services/${service}/${path}`,
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        'accept-encoding': 'identity',
        ...headers,
      },
      body: body?.() ?? null,
      signal,
    });
    if (statuses.includes(response.statusCode)) return response;
    throw await refusalOf(response);
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#options.clock.after(delayMs, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** What went wrong on the way may go better next time. */
export function asFailure(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new PlatformError('unavailable', `the server could not be reached: ${text}`, {
    cause: error,
  });
}

async function refusalOf({
  statusCode,
  headers,
  body,
}: Dispatcher.ResponseData): Promise<PlatformError> {
  let text = '';
  for await (const piece of body) {
    text += piece.toString();
    if (text.length > problemBytesMax) break;
  }
  const { code, detail } = problemOf(text);
  const after = Number(headers['retry-after'] ?? 0) * 1000;
  const details = after > 0 ? { retryAfterMs: after } : {};
  return new PlatformError(code ?? codeOf(statusCode), detail ?? text.slice(0, 200), details);
}

function problemOf(text: string): { readonly code?: ErrorCode; readonly detail?: string } {
  try {
    const { code, detail } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      ...(typeof code === 'string' && isCode(code) ? { code } : {}),
      ...(typeof detail === 'string' ? { detail } : {}),
    };
  } catch {
    return {};
  }
}

function codeOf(status: number): ErrorCode {
  const found = Object.entries(errorKinds).find(([, kind]) => kind.status === status)?.[0];
  if (found !== undefined && isCode(found)) return found;
  return status >= 500 ? 'unavailable' : 'bad_request';
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorKinds, code);
}
