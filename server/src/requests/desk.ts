// The desk where requests are handed in and asked for: the request API's view of every service's
// queues. What it answers is durable; what it refuses is a PlatformError and changes nothing.

import { PlatformError } from '@sluice/sdk/wire';
import type { Queues } from '../broker/queues.ts';
import type { Known } from '../broker/requests.ts';
import type { Clock } from '../kernel/clock.ts';
import { readAfterwards } from '../queue/afterwards.ts';
import { hashBody } from '../queue/hash.ts';
import { type BodyPlace, type CallbackWish, writeTerms } from '../queue/terms.ts';
import { DeadDesk, type LinesOf } from './dead.ts';
import { indexOf, isIdOf, publicId } from './ids.ts';
import { listRequests } from './list.ts';
import type {
  ListFilter,
  RequestPage,
  RequestResult,
  RequestView,
  Submission,
  Submitted,
} from './request.ts';
import { isAtRest, version } from './version.ts';
import { liveView, restedView, type Telling } from './view.ts';

export interface DeskOptions {
  /** The queues of a service; throws `not_found` or, of one that is out of use, `unavailable`. */
  readonly find: (service: string) => Queues;
  /** What is told about a request that waits or runs. */
  readonly tell: (service: string, live: Extract<Known, { kind: 'live' }>) => Telling;
  /** How long an end that somebody is to be told of by callback has to be kept for that. */
  readonly callbackMs: number;
  /** How long a service keeps results of which nobody said how long. */
  readonly retentionMs: (service: string) => number;
  /** Rejects when a request may not ask for this callback; all may without it. */
  readonly checkCallback?: (service: string, wish: CallbackWish) => Promise<void>;
  /** Rejects when a body may not be fetched from this address; all may without it. */
  readonly checkAddress?: (service: string, url: string) => Promise<void>;
  /** The latest lines that an instance wrote. */
  readonly linesOf?: LinesOf;
  readonly clock: Clock;
}

/** How often a request that somebody waits for is looked at again without a change: its place in
 * the queue and the reasons why it waits change without its doing. */
const lookAgainMs = 2_000;

