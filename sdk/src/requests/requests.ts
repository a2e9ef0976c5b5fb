// The client of the request API: submit a request and leave, or stay for its result. For Node and
// browsers, by plain fetch. Calls that can be repeated without harm are; all can be aborted.

import { PlatformError } from '../errors.ts';
import type { TagsInput } from '../queue-client.ts';
import { submitBatch } from './batch.ts';
import type { CallbackAttempt, RequestCallbacks } from './callback-info.ts';
import { DeadLetters } from './dead-letters.ts';
import { followEvents, followState, isAtRest, pollMs, preferWait } from './following.ts';
import type {
  BatchOutcome,
  RequestCauseName,
  RequestEvent,
  RequestInfo,
  RequestList,
  RequestStateName,
} from './request-info.ts';
import { type RequestClientOptions, RequestError, RequestTransport } from './request-transport.ts';
import { type RequestResult, resultOf } from './result.ts';
import { type BatchItem, type RequestBody, type SubmitOptions, submission } from './submission.ts';

export interface SignalOptions {
  /** Gives the call up; it rejects with the signal's reason. The request goes on. */
  readonly signal?: AbortSignal | undefined;
}

export interface WaitOptions extends SignalOptions {
  /** How long to wait; default: as long as it takes. */
  readonly waitMs?: number | undefined;
}

export interface RunOptions extends SubmitOptions, WaitOptions {
  /** Cancel the request when `signal` is aborted or `waitMs` is over. */
  readonly cancelOnLeave?: boolean | undefined;
}

export interface ListOptions extends SignalOptions {
  readonly states?: readonly RequestStateName[] | undefined;
  readonly cause?: RequestCauseName | undefined;
  /** Tags that it must have. */
  readonly tags?: TagsInput | undefined;
  /** The name of the token that submitted it. */
  readonly owner?: string | undefined;
  readonly requestId?: string | undefined;
  /** Accepted at or after, and before. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Of one page. */
  readonly limit?: number | undefined;
  /** Where a page begins: `next` of the page before. */
  readonly cursor?: string | undefined;
}

/** A request that was accepted. */
export interface SubmittedInfo extends RequestInfo {
  /** The answer to an earlier submission with the caller's idempotency key. */
  readonly repeated: boolean;
}

/** How long a cancel of a request that nobody waits for any more may take. */
const lastCallMs = 5_000;

export class RequestClient {
  readonly service: string;
  /** What is out of deliveries; needs the admin token, the main one, or one of scope `admin`. */
  readonly dead: DeadLetters;
  readonly #transport: RequestTransport;

