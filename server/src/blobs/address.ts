// Bodies that lie at an address: an http(s) one, or an object of S3 or of whatever speaks its
// protocol. Addresses come with other people's requests, so each passes the address filter, and an
// object is read with the server's own credentials only from buckets that the service names.

import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import { checkTarget, type Resolve } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  type FetchRules,
  objectTarget,
  readObjectName,
  type S3Settings,
  type SignedTarget,
} from '../kernel/object-store.ts';
import type { PinnedOptions } from '../kernel/pinned-connector.ts';
import { ask } from '../kernel/pinned-request.ts';

export interface FetchedBody {
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
  /** undefined: its end tells. */
  readonly size: number | undefined;
}

export interface FetchOptions {
  readonly rules: FetchRules;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface AddressOptions extends PinnedOptions {
  readonly s3: S3Settings;
  readonly clock: Clock;
  readonly resolve?: Resolve;
}

export class BodyAddresses {
  readonly #options: AddressOptions;

  constructor(options: AddressOptions) {
    this.#options = options;
  }

  /** Throws `unprocessable` when a body may not be fetched from there, naming the setting;
   * `unavailable` when that can't be told at the moment. */
  async check(url: string, rules: FetchRules): Promise<void> {
    await this.#target(url, rules);
  }

  /**
   * Begins to fetch. What waiting may help against throws an error that `retry`s: no connection, a
   * status of 408, 425, 429 or from 500 on; anything else is final. A body over `bytesMax` throws
   * `too_large`, or fails with it on the way when its size was not known.
   */
  async open(url: string, { rules, bytesMax, signal }: FetchOptions): Promise<FetchedBody> {
    const { pinned, headers } = await this.#target(url, rules);
    try {
      const asking = { 'accept-encoding': 'identity', 'user-agent': 'sluice', ...headers };
      const body = await ask(pinned, asking, { ...this.#options, signal });
      const size = sizeOf(body.headers);
      const refusal = refusalOf(body.statusCode ?? 0, body.headers) ?? tooLarge(size, bytesMax);
      if (refusal === undefined) return { stream: bounded(body, bytesMax), size };
      body.destroy();
      throw refusal;
    } catch (error) {
      if (error instanceof PlatformError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const text = `the body could not be fetched from ${pinned.url.host}: ${why}`;
      throw new PlatformError('unavailable', text, { cause: error });
    }
  }

  async #target(url: string, rules: FetchRules): Promise<SignedTarget> {
    if (!/^s3:/i.test(url)) {
      const { resolve } = this.#options;
      return { pinned: await checkTarget(url, rules.allow, resolve), headers: {} };
    }
    return this.#object(url, rules);
  }

  async #object(address: string, { buckets }: FetchRules): Promise<SignedTarget> {
    const { s3: settings, clock, resolve } = this.#options;
    const name = readObjectName(address);
    if (!buckets.includes(name.bucket)) {
      const text = `bucket ${name.bucket} is read only if fetch.s3_buckets of the service names it`;
      throw new PlatformError('unprocessable', text);
    }
    return objectTarget(name, { settings, clock, resolve });
  }
}

function refusalOf(status: number, headers: IncomingHttpHeaders): PlatformError | undefined {
  const passing = status >= 500 || [408, 425, 429].includes(status);
  const said = `the address of the body answered ${status}`;
  if (status >= 300 && status < 400) {
    return new PlatformError('unprocessable', `${said}; redirects are not followed`);
  }
  if (status !== 200) return new PlatformError(passing ? 'unavailable' : 'unprocessable', said);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return undefined;
  const text = `the address of the body answers with the content encoding ${encoding}`;
  return new PlatformError('unprocessable', text);
}

function sizeOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

function tooLarge(size: number | undefined, bytesMax: number): PlatformError | undefined {
  if (size === undefined || size <= bytesMax) return undefined;
  const text = `the body has ${size} bytes; the most is ${bytesMax} bytes (requests.max_bytes)`;
  return new PlatformError('too_large', text);
}

function bounded(body: Readable, bytesMax: number): Readable {
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const piece of body) {
      const bytes: Uint8Array = piece;
      size += bytes.length;
      const refusal = tooLarge(size, bytesMax);
      if (refusal !== undefined) throw refusal;
      yield bytes;
    }
  };
  const stream = Readable.from(pieces(), { objectMode: false });
  stream.once('close', () => body.destroy());
  return stream;
}
