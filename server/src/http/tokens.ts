// What a presented credential may do on a service: raw tokens, `Bearer` tokens, EAS signatures and
// the administrator's token, all compared in constant time. What each operation needs is in
// eas/permissions.ts.

import { hash, timingSafeEqual } from 'node:crypto';
import type { Grant, HostedService, ServiceToken } from './directory.ts';
import { isSignedBy, type SignedRequest } from './signature.ts';

/** Whether two secrets are equal, in a time that tells nothing about either, not even a length. */
export function isSameSecret(presented: string, secret: string): boolean {
  const one = digestOf(presented);
  const other = digestOf(secret);
  return timingSafeEqual(one, other);
}

/** The token in an `Authorization` header, raw or after `Bearer`; undefined = none. */
export function presentedToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization === '') return undefined;
  const bearer = /^bearer +(.*)$/i.exec(authorization);
  return bearer === null ? authorization : bearer[1];
}

/** What a bare token may do on a service. An open service asks for none. */
export function grantOfToken(
  service: HostedService,
  token: string | undefined,
  adminToken: string | undefined,
): Grant {
  if (service.open) return { kind: 'main' };
  if (token === undefined || token === '') return { kind: 'none' };
  const match = matchingToken(service.tokens, token);
  if (match !== undefined) return grantOf(match);
  const admin = adminToken !== undefined && isSameSecret(token, adminToken);
  return { kind: admin ? 'main' : 'none' };
}

/** What the credential of a whole request may do on a service; signatures count on POST only. */
export function grantOfRequest(
  service: HostedService,
  request: SignedRequest,
  adminToken: string | undefined,
): Grant {
  if (service.open) return { kind: 'main' };
  const header = request.headers.authorization;
  if (header === undefined || header === '') return { kind: 'none' };
  // A token may itself begin like a scheme, so the whole header is tried as a token first.
  const whole = grantOfToken(service, header, adminToken);
  if (whole.kind !== 'none') return whole;
  if (/^eas /i.test(header)) return signedGrant(service, request, header.slice(4).trim());
  const token = presentedToken(header);
  return token === header ? whole : grantOfToken(service, token, adminToken);
}

function signedGrant(service: HostedService, request: SignedRequest, signature: string): Grant {
  if (request.method !== 'POST') return { kind: 'none' };
  for (const token of service.tokens) {
    if (token.secret !== '' && isSignedBy(request, service.name, signature, token.secret)) {
      return grantOf(token);
    }
  }
  return { kind: 'none' };
}

function matchingToken(
  tokens: readonly ServiceToken[],
  presented: string,
): ServiceToken | undefined {
  const digest = digestOf(presented);
  let match: ServiceToken | undefined;
  for (const token of tokens) {
    const equal = timingSafeEqual(digest, digestOfToken(token));
    // All are compared, so that the time does not tell which one fitted.
    if (equal && token.secret !== '' && match === undefined) match = token;
  }
  return match;
}

const digests = new WeakMap<ServiceToken, { readonly secret: string; readonly digest: Buffer }>();

/** Kept beside the token: every request asks for it. */
function digestOfToken(token: ServiceToken): Buffer {
  const known = digests.get(token);
  if (known !== undefined && known.secret === token.secret) return known.digest;
  const digest = digestOf(token.secret);
  digests.set(token, { secret: token.secret, digest });
  return digest;
}

function digestOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function grantOf(token: ServiceToken): Grant {
  if (token.scopes === undefined) return { kind: 'main' };
  return { kind: 'scoped', name: token.name, scopes: token.scopes };
}
