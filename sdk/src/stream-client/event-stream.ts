// The events of one request over the stream protocol, through every lost connection: each is asked
// for again behind the last one that was taken. Not more come than are read.

import { PlatformError } from '../errors.ts';
import type { RequestEvent } from '../requests/request-info.ts';
import { onAbort } from '../signals.ts';
import type { ServerOperation } from '../stream/operations.ts';
import type { Follow, Told } from '../stream/request-operations.ts';
import type { SessionWatch, StreamSession } from './session.ts';
import { errorOf } from './wire.ts';

export interface FollowOptions {
  /** The id of the last event that is known; undefined: from the beginning. */
  readonly after?: string | undefined;
  /** Ends the events without an error. */
  readonly signal?: AbortSignal | undefined;
}

const windowEvents = 16;
const reopenMs = { first: 100, most: 2000 } as const;
const names: ReadonlySet<string> = new Set([
  ...['state', 'output', 'progress', 'reset', 'gap', 'done'],
]);

export class EventStream implements SessionWatch {
  readonly number: number;
  readonly #session: StreamSession;
  readonly #channel: number;
  readonly #id: string;
  readonly #come: Told[] = [];
  #after: string;
  #isOpen = false;
  #isOver = false;
  #error: unknown;
  #attempts = 0;
  #wake: (() => void) | undefined;

  constructor(session: StreamSession, channel: number, id: string, after: string) {
    this.#session = session;
    this.#channel = channel;
    this.#id = id;
    this.#after = after;
    this.number = session.number();
  }

  /** The events to the last, `done`, or until the signal is aborted. */
  async *read(signal: AbortSignal | undefined): AsyncGenerator<RequestEvent, void> {
    const stopListening = signal && onAbort(signal, () => this.#end(undefined));
    if (signal?.aborted) this.#end(undefined);
    else this.#session.addWatch(this);
    try {
      for (;;) {
        const told = this.#come.shift();
        if (told !== undefined) {
          this.#session.say({ kind: 'more', number: this.number, events: 1 });
          this.#after = told.id;
          this.#attempts = 0;
          if (!names.has(told.event)) continue;
          const { event, id, data } = told;
          // The data are those of `RequestEventData` for the name.
          yield { event, id, data: JSON.parse(data) as unknown } as RequestEvent;
          if (event === 'done') return;
        } else if (this.#isOver) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      stopListening?.();
      this.#session.removeWatch(this);
      if (this.#isOpen) this.#session.say({ kind: 'cancel', number: this.number });
      this.#isOpen = false;
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  opening(): Follow {
    this.#isOpen = true;
    // What came over the connection before and was not taken comes again.
    this.#come.length = 0;
    return {
      kind: 'follow',
      number: this.number,
      channel: this.#channel,
      id: this.#id,
      after: this.#after,
      window: windowEvents,
    };
  }

  told(event: Told): void {
    this.#come.push(event);
    this.#wake?.();
  }

  answered(answer: ServerOperation): void {
    this.#isOpen = false;
    if (answer.kind !== 'error') {
      // The server ends the row before the request is at rest when it stops.
      if (this.#come.at(-1)?.event !== 'done') this.#reopen(undefined);
      return;
    }
    const error = errorOf(answer);
    if (error.retry) this.#reopen(error.retryAfterMs);
    else this.#end(error);
  }

  lost(): void {
    this.#isOpen = false;
  }

  over(error: unknown): void {
    this.#end(error ?? new PlatformError('unavailable', 'The client is closed.'));
  }

  deliver(): void {}

  voided(): void {}

  closed(): void {}

  #reopen(afterMs: number | undefined): void {
    const longest = Math.min(reopenMs.most, reopenMs.first * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#session.later(afterMs ?? longest, () => this.#session.openWatch(this));
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#wake?.();
  }
}
