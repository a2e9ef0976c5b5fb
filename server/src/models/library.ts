// The models that lie here whole, each in a folder that got its name when it was all on stable
// storage, and the parts of those on their way in. Who holds one keeps it; of the others the one
// that was not used for longest goes when room is needed.

import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../engine/lmdb/sync-folder.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { type EntryFacts, readFacts, writeFacts } from './facts.ts';
import { outsideError } from './fetch-error.ts';
import { type ModelLimits, ModelRoom } from './room.ts';
import type { Version } from './version.ts';

export interface LibraryOptions extends ModelLimits {
  /** Of its own; made when it is missing. */
  readonly folder: string;
  readonly reserveBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** One model. */
export interface Entry extends EntryFacts {
  readonly id: string;
  /** The file, or the folder that was unpacked. */
  readonly path: string;
}

interface Shelved {
  entry: Entry;
  holds: number;
  /** Wall clock. */
  usedAt: number;
}

interface LeftPart {
  readonly bytes: number;
  readonly usedAt: number;
}

const partEnding = '.part';
const goneEnding = '.gone';
/** Below the folder of an entry; with the name of the model in it. */
export const contentFolder = 'content';

export class Library {
  readonly room: ModelRoom;
  readonly #options: LibraryOptions;
  readonly #entries = new Map<string, Shelved>();
  /** Parts that nobody works on. */
  readonly #parts = new Map<string, LeftPart>();
  /** When something was used last. */
  #usedAt = 0;

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.room = new ModelRoom({ ...options, evict: () => this.#evict() });
  }

  /** Counts what lies there; what can't be read goes: it can be fetched again. */
  async start(): Promise<void> {
    const { folder, log } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (name.endsWith(partEnding)) {
        await this.leavePart(name.slice(0, -partEnding.length));
        continue;
      }
      const facts = name.endsWith(goneEnding) ? undefined : await readFacts(path);
      if (facts !== undefined) {
        const { mtimeMs } = await stat(join(path, contentFolder)).catch(() => nothing);
        this.#shelve(facts, name, mtimeMs);
        continue;
      }
      if (!name.endsWith(goneEnding)) log.warn({ model: name }, 'unreadable model removed');
      await rm(path, { recursive: true, force: true });
    }
  }

  /** The version of an address that was fetched last. */
  newestOf(identity: string): Entry | undefined {
    let newest: Entry | undefined;
    for (const { entry } of this.#entries.values()) {
      if (entry.identity !== identity) continue;
      if (newest === undefined || entry.fetchedAt > newest.fetchedAt) newest = entry;
    }
    return newest;
  }

  /** What has this SHA-256, under this name, from wherever it came. */
  withSum({ sha256, name, form }: Pick<EntryFacts, 'sha256' | 'name' | 'form'>): Entry | undefined {
    for (const { entry } of this.#entries.values()) {
      if (entry.sha256 === sha256 && entry.name === name && entry.form === form) return entry;
    }
    return undefined;
  }

  withId(id: string): Entry | undefined {
    return this.#entries.get(id)?.entry;
  }

  /** The model whose path was handed out, now or by an earlier server. */
  withPath(path: string): Entry | undefined {
    return this.withId(basename(dirname(dirname(path))));
  }

  /** Whether its files are still there: somebody may have removed them by hand. */
  async isThere(entry: Entry): Promise<boolean> {
    const found = await stat(entry.path).catch(() => undefined);
    if (found !== undefined) return true;
    const shelved = this.#entries.get(entry.id);
    if (shelved !== undefined && shelved.holds === 0) await this.#remove(shelved.entry);
    return false;
  }

  /** It stays until the answer is called. Throws when it had to make room just now. */
  hold(entry: Entry): () => void {
    const shelved = this.#entries.get(entry.id);
    if (shelved === undefined) throw outsideError(`${entry.shown} was just removed from here`);
    shelved.holds += 1;
    this.#touch(shelved);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      shelved.holds -= 1;
      this.#touch(shelved);
    };
  }

  /** The folder of a part, which is not counted from now on: whoever works on it does. */
  takePart(key: string): string {
    const left = this.#parts.get(key);
    this.#parts.delete(key);
    if (left !== undefined) this.room.stored(-left.bytes);
    return this.#partFolder(key);
  }

