// Who may talk to the server at all, before any token is looked at: the Host and Origin checks
// that keep web pages of others away from a server on loopback, and CORS for the origins that are
// allowed. Tokens are in tokens.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from './answer.ts';

export interface AccessSettings {
  /** Only this machine can reach the address: then foreign Host names are refused. */
  readonly loopback: boolean;
  /** Further names under which clients reach a loopback server; with or without a port. */
  readonly allowHosts: readonly string[];
  /** Web origins that may call from a browser; `*` for every one. */
  readonly allowOrigins: readonly string[];
}

/** The headers a script of an allowed origin may send. */
const allowedHeaders = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Content-MD5',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Prefer',
  'Range',
  'If-Range',
  'Traceparent',
  'Sluice-Priority',
  'Sluice-Tags',
  'Sluice-Start-Within',
  'Sluice-Finish-Within',
  'Sluice-Delay',
  'Sluice-Retention',
  'Sluice-Callback',
  'Sluice-Callback-Events',
  'Sluice-Body-Address',
  'Sluice-On-Leave',
  'X-EAS-QueueService-Redis-Uid',
  'X-EAS-QueueService-Redis-Gid',
  'X-EAS-QueueService-Priority',
  'X-EAS-QueueService-Access-Rear',
].join(', ');

/** The headers it may read. */
const exposedHeaders = [
  'X-Eas-Queueservice-Request-Id',
  'X-Eas-Queueservice-Index',
  'X-Eas-Queueservice-Repeated',
  'X-Eas-Queueservice-Last-Code',
  'Retry-After',
  'Location',
  'ETag',
  'Preference-Applied',
  'Content-Range',
  'Accept-Ranges',
  'Sluice-Repeated',
  'Sluice-Model-Status',
].join(', ');

/** Refuses a request whose Host (421) or Origin (403) is not one of ours; undefined = it passes. */
export function checkAccess(
  request: Pick<IncomingMessage, 'headers'>,
  settings: AccessSettings,
): Refusal | undefined {
  const { host, origin } = request.headers;
  if (settings.loopback && host !== undefined && !isOwnHost(host, settings.allowHosts)) {
    return {
      status: 421,
      text:
        `host ${show(host)} is not served here: on loopback the names are localhost and loopback ` +
        'addresses (--allow-host opens further ones)',
      headers: [],
    };
  }
  if (origin !== undefined && !isAllowedOrigin(origin, host, settings.allowOrigins)) {
    return {
      status: 403,
      text: `origin ${show(origin)} may not call this server (--allow-origin opens it)`,
      headers: [],
    };
  }
  return undefined;
}

/**
 * Adds the CORS headers for a request with an Origin that has passed. Answers true when it was a
 * preflight and has been answered.
 */
export function applyCors(request: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Vary', 'Origin');
  response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
  const preflight = request.headers['access-control-request-method'] !== undefined;
  if (request.method !== 'OPTIONS' || !preflight) return false;
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
  response.setHeader('Access-Control-Allow-Headers', allowedHeaders);
  response.setHeader('Access-Control-Max-Age', '600');
  if (request.headers['access-control-request-private-network'] === 'true') {
    response.setHeader('Access-Control-Allow-Private-Network', 'true');
  }
  response.writeHead(204);
  response.end();
  return true;
}

const plainHost = /^(?:localhost|127\.0\.0\.1)(?::\d+)?$/;

function isOwnHost(host: string, allowed: readonly string[]): boolean {
  if (plainHost.test(host)) return true;
  const name = hostName(host);
  if (name === 'localhost' || name === '[::1]' || name.endsWith('.localhost')) return true;
  if (/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)) return true;
  return allowed.some((each) => {
    const wanted = each.toLowerCase();
    return wanted === '*' || wanted === name || wanted === host.toLowerCase();
  });
}

/** Without its port, in lower case; `[v6]` keeps its brackets. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

/**
 * A page served by this server itself has the authority of the Host header it used; the scheme
 * is left out of the comparison, because a proxy in front may end TLS.
 */
function isAllowedOrigin(
  origin: string,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (host !== undefined && authorityOf(origin) === host.toLowerCase()) return true;
  return allowed.some((each) => each === '*' || originText(each) === originText(origin));
}

function authorityOf(origin: string): string | undefined {
  return /^https?:\/\/([^/?#]+)$/.exec(originText(origin))?.[1];
}

function originText(origin: string): string {
  return origin.toLowerCase().replace(/\/$/, '');
}

/** Foreign text in an answer: short, printable. */
function show(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 100 ? `${plain.slice(0, 100)}...` : plain;
}
