// Bodies of requests whose queue is on another machine: fetched from there as the model reads them,
// gone on with where a cut line broke off; large results brought up once the model is done. A few
// hundred KB of a body are in memory, whatever its size.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type KeptResultInfo, PlatformError } from '@sluice/sdk';
import type { WorkTerms } from '@sluice/sdk/wire';
import type { Dispatcher } from 'undici';
import type { Random } from '../kernel/random.ts';
import type { BodyPlace } from '../queue/terms.ts';
import type { KeptResult, OpenedBody, StreamedBody, WorkBodies } from '../worker/body.ts';
import { asFailure, type BodyLine } from './body-line.ts';
import { spool } from './spool.ts';

export interface RemoteBodiesOptions {
  readonly line: BodyLine;
  /** Where results wait on the disk; made when the first one comes. */
  readonly folder: string;
  /** What the service wants now. */
  readonly terms: () => WorkTerms | undefined;
  readonly random: Random;
}

export class RemoteBodies implements WorkBodies {
  readonly #options: RemoteBodiesOptions;

  constructor(options: RemoteBodiesOptions) {
    this.#options = options;
  }

  inputOf(place: BodyPlace, deliveryId: number): 'address' | StreamedBody {
    const { line, terms } = this.#options;
    if (place.kind === 'address' && terms()?.input === 'address') return 'address';
    return { open: (signal) => new Download(line, deliveryId, signal).open() };
  }

  resultBytesMax(): number {
    return this.#options.terms()?.keptBytesMax ?? 0;
  }

  async keep(source: Readable, signal: AbortSignal, deliveryId: number): Promise<KeptResult> {
    const { line, folder, random } = this.#options;
    const spooled = await spool(source, { folder, random, signal });
    try {
      const answer = await line.call(
        {
          method: 'PUT',
          path: `deliveries/${deliveryId}/result`,
          headers: {
            'content-type': 'application/octet-stream',
            'content-length': String(spooled.size),
          },
          body: () => spooled.read(),
          signal,
        },
        [201],
      );
      // Only the server makes these, and the name says what it has stored.
      const { name } = (await answer.body.json()) as KeptResultInfo;
      if (!name.endsWith(spooled.sha256)) {
        throw new PlatformError('damaged', 'the server has stored another result than was sent');
      }
      return { place: { kind: 'file', name, size: spooled.size }, done: () => undefined };
    } finally {
      await spooled.close();
    }
  }

  /** The server itself sees when nobody names it any more. */
  mayGo(): void {}
}

/** One body on its way here. */
class Download {
  readonly #line: BodyLine;
  readonly #path: string;
  readonly #signal: AbortSignal;
  readonly #hash = createHash('sha256');
  #at = 0;
  /** undefined: its end tells. */
  #size: number | undefined;
  /** Only what has one can be gone on with. */
  #tag: string | undefined;
  #digest: string | undefined;

  constructor(line: BodyLine, deliveryId: number, signal: AbortSignal) {
    this.#line = line;
    this.#path = `deliveries/${deliveryId}/body`;
    this.#signal = signal;
  }

  async open(): Promise<OpenedBody> {
    const { headers, body } = await this.#ask();
    const length = single(headers['content-length']);
    this.#size = length === undefined ? undefined : Number(length);
    this.#tag = single(headers.etag);
    this.#digest = /^sha-256=:(.+):$/.exec(single(headers['repr-digest']) ?? '')?.[1];
    let current = body;
    const follow = (next: typeof body): void => {
      current = next;
    };
    const stream = Readable.from(this.#pieces(body, follow), { objectMode: false });
    // A stream that is destroyed before it was read never begins what lets go of its source.
    stream.once('close', () => void current.on('error', () => undefined).destroy());
    return { stream, size: this.#size };
  }

  /** The last piece is held back until all of them were compared with what the server stored. */
  async *#pieces(
    first: Dispatcher.ResponseData['body'],
    follow: (next: Dispatcher.ResponseData['body']) => void,
  ): AsyncGenerator<Uint8Array> {
    let held: Uint8Array | undefined;
    for (let body = first; ; ) {
      try {
        for await (const piece of body) {
          const bytes: Uint8Array = piece;
          this.#hash.update(bytes);
          this.#at += bytes.length;
          if (held !== undefined) yield held;
          held = bytes;
        }
      } catch (error) {
        this.#signal.throwIfAborted();
        if (this.#tag === undefined) throw asFailure(error);
      }
      if (this.#size === undefined || this.#at >= this.#size) break;
      body = (await this.#ask()).body;
      follow(body);
    }
    if (this.#digest !== undefined && this.#hash.digest('base64') !== this.#digest) {
      throw new PlatformError('damaged', 'the body is not what the server has stored');
    }
    if (held !== undefined) yield held;
  }

  #ask(): Promise<Dispatcher.ResponseData> {
    const isMore = this.#at > 0 && this.#tag !== undefined;
    const range = isMore ? { range: `bytes=${this.#at}-`, 'if-range': this.#tag ?? '' } : {};
    const call = { method: 'GET', path: this.#path, headers: range, signal: this.#signal } as const;
    return this.#line.call(call, [isMore ? 206 : 200]);
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
