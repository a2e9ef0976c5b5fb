// An answer of one JSON value a line. Its first line is its head; a failure before that is answered
// like any other. While nothing comes an empty line now and then keeps it alive: proxies and
// clients cut connections on which nothing comes for minutes.

import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { drained } from '../drained.ts';

const quietMs = 15_000;

export class LineAnswer {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #beat: Timer | undefined;

  constructor(response: ServerResponse, clock: Clock) {
    this.#response = response;
    this.#clock = clock;
  }

  /** Whether anybody still reads it. */
  get isOpen(): boolean {
    return !this.#response.destroyed;
  }

  /** Begins it, before there is a line to write. */
  begin(): void {
    if (this.#response.headersSent || !this.isOpen) return;
    this.#response.writeHead(200, {
      'Content-Type': 'application/x-ndjson; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    this.#response.flushHeaders();
    this.#response.once('close', () => this.#beat?.cancel());
    this.#keepAlive();
  }

  write(value: unknown): void {
    this.begin();
    if (!this.isOpen) return;
    this.#response.write(`${JSON.stringify(value)}\n`);
    this.#keepAlive();
  }

  /** Resolves once what was written has been taken, or nobody reads on. */
  taken(): Promise<void> {
    const response = this.#response;
    return response.writableNeedDrain ? drained(response) : Promise.resolve();
  }

  end(): void {
    this.begin();
    this.#beat?.cancel();
    this.#response.end();
  }

  /** Ends it before its end: whoever reads it is to know that. */
  cut(): void {
    this.#response.destroy();
  }

  #keepAlive(): void {
    this.#beat?.cancel();
    this.#beat = this.#clock.after(quietMs, () => {
      if (!this.isOpen) return;
      if (!this.#response.writableNeedDrain) this.#response.write('\n');
      this.#keepAlive();
    });
  }
}
