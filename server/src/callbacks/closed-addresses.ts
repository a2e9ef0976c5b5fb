// Addresses that answered 410: their owners want no more callbacks there. Kept for each service in
// one file, until somebody opens one again; the oldest go when there are too many.

import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from './file.ts';

export interface ClosedAddress {
  readonly url: string;
  /** Wall clock. */
  readonly at: number;
}

const closedMax = 1000;
const format = 1;
const stored = z.strictObject({
  format: z.literal(format),
  closed: z.array(z.strictObject({ url: z.string(), at: z.number() })),
});

export class ClosedAddresses {
  readonly #path: string;
  #closed = new Map<string, number>();
  #turn: Promise<void> = Promise.resolve();

  /** `folder` is that of the service. Knows nothing before `load`. */
  constructor(folder: string) {
    this.#path = join(folder, 'closed.json');
  }

  async load(): Promise<void> {
    const known = await readJson(this.#path, stored);
    this.#closed = new Map((known?.closed ?? []).map(({ url, at }) => [url, at]));
  }

  has(url: string): boolean {
    return this.#closed.has(url);
  }

  list(): readonly ClosedAddress[] {
    return [...this.#closed].map(([url, at]) => ({ url, at }));
  }

  /** Holds at once; durable when it resolves. */
  close(url: string, at: number): Promise<void> {
    this.#closed.set(url, at);
    for (const oldest of this.#closed.keys()) {
      if (this.#closed.size <= closedMax) break;
      this.#closed.delete(oldest);
    }
    return this.#save();
  }

  /** False: it was not closed. */
  async open(url: string): Promise<boolean> {
    if (!this.#closed.delete(url)) return false;
    await this.#save();
    return true;
  }

  #save(): Promise<void> {
    const saved = this.#turn.then(() => writeJson(this.#path, { format, closed: this.list() }));
    this.#turn = saved.catch(() => undefined);
    return saved;
  }
}
