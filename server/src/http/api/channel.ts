// Values from several writers to one reader, a bounded number at a time.

export class Channel<T> {
  readonly #roomMax: number;
  #values: T[] = [];
  #isClosed = false;
  #error: unknown;
  #readable: (() => void) | undefined;
  #waiting: (() => void)[] = [];

  constructor(roomMax: number) {
    this.#roomMax = roomMax;
  }

  /** Resolves when there was room for it, or when it is of no use any more. */
  async put(value: T): Promise<void> {
    while (this.#values.length >= this.#roomMax && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#isClosed) return;
    this.#values.push(value);
    this.#readable?.();
  }

  /** The reader gets what is there, and its end. */
  close(): void {
    this.#isClosed = true;
    this.#readable?.();
    this.#release();
  }

  /** The reader gets what is there, and the error. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.close();
  }

  /** For one reader, once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const values = this.#values;
      this.#values = [];
      this.#release();
      yield* values;
      if (this.#values.length > 0) continue;
      if (this.#isClosed) break;
      await new Promise<void>((resolve) => {
        this.#readable = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
  }

  #release(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