  /** Nobody works on the part any more; whatever is left of it may go when room is needed. */
  async leavePart(key: string): Promise<void> {
    await rm(join(this.#partFolder(key), contentFolder), { recursive: true, force: true });
    await this.#countPart(key);
  }

  async dropPart(key: string): Promise<void> {
    await rm(this.#partFolder(key), { recursive: true, force: true });
  }

  /**
   * The part becomes a model: its `content` holds it, flushed. It is there whole when this
   * resolves, and before that not at all, whatever happens.
   */
  async add(key: string, id: string, facts: EntryFacts): Promise<Entry> {
    const { folder, log } = this.#options;
    const part = this.#partFolder(key);
    await rm(join(part, 'data'), { force: true });
    await rm(join(part, 'part.json'), { force: true });
    await writeFacts(part, facts);
    await syncFolder(join(part, contentFolder));
    await syncFolder(part);
    // Of files that somebody has removed by hand.
    await rm(join(folder, id), { recursive: true, force: true });
    await rename(part, join(folder, id));
    await syncFolder(folder);
    log.info({ model: id, from: facts.shown, bytes: facts.bytes }, 'model fetched');
    return this.#shelve(facts, id, this.#options.clock.now().wall);
  }

  /** The same bytes are another version now, as their server has it. */
  async refresh(entry: Entry, version: Version): Promise<Entry> {
    const shelved = this.#entries.get(entry.id);
    if (shelved === undefined) return entry;
    const fetchedAt = this.#options.clock.now().wall;
    shelved.entry = { ...shelved.entry, version, fetchedAt };
    await writeFacts(join(this.#options.folder, entry.id), shelved.entry);
    return shelved.entry;
  }

  #shelve(facts: EntryFacts, id: string, usedAt: number): Entry {
    const path = join(this.#options.folder, id, contentFolder, facts.name);
    const entry = { ...facts, id, path };
    this.#entries.set(id, { entry, holds: 0, usedAt });
    this.room.stored(facts.bytes);
    return entry;
  }

  // The time of the folder says after a restart what was used last.
  #touch(shelved: Shelved): void {
    // Never the same for two: what is used in one millisecond has an order too.
    const now = Math.max(this.#options.clock.now().wall, this.#usedAt + 1);
    this.#usedAt = now;
    shelved.usedAt = now;
    const path = join(this.#options.folder, shelved.entry.id, contentFolder);
    utimes(path, now / 1000, now / 1000).catch(() => undefined);
  }

  /** Removes what was not used for longest and nobody holds; false: there is nothing. */
  async #evict(): Promise<boolean> {
    let oldest: (() => Promise<void>) | undefined;
    let oldestAt = Number.POSITIVE_INFINITY;
    for (const [key, { usedAt, bytes }] of this.#parts) {
      if (usedAt >= oldestAt) continue;
      oldestAt = usedAt;
      oldest = async () => {
        this.#parts.delete(key);
        this.room.stored(-bytes);
        await this.dropPart(key);
      };
    }
    for (const { holds, usedAt, entry } of this.#entries.values()) {
      if (holds > 0 || usedAt >= oldestAt) continue;
      oldestAt = usedAt;
      oldest = () => this.#remove(entry);
    }
    await oldest?.();
    return oldest !== undefined;
  }

  async #remove(entry: Entry): Promise<void> {
    const { folder, log } = this.#options;
    // First of all: from here on nobody finds it.
    this.#entries.delete(entry.id);
    log.info({ model: entry.id, from: entry.shown, bytes: entry.bytes }, 'model removed');
    const gone = join(folder, `${entry.id}${goneEnding}`);
    await rename(join(folder, entry.id), gone).catch(() => undefined);
    await rm(gone, { recursive: true, force: true });
    this.room.stored(-entry.bytes);
  }

  async #countPart(key: string): Promise<void> {
    const found = await stat(join(this.#partFolder(key), 'data')).catch(() => undefined);
    if (found === undefined || found.size === 0) {
      await this.dropPart(key);
      return;
    }
    this.#parts.set(key, { bytes: found.size, usedAt: found.mtimeMs });
    this.room.stored(found.size);
  }

  #partFolder(key: string): string {
    return join(this.#options.folder, `${key}${partEnding}`);
  }
}

/** What somebody removed by hand was never used. */
const nothing = { mtimeMs: 0 };
