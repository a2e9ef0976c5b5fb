// Receives request bodies into memory, under two limits: what one body may have, and what all
// bodies on their way in may have together. Callbacks instead of promises: this is on the way of
// every put.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EdgeLimits } from './limits.ts';
import type { BodyTaker, EdgeRequest } from './request.ts';

export type BodyRefusal =
  /** `size` is what the client declared, or what had arrived when the limit was passed. */
  | { readonly kind: 'tooLarge'; readonly size: number; readonly declared: boolean }
  /** All bodies together would be over `bodiesBytesMax`. */
  | { readonly kind: 'busy' };

/** What becomes of a body. If the client goes away in the middle, neither is called. */
export interface BodyReceiver {
  done(body: Uint8Array): void;
  refused(why: BodyRefusal): void;
}

const noBytes = new Uint8Array(0);

export class Bodies {
  readonly #limits: EdgeLimits;
  readonly #all = { bytes: 0 };

  constructor(limits: EdgeLimits) {
    this.#limits = limits;
  }

  /** Receives one body of at most `bytesMax` bytes; the chunk of a small one is handed on as is. */
  receive(
    request: EdgeRequest,
    response: ServerResponse,
    bytesMax: number,
    receiver: BodyReceiver,
  ): void {
    const declared = declaredLength(request);
    if (declared === 0) {
      receiver.done(noBytes);
      return;
    }
    const why = this.#refusal(declared, bytesMax);
    if (why !== undefined) {
      discardBody(request, this.#limits.discardBytesMax);
      receiver.refused(why);
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    const size = { declared, bytesMax };
    request.takeBody(
      new Arrival({ request, limits: this.#limits, all: this.#all, size, receiver }),
    );
  }

  /** Takes room for a body that is collected elsewhere; false when there is none. */
  reserve(bytes: number): boolean {
    if (!this.#hasRoom(bytes)) return false;
    this.#all.bytes += bytes;
    return true;
  }

  /** Gives back what `reserve` took. */
  release(bytes: number): void {
    this.#all.bytes -= bytes;
  }

  #hasRoom(bytes: number): boolean {
    return this.#all.bytes + bytes <= this.#limits.bodiesBytesMax;
  }

  #refusal(declared: number | undefined, bytesMax: number): BodyRefusal | undefined {
    if (declared !== undefined && declared > bytesMax) {
      return { kind: 'tooLarge', size: declared, declared: true };
    }
    return this.#hasRoom(declared ?? 0) ? undefined : { kind: 'busy' };
  }
}

interface ArrivalOptions {
  readonly request: EdgeRequest;
  readonly limits: EdgeLimits;
  /** What all bodies on their way in have together. */
  readonly all: { bytes: number };
  readonly size: { readonly declared: number | undefined; readonly bytesMax: number };
  readonly receiver: BodyReceiver;
}

/** One body on its way in. */
class Arrival implements BodyTaker {
  readonly #options: ArrivalOptions;
  /** What it has of the room of all: a declared body all of it at once. */
  #held: number;
  #received = 0;
  #first: Uint8Array | undefined;
  /** From the second chunk on: many tiny ones would take a hundred times their size. */
  #whole: Buffer | undefined;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    this.#held = options.size.declared ?? 0;
    options.all.bytes += this.#held;
  }

  chunk(bytes: Uint8Array): void {
    const { all, limits, size } = this.#options;
    this.#received += bytes.length;
    if (this.#received > size.bytesMax) {
      this.#refuse({ kind: 'tooLarge', size: this.#received, declared: false });
      return;
    }
    if (this.#received > this.#held) {
      all.bytes += this.#received - this.#held;
      this.#held = this.#received;
      if (all.bytes > limits.bodiesBytesMax) {
        this.#refuse({ kind: 'busy' });
        return;
      }
    }
    if (this.#first === undefined) this.#first = bytes;
    else this.#add(this.#first, bytes);
  }

  #add(first: Uint8Array, bytes: Uint8Array): void {
    const { declared, bytesMax } = this.#options.size;
    const before = this.#received - bytes.length;
    let whole = this.#whole;
    if (whole === undefined || whole.length < this.#received) {
      const room = declared ?? Math.min(bytesMax, this.#received * 2);
      const grown = Buffer.allocUnsafe(room);
      grown.set(whole?.subarray(0, before) ?? first);
      whole = grown;
      this.#whole = grown;
    }
    whole.set(bytes, before);
  }

  ended(): void {
    this.cut();
    const body = this.#whole?.subarray(0, this.#received) ?? this.#first ?? noBytes;
    this.#options.receiver.done(body);
  }

  cut(): void {
    this.#options.all.bytes -= this.#held;
    this.#held = 0;
  }

  #refuse(why: BodyRefusal): void {
    const { limits, receiver, request } = this.#options;
    this.cut();
    request.leaveBody();
    discardBody(request, limits.discardBytesMax);
    receiver.refused(why);
  }
}

/** Reads the rest of a body away, so that the client sees the answer; cuts it when it is long. */
export function discardBody(request: IncomingMessage, bytesMax: number): void {
  if (request.readableEnded) return;
  let discarded = 0;
  request.on('data', (chunk: Uint8Array) => {
    discarded += chunk.length;
    if (discarded > bytesMax) request.socket.destroy();
  });
}

function declaredLength(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  if (text !== undefined) return Number(text);
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}
