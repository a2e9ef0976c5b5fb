// What was tried to deliver the callbacks of one service: one line for each attempt, in one file.
// It also says after a restart how far each schedule has come. Bounded: when the file is too large,
// its older half goes, except the latest line of each callback that is still pending. Losing a line
// loses no callback.

import { createReadStream } from 'node:fs';
import { appendFile, mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type CallbackAttempt, PlatformError } from '@sluice/sdk/wire';
import type { Log } from '../kernel/log.ts';
import { ifMissing } from './file.ts';

/** An attempt and the input index of its request. */
export interface LogLine extends CallbackAttempt {
  readonly index: number;
}

/** How far a schedule has come. */
export interface Progress {
  /** Attempts that failed. */
  readonly attempts: number;
  /** Wall clock of the next one. */
  readonly dueAt: number;
}

export interface DeliveryLogOptions {
  /** Of the service. */
  readonly folder: string;
  readonly log: Log;
  /** Whether a line is the latest of a callback that is still pending. */
  readonly isCurrent: (line: LogLine) => boolean;
  readonly bytesMax?: number;
}

const defaultBytesMax = 32 * 2 ** 20;
/** Lines that wait for the disk; more are lost. */
const waitingMax = 10_000;
/** Searches that wait for the one under way. */
const searchesMax = 16;
/** Lines of one request that are shown. */
const shownMax = 50;
const pieceLines = 1000;

export class DeliveryLog {
  readonly #options: DeliveryLogOptions;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #bytes = 0;
  #bytesMax: number;
  #isFailing = false;
  #searches = 0;
  #searching: Promise<unknown> = Promise.resolve();

  constructor(options: DeliveryLogOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? defaultBytesMax;
  }

  /** How far the schedules have come that were under way, by index. Never rejects. */
  async load(): Promise<Map<number, Progress>> {
    const progress = new Map<number, Progress>();
    try {
      this.#bytes = (await stat(this.#path).catch(ifMissing))?.size ?? 0;
      for await (const text of this.#lines()) {
        const line = parsed(text);
        if (line === undefined || line.replay) continue;
        const { index, attempt, nextAt } = line;
        if (nextAt === null) progress.delete(index);
        else progress.set(index, { attempts: attempt, dueAt: Date.parse(nextAt) });
      }
    } catch (error) {
      this.#options.log.warn({ error, file: this.#path }, 'callback log not readable');
    }
    return progress;
  }

  /** Takes note; the line is in the file soon after. */
  append(line: LogLine): void {
    if (this.#waiting.length >= waitingMax) return;
    const { index, ...attempt } = line;
    // The index comes first: lines are found by how they begin.
    this.#waiting.push(`${JSON.stringify({ index, ...attempt })}\n`);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** The latest attempts for one request, the latest last. Throws `rate_limited`. */
  find(index: number): Promise<readonly LogLine[]> {
    if (this.#searches >= searchesMax) {
      throw new PlatformError('rate_limited', 'the log is searched by others; come back later', {
        retryAfterMs: 1000,
      });
    }
    this.#searches++;
    const found = this.#searching.then(() => this.#find(index));
    this.#searching = found.then(
      () => this.#searches--,
      () => this.#searches--,
    );
    return found;
  }

  /** Resolves when everything is written, or can't be. */
  async settle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#searching;
  }

  async #find(index: number): Promise<readonly LogLine[]> {
    await this.#writing;
    const head = `{"index":${index},`;
    const found: LogLine[] = [];
    for await (const text of this.#lines()) {
      const line = text.startsWith(head) ? parsed(text) : undefined;
      if (line !== undefined) found.push(line);
      if (found.length > shownMax) found.shift();
    }
    return found;
  }

  async #write(): Promise<void> {
    try {
      await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
      while (this.#waiting.length > 0) {
        const text = this.#waiting.join('');
        this.#waiting = [];
        await appendFile(this.#path, text, { mode: 0o600 });
        this.#bytes += Buffer.byteLength(text);
        if (this.#bytes > this.#bytesMax) await this.#shorten();
      }
      this.#isFailing = false;
    } catch (error) {
      this.#waiting = [];
      const { log } = this.#options;
      if (!this.#isFailing) log.warn({ error, file: this.#path }, 'callback log not written');
      this.#isFailing = true;
    }
  }

  async #shorten(): Promise<void> {
    const draft = `${this.#path}.new`;
    const file = await open(draft, 'w', 0o600);
    let written = 0;
    try {
      let seen = 0;
      let kept: string[] = [];
      const flush = async (): Promise<void> => {
        const text = kept.join('');
        kept = [];
        await file.appendFile(text);
        written += Buffer.byteLength(text);
      };
      const from = this.#bytes - this.#bytesMax / 2;
      for await (const text of this.#lines()) {
        seen += Buffer.byteLength(text) + 1;
        if (seen > from || this.#isNeeded(text)) kept.push(`${text}\n`);
        if (kept.length >= pieceLines) await flush();
      }
      await flush();
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
    this.#bytes = written;
    // So many may be pending that nothing can go.
    const { bytesMax = defaultBytesMax } = this.#options;
    this.#bytesMax = Math.max(bytesMax, 2 * written);
  }

  #isNeeded(text: string): boolean {
    const line = parsed(text);
    return line !== undefined && this.#options.isCurrent(line);
  }

  async *#lines(): AsyncIterable<string> {
    try {
      const input = createReadStream(this.#path);
      yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    } catch (error) {
      ifMissing(error);
    }
  }

  get #path(): string {
    return join(this.#options.folder, 'attempts.ndjson');
  }
}

/** undefined: torn, or not ours. */
function parsed(text: string): LogLine | undefined {
  try {
    // Only `append` writes this file; a damaged line is no JSON.
    const line = JSON.parse(text) as LogLine;
    return Number.isSafeInteger(line.index) ? line : undefined;
  } catch {
    return undefined;
  }
}
