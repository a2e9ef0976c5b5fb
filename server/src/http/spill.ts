// Bodies of any size: small ones in memory as always, and what is over the queue's payload limit
// straight to the store of bodies, a few hundred KB at a time. A sender that only drips is cut.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { BodyPlace } from '../queue/terms.ts';
import type { Bodies } from './body.ts';
import { type EdgeLimits, limitText } from './limits.ts';
import type { EdgeRequest } from './request.ts';

/** What is needed of the store of bodies. */
export interface BodyHost {
  /** On stable storage when it resolves; with nothing left when it rejects. */
  receive(source: Readable, options: BodyReceipt): Promise<KeptBody>;
  /** undefined: it is not there (any more). */
  open(
    name: string,
    range?: { readonly first: number; readonly last: number },
  ): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  /** Bytes of a body; undefined: there is none of that name. */
  sizeOf(name: string): number | undefined;
  /** It stays until the answer is called. */
  hold(name: string): () => void;
  /** Lets go of what nobody names. */
  mayGo(name: string): void;
}

export interface BodyReceipt {
  readonly bytesMax: number;
  readonly declared?: number;
  readonly signal: AbortSignal;
}

export interface KeptBody {
  readonly name: string;
  readonly size: number;
  readonly hash32: number;
  readonly release: () => void;
}

export type TakenBody =
  | { readonly kind: 'inline'; readonly payload: Uint8Array }
  | {
      readonly kind: 'spilled';
      readonly place: Extract<BodyPlace, { kind: 'file' }>;
      /** 32 bits of its content, never 0. */
      readonly hash: number;
      /** To be called once the request is accepted or refused: until then the body stays. */
      readonly done: () => void;
      /** Instead of `done`: what will name it comes later, while it is young. */
      readonly release: () => void;
    };

export interface BodySizes {
  /** Above this a body is spilled: the payload limit of the queue. */
  readonly inlineBytesMax: number;
  /** `requests.max_bytes` of the service. */
  readonly bytesMax: number;
}

export interface SpillParts {
  readonly bodies: Bodies;
  readonly host: BodyHost;
  readonly limits: EdgeLimits;
  readonly clock: Clock;
}

/** In each `http.stallMs` a body has to bring so much, or its sender is cut. */
const leastBytes = 64 * 1024;
const busyRetryMs = 1000;

/**
 * Receives the body of a request. Rejects with `too_large` (at once when the sender says so),
 * `disk_full`, `rate_limited`; when the sender goes away or drips, with an error that nobody can be
 * told of. Of a refused body the rest is still to be read away.
 */
export async function takeBody(
  parts: SpillParts,
  request: EdgeRequest,
  response: ServerResponse,
  sizes: BodySizes,
): Promise<TakenBody> {
  const declared = declaredLength(request);
  if (declared !== undefined && declared > sizes.bytesMax) throw tooLarge(declared, sizes);
  if (declared !== undefined && declared <= sizes.inlineBytesMax) {
    const payload = await inMemory(parts, request, response, sizes.inlineBytesMax);
    return { kind: 'inline', payload };
  }
  const pace = new Pace(request, parts);
  try {
    const body = request.iterator({ destroyOnReturn: false });
    const accept = (): void => {
      if (request.headers.expect !== undefined) response.writeContinue();
    };
    if (declared !== undefined) {
      return await spilled(parts, joined([], body, accept), { sizes, declared, pace });
    }
    accept();
    return await ofAnySize(parts, body, sizes, pace);
  } finally {
    pace.stop();
  }
}

/** The length in the head; undefined: it is told by the end of the body. */
export function declaredLength({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  return Number(headers['content-length'] ?? 0);
}

function inMemory(
  { bodies }: SpillParts,
  request: EdgeRequest,
  response: ServerResponse,
  bytesMax: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    request.once('close', () => reject(new Error('the sender went away')));
    bodies.receive(request, response, bytesMax, {
      done: resolve,
      refused: (why) => reject(why.kind === 'busy' ? busy() : tooLarge(why.size, { bytesMax })),
    });
  });
}

