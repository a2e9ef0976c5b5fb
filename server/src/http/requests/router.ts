// Which call of the request API an address means. Works on the text of the request line: no URL
// object is made on the way of a submission.

import { PlatformError } from '@sluice/sdk/wire';
import { checkRequestPath, pathOf } from '../eas/address.ts';
import { type RequestRoute, servicesPrefix } from './route.ts';
import { routes, submitRoute } from './routes.ts';

/** An address of the request API, taken apart. */
export interface RequestAddress {
  readonly service: string;
  /** From the collection on: `requests/7-0badcafe`, still encoded. */
  readonly rest: string;
}

export interface Found {
  readonly route: RequestRoute;
  readonly params: Readonly<Record<string, string>>;
  /** For the model, with its leading slash; of submissions only. */
  readonly path: string | undefined;
}

const collections: readonly string[] = ['requests', 'batches', 'dead', 'deliveries', 'bodies'];

/** `undefined`: the address belongs to somebody else. */
export function requestAddress(url: string): RequestAddress | undefined {
  const path = url.startsWith('/') ? untilQuery(url) : pathOf(url);
  if (!path.startsWith(servicesPrefix)) return undefined;
  const end = path.indexOf('/', servicesPrefix.length);
  if (end === -1) return undefined;
  const rest = path.slice(end + 1);
  const slash = rest.indexOf('/');
  const collection = slash === -1 ? rest : rest.slice(0, slash);
  if (!collections.includes(collection)) return undefined;
  return { service: path.slice(servicesPrefix.length, end), rest };
}

/** Throws `not_found` and `not_allowed`, and `bad_request` for a path that no model may get. */
export function findRoute(method: string | undefined, rest: string): Found {
  // Most calls are these, and no pattern has to be looked at for them.
  if (method === 'POST' && rest === submitRoute.path) return submission(undefined);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const segments = rest.split('/');
  if (segments.at(-1) === '') segments.pop();
  const allowed: string[] = [];
  for (const { route, pattern } of patterns) {
    const params = paramsOf(pattern, segments);
    if (params === undefined) continue;
    if (route.method === wanted) return { route, params, path: undefined };
    allowed.push(route.method);
  }
  if (wanted === 'POST' && segments[0] === submitRoute.path) {
    return submission(rest.slice(submitRoute.path.length));
  }
  if (allowed.length > 0) {
    throw new PlatformError('not_allowed', `this address knows ${allowed.join(', ')}`);
  }
  throw new PlatformError('not_found', `no such call: ${wanted} ${shown(rest)}`);
}

const patterns = routes.map((route) => ({ route, pattern: route.path.split('/') }));

function submission(path: string | undefined): Found {
  const isEmpty = path === undefined || path === '/';
  if (!isEmpty) checkRequestPath(path);
  return { route: submitRoute, params: {}, path: isEmpty ? undefined : path };
}

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? '';
    if (part.startsWith('{')) params[part.slice(1, -1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}

function untilQuery(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** Foreign text in an answer: short, printable. */
function shown(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 100 ? `${plain.slice(0, 100)}...` : plain;
}