  constructor(options: RequestClientOptions) {
    this.service = options.service;
    this.#transport = new RequestTransport(options);
    this.dead = new DeadLetters(this.#transport);
  }

  /**
   * Resolves once the request is on stable storage; from then on it is safe to leave. It is
   * submitted again after lost connections and while there is no room, never twice.
   */
  async submit(body: RequestBody, options: SubmitOptions = {}): Promise<SubmittedInfo> {
    const key = options.idempotencyKey ?? this.#transport.random.id();
    const { response, text } = await this.#transport.text(submission(body, options, key));
    const told = response.headers.get('sluice-repeated') === 'true';
    // As for `RequestTransport.json`. Only with the caller's own key it says something to him.
    const info = JSON.parse(text) as RequestInfo;
    return { ...info, repeated: told && options.idempotencyKey !== undefined };
  }

  /**
   * Submits and waits for what the model answers, whatever its status: see `ok`. Rejects with a
   * `RequestError` when there is none: the request failed, was canceled, expired; or the time is
   * over (`timeout`), and `result` can go on waiting with its `id`.
   */
  async run(body: RequestBody, options: RunOptions = {}): Promise<RequestResult> {
    const { signal, waitMs, cancelOnLeave = false } = options;
    const request = await this.submit(body, options);
    try {
      const result = await this.result(request.id, { signal, waitMs: waitMs ?? Infinity });
      if (result !== undefined) return result;
    } catch (error) {
      if (cancelOnLeave && signal?.aborted === true) await this.#cancelAtLast(request.id);
      throw error;
    }
    if (cancelOnLeave) await this.#cancelAtLast(request.id);
    throw this.#late(request.id, waitMs ?? 0, request);
  }

  async status(id: string, { signal }: SignalOptions = {}): Promise<RequestInfo> {
    const path = pathOf(id);
    return this.#transport.json({ method: 'GET', path, repeat: 'always', signal });
  }

  /** The request now, and again after every change of state, place, or what it waits for, until it
   * is at rest. */
  changes(id: string, { signal }: SignalOptions = {}): AsyncGenerator<RequestInfo> {
    return followState({ transport: this.#transport, path: pathOf(id), signal });
  }

  /** Resolves once the request is at rest; rejects with `timeout` when `waitMs` is over. */
  async wait(id: string, { waitMs, signal }: WaitOptions = {}): Promise<RequestInfo> {
    const deadline = this.#transport.idle(waitMs ?? Infinity, signal);
    let latest: RequestInfo | undefined;
    try {
      for await (latest of this.changes(id, { signal: deadline.signal })) {
        if (isAtRest(latest)) return latest;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.signal.aborted) throw error;
    } finally {
      deadline.stop();
    }
    throw this.#late(id, waitMs ?? 0, latest);
  }

  /**
   * What happens to the request, in order: changes of state, what the model streams, what its
   * instance reports; `done` is the last. It goes on by itself after lost connections. Begin after
   * an event seen before with `after`, its id. After `reset` a new attempt begins: forget the
   * output before.
   */
  events(
    id: string,
    { after, signal }: SignalOptions & { readonly after?: string | undefined } = {},
  ): AsyncGenerator<RequestEvent> {
    return followEvents({ transport: this.#transport, path: pathOf(id), signal }, after);
  }

  /**
   * The result, read by the methods of what is returned; undefined when the request is not at rest
   * after `waitMs` (default: at once). May be asked for as often as one likes within the retention.
   * Rejects with a `RequestError` when there is none: `no_result` when the request failed or is
   * dead, `gone` when it was canceled, expired or dropped, or its result has left.
   */
  async result(id: string, options: WaitOptions = {}): Promise<RequestResult | undefined> {
    const { signal, waitMs = 0 } = options;
    const { clock } = this.#transport;
    const startedAt = clock.now().mono;
    for (;;) {
      const askedAt = clock.now().mono;
      const leftMs = Math.min(pollMs, waitMs - (askedAt - startedAt));
      const response = await this.#askResult(id, leftMs, signal);
      if (response.status !== 202) {
        const again = (): Promise<Response> => this.#askResult(id, 0, signal);
        return resultOf({ id, response, transport: this.#transport, again, signal });
      }
      await response.body?.cancel();
      const now = clock.now().mono;
      if (now - startedAt >= waitMs) return undefined;
      // A server that is about to stop holds nothing back.
      if (now - askedAt < Math.min(leftMs, 1_000)) await this.#transport.sleep(1_000, signal);
    }
  }

  /**
   * Waiting requests are gone at once; of running ones the answer's `cancel` says whether the model
   * was seen to stop. `conflict` when it had come to rest otherwise.
   */
  async cancel(
    id: string,
    { reason, signal }: SignalOptions & { readonly reason?: string | undefined } = {},
  ): Promise<RequestInfo> {
    return this.#transport.json({
      method: 'POST',
      path: `${pathOf(id)}/cancel`,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(reason === undefined ? {} : { reason }),
      repeat: 'always',
      signal,
    });
  }

  /** Every request that fits, the newest first, page after page. */
  async *list(options: ListOptions = {}): AsyncGenerator<RequestInfo> {
    let cursor = options.cursor ?? null;
    do {
      const page: RequestList = await this.page({ ...options, cursor: cursor ?? undefined });
      yield* page.requests;
      cursor = page.next;
    } while (cursor !== null);
  }

  /** One page of the list. */
  async page(options: ListOptions = {}): Promise<RequestList> {
    const path = `/requests${listQuery(options)}`;
    const { signal } = options;
    return this.#transport.json({ method: 'GET', path, repeat: 'always', signal });
  }

  /**
   * Submits many requests in few calls; the outcome of each comes in order, as `request` or
   * `problem`, with its `line` counted from 1. A line that is refused stops nothing.
   */
  batch(
    items: Iterable<BatchItem> | AsyncIterable<BatchItem>,
    options: SignalOptions = {},
  ): AsyncGenerator<BatchOutcome> {
    return submitBatch(this.#transport, items, options.signal);
  }

  /** What was tried to deliver its callback. */
  async callbacks(id: string, { signal }: SignalOptions = {}): Promise<RequestCallbacks> {
    const path = `${pathOf(id)}/callbacks`;
    return this.#transport.json({ method: 'GET', path, repeat: 'always', signal });
  }

  /** Sends its callback once more, whatever was tried before; answers what came of it. */
  async replayCallback(id: string, { signal }: SignalOptions = {}): Promise<CallbackAttempt> {
    const path = `${pathOf(id)}/callbacks/replay`;
    return this.#transport.json({ method: 'POST', path, repeat: 'unchanged', signal });
  }

  #askResult(id: string, waitMs: number, signal: AbortSignal | undefined): Promise<Response> {
    const headers = waitMs > 0 ? { Prefer: preferWait(waitMs) } : {};
    const path = `${pathOf(id)}/result`;
    const holdMs = Math.max(0, waitMs);
    const call = {
      method: 'GET',
      path,
      headers,
      waitMs: holdMs,
      repeat: 'always',
      signal,
    } as const;
    return this.#transport.call(call).catch((error: unknown) => {
      // A refusal that names the request is one already.
      if (!(error instanceof PlatformError) || error instanceof RequestError) throw error;
      if (!['no_result', 'gone'].includes(error.code)) throw error;
      throw new RequestError(error.code, error.message, { id, request: undefined, cause: error });
    });
  }

  async #cancelAtLast(id: string): Promise<void> {
    const deadline = this.#transport.idle(lastCallMs, undefined);
    const reason = 'its submitter left';
    // Whether it could be canceled or not: nobody waits for it any more.
    await this.cancel(id, { reason, signal: deadline.signal }).catch(() => undefined);
    deadline.stop();
  }

  #late(id: string, waitMs: number, request: RequestInfo | undefined): RequestError {
    const message = `Request ${id} is not at rest after ${waitMs} ms.`;
    return new RequestError('timeout', message, { id, request });
  }
}

function pathOf(id: string): string {
  return `/requests/${encodeURIComponent(id)}`;
}

function listQuery(options: ListOptions): string {
  const query = new URLSearchParams();
  for (const state of options.states ?? []) query.append('state', state);
  const tags = options.tags instanceof Map ? options.tags : Object.entries(options.tags ?? {});
  for (const [name, value] of tags) query.append('tag', `${name}=${value}`);
  const single = {
    cause: options.cause,
    owner: options.owner,
    requestId: options.requestId,
    from: options.from?.toISOString(),
    to: options.to?.toISOString(),
    limit: options.limit?.toFixed(0),
    cursor: options.cursor,
  };
  for (const [name, value] of Object.entries(single)) {
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? '' : `?${query}`;
}
