// The query of an EAS request: reserved parameters (`_name_`) with their types, and everything
// else, which are tags. Of a repeated name the first one counts, as in Go.

import { noTags, PlatformError, requestIdTag, type Tags } from '@sluice/sdk/wire';
import { parseGoDuration } from './duration.ts';

export interface Query {
  readonly tags: Tags;
  /** The tag `requestId`, kept apart from the others; may be empty. */
  readonly id: string | undefined;
  readonly reserved: Tags;
}

const emptyQuery: Query = { tags: noTags, id: undefined, reserved: noTags };

/** Reads the part behind the question mark, form-encoded. */
export function parseQuery(text: string): Query {
  if (text === '') return emptyQuery;
  const tags = new Map<string, string>();
  const reserved = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = formDecoded(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : formDecoded(pair.slice(equals + 1));
    const into = isReserved(name) ? reserved : tags;
    if (!into.has(name)) into.set(name, value);
  }
  const id = tags.get(requestIdTag);
  if (id !== undefined) tags.delete(requestIdTag);
  return { tags, id, reserved };
}

/** The request id to look for. An empty one is a client's mistake and must not match anything. */
export function filterId(query: Query): string | undefined {
  if (query.id === '') throw new PlatformError('bad_request', 'requestId is empty');
  return query.id;
}

/** A truth value; `fallback` when it is not given. */
export function flagOf(query: Query, name: string, fallback: boolean): boolean {
  const text = query.reserved.get(name);
  if (text === undefined) return fallback;
  const word = text.toLowerCase();
  if (word === 'true' || word === '1' || word === '') return true;
  if (word === 'false' || word === '0') return false;
  throw new PlatformError('bad_request', `${name} must be true or false`);
}

/** -1 written as an unsigned number of 64 bits, as a Go client may do. */
const unsignedMinusOne = '18446744073709551615';

/**
 * A whole number of at least `min`; undefined when it is not given. Numbers that no index can
 * reach become the largest one, so that they match nothing.
 */
export function integerOf(query: Query, name: string, min: number): number | undefined {
  const text = query.reserved.get(name);
  if (text === undefined || text === '') return undefined;
  const value = min < 0 && text === unsignedMinusOne ? -1 : wholeNumber(text);
  if (value === undefined || value < min) {
    throw new PlatformError('bad_request', `${name} must be a whole number of at least ${min}`);
  }
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** A list of indexes separated by commas; undefined when it is not given. */
export function indexesOf(query: Query, name: string): number[] | undefined {
  const text = query.reserved.get(name);
  if (text === undefined) return undefined;
  const indexes: number[] = [];
  for (const part of text.split(',')) {
    const word = part.trim();
    if (word === '') continue;
    const value = wholeNumber(word);
    if (value === undefined || value < 0) {
      throw new PlatformError('bad_request', `${name} must be whole numbers separated by commas`);
    }
    if (value <= Number.MAX_SAFE_INTEGER) indexes.push(value);
  }
  return indexes;
}

/** A duration in milliseconds, at least 0; 0 when it is not given. */
export function durationOf(query: Query, name: string): number {
  const text = query.reserved.get(name);
  if (text === undefined || text === '') return 0;
  const ms = parseGoDuration(text);
  if (ms === undefined) {
    throw new PlatformError('bad_request', `${name} must be a duration such as 5s, 700ms or 1m0s`);
  }
  return Math.max(0, ms);
}

const priorityMax = 2 ** 31 - 1;

/** Reads a priority, 0 to 2^31 - 1. */
export function parsePriority(text: string): number {
  const value = wholeNumber(text.trim());
  if (value === undefined || value < 0 || value > priorityMax) {
    throw new PlatformError('bad_request', `priority must be a whole number, 0 to ${priorityMax}`);
  }
  return value;
}

/** Form decoding: `+` is a space, the rest percent-encoded UTF-8. */
export function formDecoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch (cause) {
    throw new PlatformError('bad_request', 'the query is not percent-encoded UTF-8', { cause });
  }
}

function isReserved(name: string): boolean {
  return name.startsWith('_') && name.endsWith('_');
}

function wholeNumber(text: string): number | undefined {
  return /^[+-]?\d{1,20}$/.test(text) ? Number(text) : undefined;
}
