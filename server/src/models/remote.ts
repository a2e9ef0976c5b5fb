// Models that lie elsewhere, asked for over HTTP: whole, from some byte on, or only if they have
// changed. Every address and every redirect passes the address filter; objects are asked for with
// a signature. What an answer says of itself is checked here, what its bytes are is not.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { checkTarget, type Resolve } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import {
  type FetchRules,
  objectTarget,
  type S3Settings,
  type SignedTarget,
} from '../kernel/object-store.ts';
import type { PinnedOptions } from '../kernel/pinned-connector.ts';
import { ask } from '../kernel/pinned-request.ts';
import type { ModelPlace, RemotePlace } from './address.ts';
import { fetchErrorOf, finalError, ModelFetchError } from './fetch-error.ts';
import { isSameVersion, type Version } from './version.ts';

export interface RemoteOptions extends PinnedOptions {
  readonly s3: S3Settings;
  readonly oss: S3Settings;
  readonly clock: Clock;
  readonly resolve?: Resolve;
}

export interface Question {
  readonly source: ModelPlace<RemotePlace>;
  readonly rules: FetchRules;
  /** How many bytes are here already, 0 = none, and of which version they are. */
  readonly have: { readonly bytes: number; readonly of: Version };
  /** Not asked for again when it still is this version. */
  readonly known?: Version | undefined;
  readonly signal: AbortSignal;
}

export type ModelAnswer =
  | { readonly kind: 'unchanged' }
  /** What is here already is not a part of it: it has to be asked for whole. */
  | { readonly kind: 'changed' }
  | ModelBody;

export interface ModelBody {
  readonly kind: 'body';
  /** The first byte of the stream: as many as are here already, or 0. */
  readonly from: number;
  /** Of the whole model; undefined: its end tells, and a cut shows as an error. */
  readonly size: number | undefined;
  /** False: neither a length nor an end is said, and a cut can't be told from the end. */
  readonly hasEnd: boolean;
  readonly version: Version;
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
}

const redirectsMax = 5;
/** Of an answer that refuses, read for the word that says why. */
const refusalBytesMax = 4096;
const retryAfterMsMax = 600_000;

