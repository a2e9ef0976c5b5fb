// What a program submits becomes what is sent: a body with its type, and the wishes as headers.
// What can't be sent is refused here, with the name of the option.

import { encodeBase64 } from '../base64.ts';
import { PlatformError } from '../errors.ts';
import { labelsOf } from '../inputs.ts';
import type { TagsInput } from '../queue-client.ts';
import type { BatchLine, RequestStateName } from './request-info.ts';
import type { RequestCall } from './request-transport.ts';

/** Text, bytes, a file, or any other value, which is sent as JSON. A `Blob` is never read whole:
 * `fs.openAsBlob(path)` gives one for a file in Node, `<input type="file">` in browsers. */
export type RequestBody = string | Uint8Array | Blob | object;

export interface SubmitOptions {
  /** The same key and body are the same request, however often they are submitted. A random one is
   * made when there is none, so that an attempt that is repeated never doubles a request. */
  readonly idempotencyKey?: string | undefined;
  /** Default: `application/json` for objects, `text/plain` for texts, the type of a Blob. */
  readonly contentType?: string | undefined;
  /** Path below the model server's own, for this request. */
  readonly path?: string | undefined;
  /** 0 to 2^31 - 1; higher goes first. */
  readonly priority?: number | undefined;
  readonly tags?: TagsInput | undefined;
  /** Expired, and never run, when it has not started by then. */
  readonly startWithinMs?: number | undefined;
  /** Over by then, even when it runs. */
  readonly finishWithinMs?: number | undefined;
  /** Not started before. */
  readonly delayMs?: number | undefined;
  /** How long result and record stay at least once it is at rest. */
  readonly retentionMs?: number | undefined;
  /** Who is told once it is at rest; with `events` only of these ends. */
  readonly callback?: string | CallbackOptions | undefined;
  /** Instead of a body: the http(s) or s3 address where it lies. */
  readonly bodyAddress?: string | undefined;
  /** Of W3C trace context; the model server gets it. */
  readonly traceparent?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CallbackOptions {
  readonly url: string;
  readonly events?: readonly RequestStateName[] | undefined;
}

/** One request of a batch: its body and all that goes for one, but a Blob or an address. */
export type BatchItem = { readonly body: string | Uint8Array | object } & Omit<
  SubmitOptions,
  'signal' | 'traceparent' | 'bodyAddress' | 'callback'
> & { readonly callback?: string | undefined };

/** The call that submits. */
export function submission(body: RequestBody, options: SubmitOptions, key: string): RequestCall {
  const { bodyAddress, signal } = options;
  const sent = bodyAddress === undefined ? bodyOf(body) : { bytes: undefined, type: undefined };
  const contentType = options.contentType ?? sent.type;
  return {
    method: 'POST',
    path: `/requests${pathOf(options.path)}`,
    headers: {
      ...(contentType === undefined ? {} : { 'Content-Type': contentType }),
      ...headersOf(options, key),
    },
    body: sent.bytes,
    repeat: 'always',
    signal,
  };
}

/** The headers of everything that is asked for. */
export function headersOf(options: SubmitOptions, key: string): Record<string, string> {
  const { callback, priority, traceparent, bodyAddress } = options;
  const { url, events } = typeof callback === 'string' ? { url: callback } : (callback ?? {});
  const asked: Readonly<Record<string, string | undefined>> = {
    'Idempotency-Key': checkedKey(key),
    'Sluice-Priority': priority?.toFixed(0),
    'Sluice-Tags': tagsText(options.tags),
    'Sluice-Start-Within': durationOf('startWithinMs', options.startWithinMs),
    'Sluice-Finish-Within': durationOf('finishWithinMs', options.finishWithinMs),
    'Sluice-Delay': durationOf('delayMs', options.delayMs),
    'Sluice-Retention': durationOf('retentionMs', options.retentionMs),
    'Sluice-Callback': url,
    'Sluice-Callback-Events': events?.join(', '),
    'Sluice-Body-Address': bodyAddress,
    Traceparent: traceparent,
  };
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined || value === '') continue;
    if (/[^\x20-\x7e]/.test(value)) throw refusal(name, 'not of printable ASCII characters');
    headers[name] = value;
  }
  return headers;
}

/** `a=1, b=two%2C%20three`; undefined for none. */
export function tagsText(input: TagsInput | undefined): string | undefined {
  const { tags } = labelsOf({ tags: input });
  if (tags.size === 0) return undefined;
  const pairs = [...tags].map(([name, value]) => [name, value].map(encodeURIComponent).join('='));
  return pairs.join(', ');
}

/** One line of a batch; the key makes it safe to send the batch again. */
export function batchLine(item: BatchItem, key: string): BatchLine {
  const { body, contentType, path, priority, callback } = item;
  const { tags } = labelsOf({ tags: item.tags });
  const wishes = {
    contentType,
    path,
    priority,
    tags: tags.size === 0 ? undefined : Object.fromEntries(tags),
    idempotencyKey: checkedKey(item.idempotencyKey ?? key),
    startWithin: durationOf('startWithinMs', item.startWithinMs),
    finishWithin: durationOf('finishWithinMs', item.finishWithinMs),
    delay: durationOf('delayMs', item.delayMs),
    retention: durationOf('retentionMs', item.retentionMs),
    callback,
  };
  const given = Object.entries(wishes).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), ...lineBody(body) };
}

function lineBody(body: string | Uint8Array | object): Partial<BatchLine> {
  if (typeof body === 'string') return { text: body };
  if (body instanceof Uint8Array) return { base64: encodeBase64(body) };
  if (body instanceof Blob) throw refusal('a body of a batch', 'a Blob: submit it on its own');
  return { body: checkedJson(body) };
}

/** `bytes` as fetch takes them. */
export function bodyOf(body: RequestBody): {
  readonly bytes: string | Uint8Array | Blob;
  readonly type: string;
} {
  if (typeof body === 'string') return { bytes: body, type: 'text/plain; charset=utf-8' };
  if (body instanceof Uint8Array) return { bytes: body, type: 'application/octet-stream' };
  if (body instanceof Blob) return { bytes: body, type: body.type || 'application/octet-stream' };
  return { bytes: JSON.stringify(checkedJson(body)), type: 'application/json' };
}

/** Streams, forms and buffers would become `{}` without a word. */
function checkedJson(body: object): object {
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(body));
  if (isPlain || Array.isArray(body) || 'toJSON' in body) return body;
  throw refusal('a body', `a ${body.constructor.name}: give text, bytes, a Blob, or plain values`);
}

/** `/a%20b/c?d=1` for `a b/c?d=1`; empty for none. */
function pathOf(path: string | undefined): string {
  const way = (path ?? '').replace(/^\/+/, '');
  return way === '' ? '' : `/${encodeURI(way).replaceAll('#', '%23')}`;
}

function durationOf(name: string, ms: number | undefined): string | undefined {
  if (ms === undefined) return undefined;
  if (Number.isFinite(ms) && ms >= 0) return `${Math.round(ms)}ms`;
  throw refusal(name, `${ms}: give milliseconds`);
}

function checkedKey(key: string): string {
  if (/^[\x20-\x7e]{1,255}$/.test(key)) {
    // What begins with a quote is read as a quoted string.
    return key.startsWith('"') ? `"${key.replaceAll(/["\\]/g, '\\$&')}"` : key;
  }
  throw refusal('idempotencyKey', 'not 1 to 255 printable ASCII characters');
}

function refusal(what: string, is: string): PlatformError {
  return new PlatformError('bad_request', `${what} is ${is}`);
}
