// Bodies too large for the queues, each a file of its own. One that was received is on stable
// storage, name and all, before anybody hears of it. Nobody has to remove them: what no message and
// no record names any more goes in a sweep, and one that somebody just works with never does.

import { mkdir, readdir, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isBodyName, sumOf } from '../engine/body-name.ts';
import { syncFolder } from '../engine/lmdb/sync-folder.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { receiveFile } from './arrival.ts';
import { newBodyName, shortHash } from './name.ts';
import { type BodyRange, type OpenBody, openBody } from './reading.ts';
import { BodyRoom } from './room.ts';

export interface BodyStoreOptions {
  /** Of its own; made when it is missing. */
  readonly folder: string;
  /** Most bytes of all bodies together. */
  readonly bytesMax: number;
  /** What bodies leave free on the disk; more than the queues leave, or a large body would be the
   * reason why small messages are refused. */
  readonly reserveBytes?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Every body that a message or a record names; undefined: that can't be told at the moment. What
 * goes from one place to another must be found in one of them or be held (`hold`). */
export type LiveNames = () => Promise<ReadonlySet<string> | undefined>;

export interface ReceiveOptions {
  readonly bytesMax: number;
  /** What the sender says it will be; room is taken for it at once. */
  readonly declared?: number;
  /** Aborted: the source is destroyed, nothing stays. */
  readonly signal: AbortSignal;
}

export interface ReceivedBody {
  readonly name: string;
  readonly size: number;
  /** Of the content, never 0. */
  readonly hash32: number;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
  /** To be called once something durable names it, or nothing will: until then it stays. */
  readonly release: () => void;
}

export interface BodyUse {
  readonly count: number;
  readonly bytes: number;
}

const defaultReserveBytes = 512 * 2 ** 20;
const sweepEveryMs = 60_000;
/** A file that nobody names goes when it is older than this: a worker on another machine may have
 * left its result and come back to say so only after the server was started anew. */
export const graceMs: number = 15 * 60_000;
const partEnding = '.part';

export class BodyStore implements Component {
  readonly #options: BodyStoreOptions;
  readonly #room: BodyRoom;
  readonly #files = new Map<string, number>();
  /** How often a body is held. */
  readonly #held = new Map<string, number>();
  /** Held at some time since the sweep began. */
  #touched: Set<string> | undefined;
  /** Names that may go as soon as nobody names them, without the grace. */
  readonly #hinted = new Set<string>();
  /** Until when (wall clock) a body stays because a reader was told its name. */
  readonly #promised = new Map<string, number>();
  #paused = 0;
  #live: LiveNames | undefined;
  #timer: Timer | undefined;
  #sweeping: Promise<number> | undefined;
  #stopped = false;

  constructor(options: BodyStoreOptions) {
    this.#options = options;
    const { folder, bytesMax, reserveBytes = defaultReserveBytes } = options;
    this.#room = new BodyRoom({ folder, bytesMax, reserveBytes });
  }

