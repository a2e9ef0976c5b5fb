// How one model comes to lie in the library: fetched or (an archive of this machine) only unpacked,
// checked, and put there in one step. What is wrong for good is remembered, so that nobody fetches
// gigabytes again and again to find that out.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { FetchRules } from '../kernel/object-store.ts';
import type { Random } from '../kernel/random.ts';
import type { LocalPlace, ModelPlace, RemotePlace } from './address.ts';
import { download } from './download.ts';
import type { EntryFacts } from './facts.ts';
import { fetchErrorOf, ModelFetchError } from './fetch-error.ts';
import type { Entry, Library } from './library.ts';
import { PartWork } from './part-work.ts';
import type { RemoteModels } from './remote.ts';
import { unpack } from './unpacking.ts';
import { isKnownVersion, noVersion, type Version } from './version.ts';

export interface FetchingOptions {
  readonly library: Library;
  readonly remote: RemoteModels;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface FetchOrder<Place> {
  readonly source: ModelPlace<Place>;
  /** SHA-256, hexadecimal; undefined: whatever comes. */
  readonly checksum: string | undefined;
  readonly rules: FetchRules;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** A version that was fetched and is wrong. */
interface Refusal {
  readonly version: Version;
  readonly error: ModelFetchError;
  /** Monotonic. */
  readonly at: number;
}

const refusalsMax = 1000;
/** A wrong model whose server tells no versions apart is fetched again after so long. */
const refusalMs = 600_000;

export class Fetching {
  readonly #options: FetchingOptions;
  readonly #refusals = new Map<string, Refusal>();

  constructor(options: FetchingOptions) {
    this.#options = options;
  }

  /** The model of an address; asks whether the one that is here is still the newest. Throws
   * ModelFetchError, or the reason of the signal. */
  async remote(order: FetchOrder<RemotePlace>): Promise<Entry> {
    const { library, log } = this.#options;
    const { source, checksum, signal } = order;
    const key = keyOf(source, checksum);
    await this.#checkRefusal(key, order);
    const newest = checksum === undefined ? library.newestOf(source.identity) : undefined;
    const known = newest !== undefined && (await library.isThere(newest)) ? newest : undefined;
    const work = new PartWork(library, key);
    try {
      return await this.#fetch(work, order, known);
    } catch (error) {
      signal.throwIfAborted();
      const fault = fetchErrorOf(error, `${source.shown} could not be fetched`);
      if (fault.isFinal) {
        this.#remember(key, fault);
        await work.drop();
      } else if (known !== undefined && !work.isBegun) {
        // What lies here was good, and nobody has said that there is something newer.
        log.warn(
          { from: source.shown, error: fault.message },
          'model not compared with its source',
        );
        return known;
      }
      throw fault;
    } finally {
      await work.close();
    }
  }

  /** The unpacked content of an archive that lies on this machine. */
  async local(order: FetchOrder<LocalPlace>): Promise<Entry> {
    const { library } = this.#options;
    const { source } = order;
    const { path } = source.place;
    const { size: bytes, mtimeMs, ino } = await stat(path);
    const version = { etag: `${bytes}-${mtimeMs}-${ino}`, lastModified: '' };
    const sha256 = createHash('sha256').update(version.etag).digest('hex');
    const id = idOf(source, sha256);
    const known = library.withId(id);
    if (known !== undefined && (await library.isThere(known))) return known;
    const work = new PartWork(library, keyOf(source, undefined));
    try {
      await work.begin();
      const unpacked = await this.#unpack(work, { path, bytes, roomBytes: 0 }, order);
      return await work.finish(id, this.#facts(source, { version, sha256: '', bytes: unpacked }));
    } finally {
      await work.close();
    }
  }

  async #fetch(
    work: PartWork,
    order: FetchOrder<RemotePlace>,
    known: Entry | undefined,
  ): Promise<Entry> {
    const { library } = this.#options;
    const { source, signal } = order;
    const part = await work.open(signal);
    const { room } = library;
    const downloaded = await download({
      ...this.#options,
      ...order,
      known: known?.version,
      part,
      room,
      ticket: work.ticket,
    });
    if (downloaded === 'unchanged' && known !== undefined) return known;
    const { version, path, bytes } = part;
    const sha256 = part.sum();
    const id = idOf(source, sha256);
    const same = library.withId(id);
    if (same !== undefined && (await library.isThere(same))) {
      await work.drop();
      return library.refresh(same, version);
    }
    if (source.packing === undefined) {
      await work.moveIn(part, source.name);
      return work.finish(id, this.#facts(source, { version, sha256, bytes }));
    }
    try {
      const unpacked = await this.#unpack(work, { path, bytes, roomBytes: bytes }, order);
      return await work.finish(id, this.#facts(source, { version, sha256, bytes: unpacked }));
    } catch (error) {
      if (!(error instanceof ModelFetchError) || !error.isFinal) throw error;
      throw new ModelFetchError(error.message, { isFinal: true, version, cause: error });
    }
  }

  async #unpack(
    work: PartWork,
    archive: { readonly path: string; readonly bytes: number; readonly roomBytes: number },
    { source, signal, progress }: FetchOrder<LocalPlace | RemotePlace>,
  ): Promise<number> {
    const { packing = 'zip', shown } = source;
    const { room } = this.#options.library;
    const into = await work.contentPath(contentName(source));
    const { ticket } = work;
    return unpack({ ...archive, packing, into, shown, room, ticket, signal, progress });
  }

  #facts(source: ModelPlace, found: Pick<EntryFacts, 'version' | 'sha256' | 'bytes'>): EntryFacts {
    const { identity, shown } = source;
    const fetchedAt = this.#options.clock.now().wall;
    return {
      identity,
      shown,
      name: contentName(source),
      form: formOf(source),
      fetchedAt,
      ...found,
    };
  }

  async #checkRefusal(key: string, order: FetchOrder<RemotePlace>): Promise<void> {
    const refusal = this.#refusals.get(key);
    if (refusal === undefined) return;
    const { version, error, at } = refusal;
    if (!isKnownVersion(version)) {
      if (this.#options.clock.now().mono - at < refusalMs) throw error;
    } else {
      const { source, rules, signal } = order;
      const have = { bytes: 0, of: noVersion };
      const question = { source, rules, have, known: version, signal };
      const answer = await this.#options.remote.ask(question);
      if (answer.kind === 'unchanged') throw error;
      if (answer.kind === 'body') answer.stream.destroy();
    }
    this.#refusals.delete(key);
  }

  /** Only what it took a download to find out: a refused request is cheap. */
  #remember(key: string, error: ModelFetchError): void {
    const { version } = error;
    if (version === undefined) return;
    const [first] = this.#refusals.keys();
    if (this.#refusals.size >= refusalsMax && first !== undefined) this.#refusals.delete(first);
    this.#refusals.set(key, { version, error, at: this.#options.clock.now().mono });
  }
}

/** Of equal ones only one at a time is fetched. */
export function keyOf({ identity }: ModelPlace, checksum: string | undefined): string {
  return checksum === undefined ? identity : `${identity}-${checksum.slice(0, 32)}`;
}

/** How the model is called in the library: the file, or the archive without its ending. */
export function contentName({ name, packing }: ModelPlace): string {
  if (packing === undefined) return name;
  const stem = name.replace(/\.(zip|tar|tgz|tar\.gz)$/i, '');
  return stem === '' ? 'model' : stem;
}

export function formOf({ packing }: ModelPlace): EntryFacts['form'] {
  return packing === undefined ? 'file' : 'folder';
}

function idOf({ identity }: ModelPlace, sha256: string): string {
  return `${identity}-${sha256.slice(0, 32)}`;
}