export class RemoteModels {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** Throws why a model may not be fetched from there. */
  async check({ place, shown }: ModelPlace<RemotePlace>, rules: FetchRules): Promise<void> {
    await this.#target(place, rules).catch((error: unknown) => {
      throw fetchErrorOf(error, shown);
    });
  }

  /** Throws ModelFetchError. */
  async ask(question: Question): Promise<ModelAnswer> {
    const { source, rules, signal } = question;
    let response: IncomingMessage | undefined;
    try {
      let target = await this.#target(source.place, rules);
      for (let hops = 0; ; hops += 1) {
        response = await this.#request(target, question);
        const next = redirect(response, target.pinned.url);
        if (next === undefined) return await answerOf(response, question);
        response.destroy();
        if (source.place.kind === 'object' || hops === redirectsMax) {
          throw finalError(refusedRedirect(source, next));
        }
        const { resolve } = this.#options;
        target = { pinned: await checkTarget(next.href, rules.allow, resolve), headers: {} };
      }
    } catch (error) {
      response?.destroy();
      if (signal.aborted) throw signal.reason;
      throw fetchErrorOf(error, `${source.shown} could not be fetched`);
    }
  }

  #request({ pinned, headers }: SignedTarget, question: Question): Promise<IncomingMessage> {
    const asking = { 'accept-encoding': 'identity', 'user-agent': 'sluice' };
    const sent = { ...asking, ...headersOf(question), ...headers };
    return ask(pinned, sent, { ...this.#options, signal: question.signal });
  }

  async #target(place: RemotePlace, rules: FetchRules): Promise<SignedTarget> {
    const { resolve, clock } = this.#options;
    if (place.kind === 'http') {
      return { pinned: await checkTarget(place.url.href, rules.allow, resolve), headers: {} };
    }
    const { bucket } = place.object;
    if (!rules.buckets.includes(bucket)) {
      throw finalError(`bucket ${bucket} may not be read by this service`);
    }
    return objectTarget(place.object, { settings: this.#options[place.store], clock, resolve });
  }
}

// A date is as good as a tag here: whether the rest is of the same version is compared again when
// it comes (stores exist that do not know If-Range and send it whatever has changed).
function headersOf({ have, known }: Question): Readonly<Record<string, string>> {
  const { etag, lastModified } = have.of;
  const headers: Record<string, string> = {};
  if (have.bytes > 0) {
    headers.range = `bytes=${have.bytes}-`;
    const since = etag === '' ? lastModified : etag;
    // A weak tag never matches there, and all would be sent again.
    if (since !== '' && !since.startsWith('W/')) headers['if-range'] = since;
  } else if (known !== undefined) {
    if (known.etag !== '') headers['if-none-match'] = known.etag;
    else if (known.lastModified !== '') headers['if-modified-since'] = known.lastModified;
  }
  return headers;
}

function redirect({ statusCode = 0, headers }: IncomingMessage, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined;
  const location = headers.location;
  if (typeof location !== 'string' || !URL.canParse(location, from.href)) return undefined;
  const next = new URL(location, from);
  if (from.protocol === 'https:' && next.protocol === 'http:') {
    throw finalError(`${from.host} leads from https to ${next.origin}, which is not followed`);
  }
  return next;
}

function refusedRedirect({ place, shown }: ModelPlace<RemotePlace>, next: URL): string {
  if (place.kind === 'http') return `${shown} leads through more than ${redirectsMax} addresses`;
  return `${shown} is said to lie at ${next.host}: check the region and endpoint of the server`;
}

async function answerOf(stream: IncomingMessage, question: Question): Promise<ModelAnswer> {
  const { statusCode = 0, headers } = stream;
  const { have, source } = question;
  const isPart = statusCode === 206 && have.bytes > 0;
  if (statusCode !== 200 && !isPart) {
    if (statusCode === 304 && question.known !== undefined) return over(stream, 'unchanged');
    if (have.bytes > 0 && [412, 416].includes(statusCode)) return over(stream, 'changed');
    throw await refusalOf(stream, source);
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  // A server may take the packing of the file itself for that of the answer.
  if (encoding !== 'identity' && !(encoding === 'gzip' && source.packing === 'tgz')) {
    stream.destroy();
    throw finalError(`${source.shown} answers with the content encoding ${String(encoding)}`);
  }
  const version = { etag: text(headers.etag), lastModified: text(headers['last-modified']) };
  const size = isPart ? sizeOfPart(headers, have.bytes) : lengthOf(headers);
  if (isPart && (size === undefined || !isSameVersion(version, have.of))) {
    return over(stream, 'changed');
  }
  const hasEnd = size !== undefined || text(headers['transfer-encoding']) !== '';
  return { kind: 'body', from: isPart ? have.bytes : 0, size, hasEnd, version, stream };
}

function over(stream: Readable, kind: 'unchanged' | 'changed'): ModelAnswer {
  stream.destroy();
  return { kind };
}

async function refusalOf(
  response: IncomingMessage,
  { shown, place }: ModelPlace<RemotePlace>,
): Promise<ModelFetchError> {
  const { statusCode = 0, headers } = response;
  const isPassing = statusCode >= 500 || [408, 425, 429].includes(statusCode);
  const word = place.kind === 'object' ? await storeWord(response) : '';
  response.destroy();
  const advice: Readonly<Record<number, string>> = {
    401: ': it asks for a password, which an address can not carry',
    403: place.kind === 'object' ? ': look at the credentials of the server' : '',
  };
  const message = `${shown} answered ${statusCode}${word}${advice[statusCode] ?? ''}`;
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return new ModelFetchError(message, {
    isFinal: !isPassing,
    retryAfterMs: seconds > 0 ? Math.min(seconds * 1000, retryAfterMsMax) : undefined,
  });
}

/** What the store calls it: " SignatureDoesNotMatch". */
async function storeWord(body: Readable): Promise<string> {
  let said = '';
  try {
    for await (const piece of body) {
      said += String(piece);
      if (said.length >= refusalBytesMax) break;
    }
  } catch {
    // The status says enough.
  }
  const word = /<Code>(\w{1,64})<\/Code>/.exec(said)?.[1];
  return word === undefined ? '' : ` ${word}`;
}

/** Of the whole, when the part begins where it has to and goes to the end. */
function sizeOfPart(headers: IncomingHttpHeaders, from: number): number | undefined {
  const said = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(text(headers['content-range']));
  const [first, last, total] = (said ?? []).slice(1).map(Number);
  if (first !== from || last === undefined || total !== last + 1) return undefined;
  return total;
}

function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = text(headers['content-length']);
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function text(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.[0] ?? '');
}
