// Which queue an EAS address names, and the request path behind it. Works on the text of the
// request line: no URL object is made on the way of a put.

import { PlatformError } from '@sluice/sdk/wire';

export interface QueueAddress {
  readonly service: string;
  readonly queue: 'input' | 'sink';
  /** The path for the call to the model, with its leading slash and still encoded. */
  readonly path: string | undefined;
}

/** What comes before the service in every address. */
export const easPrefix = '/api/predict/';

/** Reads `/api/predict/{service}[/sink][/path]`; `path` must begin with the prefix. */
export function parseEasPath(path: string): QueueAddress {
  const end = path.indexOf('/', easPrefix.length);
  const service = path.slice(easPrefix.length, end === -1 ? path.length : end);
  if (service === '') throw new PlatformError('not_found', 'the address names no service');
  const name = service.includes('%') ? decoded(service) : service;
  return end === -1
    ? { service: name, queue: 'input', path: undefined }
    : belowService(name, path.slice(end));
}

/** Reads an address below the root of a queue of its own: `/`, `/sink`, `/path`. */
export function parseRootPath(service: string, path: string): QueueAddress {
  return belowService(service, path);
}

/** The path of a request line; a proxy may have sent the whole address. */
export function pathOf(url: string): string {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return path.startsWith('/') ? path : path.replace(/^[a-z]+:\/\/[^/]*/i, '') || '/';
}

/** What comes after the question mark; empty when there is none. */
export function queryOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? '' : url.slice(query + 1);
}

function belowService(service: string, rest: string): QueueAddress {
  const sink = rest === '/sink' || rest.startsWith('/sink/');
  const path = sink ? rest.slice('/sink'.length) : rest;
  const queue = sink ? 'sink' : 'input';
  if (path === '' || path === '/') return { service, queue, path: undefined };
  checkRequestPath(path);
  return { service, queue, path };
}

/**
 * Throws `bad_request` unless a request path, with or without its leading slash, is plain. It is
 * put behind the address of the model server as it is, so it must not be able to mean another place
 * than it shows: no dot segments, no slash in disguise, no empty segment (`//host` would name
 * another host), no query or fragment of its own.
 */
export function checkRequestPath(path: string): void {
  if (/[^\x21-\x7e]|[\\?#]/.test(path)) {
    throw new PlatformError('bad_request', 'the request path has characters that are not encoded');
  }
  const segments = (path.startsWith('/') ? path.slice(1) : path).split('/');
  for (const [at, segment] of segments.entries()) {
    const plain = decoded(segment);
    if (segment === '' && at < segments.length - 1) {
      throw new PlatformError('bad_request', 'the request path has an empty segment');
    }
    if (plain === '.' || plain === '..') {
      throw new PlatformError('bad_request', 'the request path has a dot segment');
    }
    if (/[/\\\0]/.test(plain)) {
      throw new PlatformError('bad_request', 'the request path has an encoded slash');
    }
  }
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new PlatformError('bad_request', 'the address is not percent-encoded UTF-8', { cause });
  }
}
