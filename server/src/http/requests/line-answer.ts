// An answer of one JSON value a line. Its first line is its head; a failure before that is answered
// like any other.

import type { ServerResponse } from 'node:http';
import { drained } from '../drained.ts';

export class LineAnswer {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
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
  }

  write(value: unknown): void {
    this.begin();
    if (this.isOpen) this.#response.write(`${JSON.stringify(value)}\n`);
  }

  /** Resolves once what was written has been taken, or nobody reads on. */
  taken(): Promise<void> {
    const response = this.#response;
    return response.writableNeedDrain ? drained(response) : Promise.resolve();
  }

  end(): void {
    this.begin();
    this.#response.end();
  }
}
