// Large payloads lie in files of their own beside the table: written and flushed before the row
// that names them, removed after the removal of that row is durable. What a crash leaves over
// between the two is swept at the next start.

import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant } from '../../kernel/invariant.ts';
import { syncFolder } from './sync-folder.ts';

/** Payloads of this size and above lie in files. */
export const filePayloadBytesMin: number = 256 * 1024;

export class PayloadFiles {
  readonly #folder: string;
  #lastNumber = 0;
  /** Files to remove once nobody holds them. */
  #held: number[] | undefined;
  /** The flush of the folder that is under way, and the one after it. */
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder and removes every file that no row names. */
  async start(named: ReadonlySet<number>): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const number of named) this.#lastNumber = Math.max(this.#lastNumber, number);
    for (const name of await readdir(this.#folder)) {
      if (!named.has(Number(name))) await unlink(join(this.#folder, name));
    }
  }

  nextNumber(): number {
    this.#lastNumber++;
    return this.#lastNumber;
  }

  /** Durable when it resolves. */
  async write(number: number, payload: Uint8Array): Promise<void> {
    const file = await open(this.path(number), 'wx', 0o600);
    try {
      await writeAll(file, payload);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  /** Makes the names of the files written before durable. Whoever asks while a flush is under way
   * shares the next one. */
  flushFolder(): Promise<void> {
    if (this.#flushing !== undefined) {
      this.#nextFlush ??= this.#flushing.then(ignore, ignore).then(() => this.#flush());
      return this.#nextFlush;
    }
    return this.#flush();
  }

  async #flush(): Promise<void> {
    this.#nextFlush = undefined;
    this.#flushing = syncFolder(this.#folder);
    try {
      await this.#flushing;
    } finally {
      this.#flushing = undefined;
    }
  }

  async read(number: number): Promise<Buffer | undefined> {
    try {
      const file = await open(this.path(number), 'r');
      try {
        return await readAll(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Until the answer is called, files that are removed stay where they are. */
  hold(): () => Promise<void> {
    invariant(this.#held === undefined, 'payload files are held once at a time');
    const held: number[] = [];
    this.#held = held;
    return async () => {
      this.#held = undefined;
      for (const number of held) await this.remove(number);
    };
  }

  async remove(number: number): Promise<void> {
    if (this.#held !== undefined) {
      this.#held.push(number);
      return;
    }
    try {
      await unlink(this.path(number));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  path(number: number): string {
    return join(this.#folder, String(number));
  }
}

// `writeFile` and `readFile` of Node go in pieces of half a megabyte, each a trip to its threads,
// and reading keeps the pieces beside the whole.

async function writeAll(file: FileHandle, payload: Uint8Array): Promise<void> {
  for (let at = 0; at < payload.length; ) {
    const { bytesWritten } = await file.write(payload, at, payload.length - at);
    at += bytesWritten;
  }
}

async function readAll(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const payload = Buffer.allocUnsafeSlow(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(payload, at, size - at, at);
    if (bytesRead === 0) return payload.subarray(0, at);
    at += bytesRead;
  }
  return payload;
}

function ignore(): void {}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
