// Signatures of Standard Webhooks 1.0.0. Each message is signed twice: `v1` with a secret that the
// receiver shares (HMAC-SHA256), `v1a` with a key whose public half anybody may have (Ed25519).
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

import { createHmac, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Random } from '../kernel/random.ts';

/** The secrets of one time: as text, the way they are kept and shown. */
export interface SigningKeys {
  /** `whsec_` and the secret. */
  readonly secret: string;
  /** `whsk_` and the seed of the Ed25519 key; never shown. */
  readonly privateKey: string;
  /** `whpk_` and the public half. */
  readonly publicKey: string;
}

const prefixes = { secret: 'whsec_', privateKey: 'whsk_', publicKey: 'whpk_' } as const;
const secretBytes = 32;
/** What comes before the 32 bytes of a seed in PKCS #8 (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** New secrets. */
export function makeKeys(random: Random): SigningKeys {
  const seed = Buffer.from(random.secret(secretBytes), 'hex');
  const { x = '' } = createPublicKey(privateKeyOf(seed)).export({ format: 'jwk' });
  const secret = Buffer.from(random.secret(secretBytes), 'hex');
  return {
    secret: prefixes.secret + secret.toString('base64'),
    privateKey: prefixes.privateKey + seed.toString('base64'),
    publicKey: prefixes.publicKey + Buffer.from(x, 'base64url').toString('base64'),
  };
}

export interface Signed {
  readonly id: string;
  /** Wall clock. */
  readonly at: number;
  readonly body: string;
}

/** The headers of one attempt to deliver a message, signed with all of `keys`. */
export function signatureHeaders(
  { id, at, body }: Signed,
  keys: readonly SigningKeys[],
): Readonly<Record<string, string>> {
  const seconds = Math.floor(at / 1000);
  const content = Buffer.from(`${id}.${seconds}.${body}`);
  const signatures = keys.flatMap(({ secret, privateKey }) => [
    `v1,${createHmac('sha256', bytesOf(secret, prefixes.secret)).update(content).digest('base64')}`,
    `v1a,${sign(null, content, keyOf(privateKey)).toString('base64')}`,
  ]);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  };
}

function keyOf(privateKey: string): KeyObject {
  return privateKeyOf(bytesOf(privateKey, prefixes.privateKey));
}

function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' });
}

function bytesOf(text: string, prefix: string): Buffer {
  return Buffer.from(text.slice(prefix.length), 'base64');
}
