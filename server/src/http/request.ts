// A request whose body can be taken straight off the parser, past the stream that Node makes of
// every request. Bodies that are wanted whole need none of a stream's buffering and events, which
// cost a fifth of a small put. Everything else reads the request as usual.

import { IncomingMessage } from 'node:http';

/** Takes a body, chunk by chunk, until one of the last two is called. */
export interface BodyTaker {
  chunk(bytes: Uint8Array): void;
  ended(): void;
  /** The connection was lost before the end. */
  cut(): void;
}

const done: BodyTaker = { chunk: ignore, ended: ignore, cut: ignore };

export class EdgeRequest extends IncomingMessage {
  // Node looks at it when the answer is out: a request that nobody consumed is read away then.
  // Without it that would happen for nothing, and nothing worse.
  declare _consuming: boolean;
  #taker: BodyTaker | undefined;

  /** Takes the body; to be called before any of it was read, while the request is announced. */
  takeBody(taker: BodyTaker): void {
    this.#taker = taker;
    this._consuming = true;
  }

  /** Gives the rest of the body back to the stream, to be read there. */
  leaveBody(): void {
    this.#taker = undefined;
  }

  /** Node's parser calls it with every chunk of the body, and with null at its end. */
  override push(chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
    const taker = this.#taker;
    if (taker === undefined) return super.push(chunk, encoding);
    if (chunk === null) {
      // An idle connection keeps its last request: nothing of the body may hang on it.
      this.#taker = done;
      taker.ended();
    } else {
      taker.chunk(chunk);
    }
    return true;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const taker = this.#taker;
    this.#taker = done;
    taker?.cut();
    super._destroy(error, callback);
  }
}

function ignore(): void {}
