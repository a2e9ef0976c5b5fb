// What a submitter asks for beside the body: read from the headers of a submission or the fields of
// a line of a batch. Everything that is wrong is said at once, by the name the caller used.

import { requestIdTag, type Tags } from '@sluice/sdk/wire';
import { priorityMax, tagCharactersMax, tagsMax } from '../../broker/request-limits.ts';
import { parseDuration } from '../../config/duration.ts';
import type { BodyPlace, CallbackWish } from '../../queue/terms.ts';
import type { Submission } from '../../requests/request.ts';
import type { Mistakes, Say } from './mistakes.ts';

/** The wishes as text; undefined = not given. */
export type WishTexts = { readonly [Name in WishName]?: string | undefined };

export type WishName =
  | 'idempotencyKey'
  | 'priority'
  | 'startWithin'
  | 'finishWithin'
  | 'delay'
  | 'retention'
  | 'callback'
  | 'callbackEvents'
  | 'bodyAddress'
  | 'traceparent';

export type Wishes = Omit<Submission, 'payload' | 'contentType' | 'path' | 'owner' | 'bodyHash'>;

/** How the caller knows the wishes. */
export type WishNames = Readonly<Record<WishName | 'tags', string>>;

export const idempotencyKeyCharactersMax = 255;
export const addressCharactersMax = 2_048;
/** Longest duration that a submitter may ask for. */
export const durationMsMax: number = 366 * 24 * 3_600_000;

const ends: readonly string[] = ['succeeded', 'failed', 'dead', 'dropped', 'expired', 'canceled'];
const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/** What a caller gave, and how it calls it. */
export interface Given {
  readonly texts: WishTexts;
  readonly tags: Tags;
  readonly names: WishNames;
}

/** All that is wrong goes to `mistakes`; the answer counts only if there are none. `now`: wall. */
export function wishesOf({ texts, tags, names }: Given, now: number, mistakes: Mistakes): Wishes {
  const say = (name: keyof WishNames): Say => mistakes.of(names[name]);
  const within = (name: 'startWithin' | 'finishWithin'): number => {
    const ms = durationOf(texts[name], say(name));
    if (ms === 0) say(name)('must be more than 0');
    return ms === undefined ? 0 : now + ms;
  };
  const delayMs = durationOf(texts.delay, say('delay')) ?? 0;
  const startBy = within('startWithin');
  const finishBy = within('finishWithin');
  const delayUntil = delayMs === 0 ? 0 : now + delayMs;
  if (startBy !== 0 && delayUntil >= startBy) {
    say('startWithin')(`is over before ${names.delay} is: it could never start`);
  }
  if (finishBy !== 0 && delayUntil >= finishBy) {
    say('finishWithin')(`is over before ${names.delay} is: it could never finish`);
  }
  checkTags(tags, say('tags'));
  return {
    idempotencyKey: keyOf(texts.idempotencyKey, say('idempotencyKey')),
    priority: priorityOf(texts.priority, say('priority')),
    tags,
    startBy,
    finishBy,
    delayUntil,
    retainMs: durationOf(texts.retention, say('retention')) ?? 0,
    callback: callbackOf(texts, say),
    body: placeOf(texts.bodyAddress, say('bodyAddress')),
    trace: traceparent.test(texts.traceparent ?? '') ? texts.traceparent : undefined,
  };
}

/** A structured string of RFC 8941 as the draft says, or the bare characters as most send it. */
function keyOf(text: string | undefined, say: Say): string | undefined {
  if (text === undefined) return undefined;
  const key = text.startsWith('"') ? unquoted(text) : text;
  if (key === undefined) say('is no quoted string: write "key", with \\" for a quote');
  else if (key.length < 1 || key.length > idempotencyKeyCharactersMax) {
    say(`has 1 to ${idempotencyKeyCharactersMax} characters, not ${key.length}`);
  } else if (/[^\x20-\x7e]/.test(key)) say('has characters other than printable ASCII');
  else return key;
  return undefined;
}

function unquoted(text: string): string | undefined {
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  return inner?.replaceAll(/\\(["\\])/g, '$1');
}

function priorityOf(text: string | undefined, say: Say): number {
  if (text === undefined) return 0;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= priorityMax) return value;
  say(`must be a whole number from 0 to ${priorityMax}`);
  return 0;
}

function durationOf(text: string | undefined, say: Say): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= durationMsMax) return ms;
  say(ms === undefined ? 'must be a duration such as 30s, 10m or 24h' : 'is more than 366 days');
  return undefined;
}

function checkTags(tags: Tags, say: Say): void {
  let characters = 0;
  for (const [name, value] of tags) {
    characters += name.length + value.length;
    if (name === '') say('a tag has no name');
    if (name === requestIdTag) say(`${requestIdTag} is a name of Sluice's own`);
  }
  if (tags.size > tagsMax) say(`a request has at most ${tagsMax} tags, not ${tags.size}`);
  if (characters > tagCharactersMax) {
    say(`tags have at most ${tagCharactersMax} characters together, not ${characters}`);
  }
}

function callbackOf(texts: WishTexts, say: (name: WishName) => Say): CallbackWish | undefined {
  const { callback, callbackEvents } = texts;
  const events = (callbackEvents ?? '').split(',').flatMap((word) => word.trim() || []);
  const strange = events.filter((event) => !ends.includes(event));
  if (strange.length > 0) {
    say('callbackEvents')(`${shown(strange.join(', '))}: the events are ${ends.join(', ')}`);
  }
  if (callback === undefined) {
    if (callbackEvents !== undefined) say('callbackEvents')('without an address to tell them to');
    return undefined;
  }
  const url = addressOf(callback, ['http:', 'https:'], say('callback'));
  return url === undefined ? undefined : { url, events: [...new Set(events)] };
}

function placeOf(text: string | undefined, say: Say): BodyPlace | undefined {
  if (text === undefined) return undefined;
  const url = addressOf(text, ['http:', 'https:', 's3:'], say);
  return url === undefined ? undefined : { kind: 'address', url };
}

/** A whole address as `URL` writes it; what lies in it is the filter's to judge. */
function addressOf(text: string, schemes: readonly string[], say: Say): string | undefined {
  if (text.length > addressCharactersMax) {
    say(`an address has at most ${addressCharactersMax} characters, not ${text.length}`);
    return undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && schemes.includes(url.protocol) && url.hostname !== '') return url.href;
  const known = schemes.map((scheme) => `${scheme}//`).join(' or ');
  say(`must be a whole address that begins with ${known}`);
  return undefined;
}

/** Foreign text in an answer: short, printable. */
function shown(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length > 100 ? `${plain.slice(0, 100)}...` : plain;
}
