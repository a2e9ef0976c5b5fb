// The store of models: gives whoever starts an instance a path on this machine for what a service
// calls its model, and keeps it there until that is given back. Those who want the same wait for
// one download; when nobody waits any more it ends.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AllowList } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { FetchRules, S3Settings } from '../kernel/object-store.ts';
import type { Random } from '../kernel/random.ts';
import { isLocal, type LocalPlace, type ModelPlace, readModelAddress } from './address.ts';
import { fetchErrorOf, finalError, outsideError } from './fetch-error.ts';
import { contentName, Fetching, formOf, keyOf } from './fetching.ts';
import { Jobs, type Waiting } from './jobs.ts';
import { type Entry, Library } from './library.ts';
import { RemoteModels, type RemoteOptions } from './remote.ts';
import type { ModelLimits } from './room.ts';

export interface ModelCacheOptions extends ModelLimits {
  /** Of its own; made when it is missing. */
  readonly folder: string;
  /** What models leave free on the disk. */
  readonly reserveBytes?: number;
  readonly s3: S3Settings;
  readonly oss: S3Settings;
  /** What the operator allows to all services, beside what each of them allows. */
  readonly allow?: Pick<AllowList, 'networks' | 'hosts'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** For tests. */
  readonly connection?: Pick<RemoteOptions, 'ca' | 'resolve'>;
}

/** What a service calls its model. */
export interface WantedModel {
  /** A path, file:, http:, https:, s3: or oss:. */
  readonly address: string;
  /** `sha256:HEX`; undefined: whatever lies there. */
  readonly checksum: string | undefined;
  readonly rules: FetchRules;
}

export interface HeldModel {
  /** Of a file or a folder, absolute. It stays as it is until `release`. */
  readonly path: string;
  /** May be called more than once. */
  release(): void;
}

/** More than the queues leave, or a large model would be the reason why messages are refused. */
const defaultReserveBytes = 1024 * 2 ** 20;
/** Sums of files of this machine that are remembered. */
const sumsMax = 1000;

export class ModelCache implements Component {
  readonly #options: ModelCacheOptions;
  readonly #library: Library;
  readonly #remote: RemoteModels;
  readonly #fetching: Fetching;
  readonly #jobs = new Jobs();
  /** By path, size and time of a file. */
  readonly #sums = new Map<string, string>();

  constructor(options: ModelCacheOptions) {
    this.#options = options;
    const { reserveBytes = defaultReserveBytes, connection = {} } = options;
    this.#library = new Library({ ...options, reserveBytes });
    this.#remote = new RemoteModels({ ...options, ...connection });
    this.#fetching = new Fetching({ ...options, library: this.#library, remote: this.#remote });
  }

  /** Looks at what lies in the folder; nothing is fetched. */
  start(): Promise<void> {
    return this.#library.start();
  }

  /** Gives up what is being fetched; what came so far stays for the next start. */
  stop(): Promise<void> {
    return this.#jobs.stop();
  }

  /** Bytes of all models, those on their way in included. */
  get bytes(): number {
    return this.#library.room.bytes;
  }

  /**
   * Resolves with a path once all of the model lies there. Rejects with ModelFetchError, or with
   * the reason of the signal.
   */
  async hold(wanted: WantedModel, waiting: Waiting): Promise<HeldModel> {
    waiting.signal.throwIfAborted();
    const source = readModelAddress(wanted.address);
    const checksum = sumOf(wanted.checksum);
    if (isLocal(source)) return this.#holdLocal(source, checksum, waiting);
    const rules = this.#rulesOf(wanted);
    // Whoever waits for another's download has to be allowed it too. What can't be told now is
    // told by the download.
    await this.#remote.check(source, rules).catch((error: unknown) => {
      const fault = fetchErrorOf(error, source.shown);
      if (fault.isFinal) throw fault;
    });
    if (checksum !== undefined) {
      const entry = this.#library.withSum({
        sha256: checksum,
        name: contentName(source),
        form: formOf(source),
      });
      if (entry !== undefined && (await this.#library.isThere(entry))) return this.#held(entry);
    }
    const key = keyOf(source, checksum);
    return this.#jobs.join(key, waiting, {
      run: (order) => this.#fetching.remote({ source, checksum, rules, ...order }),
      take: (entry) => this.#held(entry),
    });
  }

  /**
   * Holds once more what an earlier server gave to an instance that still runs. undefined: the path
   * is none of the store's, or is gone.
   */
  holdAgain(path: string): HeldModel | undefined {
    const entry = this.#library.withPath(path);
    return entry?.path === path ? this.#held(entry) : undefined;
  }

  #held(entry: Entry): HeldModel {
    return { path: entry.path, release: this.#library.hold(entry) };
  }

  async #holdLocal(
    source: ModelPlace<LocalPlace>,
    checksum: string | undefined,
    waiting: Waiting,
  ): Promise<HeldModel> {
    const { path } = source.place;
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) {
      throw finalError(`there is no ${path} on the machine of the server, or it may not be read`);
    }
    if (checksum !== undefined) {
      if (!found.isFile()) throw finalError(`model_checksum is of a file; ${path} is a folder`);
      const sum = await this.#sumOf(path, `${found.size}-${found.mtimeMs}-${found.ino}`, waiting);
      if (sum !== checksum) {
        const text = `has the checksum sha256:${sum}, not model_checksum sha256:${checksum}`;
        throw finalError(`${path} ${text}`);
      }
    }
    if (found.isDirectory() || source.packing === undefined) {
      return { path, release: () => undefined };
    }
    const rules: FetchRules = { allow: { ...none, setting: 'model.allow' }, buckets: [] };
    return this.#jobs.join(keyOf(source, undefined), waiting, {
      run: (order) => this.#fetching.local({ source, checksum, rules, ...order }),
      take: (entry) => this.#held(entry),
    });
  }

  async #sumOf(path: string, version: string, { signal, progress }: Waiting): Promise<string> {
    const key = `${path}\0${version}`;
    const known = this.#sums.get(key);
    if (known !== undefined) return known;
    progress('comparing the checksum');
    const hash = createHash('sha256');
    try {
      const pieces = createReadStream(path, { highWaterMark: 1024 * 1024, signal });
      for await (const piece of pieces) hash.update(piece);
    } catch (error) {
      signal.throwIfAborted();
      throw outsideError(`${path} can not be read: ${String(error)}`, error);
    }
    const sum = hash.digest('hex');
    const [first] = this.#sums.keys();
    if (this.#sums.size >= sumsMax && first !== undefined) this.#sums.delete(first);
    this.#sums.set(key, sum);
    return sum;
  }

  #rulesOf({ rules }: WantedModel): FetchRules {
    const { networks, hosts } = this.#options.allow ?? none;
    const { allow, buckets } = rules;
    const wide = { networks: [...allow.networks, ...networks], hosts: [...allow.hosts, ...hosts] };
    return { allow: { setting: allow.setting, ...wide }, buckets };
  }
}

const none = { networks: [], hosts: [] } as const;

/** The folder of the models, below the data folder. */
export function modelsFolder(dataFolder: string): string {
  return join(dataFolder, 'models');
}

function sumOf(checksum: string | undefined): string | undefined {
  if (checksum === undefined || checksum === '') return undefined;
  const sum = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(checksum)?.[1];
  if (sum !== undefined) return sum.toLowerCase();
  throw finalError(`model_checksum has to be sha256: and 64 hexadecimal digits, not "${checksum}"`);
}
