// JSON as people write it: with comments and trailing commas, a name at most once in an object.
// Mistakes name line and column.

import { PlatformError } from '@sluice/sdk/wire';

/** Longest text and deepest nesting that are read. */
export const fileCharactersMax: number = 1 << 20;
const depthMax = 64;

/** Reads one value. Throws `bad_request` with line and column of the first mistake. */
export function parseJson(source: string): unknown {
  if (source.length > fileCharactersMax) {
    throw new PlatformError(
      'bad_request',
      `the file has ${source.length} characters, at most ${fileCharactersMax} are read`,
    );
  }
  const reader: Reader = { source, at: source.startsWith('\uFEFF') ? 1 : 0 };
  const value = readValue(reader, 0);
  skipBlanks(reader);
  if (reader.at < source.length) fail(reader, 'the file should end here');
  return value;
}

interface Reader {
  readonly source: string;
  at: number;
}

const blanks = /[ \t\r\n]+|\/\/[^\n]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters end a JSON text.
const textEnd = /[^"\\\u0000-\u001f]*/y;
const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

function readValue(reader: Reader, depth: number): unknown {
  if (depth > depthMax) fail(reader, `nested more than ${depthMax} deep`);
  skipBlanks(reader);
  const next = reader.source[reader.at];
  if (next === '{') return readObject(reader, depth);
  if (next === '[') return readList(reader, depth);
  if (next === '"') return readText(reader);
  const digits = match(reader, number);
  if (digits !== undefined && digits !== '') return Number(digits);
  for (const [word, value] of words) {
    if (!reader.source.startsWith(word, reader.at)) continue;
    reader.at += word.length;
    return value;
  }
  return fail(reader, next === undefined ? 'a value is missing' : 'no value begins like this');
}

function readObject(reader: Reader, depth: number): unknown {
  const entries = new Map<string, unknown>();
  reader.at += 1;
  for (;;) {
    skipBlanks(reader);
    if (take(reader, '}')) return Object.fromEntries(entries);
    if (reader.source[reader.at] !== '"') fail(reader, 'a name in quotes or } is missing');
    const start = reader.at;
    const name = readText(reader);
    if (entries.has(name)) fail({ ...reader, at: start }, `"${name}" is given twice`);
    skipBlanks(reader);
    if (!take(reader, ':')) fail(reader, 'a colon is missing');
    entries.set(name, readValue(reader, depth + 1));
    skipBlanks(reader);
    if (take(reader, ',')) continue;
    if (reader.source[reader.at] !== '}') fail(reader, 'a comma or } is missing');
  }
}

function readList(reader: Reader, depth: number): unknown {
  const items: unknown[] = [];
  reader.at += 1;
  for (;;) {
    skipBlanks(reader);
    if (take(reader, ']')) return items;
    items.push(readValue(reader, depth + 1));
    skipBlanks(reader);
    if (take(reader, ',')) continue;
    if (reader.source[reader.at] !== ']') fail(reader, 'a comma or ] is missing');
  }
}

function readText(reader: Reader): string {
  const start = reader.at;
  reader.at += 1;
  for (;;) {
    match(reader, textEnd);
    const stop = reader.source[reader.at];
    if (stop === '\\') {
      reader.at += 2;
      continue;
    }
    if (stop !== '"') fail({ ...reader, at: start }, 'the text does not end on its line');
    reader.at += 1;
    try {
      return String(JSON.parse(reader.source.slice(start, reader.at)));
    } catch {
      return fail({ ...reader, at: start }, 'the text holds a wrong escape');
    }
  }
}

function skipBlanks(reader: Reader): void {
  for (;;) {
    if (match(reader, blanks) !== undefined) continue;
    if (!reader.source.startsWith('/*', reader.at)) return;
    const end = reader.source.indexOf('*/', reader.at + 2);
    if (end < 0) fail(reader, 'the comment does not end');
    reader.at = end + 2;
  }
}

function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.source)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
}

function take(reader: Reader, character: string): boolean {
  if (reader.source[reader.at] !== character) return false;
  reader.at += 1;
  return true;
}

function fail(reader: Reader, what: string): never {
  const before = reader.source.slice(0, reader.at).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  throw new PlatformError(
    'bad_request',
    `not JSON: line ${before.length}, column ${column}: ${what}`,
  );
}