export class RequestDesk {
  readonly dead: DeadDesk;
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.dead = new DeadDesk(options.find, options.linesOf);
  }

  /** Durable when it resolves. With an idempotency key that was used before, for the same body, it
   * answers the first request; for another body it rejects with `key_reused`, for a callback to
   * where none may go with `unprocessable`. */
  async submit(service: string, submission: Submission): Promise<Submitted> {
    const queues = this.#options.find(service);
    const { startBy, delayUntil, finishBy, callback, body, trace, ...rest } = submission;
    const { retainMs: wantedMs, bodyHash, ...message } = rest;
    if (callback !== undefined) await this.#options.checkCallback?.(service, callback);
    if (body?.kind === 'address') await this.#options.checkAddress?.(service, body.url);
    const { callbackMs, retentionMs } = this.#options;
    const retainMs =
      callback === undefined ? wantedMs : Math.max(wantedMs || retentionMs(service), callbackMs);
    const answer = await queues.put('input', {
      ...message,
      id: undefined,
      by: { gid: '', uid: '' },
      home: 'record',
      expiresAt: startBy,
      terms: writeTerms({ delayUntil, finishBy, retainMs, callback, body, trace }),
      ...(body === undefined ? {} : { bodyHash: hashOf(body, bodyHash) }),
    });
    const { index, repeated } = answer;
    const requestId = repeated ? await this.#requestIdOf(queues, index) : answer.id;
    return { id: publicId(index, requestId), index, requestId, repeated };
  }

  async view(service: string, id: string): Promise<RequestView | undefined> {
    const known = await this.#find(service, id);
    return known && this.#show(service, known);
  }

  /** Resolves with the view once its version differs from `known`, at once if it does; as it is
   * when the signal aborts. */
  changed(
    service: string,
    id: string,
    known: string,
    signal: AbortSignal,
  ): Promise<RequestView | undefined> {
    return this.#until(service, id, (view) => version(view) !== known, signal);
  }

  /** Resolves once it is at rest; as it is when the signal aborts. */
  rested(service: string, id: string, signal: AbortSignal): Promise<RequestView | undefined> {
    return this.#until(service, id, isAtRest, signal);
  }

  async result(service: string, id: string): Promise<RequestResult | undefined> {
    const known = await this.#find(service, id);
    if (known === undefined) return undefined;
    const view = this.#show(service, known);
    if (known.kind === 'live') return { kind: 'unfinished', view };
    const { requests } = this.#options.find(service);
    const { record } = known;
    const { result: body } = readAfterwards(record.after);
    const { contentType } = record;
    if (body !== undefined) {
      return { kind: 'result', view, payload: new Uint8Array(0), contentType, body };
    }
    const payload = await requests.resultOf(record.index);
    if (payload !== undefined)
      return { kind: 'result', view, payload, contentType, body: undefined };
    if (record.resultIndex > 0) {
      const stored = await requests.inSink(record.resultIndex);
      if (stored !== undefined) {
        const { meta } = stored;
        const type = meta.contentType;
        return {
          kind: 'result',
          view,
          payload: stored.payload,
          contentType: type,
          body: undefined,
        };
      }
      const left = await requests.departureOf(record.index);
      // One that is just being handed out is in no queue any more.
      return { kind: 'left', view, cause: left?.cause ?? 'handedOut', at: left?.at ?? 0 };
    }
    return { kind: record.state === 'succeeded' ? 'empty' : 'none', view };
  }

  /** Takes it out, whether it waits or runs; one that is cancelled already stays so. Rejects with
   * `conflict` when it had come to rest otherwise. */
  async cancel(service: string, id: string, why: string): Promise<RequestView | undefined> {
    const before = await this.#find(service, id);
    if (before?.kind === 'live') {
      await this.#options.find(service).requests.cancel(before.meta.index, why);
    }
    const view = await this.view(service, id);
    if (view === undefined || view.state === 'canceled') return view;
    throw new PlatformError('conflict', `request ${id} had come to rest before: ${view.state}`);
  }

  list(service: string, filter: ListFilter): Promise<RequestPage> {
    const { requests } = this.#options.find(service);
    return listRequests(requests, filter, (known) => this.#show(service, known));
  }

  async #find(service: string, id: string): Promise<Known | undefined> {
    const { requests } = this.#options.find(service);
    const index = indexOf(id);
    const known = index === undefined ? undefined : await requests.find(index);
    if (known === undefined) return undefined;
    return isIdOf(id, requestIdOf(known)) ? known : undefined;
  }

  #show(service: string, known: Known): RequestView {
    return known.kind === 'rested'
      ? restedView(service, known.record)
      : liveView(service, known, this.#options.tell(service, known));
  }

  async #requestIdOf(queues: Queues, index: number): Promise<string> {
    const known = await queues.requests.find(index);
    if (known === undefined) {
      const text = 'the first request with this idempotency key is forgotten; use another key';
      throw new PlatformError('conflict', text);
    }
    return requestIdOf(known);
  }

  async #until(
    service: string,
    id: string,
    isEnough: (view: RequestView) => boolean,
    signal: AbortSignal,
  ): Promise<RequestView | undefined> {
    const index = indexOf(id);
    if (index === undefined) return undefined;
    const bell = new Bell(this.#options.clock, signal);
    const unfollow = this.#options.find(service).requests.follow(index, () => bell.ring());
    try {
      for (;;) {
        bell.rearm();
        const view = await this.view(service, id);
        if (view === undefined || isEnough(view) || signal.aborted) return view;
        await bell.heard();
      }
    } finally {
      unfollow();
    }
  }
}

function requestIdOf(known: Known): string {
  return known.kind === 'rested' ? known.record.id : known.meta.id;
}

/** Rings when something happened, when it is time to look again, or when nobody waits any more. */
class Bell {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #hasRung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** What rings from now on is heard. */
  rearm(): void {
    this.#hasRung = false;
  }

  heard(): Promise<void> {
    if (this.#hasRung || this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#clock.after(lookAgainMs, done);
      this.#signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}

/** What tells it from another body: what an address has is not known yet, so the address does. */
function hashOf(body: BodyPlace, bodyHash: number): number {
  return body.kind === 'file' ? bodyHash : hashBody(Buffer.from(body.url));
}
