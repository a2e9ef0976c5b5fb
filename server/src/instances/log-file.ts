// What an instance writes, kept in two files: the process appends to the first by itself, and when
// that is over its limit its end is copied to the second and it is cut in place, since the process
// holds it open. Lines written in the instant of the cut are all that can be lost.

import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import type { Clock } from '../kernel/clock.ts';
import { pause } from '../kernel/pause.ts';
import type { LogRequest } from './driver.ts';

const chunkBytes = 64 * 1024;
const followEveryMs = 200;
/** Most that is read to find the last lines. */
const tailBytesMax = 2 * 2 ** 20;

export interface LogFileOptions {
  readonly path: string;
  /** Each of the two files may grow to this before it is cut. */
  readonly bytesMax: number;
  readonly clock: Clock;
}

export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #clock: Clock;

  constructor(options: LogFileOptions) {
    this.#path = options.path;
    this.#bytesMax = options.bytesMax;
    this.#clock = options.clock;
  }

  exists(): boolean {
    return existsSync(this.#path);
  }

  /** Opens it for a process to append to; the caller closes the descriptor. */
  openForAppending(): number {
    return openSync(this.#path, 'a', 0o600);
  }

  /** Writes on behalf of an instance that cannot by itself; true: the file was cut before that, so
   * that the newest lines are always in it. */
  append(bytes: Uint8Array): boolean {
    const wasCut = this.size > this.#bytesMax;
    if (wasCut) this.cut();
    appendFileSync(this.#path, bytes, { mode: 0o600 });
    return wasCut;
  }

  /** Bytes of the first file; 0 when there is none. */
  get size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Takes back what was appended beyond that size. */
  shorten(size: number): void {
    if (this.size > size) truncateSync(this.#path, size);
  }

  /** Cuts the file if it is over the limit. Reading the rest and cutting is one synchronous step,
   * to keep the instant short in which a line can get lost. */
  cut(): void {
    let handle: number;
    try {
      handle = openSync(this.#path, 'r+');
    } catch {
      return;
    }
    try {
      const { size } = fstatSync(handle);
      if (size <= this.#bytesMax) return;
      const kept = Buffer.allocUnsafe(Math.min(size, this.#bytesMax));
      const read = readSync(handle, kept, 0, kept.length, size - kept.length);
      writeFileSync(this.#older, kept.subarray(0, read), { mode: 0o600 });
      ftruncateSync(handle, 0);
    } finally {
      closeSync(handle);
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
    await rm(this.#older, { force: true });
  }

  /** Following ends with the signal, or once `isOver` says that nothing more will be written. */
  async *read(request: LogRequest, isOver: () => boolean): AsyncIterable<Uint8Array> {
    const end = await sizeOf(this.#path);
    if (request.tail === undefined) {
      yield* pieces(this.#older, 0, await sizeOf(this.#older));
      yield* pieces(this.#path, 0, end);
    } else {
      const text = await this.#tail(request.tail, end);
      if (text !== '') yield Buffer.from(text);
    }
    if (request.follow) yield* this.#follow(end, request.signal, isOver);
  }

  /** The last lines of what there is now. */
  async lastLines(count: number): Promise<readonly string[]> {
    const text = await this.#tail(count, await sizeOf(this.#path));
    return text === '' ? [] : text.replace(/\n$/, '').split('\n');
  }

  get #older(): string {
    return `${this.#path}.1`;
  }

  /** The last lines as they stand there: the very last one may not be finished. */
  async #tail(lines: number, end: number): Promise<string> {
    if (lines <= 0) return '';
    let text = await lastBytes(this.#path, end, tailBytesMax);
    if (fromLine(text, lines) === undefined && text.length < tailBytesMax) {
      const size = await sizeOf(this.#older);
      text = (await lastBytes(this.#older, size, tailBytesMax - text.length)) + text;
    }
    return text.slice(fromLine(text, lines) ?? 0);
  }

  async *#follow(
    from: number,
    signal: AbortSignal | undefined,
    isOver: () => boolean,
  ): AsyncIterable<Uint8Array> {
    let at = from;
    while (signal?.aborted !== true) {
      const wasOver = isOver();
      const size = await sizeOf(this.#path);
      // It has been cut: everything in it is new.
      if (size < at) at = 0;
      if (size === at) {
        if (wasOver) return;
        await pause(this.#clock, followEveryMs, signal);
        continue;
      }
      const piece = await readAt(this.#path, at, Math.min(chunkBytes, size - at));
      if (piece.length === 0) continue;
      at += piece.length;
      yield piece;
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

async function readAt(path: string, at: number, length: number): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch {
    return new Uint8Array(0);
  }
  try {
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(buffer, 0, length, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function lastBytes(path: string, size: number, most: number): Promise<string> {
  const length = Math.min(size, most);
  if (length <= 0) return '';
  return Buffer.from(await readAt(path, size - length, length)).toString('utf8');
}

/** Where the last `lines` lines of a text begin; undefined: it has no more than these. */
function fromLine(text: string, lines: number): number | undefined {
  let at = text.endsWith('\n') ? text.length - 1 : text.length;
  for (let found = 0; found < lines; found += 1) {
    at = at <= 0 ? -1 : text.lastIndexOf('\n', at - 1);
    if (at < 0) return undefined;
  }
  return at + 1;
}

async function* pieces(path: string, from: number, to: number): AsyncIterable<Uint8Array> {
  for (let at = from; at < to; ) {
    const piece = await readAt(path, at, Math.min(chunkBytes, to - at));
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}
