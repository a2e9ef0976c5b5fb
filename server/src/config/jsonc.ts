// JSON with comments and trailing commas, as people keep their settings. A parser of our own,
// because Node's names no position for half of its errors and silently keeps the last of two equal
// keys, both of which matter in a file written by hand.

const depthMax = 64;
const literals: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/** Throws a SyntaxError that begins with line and column when the text is no such JSON. */
export function parseJsonc(text: string): unknown {
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
    this.#at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  }

  value(depth: number): unknown {
    this.#blank();
    if (depth > depthMax) this.#fail(`more than ${depthMax} levels deep`);
    const char = this.#text[this.#at];
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    if (char === '"') return this.#string();
    for (const [word, value] of literals) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
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
      if (entries.has(name)) this.#fail(`"${name}" stands here twice`, start);
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
    const parsed = this.#parse(this.#text.slice(start, this.#at), 'a bad character', start);
    return String(parsed);
  }

  #number(): unknown {
    const start = this.#at;
    const match = /[^\s,:[\]{}"/]+/y;
    match.lastIndex = start;
    const word = match.exec(this.#text)?.[0];
    if (word === undefined) this.#fail('expected a value');
    this.#at += word.length;
    return this.#parse(word, `"${word}" is no value (text needs double quotes)`, start);
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
    const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(reason: string, at: number = this.#at): never {
    const before = this.#text.slice(0, at).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new SyntaxError(`line ${before.length}, column ${column}: ${reason}`);
  }
}
