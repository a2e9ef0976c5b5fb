// One call that the Python host works on: its answer, or its pieces as they come. Pieces are
// bounded by a credit: the host sends a further one when one was taken.

import { type Answer, InputError, LostError } from '../processor.ts';
import type { Frame } from './frames.ts';

export interface OpenCallOptions {
  readonly signal: AbortSignal;
  /** Nobody waits any more. */
  readonly cancel: () => void;
  /** A piece was taken: there is room for another one. */
  readonly taken: () => void;
  /** The host is done with it. */
  readonly over: () => void;
}

export class OpenCall {
  readonly answer: Promise<Answer>;
  readonly #options: OpenCallOptions;
  readonly #leave: () => void;
  #resolve: (answer: Answer) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #hasBegun = false;
  readonly #pieces: Uint8Array[] = [];
  #end: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(options: OpenCallOptions) {
    this.#options = options;
    this.#leave = () => options.cancel();
    options.signal.addEventListener('abort', this.#leave, { once: true });
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (options.signal.aborted) options.cancel();
  }

  /** The next frame of this call. */
  take({ head, body }: Frame): void {
    const contentType = String(head.contentType);
    if (head.type === 'piece') {
      this.#pieces.push(body);
      if (!this.#hasBegun) this.#resolve({ status: 200, contentType, stream: this.#stream() });
      this.#hasBegun = true;
      this.#wake();
      return;
    }
    this.#over();
    if (head.type === 'answer') {
      this.#resolve({ status: Number(head.status), contentType, body });
    } else if (head.type === 'end') {
      this.#finish(undefined);
    } else if (head.type === 'canceled') {
      this.#finish(new LostError('the call was canceled'));
    } else this.#finish(errorOf(head));
  }

  /** The host is gone. */
  lose(error: LostError): void {
    this.#over();
    this.#finish(error);
  }

  /** A stream may end before its first piece. */
  #finish(error: unknown): void {
    this.#end = { error };
    if (this.#hasBegun) this.#wake();
    else if (error !== undefined) this.#reject(error);
    else this.#resolve({ status: 200, contentType: 'text/plain', stream: this.#stream() });
  }

  #over(): void {
    this.#options.signal.removeEventListener('abort', this.#leave);
    this.#options.over();
  }

  async *#stream(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#options.taken();
          yield piece;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      if (this.#end === undefined) this.#options.cancel();
    }
  }
}

function errorOf({ status, message, field, row }: Frame['head']): Error {
  const text = String(message);
  if (typeof status !== 'number') {
    const error = new Error(text);
    // Where it came from, Python has written already.
    error.stack = text;
    return error;
  }
  return new InputError(text, {
    status,
    field: typeof field === 'string' ? field : undefined,
    row: typeof row === 'number' ? row : undefined,
  });
}
