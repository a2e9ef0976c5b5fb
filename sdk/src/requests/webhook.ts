// Whether a callback comes from Sluice: Standard Webhooks 1.0.0, checked with the platform's own
// cryptography (WebCrypto), which compares in constant time. For Node, browsers and edge runtimes.

import { decodeBase64 } from '../base64.ts';
import { PlatformError } from '../errors.ts';
import { defaultClock } from '../platform.ts';
import type { RequestInfo } from './request-info.ts';

export interface WebhookInput {
  /** The body as it came, byte for byte: a JSON value that was parsed and written again differs. */
  readonly body: string | Uint8Array;
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `whsec_...` of the service, or the public key `whpk_...`; several while they are rotated. */
  readonly secrets: string | readonly string[];
  /** How far the sender's clock may be from this one; default 5 minutes. */
  readonly toleranceMs?: number | undefined;
  /** Wall clock in milliseconds; for tests. */
  readonly now?: number | undefined;
}

export interface Webhook {
  /** The same for every attempt to deliver it: what has been seen may be left aside. */
  readonly id: string;
  readonly sentAt: Date;
  /** What it tells. */
  readonly event: CallbackEvent;
}

/** The body of a callback. */
export interface CallbackEvent {
  /** `request.succeeded` and the like. */
  readonly type: string;
  /** RFC 3339, UTC: when the request came to rest. */
  readonly timestamp: string;
  /** The request, with its result where that is small. */
  readonly data: RequestInfo & { readonly result?: CallbackResult };
}

/** A result in one of three forms, by what it is. */
export type CallbackResult = { readonly contentType: string | null } & (
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly base64: string }
);

const toleranceMsDefault = 300_000;
const signaturesMax = 32;

/** Resolves with what was signed; rejects with `unauthorized` when a signature is missing, wrong,
 * or too old, and with `bad_request` when a secret or the body is malformed. */
export async function verifyWebhook(input: WebhookInput): Promise<Webhook> {
  const { body, toleranceMs = toleranceMsDefault, now = defaultClock.now().wall } = input;
  const id = header(input.headers, 'webhook-id');
  const timestamp = header(input.headers, 'webhook-timestamp');
  const signatures = header(input.headers, 'webhook-signature').split(' ');
  const sentMs = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1000 : Number.NaN;
  if (Number.isNaN(sentMs)) throw forged('webhook-timestamp is no number of seconds');
  if (Math.abs(now - sentMs) > toleranceMs) throw forged('it was signed too long ago, or ahead');
  if (signatures.length > signaturesMax) throw forged('it has too many signatures');
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const signed = joined(new TextEncoder().encode(`${id}.${timestamp}.`), bytes);
  const secrets = typeof input.secrets === 'string' ? [input.secrets] : input.secrets;
  const keys = await Promise.all(secrets.map(keyOf));
  for (const key of keys) {
    for (const signature of signatures) {
      if (await isSignedBy(key, signature, signed)) {
        return { id, sentAt: new Date(sentMs), event: eventOf(bytes) };
      }
    }
  }
  throw forged('no signature fits');
}

type Subtle = typeof globalThis.crypto.subtle;

function eventOf(bytes: Uint8Array): CallbackEvent {
  try {
    // It is signed: what Sluice writes is of this type.
    return JSON.parse(new TextDecoder().decode(bytes)) as CallbackEvent;
  } catch (cause) {
    throw new PlatformError('bad_request', 'The callback is signed, and no JSON.', { cause });
  }
}

interface Key {
  readonly version: 'v1' | 'v1a';
  readonly algorithm: 'HMAC' | 'Ed25519';
  readonly key: Awaited<ReturnType<Subtle['importKey']>>;
}

async function keyOf(secret: string): Promise<Key> {
  // Pages that are not served over TLS or from localhost have none; the types say otherwise.
  const subtle: Subtle | undefined = globalThis.crypto.subtle;
  if (subtle === undefined) {
    throw new PlatformError('internal', 'WebCrypto is only there on pages served over https.');
  }
  if (secret.startsWith('whpk_')) {
    const raw = keyBytes(secret.slice('whpk_'.length));
    const key = await subtle.importKey('raw', raw, { name: 'Ed25519' }, false, ['verify']);
    return { version: 'v1a', algorithm: 'Ed25519', key };
  }
  const raw = keyBytes(secret.replace(/^whsec_/, ''));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await subtle.importKey('raw', raw, algorithm, false, ['verify']);
  return { version: 'v1', algorithm: 'HMAC', key };
}

function keyBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    // A copy has a buffer of its own, as the types of WebCrypto ask for.
    return new Uint8Array(decodeBase64(text));
  } catch (cause) {
    throw new PlatformError('bad_request', 'A secret is whsec_ or whpk_ and base64.', { cause });
  }
}

async function isSignedBy(
  key: Key,
  signature: string,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const comma = signature.indexOf(',');
  if (signature.slice(0, comma) !== key.version) return false;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(decodeBase64(signature.slice(comma + 1)));
  } catch {
    return false;
  }
  return globalThis.crypto.subtle.verify(key.algorithm, key.key, bytes, signed);
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(head.byteLength + body.byteLength);
  whole.set(head);
  whole.set(body, head.byteLength);
  return whole;
}

function header(headers: WebhookInput['headers'], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : own(headers, name);
  if (typeof value === 'string' && value !== '') return value;
  throw forged(`the header ${name} is missing`);
}

/** Frameworks differ in whether names are in lower case; a header that came twice is none. */
function own(headers: Exclude<WebhookInput['headers'], Headers>, name: string): unknown {
  const [found] = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  return found?.[1];
}

function forged(why: string): PlatformError {
  return new PlatformError('unauthorized', `The callback is not trusted: ${why}.`);
}
