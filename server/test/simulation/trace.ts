// What happened in a run: a hash of every line, so that two runs can be compared, and the last
// lines, so that a failing one can be understood.

const keptLines = 400;

export class Trace {
  readonly #told: ((line: string) => void) | undefined;
  #lines: string[] = [];
  #one = 0x811c9dc5;
  #two = 0x9747b28c;
  #count = 0;

  /** `told` is called with every line. */
  constructor(told: ((line: string) => void) | undefined) {
    this.#told = told;
  }

  add(mono: number, line: string): void {
    const full = `${mono.toFixed(3)} ${line}`;
    for (let at = 0; at < full.length; at += 1) {
      this.#one = Math.imul(this.#one ^ full.charCodeAt(at), 0x01000193);
      this.#two = Math.imul(this.#two ^ full.charCodeAt(at), 0x85ebca6b) ^ (this.#two >>> 13);
    }
    this.#count += 1;
    this.#told?.(full);
    this.#lines.push(full);
    if (this.#lines.length > 2 * keptLines) this.#lines = this.#lines.slice(-keptLines);
  }

  get hash(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
    return `${hex(this.#one)}${hex(this.#two)}-${this.#count}`;
  }

  /** The last lines. */
  tail(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}

/** A rule was seen broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function fact(holds: boolean, rule: string, message: string): asserts holds {
  if (!holds) throw new Violation(`rule ${rule}: ${message}`);
}
