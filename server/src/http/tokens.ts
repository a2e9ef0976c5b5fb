// What a presented credential may do on a service: raw tokens, `Bearer` tokens, EAS signatures and
// the administrator's token, all compared in constant time. What each operation needs is in
// eas/permissions.ts.

import type { Grant, HostedService, ServiceToken } from './directory.ts';
import { isSignedBy, type SignedRequest } from './signature.ts';

const mainGrant: Grant = { kind: 'main' };
const noGrant: Grant = { kind: 'none' };

/**
 * Whether two secrets are equal. Every character is looked at whatever the ones before it were, so
 * the time tells nothing but the length of what was presented.
 */
export function isSameSecret(presented: string, secret: string): boolean {
  let difference = presented.length ^ secret.length;
  for (let at = 0; at < presented.length; at++) {
    // Beyond the end of the secret its first characters come again.
    difference |= presented.charCodeAt(at) ^ secret.charCodeAt(at % secret.length);
  }
  return difference === 0;
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
  if (service.open) return mainGrant;
  if (token === undefined || token === '') return noGrant;
  const match = matchingToken(service.tokens, token);
  if (match !== undefined) return grantOf(match);
  const admin = adminToken !== undefined && isSameSecret(token, adminToken);
  return admin ? mainGrant : noGrant;
}

/** What the credential of a whole request may do on a service; signatures count on POST only. */
export function grantOfRequest(
  service: HostedService,
  request: SignedRequest,
  adminToken: string | undefined,
): Grant {
  if (service.open) return mainGrant;
  const header = request.headers.authorization;
  if (header === undefined || header === '') return noGrant;
  // A token may itself begin like a scheme, so the whole header is tried as a token first.
  const whole = grantOfToken(service, header, adminToken);
  if (whole.kind !== 'none') return whole;
  if (/^eas /i.test(header)) return signedGrant(service, request, header.slice(4).trim());
  const token = presentedToken(header);
  return token === header ? whole : grantOfToken(service, token, adminToken);
}

function signedGrant(service: HostedService, request: SignedRequest, signature: string): Grant {
  if (request.method !== 'POST') return noGrant;
  for (const token of service.tokens) {
    if (token.secret !== '' && isSignedBy(request, service.name, signature, token.secret)) {
      return grantOf(token);
    }
  }
  return noGrant;
}

function matchingToken(
  tokens: readonly ServiceToken[],
  presented: string,
): ServiceToken | undefined {
  let match: ServiceToken | undefined;
  for (const token of tokens) {
    // All are compared, so that the time does not tell which one fitted.
    const equal = isSameSecret(presented, token.secret);
    if (equal && token.secret !== '' && match === undefined) match = token;
  }
  return match;
}

function grantOf(token: ServiceToken): Grant {
  if (token.scopes === undefined) return mainGrant;
  return { kind: 'scoped', name: token.name, scopes: token.scopes };
}
