// Events on disk: one file of JSON lines, written behind the back of whoever records, many lines at
// a time. It may grow to twice what is worth keeping, then it is written anew from memory. When the
// disk refuses, that is said once, memory goes on alone, and a later try writes everything.

import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type EventInfo, eventKinds } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';

export interface EventFileOptions {
  /** The one folder it owns; made when it is missing. */
  readonly folder: string;
  /** What the file is to hold when it is written anew. */
  readonly everything: () => readonly EventInfo[];
  /** The last number that was given out, whether or not its event is kept. */
  readonly lastNumber: () => number;
  readonly clock: Clock;
  readonly log: Log;
  /** It is not written anew before it has grown to this. */
  readonly bytesMin?: number;
  /** Between two tries while the disk refuses. */
  readonly retryMs?: number;
}

/** Raised when the lines change so that an older Sluice can't read them. */
const format = 1;
const defaultBytesMin = 2 ** 20;
const defaultRetryMs = 30_000;
/** Lines waiting for the disk; with more the whole file is written anew. */
const waitingMax = 10_000;
/** Lines in one write of the whole file. */
const pieceLines = 500;

const header = z.object({ format: z.int(), last: z.int().min(0).default(0) });
const stored = z.object({
  number: z.int().positive(),
  at: z.iso.datetime(),
  service: z.string(),
  kind: z.enum(eventKinds),
  what: z.string(),
  text: z.string(),
  instance: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
}) satisfies z.ZodType<EventInfo>;

export class EventFile {
  readonly #options: EventFileOptions;
  #file: FileHandle | undefined;
  #waiting: string[] = [];
  #bytes = 0;
  #bytesWhenNew = 0;
  #wantsAnew = false;
  #isFailing = false;
  /** It can't be read, or is of a newer Sluice: it is left as it is. */
  #isForeign = false;
  #writing: Promise<void> | undefined;
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: EventFileOptions) {
    this.#options = options;
  }

  /** The events of earlier servers, in the order in which they were written, and the highest number
   * that is known of. Lines that are torn or damaged are left out. Never rejects: without a
   * readable file memory goes on alone. */
  async load(): Promise<Loaded> {
    const { folder, log } = this.#options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { damaged, ...loaded } = await readEvents(this.#path);
      if (damaged > 0) log.warn({ file: this.#path, lines: damaged }, 'events not readable');
      return loaded;
    } catch (error) {
      this.#isForeign = true;
      log.warn({ error, file: this.#path }, 'events can be kept in memory only');
      return { events: [], last: 0 };
    }
  }

  /** Takes note; the line is on disk soon after. */
  append(event: EventInfo): void {
    if (this.#isClosed || this.#isForeign) return;
    // The next try takes everything from memory; one under way has already done so.
    if (this.#isFailing && this.#writing === undefined) return;
    this.#waiting.push(`${JSON.stringify(event)}\n`);
    if (this.#waiting.length > waitingMax) {
      this.#waiting = [];
      this.#wantsAnew = true;
    }
    this.#write();
  }

  /** Writes the whole file anew: something is not to be kept any more, or its end is torn. */
  renew(): void {
    if (this.#isClosed || this.#isForeign) return;
    this.#wantsAnew = true;
    if (!this.#isFailing) this.#write();
  }

  /** Resolves when everything is written, or can't be, and nothing is open any more. */
  async close(): Promise<void> {
    this.#retry?.cancel();
    if (!this.#isClosed && this.#isFailing) this.#write();
    this.#isClosed = true;
    while (this.#writing !== undefined) await this.#writing;
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  get #path(): string {
    return join(this.#options.folder, 'events.ndjson');
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      // Something may have come between its last look and its end.
      if (this.#waiting.length > 0 && !this.#isFailing) this.#write();
    });
  }

  async #writeAll(): Promise<void> {
    const { log, bytesMin = defaultBytesMin } = this.#options;
    try {
      this.#wantsAnew ||= this.#file === undefined;
      while (this.#wantsAnew || this.#waiting.length > 0) {
        if (this.#wantsAnew) await this.#writeAnew();
        else await this.#appendWaiting();
        this.#wantsAnew ||= this.#bytes > Math.max(bytesMin, 2 * this.#bytesWhenNew);
      }
      if (this.#isFailing) log.info({ file: this.#path }, 'events kept on disk again');
      this.#isFailing = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #appendWaiting(): Promise<void> {
    const text = this.#waiting.join('');
    this.#waiting = [];
    await this.#file?.appendFile(text);
    this.#bytes += Buffer.byteLength(text);
  }

  async #writeAnew(): Promise<void> {
    const draft = `${this.#path}.new`;
    const events = this.#options.everything();
    const head = `${JSON.stringify({ format, last: this.#options.lastNumber() })}\n`;
    // They are among `events`.
    this.#waiting = [];
    this.#wantsAnew = false;
    await this.#file?.close();
    this.#file = undefined;
    const file = await open(draft, 'w', 0o600);
    let bytes = 0;
    try {
      for (let at = 0; at === 0 || at < events.length; at += pieceLines) {
        const lines = events
          .slice(at, at + pieceLines)
          .map((event) => `${JSON.stringify(event)}\n`);
        const text = `${at === 0 ? head : ''}${lines.join('')}`;
        await file.appendFile(text);
        bytes += Buffer.byteLength(text);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
    this.#file = await open(this.#path, 'a', 0o600);
    this.#bytes = bytes;
    this.#bytesWhenNew = bytes;
  }

  #failed(error: unknown): void {
    const { clock, log, retryMs = defaultRetryMs } = this.#options;
    if (!this.#isFailing) log.warn({ error, file: this.#path }, 'events not kept on disk');
    this.#isFailing = true;
    this.#waiting = [];
    this.#wantsAnew = true;
    if (!this.#isClosed) this.#retry = clock.after(retryMs, () => this.#write());
  }
}

/** What a file holds. */
export interface Loaded {
  readonly events: readonly EventInfo[];
  readonly last: number;
}

/** Rejects when there is a file that can't be read or is of a newer format. */
async function readEvents(path: string): Promise<Loaded & { readonly damaged: number }> {
  const events: EventInfo[] = [];
  let damaged = 0;
  let last = 0;
  let isFirst = true;
  try {
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
    for await (const line of lines) {
      const value = parsed(line);
      const head = isFirst ? header.safeParse(value) : undefined;
      isFirst = false;
      if (head?.success === true) {
        if (head.data.format > format) {
          throw new Error(`the file has format ${head.data.format}, of a newer Sluice`);
        }
        last = head.data.last;
        continue;
      }
      const event = stored.safeParse(value);
      if (event.success) events.push(event.data);
      else damaged += 1;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  for (const { number } of events) last = Math.max(last, number);
  return { events, last, damaged };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
