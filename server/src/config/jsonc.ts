// JSON with comments and trailing commas, as people keep their settings and services. A parser of
// our own, because Node's names no position for half of its errors and silently keeps the last of
// two equal keys, both of which matter in a file written by hand. It reads in one pass and without
// patterns that repeat, so that a megabyte of blanks or comments is as good as any other text.

/** Longest text that is read; deepest nesting. */
export const jsoncCharactersMax: number = 2 ** 20;
const depthMax = 64;

/** How much of the text an error quotes. */
const quotedMax = 40;

/** Throws a SyntaxError that begins with line and column when the text is no such JSON, or says how
 * long the text is when that is too long. */
export function parseJsonc(text: string): unknown {
  if (text.length > jsoncCharactersMax) {
    throw new SyntaxError(
      `too long: ${text.length} characters, at most ${jsoncCharactersMax} are read`,
    );
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith('\ufeff') ? 1 : 0;
  }

  value(depth: number): unknown {
    this.#blank();
    if (depth > depthMax) this.#fail(`nested more than ${depthMax} levels deep`);
    const char = this.#text[this.#at];
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    if (char === '"') return this.#string();
    return this.#word();
  }

  end(): void {
    this.#blank();
    if (this.#at < this.#text.length) this.#fail('unexpected text after the end');
  }

  #object(depth: number): unknown {
    const entries = new Map<string, unknown>();
    this.#at += 1;
    while (!this.#closes('}')) {
      if (this.#text[this.#at] !== '"') this.#fail('expected a name in double quotes or }');
      const start = this.#at;
      const name = this.#string();
      if (entries.has(name)) this.#fail(`"${quoted(name)}" stands here twice`, start);
      this.#blank();
      if (this.#text[this.#at] !== ':') this.#fail('expected a colon');
      this.#at += 1;
      entries.set(name, this.value(depth + 1));
      this.#separator('}');
    }
    // fromEntries defines properties, so `__proto__` becomes a name like any other.
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    while (!this.#closes(']')) {
      items.push(this.value(depth + 1));
      this.#separator(']');
    }
    return items;
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    while (this.#text[this.#at] !== '"') {
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n') this.#fail('the text is not closed', start);
      this.#at += char === '\\' ? 2 : 1;
    }
    this.#at += 1;
    const parsed = this.#parse(this.#text.slice(start, this.#at), 'a wrong escape', start);
    return String(parsed);
  }

  /** A number, or true, false, null. */
  #word(): unknown {
    const start = this.#at;
    while (this.#at < this.#text.length && !wordEnds.has(this.#text.charAt(this.#at))) {
      this.#at += 1;
    }
    const word = this.#text.slice(start, this.#at);
    if (word === '') this.#fail('expected a value');
    const reason = `"${quoted(word)}" is no value (text needs double quotes)`;
    return this.#parse(word, reason, start);
  }

  #parse(json: string, reason: string, start: number): unknown {
    try {
      return JSON.parse(json);
    } catch {
      return this.#fail(reason, start);
    }
  }

  #closes(bracket: string): boolean {
    this.#blank();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  #separator(bracket: string): void {
    this.#blank();
    const char = this.#text[this.#at];
    if (char === ',') this.#at += 1;
    else if (char !== bracket) this.#fail(`expected a comma or ${bracket}`);
  }

  /** Passes over white space and comments. */
  #blank(): void {
    for (;;) {
      while (blanks.has(this.#text.charAt(this.#at))) this.#at += 1;
      if (this.#text.startsWith('//', this.#at)) {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (this.#text.startsWith('/*', this.#at)) {
        const end = this.#text.indexOf('*/', this.#at + 2);
        if (end < 0) this.#fail('the comment is not closed');
        this.#at = end + 2;
      } else {
        return;
      }
    }
  }

  #fail(reason: string, at: number = this.#at): never {
    const before = this.#text.slice(0, at).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new SyntaxError(`line ${before.length}, column ${column}: ${reason}`);
  }
}

const blanks: ReadonlySet<string> = new Set([' ', '\t', '\r', '\n']);
const wordEnds: ReadonlySet<string> = new Set([...blanks, ...',:[]{}"/']);

function quoted(text: string): string {
  return text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text;
}
