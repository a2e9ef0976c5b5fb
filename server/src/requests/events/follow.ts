// The events of one request in order, from anywhere on to its rest: what its view says of its state
// and what its log says of the work, as one row. The reader pulls: while it is slow nothing gathers
// for it, and what came meanwhile reaches it as one.

import { PlatformError, type RequestEvent, type RequestEventData } from '@sluice/sdk/wire';
import type { RequestView } from '../request.ts';
import type { EventBook, RequestLog } from './event-book.ts';

/** What following needs of the requests of a server. */
export interface FollowedRequests {
  view(service: string, id: string): Promise<RequestView | undefined>;
  /** Resolves once `version` of the view differs from `known`, or when `signal` is aborted. */
  changed(
    service: string,
    id: string,
    known: string,
    signal: AbortSignal,
  ): Promise<RequestView | undefined>;
}

export interface FollowOptions {
  readonly requests: FollowedRequests;
  readonly book: EventBook;
  /** A text that changes with everything worth telling. */
  readonly version: (view: RequestView) => string;
  readonly service: string;
  /** The public id. */
  readonly id: string;
  /** The id of the last event that the reader has; undefined: from the beginning. */
  readonly after: string | undefined;
  /** Ends the row without a word. */
  readonly signal: AbortSignal;
}

/** Up to where a reader is: before a place of an attempt; attempt 0 = nothing yet. */
interface Cursor {
  attempt: number;
  place: number;
}

/**
 * Ends after `done`, or when `signal` is aborted. Throws `not_found` when there is no such request,
 * also when it ceases to be known while it is followed.
 */
export async function* followRequest(options: FollowOptions): AsyncGenerator<RequestEvent, void> {
  const { requests, book, service, id } = options;
  const first = await requests.view(service, id);
  if (first === undefined) throw unknown(id);
  const log = book.enter(service, first.index);
  const over = new AbortController();
  const stop = (): void => over.abort();
  options.signal.addEventListener('abort', stop, { once: true });
  if (options.signal.aborted) stop();
  try {
    yield* eventsOf(first, log, { ...options, signal: over.signal });
  } finally {
    over.abort();
    options.signal.removeEventListener('abort', stop);
    book.leave(log);
  }
}

async function* eventsOf(
  first: RequestView,
  log: RequestLog,
  options: FollowOptions,
): AsyncGenerator<RequestEvent, void> {
  const { signal } = options;
  const cursor = cursorOf(options.after);
  const news = new News(first, log, options);
  let told = '';
  while (!signal.aborted) {
    news.watch();
    const { view } = news;
    const reset = resetOf(cursor, Math.max(view.deliveries, log.attempt?.number ?? 0));
    if (reset !== undefined) {
      yield reset;
      told = '';
    }
    // The view was there before what is read now: so at rest nothing of the log is missed.
    const isAtRest = isResting(view);
    const state = stateOf(view);
    const text = JSON.stringify(state);
    if (text !== told && !isAtRest) {
      told = text;
      yield { event: 'state', id: idOf(cursor), data: state };
    }
    const next = nextOf(log, cursor, isAtRest);
    if (next !== undefined) yield next;
    else if (isAtRest) {
      const { state: last, cause, code } = view;
      yield { event: 'done', id: idOf(cursor), data: { state: last, cause: cause ?? null, code } };
      return;
    } else await news.wait();
  }
}

/** Waits for what changes first: the view or the log. */
class News {
  view: RequestView;
  readonly #log: RequestLog;
  readonly #options: FollowOptions;
  #asked: Promise<void> | undefined;
  #failure: unknown;
  #hasNews = false;
  #wake: (() => void) | undefined;

  constructor(view: RequestView, log: RequestLog, options: FollowOptions) {
    this.view = view;
    this.#log = log;
    this.#options = options;
  }

  /** Goes on watching the view, also while there is much to read in the log. */
  watch(): void {
    this.#asked ??= this.#ask();
  }

  async wait(): Promise<void> {
    const { signal } = this.#options;
    await new Promise<void>((resolve) => {
      if (this.#hasNews || signal.aborted) return resolve();
      const forget = this.#log.onChange(() => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        forget();
        signal.removeEventListener('abort', stop);
        resolve();
      };
      const stop = (): void => this.#wake?.();
      signal.addEventListener('abort', stop, { once: true });
    });
    this.#hasNews = false;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #ask(): Promise<void> {
    const { requests, version, service, id, signal } = this.#options;
    try {
      const view = await requests.changed(service, id, version(this.view), signal);
      if (view === undefined && !signal.aborted) throw unknown(id);
      if (view !== undefined) this.view = view;
    } catch (error) {
      this.#failure = error;
    }
    this.#asked = undefined;
    this.#hasNews = true;
    this.#wake?.();
  }
}

/** A new attempt makes what a reader has of an earlier one worthless. */
function resetOf(cursor: Cursor, attempt: number): RequestEvent | undefined {
  if (attempt <= cursor.attempt) return undefined;
  const hadSome = cursor.attempt > 0;
  cursor.attempt = attempt;
  cursor.place = 0;
  return hadSome ? { event: 'reset', id: idOf(cursor), data: { attempt } } : undefined;
}

function nextOf(log: RequestLog, cursor: Cursor, isFinal: boolean): RequestEvent | undefined {
  const { attempt } = log;
  if (attempt === undefined || attempt.number !== cursor.attempt) return undefined;
  const told = attempt.read(cursor.place, isFinal);
  if (told === undefined) return undefined;
  cursor.place = told.next;
  const { event, data } = told;
  // The pair is one of the kinds of `Told`, each of which is one of `RequestEvent`.
  return { event, id: idOf(cursor), data } as RequestEvent;
}

function idOf({ attempt, place }: Cursor): string {
  return `${attempt}.${place}`;
}

/** Of an id that is none, the beginning. */
function cursorOf(after: string | undefined): Cursor {
  const [, attempt, place] = /^(\d{1,15})\.(\d{1,15})$/.exec(after ?? '') ?? [];
  return { attempt: Number(attempt ?? 0), place: Number(place ?? 0) };
}

function isResting({ state }: RequestView): boolean {
  return state !== 'queued' && state !== 'running';
}

function stateOf({ state, why, position, instance }: RequestView): RequestEventData['state'] {
  return {
    state,
    ...(why === undefined ? {} : { why: whyOf(why) }),
    ...(position === undefined ? {} : { position }),
    ...(instance === '' ? {} : { instance }),
  };
}

function whyOf({
  code,
  text,
  until,
}: NonNullable<RequestView['why']>): NonNullable<RequestEventData['state']['why']> {
  return { code, text, until: until === 0 ? null : new Date(until).toISOString() };
}

function unknown(id: string): PlatformError {
  return new PlatformError('not_found', `there is no request ${id}`);
}
