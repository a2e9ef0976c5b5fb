// Bodies that are not in the message: how a worker opens one for the model, and where it keeps a
// result that is too large for the queue. The composition root connects both to the store.

import { PassThrough, type Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import type { BodyPlace } from '../queue/terms.ts';

export interface OpenedBody {
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
  /** undefined: its end tells. */
  readonly size: number | undefined;
}

/** A body that is read as it is sent, anew for every attempt. */
export interface StreamedBody {
  /** Rejects with a PlatformError: whether it helps to wait says `retry`. */
  open(signal: AbortSignal): Promise<OpenedBody>;
}

/** A result in a file. */
export interface KeptResult {
  readonly place: Extract<BodyPlace, { kind: 'file' }>;
  /** To be called when the queue has taken the result, or never will. */
  readonly done: () => void;
}

export interface WorkBodies {
  /** What the model gets of the body of a delivery: its address, or its bytes. */
  inputOf(place: BodyPlace, deliveryId: number): 'address' | StreamedBody;
  /** Largest result of a request that keeps it in its record. */
  resultBytesMax(): number;
  /** Keeps a result of a delivery as it comes; on stable storage when it resolves. */
  keep(source: Readable, signal: AbortSignal, deliveryId: number): Promise<KeptResult>;
  /** The request has come to rest: its body may be nobody's now. */
  mayGo(place: BodyPlace): void;
}

/** What to do with a result that is too large for the queue. */
export interface ResultKeeper {
  readonly bytesMax: number;
  keep(source: Readable, signal: AbortSignal): Promise<KeptResult>;
}

/** One result on its way into a file. */
export class ResultFile {
  readonly #pipe = new PassThrough({ highWaterMark: 2 ** 20 });
  readonly #giveUp = new AbortController();
  readonly #kept: Promise<KeptResult>;
  #goOn: () => void = () => undefined;

  constructor(keeper: ResultKeeper) {
    this.#kept = keeper.keep(this.#pipe, this.#giveUp.signal);
    // It may fail long before anybody asks.
    this.#kept.catch(() => this.#pipe.destroy());
    this.#pipe.on('error', () => undefined);
    for (const event of ['drain', 'close']) this.#pipe.on(event, () => this.#goOn());
  }

  /** False: nothing more before `goOn` is called. */
  write(piece: Uint8Array, goOn: () => void): boolean {
    if (this.#pipe.destroyed) return true;
    this.#goOn = goOn;
    return this.#pipe.write(piece);
  }

  /** All of it was written. */
  async end(): Promise<KeptResult> {
    this.#pipe.end();
    return this.#kept;
  }

  /** There will be no whole result: nothing stays of it. */
  giveUp(): void {
    this.#giveUp.abort(new Error('the result was cut'));
    this.#kept.then(
      (kept) => kept.done(),
      () => undefined,
    );
  }
}

/** Why a body could not be brought to the model, or its result not be kept. */
export interface BodyFailure {
  readonly kind: 'body';
  /** A status, or a word of ours. */
  readonly code: string;
  readonly reason: string;
  /** Whether another delivery may do better. */
  readonly passing: boolean;
}

/** What an error of the store, or of whoever has the body, means for the request. */
export function bodyFailure(error: unknown): BodyFailure {
  const reason = error instanceof Error ? error.message : String(error);
  if (!(error instanceof PlatformError)) {
    return { kind: 'body', code: 'BodyUnavailable', reason, passing: true };
  }
  switch (error.code) {
    case 'damaged':
    case 'not_found':
      return { kind: 'body', code: 'Damaged', reason, passing: true };
    case 'too_large':
      return { kind: 'body', code: '413', reason, passing: false };
    case 'disk_full':
      return { kind: 'body', code: '507', reason, passing: true };
    default:
      return { kind: 'body', code: 'BodyUnavailable', reason, passing: error.retry };
  }
}
