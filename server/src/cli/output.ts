// The only writer to the terminal besides the log: results go to standard output, everything else
// (progress, remarks, errors) to standard error, so that a result can always be piped on.

/** The streams of a process, or of a test. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
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

  /** A step that is done, in the words of eascmd: a result for people, a remark beside JSON. */
  ok(text: string): void {
    this.#clearProgress();
    const stream = this.#isJson ? this.#terminal.stderr : this.#terminal.stdout;
    stream.write(`[OK] ${text}\n`);
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
    const { stderr } = this.#terminal;
    if (stderr.isTTY === true) {
      // Only the last row of a line could be taken back.
      const line = `${text}${detail}`.slice(0, (stderr.columns ?? 80) - 1);
      stderr.write(`\r\u001b[2K${line}`);
    } else if (text !== this.#progress) {
      this.#terminal.stderr.write(`${text}\n`);
    }
    this.#progress = text;
  }

  /** Nothing is being waited for any more: the line that said so goes. */
  endProgress(): void {
    this.#clearProgress();
  }

  /** A question, with the place for its answer behind it. */
  prompt(text: string): void {
    this.#clearProgress();
    this.#terminal.stderr.write(`${text} `);
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
