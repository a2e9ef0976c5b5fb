// Which path of the model server a request may reach. A put may name its own path, but only below
// the declared ones, and never one that a server could read differently than we do.

import type { CallTarget } from './settings.ts';

export type PathChoice =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly problem: string };

/**
 * The path and query for a call. `base` is the path of the instance's own address (`/` for most);
 * `own` is the put's path below the queue's address, with or without a slash in front.
 */
export function choosePath(base: string, target: CallTarget, own: string | undefined): PathChoice {
  if (own === undefined || own === '' || own === '/') return good(base, target.path);
  const path = own.startsWith('/') ? own : `/${own}`;
  const problem = ambiguity(path);
  if (problem !== undefined) return { ok: false, problem };
  const allowed = [target.path, ...target.paths];
  if (allowed.some((one) => isAtOrBelow(path, one))) return good(base, path);
  return {
    ok: false,
    problem:
      `the path ${path} is not one of this service's: it takes ${allowed.join(', ')} and what ` +
      'is below (settings request.path and request.paths)',
  };
}

/** Why a path could mean different things to different servers; undefined: it cannot. */
function ambiguity(path: string): string | undefined {
  if (path.length > 4096) return 'the path is longer than 4096 characters';
  if (/[\\?#\s]/.test(path) || hasControl(path)) {
    return `the path ${JSON.stringify(path)} holds a character that must be encoded`;
  }
  if (/%(2f|5c|00)/i.test(path)) return `the path ${path} holds an encoded slash or zero`;
  const decoded = decode(path);
  if (decoded === undefined) return `the path ${path} holds a malformed % sequence`;
  const dots = decoded.split('/').some((segment) => segment === '.' || segment === '..');
  return dots ? `the path ${path} holds . or .. as a segment` : undefined;
}

function hasControl(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function isAtOrBelow(path: string, allowed: string): boolean {
  const [place = '/'] = allowed.split('?');
  const stem = place.endsWith('/') ? place : `${place}/`;
  return path === place || path.startsWith(stem);
}

function good(base: string, path: string): PathChoice {
  const stem = base.endsWith('/') ? base.slice(0, -1) : base;
  // An address with a path of its own and request.path `/` mean that very path.
  const whole = path === '/' && base !== '' ? base : stem + path;
  return { ok: true, path: ascii(whole.startsWith('/') ? whole : `/${whole}`) };
}

// Letters beyond ASCII are legal in service.json and in what a router hands on, not on the wire.
function ascii(path: string): string {
  return path.replaceAll(/[^\x21-\x7e]+/g, (run) => encodeURIComponent(run));
}