  /** Counts what lies there and removes what a crash has cut. */
  async start(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const file of await readdir(folder)) {
      if (file.endsWith(partEnding)) await unlink(join(folder, file));
      else if (isBodyName(file)) this.#add(file, (await stat(join(folder, file))).size);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** From now on sweeps take place; `live` is asked in each. */
  keepOnly(live: LiveNames): void {
    this.#live = live;
    this.#arm();
  }

  get use(): BodyUse {
    return { count: this.#files.size, bytes: this.#room.storedBytes };
  }

  /** Bytes of a body; undefined: there is none of that name. */
  sizeOf(name: string): number | undefined {
    return this.#files.get(name);
  }

  /**
   * Receives a body. It is on stable storage when this resolves; when it rejects, nothing of it is
   * left. Throws `too_large` and `disk_full`; a source that fails, with its error.
   */
  async receive(source: Readable, options: ReceiveOptions): Promise<ReceivedBody> {
    const { folder, random } = this.#options;
    const { bytesMax, declared, signal } = options;
    const part = join(folder, `${random.secret(8)}${partEnding}`);
    // A source may fail before it is looked at; reading it says so then.
    source.on('error', () => undefined);
    const ticket = await this.#room.open(declared);
    try {
      const cover = (bytes: number): Promise<void> => this.#room.cover(ticket, bytes);
      const wrote = (bytes: number): void => ticket.wrote(bytes);
      const arrival = { path: part, bytesMax, signal, cover, wrote };
      const { size, sha256 } = await receiveFile(source, arrival);
      const name = newBodyName(random, sha256);
      await rename(part, join(folder, name));
      this.#add(name, size);
      const release = this.hold(name);
      await syncFolder(folder);
      return { name, size, sha256, hash32: shortHash(sha256), release };
    } catch (error) {
      await unlink(part).catch(() => undefined);
      throw error;
    } finally {
      ticket.close();
    }
  }

  /** A body or a part of it; undefined: there is none of that name. Reading it whole fails with
   * `damaged` before its end when it is no longer what was stored. */
  async open(name: string, range?: BodyRange): Promise<OpenBody | undefined> {
    if (!isBodyName(name)) return undefined;
    return openBody(join(this.#options.folder, name), sumOf(name), range);
  }

  /** The body stays until the answer is called, whatever names it. */
  hold(name: string): () => void {
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
    this.#touched?.add(name);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const count = (this.#held.get(name) ?? 1) - 1;
      if (count > 0) this.#held.set(name, count);
      else this.#held.delete(name);
    };
  }

  /** A reader was told the name: the body stays for a while, whatever becomes of what names it;
   * over a restart too, by the age of its file. */
  promise(name: string): void {
    if (!this.#files.has(name)) return;
    const now = this.#options.clock.now().wall;
    this.#touched?.add(name);
    this.#promised.set(name, now + graceMs);
    const path = join(this.#options.folder, name);
    utimes(path, now / 1000, now / 1000).catch((error: unknown) => {
      this.#options.log.warn({ error, name }, 'body not made young');
    });
  }

  /** Whoever named the body may be gone: the next sweep removes it if nobody else does. */
  mayGo(name: string): void {
    if (this.#files.has(name)) this.#hinted.add(name);
  }

  /** Removes nothing until the answer is called: a backup is being made. */
  pause(): () => void {
    this.#paused += 1;
    let isPaused = true;
    return () => {
      if (isPaused) this.#paused -= 1;
      isPaused = false;
    };
  }

  /** Removes what nobody names or holds. Answers how many files that were. */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
      this.#touched = undefined;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<number> {
    const { log, clock } = this.#options;
    if (this.#live === undefined || this.#files.size === 0) return 0;
    // First what may go, then who names what: what is named meanwhile was held or named before.
    this.#touched = new Set(this.#held.keys());
    const candidates = await this.#candidates(clock.now().wall);
    if (candidates.length === 0) return 0;
    const live = await this.#live();
    if (live === undefined) return 0;
    let removed = 0;
    for (const name of candidates) {
      if (this.#stopped || this.#paused > 0) break;
      this.#hinted.delete(name);
      if (live.has(name) || this.#touched.has(name)) continue;
      await this.#remove(name);
      removed += 1;
    }
    if (removed > 0) log.info({ removed, ...this.use }, 'bodies removed');
    return removed;
  }

  async #candidates(now: number): Promise<readonly string[]> {
    const found: string[] = [];
    for (const name of this.#files.keys()) {
      if (this.#touched?.has(name) || (this.#promised.get(name) ?? 0) > now) continue;
      const { mtimeMs } = await stat(join(this.#options.folder, name)).catch(() => gone);
      if (this.#hinted.has(name) || now - mtimeMs >= graceMs) found.push(name);
    }
    return found;
  }

  async #remove(name: string): Promise<void> {
    await unlink(join(this.#options.folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    this.#room.stored(-(this.#files.get(name) ?? 0));
    this.#files.delete(name);
    this.#promised.delete(name);
  }

  #add(name: string, size: number): void {
    this.#files.set(name, size);
    this.#room.stored(size);
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(sweepEveryMs, () => {
      this.sweep()
        .catch((error: unknown) => this.#options.log.warn({ error }, 'bodies not swept'))
        .finally(() => this.#arm())
        .catch(() => undefined);
    });
  }
}

/** A file that somebody removed by hand: nothing has to be waited for. */
const gone = { mtimeMs: 0 };
