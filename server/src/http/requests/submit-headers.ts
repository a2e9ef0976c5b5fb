// The headers of a submission: what is asked for in them, and which of them there are.

import type { IncomingHttpHeaders } from 'node:http';
import { noTags, PlatformError, type Tags } from '@sluice/sdk/wire';
import { Mistakes, type Say } from './mistakes.ts';
import { type Wishes, type WishName, type WishNames, wishesOf } from './wishes.ts';

/** As documents and mistakes name them. */
export const wishHeaders: WishNames = {
  idempotencyKey: 'Idempotency-Key',
  priority: 'Sluice-Priority',
  tags: 'Sluice-Tags',
  startWithin: 'Sluice-Start-Within',
  finishWithin: 'Sluice-Finish-Within',
  delay: 'Sluice-Delay',
  retention: 'Sluice-Retention',
  callback: 'Sluice-Callback',
  callbackEvents: 'Sluice-Callback-Events',
  bodyAddress: 'Sluice-Body-Address',
  traceparent: 'Traceparent',
};

export const onLeaveHeader = 'Sluice-On-Leave';

/** What becomes of a request whose submitter leaves while it waits for the result. */
export type OnLeave = 'cancel' | 'keep';

const plainNames: readonly (readonly [WishName, string])[] = Object.entries(wishHeaders).flatMap(
  // The names of a table are those of its type.
  ([wish, header]) => (wish === 'tags' ? [] : [[wish as WishName, header.toLowerCase()] as const]),
);

/** `Traceparent` comes of itself where calls are traced. */
const redriveHeaders: ReadonlySet<string> = new Set([
  wishHeaders.tags,
  wishHeaders.priority,
  wishHeaders.traceparent,
]);

const ourPrefix = 'sluice-';
const ours: ReadonlySet<string> = new Set(
  [...Object.values(wishHeaders), onLeaveHeader].map((name) => name.toLowerCase()),
);

/** Throws every mistake at once. `now`: wall clock. */
export function submitHeaders(
  headers: IncomingHttpHeaders,
  now: number,
): { readonly wishes: Wishes; readonly onLeave: OnLeave | undefined } {
  const texts: Partial<Record<WishName, string>> = {};
  for (const [wish, header] of plainNames) {
    const text = textOf(headers[header]);
    if (text !== undefined) texts[wish] = text;
  }
  const mistakes = new Mistakes();
  const onLeave = onLeaveOf(textOf(headers['sluice-on-leave']), mistakes.of(onLeaveHeader));
  for (const name in headers) {
    if (!name.startsWith(ourPrefix) || ours.has(name)) continue;
    mistakes.of(name)('there is no such header of Sluice');
  }
  const tagText = textOf(headers['sluice-tags']);
  const tags = tagText === undefined ? noTags : tagsOf(tagText, mistakes.of(wishHeaders.tags));
  const wishes = wishesOf({ texts, tags, names: wishHeaders }, now, mistakes);
  mistakes.check();
  checkEncoding(textOf(headers['content-encoding']));
  return { wishes, onLeave };
}

/** `a=1, b=two%2C three`: names and values are percent-encoded where they need to be. */
export function tagsOf(text: string, say: Say): Tags {
  const tags = new Map<string, string>();
  for (const part of text.split(',')) {
    const pair = part.trim();
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals).trimEnd());
    const value = decoded(equals === -1 ? '' : pair.slice(equals + 1).trimStart());
    if (equals === -1 || name === undefined || value === undefined) {
      say('must be a list such as a=1, b=2, with names and values percent-encoded');
      return tags;
    }
    if (tags.has(name)) say('names a tag twice');
    tags.set(name, value);
  }
  return tags;
}

function decoded(text: string): string | undefined {
  // Node reads headers as latin1: a byte above that was not encoded.
  if (/[^\x20-\x7e]/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Throws when a call that puts a dead request anew asks for what it keeps: it would not be
 * heeded. */
export function checkRedriveHeaders(headers: IncomingHttpHeaders): void {
  const mistakes = new Mistakes();
  for (const name of [...Object.values(wishHeaders), onLeaveHeader]) {
    if (redriveHeaders.has(name) || headers[name.toLowerCase()] === undefined) continue;
    mistakes.of(name)('is as it was: only body, tags and priority may be others');
  }
  mistakes.check();
}

function onLeaveOf(text: string | undefined, say: Say): OnLeave | undefined {
  if (text === undefined || text === 'cancel' || text === 'keep') return text;
  say('must be cancel or keep');
  return undefined;
}

/** The model is told the content type and nothing else, so it could not read a packed body. */
function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity') return;
  const text = 'send the body as it is: the model is not told its Content-Encoding';
  throw new PlatformError('unsupported_type', text);
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}