/** Its size is not known: it is read into memory until it is too large for that. */
async function ofAnySize(
  parts: SpillParts,
  body: AsyncIterator<Uint8Array>,
  sizes: BodySizes,
  pace: Pace,
): Promise<TakenBody> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const release = (): void => {
    parts.bodies.release(size);
    size = 0;
  };
  try {
    for (;;) {
      const next = await body.next();
      if (next.done === true) return { kind: 'inline', payload: Buffer.concat(pieces) };
      if (!parts.bodies.reserve(next.value.length)) throw busy();
      pieces.push(next.value);
      size += next.value.length;
      if (size > sizes.inlineBytesMax) {
        return await spilled(parts, joined(pieces, body, release), {
          sizes,
          declared: undefined,
          pace,
        });
      }
    }
  } finally {
    release();
    await body.return?.();
  }
}

interface SpillOptions {
  readonly sizes: BodySizes;
  readonly declared: number | undefined;
  readonly pace: Pace;
}

async function spilled(
  { host }: SpillParts,
  source: Readable,
  { sizes: { bytesMax }, declared, pace }: SpillOptions,
): Promise<TakenBody> {
  try {
    const size = declared === undefined ? {} : { declared };
    const body = await host.receive(source, { bytesMax, ...size, signal: pace.signal });
    const done = (): void => {
      body.release();
      host.mayGo(body.name);
    };
    const place = { kind: 'file', name: body.name, size: body.size } as const;
    return { kind: 'spilled', place, hash: body.hash32, done, release: body.release };
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'too_large')
      throw tooLarge(undefined, { bytesMax });
    throw error;
  } finally {
    // Whoever refuses the body reads the rest of it away: nobody else may be reading it.
    source.destroy();
  }
}

/** What was read already, then the rest. `begin` is called before the rest is asked for. */
function joined(
  pieces: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
  begin: () => void = () => undefined,
): Readable {
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) yield piece;
      begin();
      for (;;) {
        const next = await rest.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await rest.return?.();
    }
  };
  return Readable.from(all(), { objectMode: false });
}

/** Cuts a sender that brings next to nothing, however long it goes on. */
class Pace {
  readonly #request: IncomingMessage;
  readonly #options: Pick<SpillParts, 'limits' | 'clock'>;
  readonly #controller = new AbortController();
  #seen: number;
  #timer: Timer | undefined;

  constructor(request: IncomingMessage, options: Pick<SpillParts, 'limits' | 'clock'>) {
    this.#request = request;
    this.#options = options;
    this.#seen = request.socket.bytesRead;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const { clock, limits } = this.#options;
    this.#timer = clock.after(limits.stallMs, () => {
      const { socket, readableLength, readableHighWaterMark } = this.#request;
      // With a full buffer it is the disk that is slow.
      const isOurs = readableLength >= readableHighWaterMark;
      if (isOurs || socket.bytesRead - this.#seen >= leastBytes) {
        this.#seen = socket.bytesRead;
        this.#arm();
        return;
      }
      this.#controller.abort(new Error(`the sender stands still: ${limitText(limits, 'stallMs')}`));
      socket.destroy();
    });
  }
}

function tooLarge(
  size: number | undefined,
  { bytesMax }: Pick<BodySizes, 'bytesMax'>,
): PlatformError {
  const has = size === undefined ? 'more' : `${size} bytes`;
  const text = `the body has ${has}; the most is ${bytesMax} bytes (requests.max_bytes)`;
  return new PlatformError('too_large', text);
}

function busy(): PlatformError {
  const text = 'too many bodies are on their way in (http.bodiesBytesMax)';
  return new PlatformError('rate_limited', text, { retryAfterMs: busyRetryMs });
}
