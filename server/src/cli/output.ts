// The only writer to the terminal besides the log: results go to standard output, everything else
// (progress, remarks, errors) to standard error, so that a result can always be piped on.

import { createInterface } from 'node:readline/promises';

/** The streams of a process, or of a test. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export interface Column<Row> {
  readonly head: string;
  readonly align?: 'left' | 'right';
  read(row: Row): string | number;
}

/** Whoever read the output has left (`sluice watch demo | head -1`): nothing more is to be done. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

export class Output {
  readonly #terminal: Terminal;
  #isJson = false;
  #progress = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    // A reader that left (`sluice ls | head -1`) is no failure of ours. Who prints on and on learns
    // of it from `print`.
    for (const stream of [terminal.stdout, terminal.stderr]) stream.on('error', () => undefined);
  }

  /** From now on results are JSON. */
  useJson(): void {
    this.#isJson = true;
  }

  get isJson(): boolean {
    return this.#isJson;
  }

  /** Whether a person looks at standard output. */
  get isTerminal(): boolean {
    return this.#terminal.stdout.isTTY === true;
  }

  /** The result of a command: `value` as JSON, or else the lines for people. */
  result(value: unknown, lines: () => readonly string[]): void {
    this.#clearProgress();
    const text = this.#isJson ? [JSON.stringify(value, undefined, 2)] : lines();
    for (const line of text) this.#terminal.stdout.write(`${line}\n`);
  }

  /** One of many results: one line of JSON, or the lines for people. */
  record(value: unknown, lines: () => readonly string[]): void {
    this.#clearProgress();
    this.#terminal.stdout.write(this.#recordText(value, lines));
  }

  /** As `record`. Resolves when the stream has taken it; rejects with `OutputClosed`. */
  print(value: unknown, lines: () => readonly string[]): Promise<void> {
    return this.bytes(Buffer.from(this.#recordText(value, lines)));
  }

  /** Bytes as they are. Resolves when the stream has taken them; rejects with `OutputClosed`. */
  bytes(bytes: Uint8Array): Promise<void> {
    this.#clearProgress();
    return new Promise((resolve, reject) => {
      this.#terminal.stdout.write(bytes, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new OutputClosed('standard output is closed', { cause: error }));
      });
    });
  }

  /** A line about what happens, beside the result. */
  note(text: string): void {
    this.#clearProgress();
    this.#terminal.stderr.write(`${text}\n`);
  }

  error(text: string): void {
    this.note(`error: ${text}`);
  }

  /** What is being waited for: rewritten in place on a terminal, else one line for each change of
   * `text`. `detail` changes all the time and is for terminals only. */
  progress(text: string, detail = ''): void {
    if (this.#terminal.stderr.isTTY === true) {
      this.#terminal.stderr.write(`\r\u001b[2K${text}${detail}`);
    } else if (text !== this.#progress) {
      this.#terminal.stderr.write(`${text}\n`);
    }
    this.#progress = text;
  }

  /** Nothing is being waited for any more: the line that said so goes. */
  endProgress(): void {
    this.#clearProgress();
  }

  /** Asks a person; false without one, so that a script never hangs, and at the end of the input.
   * Rejects when it is interrupted. */
  async confirm(question: string, interrupted: AbortSignal): Promise<boolean> {
    const { stdin: input, stderr: output } = this.#terminal;
    if (input.isTTY !== true) return false;
    // Not a `terminal`: that would take Ctrl-C and Ctrl-D for itself.
    const dialog = createInterface({ input, output, terminal: false });
    const ended = new Promise<undefined>((resolve) => {
      dialog.once('close', () => resolve(undefined));
    });
    try {
      const asked = dialog.question(`${question} [y/N] `, { signal: interrupted });
      const answer = await Promise.race([asked, ended]);
      if (answer === undefined) output.write('\n');
      return /^y(es)?$/i.test(answer?.trim() ?? '');
    } finally {
      dialog.close();
    }
  }

  #recordText(value: unknown, lines: () => readonly string[]): string {
    const text = this.#isJson ? [JSON.stringify(value)] : lines();
    return text.map((line) => `${line}\n`).join('');
  }

  #clearProgress(): void {
    if (this.#progress !== '' && this.#terminal.stderr.isTTY === true) {
      this.#terminal.stderr.write('\r\u001b[2K');
    }
    this.#progress = '';
  }
}

/** A table for people: heads, aligned columns, two spaces between them. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.read(row)))));
  const heads = columns.map((column) => column.head);
  const widths = columns.map((_, at) =>
    Math.max(...[heads, ...cells].map((line) => line[at]?.length ?? 0)),
  );
  return [heads, ...cells].map((line) =>
    line
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Names and values below each other. Empty values are left out. */
export function pairs(entries: readonly (readonly [string, string | number])[]): string[] {
  const shown = entries.filter(([, value]) => value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`);
}

/** Text from elsewhere without what could steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
