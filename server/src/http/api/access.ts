// Who may call the administrative API: whoever presents the admin token, on loopback too, because
// a web page or another user of the machine also comes from loopback.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { isLoopback } from '../../config/address.ts';
import type { RouteAccess } from './route.ts';

/** Throws `unauthorized` unless the caller may do what the route does. */
export function checkAccess(
  access: RouteAccess,
  request: IncomingMessage,
  adminToken: string,
): void {
  if (access === 'open') return;
  if (access === 'scrape' && isLocalCaller(request)) return;
  const presented = presentedToken(request.headers.authorization);
  if (presented === undefined) {
    throw new PlatformError('unauthorized', 'send the admin token: Authorization: Bearer TOKEN');
  }
  if (!isEqual(presented, adminToken)) {
    throw new PlatformError('unauthorized', 'this is not the admin token of this server');
  }
}

/** The credential of an Authorization header, raw or after `Bearer`. */
function presentedToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const token = /^bearer +(.*)$/i.exec(header)?.[1] ?? header;
  return token.trim() === '' ? undefined : token.trim();
}

// Digests have equal length, so that neither length nor content shows in the time it takes.
function isEqual(presented: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(presented), digest(expected));
}

// A proxy on this machine makes every caller look local; what it forwards says so.
function isLocalCaller(request: IncomingMessage): boolean {
  const { forwarded, via } = request.headers;
  if (forwarded !== undefined || via !== undefined) return false;
  if (request.headers['x-forwarded-for'] !== undefined) return false;
  return isLoopback(request.socket.remoteAddress ?? '');
}
