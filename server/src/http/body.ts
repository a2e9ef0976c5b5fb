// Receives request bodies into memory, under two limits: what one body may have, and what all
// bodies on their way in may have together. Callbacks instead of promises: this is on the way of
// every put.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EdgeLimits } from './limits.ts';

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
  #arriving = 0;

  constructor(limits: EdgeLimits) {
    this.#limits = limits;
  }

  /** Receives one body of at most `bytesMax` bytes; the chunk of a small one is handed on as is. */
  receive(
    request: IncomingMessage,
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
    this.#collect(request, { declared, bytesMax }, receiver);
  }

  #refusal(declared: number | undefined, bytesMax: number): BodyRefusal | undefined {
    if (declared !== undefined && declared > bytesMax) {
      return { kind: 'tooLarge', size: declared, declared: true };
    }
    const wanted = this.#arriving + (declared ?? 0);
    return wanted > this.#limits.bodiesBytesMax ? { kind: 'busy' } : undefined;
  }

  #collect(
    request: IncomingMessage,
    size: { readonly declared: number | undefined; readonly bytesMax: number },
    receiver: BodyReceiver,
  ): void {
    // A declared body takes its room at once, another one as it arrives.
    let held = size.declared ?? 0;
    this.#arriving += held;
    let received = 0;
    let first: Uint8Array | undefined;
    let chunks: Uint8Array[] | undefined;
    let open = true;
    const release = (): void => {
      open = false;
      this.#arriving -= held;
    };
    const refuse = (why: BodyRefusal): void => {
      release();
      request.off('data', take);
      discardBody(request, this.#limits.discardBytesMax);
      receiver.refused(why);
    };
    const take = (chunk: Uint8Array): void => {
      received += chunk.length;
      if (received > size.bytesMax) {
        refuse({ kind: 'tooLarge', size: received, declared: false });
        return;
      }
      if (received > held) {
        this.#arriving += received - held;
        held = received;
        if (this.#arriving > this.#limits.bodiesBytesMax) {
          refuse({ kind: 'busy' });
          return;
        }
      }
      if (first === undefined) first = chunk;
      else if (chunks === undefined) chunks = [first, chunk];
      else chunks.push(chunk);
    };
    request.on('data', take);
    request.on('end', () => {
      if (!open) return;
      release();
      receiver.done(chunks === undefined ? (first ?? noBytes) : Buffer.concat(chunks, received));
    });
    // Comes after every request; before its end only when the connection was lost.
    request.on('close', () => {
      if (open) release();
    });
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
