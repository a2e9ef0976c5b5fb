// The lines of a body as they come, each of a bounded length. Bytes, because the parts of a line
// may have to reach the model as they are.

/** A line that is longer than it may be is passed over to its end. */
export type Line =
  | { readonly kind: 'line'; readonly bytes: Uint8Array }
  | { readonly kind: 'tooLong' };

const newline = 0x0a;

/** Lines of nothing but white space are left out. */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let isTooLong = false;
  const take = (piece: Uint8Array): void => {
    length += piece.length;
    isTooLong ||= length > bytesMax;
    if (isTooLong) parts = [];
    else if (piece.length > 0) parts.push(piece);
  };
  const finish = (): Line | undefined => {
    const line = isTooLong ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    isTooLong = false;
    if (line === undefined) return { kind: 'tooLong' };
    return isBlank(line) ? undefined : { kind: 'line', bytes: line };
  };
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(newline); end !== -1; end = piece.indexOf(newline, from)) {
      take(piece.subarray(from, end));
      from = end + 1;
      const line = finish();
      if (line !== undefined) yield line;
    }
    take(piece.subarray(from));
  }
  const last = length === 0 && !isTooLong ? undefined : finish();
  if (last !== undefined) yield last;
}

function isBlank(line: Uint8Array): boolean {
  return line.length < 64 && (line.length === 0 || Buffer.from(line).toString().trim() === '');
}

/**
 * The text of one member of a JSON object, as it was written: numbers keep digits that JavaScript
 * has no room for. `json` must be valid. Of a name that comes twice the last one counts, as in
 * `JSON.parse`.
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = json.indexOf('{') + 1;
  for (;;) {
    at = skip(json, at, ' \t\r\n,');
    if (json[at] !== '"') return found;
    const keyEnd = endOfString(json, at);
    const key: unknown = JSON.parse(json.slice(at, keyEnd));
    const from = skip(json, skip(json, keyEnd, ' \t\r\n') + 1, ' \t\r\n');
    at = endOfValue(json, from);
    if (key === name) found = json.slice(from, at).trimEnd();
  }
}

function skip(text: string, from: number, characters: string): number {
  let at = from;
  while (at < text.length && characters.includes(text.charAt(at))) at += 1;
  return at;
}

/** Behind the closing quote of the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Where the comma or brace behind a member's value is. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (depth === 0 && (character === ',' || character === '}')) return at;
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    at += 1;
  }
  return at;
}
