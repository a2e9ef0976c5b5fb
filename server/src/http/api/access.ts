// Who may call the administrative API: whoever presents the admin token, on loopback too, because
// a web page or another user of the machine also comes from loopback.

import type { IncomingMessage } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { isLoopback } from '../../config/address.ts';
import { isSameSecret, presentedToken } from '../tokens.ts';
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
  if (presented === undefined || presented === '') {
    throw new PlatformError('unauthorized', 'send the admin token: Authorization: Bearer TOKEN');
  }
  if (!isSameSecret(presented, adminToken)) {
    throw new PlatformError('unauthorized', 'this is not the admin token of this server');
  }
}

// A proxy on this machine makes every caller look local; what it forwards says so.
function isLocalCaller(request: IncomingMessage): boolean {
  const { forwarded, via } = request.headers;
  if (forwarded !== undefined || via !== undefined) return false;
  if (request.headers['x-forwarded-for'] !== undefined) return false;
  return isLoopback(request.socket.remoteAddress ?? '');
}
