// Bodies in and out: what a call carries and asks for by its content types, JSON with the place of
// a mistake, answers.

import { parseJsonc } from '../config/jsonc.ts';
import { type Answer, type Call, InputError } from './processor.ts';

/** Where a body came with no content type, it is read as this. */
const fallbackType = 'application/json';

/** The content type of the call's body in lower case, without parameters. */
export function contentTypeOf({ headers }: Call): string {
  return mediaType(headers['content-type'] ?? fallbackType);
}

/** Whether Accept names `type` (or, with no Accept that chooses, `fallback` holds). */
export function wants({ headers }: Call, type: string, fallback: boolean): boolean {
  const named = (headers.accept ?? '').split(',').map(mediaType);
  const chosen = named.filter((each) => each !== '' && !each.includes('*'));
  return chosen.length === 0 ? fallback : chosen.includes(type);
}

/** The body as text; refuses what is no UTF-8. */
export function textOf({ body }: Call): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new InputError('the body is not UTF-8 text', { cause });
  }
}

/** The body as JSON; a mistake in it is named with line and column. */
export function jsonOf(call: Call): unknown {
  const text = textOf(call);
  if (text.trim() === '') throw new InputError('the body is empty; JSON is expected');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`the body is not JSON: ${jsonMistake(text, cause)}`, { cause });
  }
}

/** 200 with a value as JSON. */
export function jsonAnswer(value: unknown): Answer {
  const body = Buffer.from(JSON.stringify(value ?? null));
  return { status: 200, contentType: 'application/json', body };
}

/** Any status with text. */
export function textAnswer(text: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status: 200, contentType, body: Buffer.from(text) };
}

/** For a path that a processor does not have. */
export function noSuchPath({ path }: Call): InputError {
  return new InputError(`there is nothing at ${path}; GET / says what there is`, { status: 404 });
}

/** For a path that is there for other methods: `allow` names them, as "GET, POST". */
export function wrongMethod({ method, path }: Call, allow: string): InputError {
  const headers = { Allow: allow };
  return new InputError(`${path} takes ${allow}, not ${method}`, { status: 405, headers });
}

/** Refuses every path and method but `POST /`, for kinds that have nothing else. */
export function onlyPost(call: Call): void {
  if (call.path !== '/') throw noSuchPath(call);
  if (call.method !== 'POST') throw wrongMethod(call, 'GET, POST');
}

function mediaType(text: string): string {
  return (text.split(';')[0] ?? '').trim().toLowerCase();
}

// Node names no place for half of its mistakes; the parser of settings does. It is more patient:
// what it takes all the same (a comma too many, a comment) is what Node names the place of.
function jsonMistake(text: string, cause: unknown): string {
  try {
    parseJsonc(text);
  } catch (error) {
    if (error instanceof SyntaxError && error.message.startsWith('line ')) return error.message;
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  const [, what = message, at] = /^(.*?)(?: in JSON)? at position (\d+)/s.exec(message) ?? [];
  if (at === undefined) return message;
  const before = text.slice(0, Number(at)).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${what}`;
}
