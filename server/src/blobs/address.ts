// Bodies that lie at an address: an http(s) one, or an object of S3 or of whatever speaks its
// protocol. Addresses come with other people's requests, so each passes the address filter, and an
// object is read with the server's own credentials only from buckets that the service names.

import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import {
  type AllowList,
  checkTarget,
  type PinnedTarget,
  type Resolve,
  readTarget,
  systemResolve,
} from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import { type PinnedOptions, pinnedClient } from '../kernel/pinned-connector.ts';
import { encoded, type S3Credentials, signedHeaders } from './sigv4.ts';

/** How objects are read; from the environment of the server. */
export interface S3Settings {
  /** undefined: none are known, and no object can be read. */
  readonly credentials: S3Credentials | undefined;
  readonly region: string;
  /** Of a store that is not Amazon's; trusted, since only the server's environment names it. */
  readonly endpoint: URL | undefined;
}

/** What a service allows its submitters: `fetch` in service.json. */
export interface FetchRules {
  readonly allow: AllowList;
  /** Buckets that may be read. */
  readonly buckets: readonly string[];
}

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

interface Target {
  readonly pinned: PinnedTarget;
  readonly headers: Readonly<Record<string, string>>;
}

export interface AddressOptions extends PinnedOptions {
  readonly s3: S3Settings;
  readonly clock: Clock;
  readonly resolve?: Resolve;
}

/** Longest wait for the first and between any two pieces of a body. */
const silenceMs = 60_000;
const keyCharactersMax = 1024;

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
    const client = pinnedClient(pinned, this.#options);
    try {
      const { pathname, search } = pinned.url;
      const {
        statusCode,
        headers: said,
        body,
      } = await client.request({
        method: 'GET',
        path: pathname + search,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'sluice', ...headers },
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
        signal,
      });
      body.on('error', () => undefined);
      body.once('close', () => void client.destroy().catch(() => undefined));
      const refusal = refusalOf(statusCode, said) ?? tooLarge(sizeOf(said), bytesMax);
      if (refusal === undefined) return { stream: bounded(body, bytesMax), size: sizeOf(said) };
      body.destroy();
      throw refusal;
    } catch (error) {
      client.destroy().catch(() => undefined);
      if (error instanceof PlatformError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const text = `the body could not be fetched from ${pinned.url.host}: ${why}`;
      throw new PlatformError('unavailable', text, { cause: error });
    }
  }

  async #target(url: string, rules: FetchRules): Promise<Target> {
    if (!/^s3:/i.test(url)) {
      const { resolve } = this.#options;
      return { pinned: await checkTarget(url, rules.allow, resolve), headers: {} };
    }
    return this.#object(url, rules);
  }

  async #object(address: string, { buckets }: FetchRules): Promise<Target> {
    const { s3, clock, resolve = systemResolve } = this.#options;
    const [, bucket = '', key = ''] =
      /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/s.exec(address) ?? [];
    if (bucket === '' || key.length > keyCharactersMax) {
      throw new PlatformError('unprocessable', 'an address of an object is s3://bucket/key');
    }
    if (!buckets.includes(bucket)) {
      const text = `bucket ${bucket} is read only if fetch.s3_buckets of the service names it`;
      throw new PlatformError('unprocessable', text);
    }
    if (s3.credentials === undefined) {
      const text = 'this server has no credentials for objects: AWS_ACCESS_KEY_ID is not set';
      throw new PlatformError('unprocessable', text);
    }
    const path = key.split('/').map(encoded).join('/');
    // A key with a part `.` or `..` would be another object's once it is in an address.
    if (/(^|\/)\.{1,2}(\/|$)/.test(key)) {
      throw new PlatformError('unprocessable', 'the key of the object has a part . or ..');
    }
    const root = s3.endpoint?.href.replace(/\/$/, '');
    const place =
      root === undefined
        ? `https://${bucket}.s3.${s3.region}.amazonaws.com/${path}`
        : `${root}/${bucket}/${path}`;
    const url = readTarget(place);
    const { region, credentials } = s3;
    const sign = { url, credentials, region, service: 's3', now: clock.now().wall };
    const { host: _, ...headers } = signedHeaders(sign);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = await resolve(host).catch((cause: unknown) => {
      throw new PlatformError('unavailable', `${host} could not be looked up`, { cause });
    });
    return { pinned: { url, addresses }, headers };
  }
}

/** The settings of the environment, under the names that every tool for S3 uses. */
export function s3SettingsOf(
  environment: Readonly<Record<string, string | undefined>>,
): S3Settings {
  const id = environment.AWS_ACCESS_KEY_ID ?? '';
  const secret = environment.AWS_SECRET_ACCESS_KEY ?? '';
  const token = environment.AWS_SESSION_TOKEN ?? '';
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL ?? '';
  const isKnown = id !== '' && secret !== '';
  return {
    credentials: isKnown
      ? { accessKeyId: id, secretAccessKey: secret, sessionToken: token === '' ? undefined : token }
      : undefined,
    region: environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? 'us-east-1',
    endpoint: URL.canParse(endpoint) ? new URL(endpoint) : undefined,
  };
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
