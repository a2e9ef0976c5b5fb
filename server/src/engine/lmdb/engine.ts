// The embedded engine: rows in one lmdb table, large payloads in files beside it. This file owns
// its life and the contract's face of it.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../../kernel/clock.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Log } from '../../kernel/log.ts';
import type { MessageMeta, StoredMessage } from '../../queue/message.ts';
import type { RequestRecord } from '../../queue/record.ts';
import type { OutboxEntry } from '../../queue/transition.ts';
import type {
  AppendOutcome,
  Batch,
  Departure,
  Engine,
  EngineCapabilities,
  MessageRef,
  Row,
  ServiceDefinition,
} from '../engine.ts';
import { type Backup, type BackupOptions, backUp } from './backup/backup.ts';
import { claimFolder, type FolderClaim, queueFolder } from './folder.ts';
import { glanceInChild } from './health.ts';
import { tableFiles } from './names.ts';
import { Scanner } from './scanner.ts';
import { LmdbStore } from './store.ts';

export interface LmdbEngineOptions {
  /** The data folder. The engine claims it as a whole; its own files lie in `queue` there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What stays free on the disk when new messages are refused; 256 MB unless given. */
  readonly reserveBytes?: number;
  /** How large a segment of the journal is when it goes to the table; 4 MB unless given. */
  readonly segmentBytes?: number;
  /** Whether a child process looks at the files first; yes unless given. Tests that open hundreds
   * of folders of their own go without. */
  readonly checkFirst?: boolean;
  /** Called when nobody knows any more what the disk holds. Has to end the process, which is what
   * it does unless given. */
  readonly fatal?: (error: unknown) => void;
}

const largeBytes = 64 * 2 ** 20;
const defaultReserveBytes = 256 * 2 ** 20;
// "Internal software error" in the list of exit codes that BSD began.
const fatalExitCode = 70;

interface Running {
  readonly claim: FolderClaim;
  readonly store: LmdbStore;
  readonly scanner: Scanner;
}

export class LmdbEngine implements Engine {
  readonly capabilities: EngineCapabilities = {
    name: 'lmdb',
    survivesProcess: true,
    survivesPower: true,
    losesAcknowledgements: false,
  };
  readonly #options: LmdbEngineOptions;
  #running: Promise<Running> | undefined;
  #store: LmdbStore | undefined;
  #backup: { readonly settled: Promise<void>; stop(): void } | undefined;

  constructor(options: LmdbEngineOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running ??= this.#open();
    try {
      this.#store = (await this.#running).store;
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
  }

  async stop(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    this.#running = undefined;
    this.#store = undefined;
    this.giveUpBackup();
    await this.#backup?.settled;
    await running?.store.stop();
    await running?.scanner.stop();
    await running?.claim.release();
  }

  append(batch: Batch): Promise<AppendOutcome> {
    return this.#opened().append(batch);
  }

  recover(service: number): AsyncIterable<readonly Row[]> {
    return this.#opened().recover(service);
  }

  async payloads(refs: readonly MessageRef[]): Promise<readonly (StoredMessage | undefined)[]> {
    const { reads } = this.#opened();
    const messages = refs.map((ref) => reads.message(ref));
    return messages.every(isHere) ? messages : Promise.all(messages);
  }

  async metas(refs: readonly MessageRef[]): Promise<readonly (MessageMeta | undefined)[]> {
    const { reads } = this.#opened();
    return refs.map((ref) => reads.meta(ref));
  }

  async records(service: number, from: number, limit: number): Promise<readonly RequestRecord[]> {
    return this.#opened().reads.records(service, from, limit);
  }

  async recordResult(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#opened().reads.result(service, index);
  }

  async checkpoint(service: number, index: number): Promise<Uint8Array | undefined> {
    return this.#opened().reads.result(service, index, 'checkpoint');
  }

  async outbox(service: number, from: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.#opened().reads.outbox(service, from, limit);
  }

  async departure(service: number, index: number): Promise<Departure | undefined> {
    return this.#opened().reads.departure(service, index);
  }

  hasRoom(): boolean {
    return this.#opened().hasRoom;
  }

  async definitions(): Promise<readonly ServiceDefinition[]> {
    return this.#opened().reads.definitions();
  }

  async saveDefinition(definition: ServiceDefinition): Promise<void> {
    mustBeDurable(await this.#opened().saveDefinition(definition));
  }

  async dropService(service: number): Promise<void> {
    mustBeDurable(await this.#opened().dropService(service));
  }

  /** A backup of all that is durable when it begins, made while the engine goes on working. Throws
   * `conflict` while another one is being made. */
  backUp(options: Omit<BackupOptions, 'folder' | 'now'>): Promise<Backup> {
    const { folder, clock } = this.#options;
    const store = this.#opened();
    if (this.#backup !== undefined) {
      throw new PlatformError('conflict', 'Another backup is being made; wait for its end.');
    }
    const stopped = new AbortController();
    const signals = options.signal === undefined ? [] : [options.signal];
    const signal = AbortSignal.any([stopped.signal, ...signals]);
    const now = clock.now().wall;
    const made = store.whileRead(() => backUp({ ...options, folder, now, signal }));
    const settled = made.then(ignore, ignore).finally(() => {
      this.#backup = undefined;
    });
    this.#backup = { settled, stop: () => stopped.abort(new PlatformError('unavailable', ending)) };
    return made;
  }

  /** Whoever waits for a backup is told that the server is stopping; nothing is left of it. */
  giveUpBackup(): void {
    this.#backup?.stop();
  }

  async #open(): Promise<Running> {
    const { folder, clock, log } = this.#options;
    const reserveBytes = this.#options.reserveBytes ?? defaultReserveBytes;
    const fatal = this.#options.fatal ?? endProcess(log);
    const claim = await claimFolder(folder);
    const scanner = new Scanner(queueFolder(folder));
    // Ready when the child has looked at the files.
    if (isLarge(queueFolder(folder))) scanner.warm();
    try {
      if (this.#options.checkFirst !== false) await glanceInChild(queueFolder(folder));
      await claim.verify();
      await claim.raiseFormat();
      const store = new LmdbStore({
        folder: queueFolder(folder),
        clock,
        log,
        reserveBytes,
        segmentBytes: this.#options.segmentBytes,
        scanner,
        fatal,
      });
      try {
        await store.start();
      } catch (error) {
        // Whatever fails in that too says less than why it did not start.
        await store.stop().catch(ignore);
        throw error;
      }
      return { claim, store, scanner };
    } catch (error) {
      await scanner.stop();
      await claim.release();
      throw error;
    }
  }

  #opened(): LmdbStore {
    invariant(this.#store !== undefined, 'the engine is used between start and stop');
    return this.#store;
  }
}

const ending = 'The server is stopping; the backup was given up and nothing is left of it.';

function ignore(): void {}

/** Whether a recovery is likely to have many rows to read. */
function isLarge(folder: string): boolean {
  const size = statSync(join(folder, tableFiles.data), { throwIfNoEntry: false })?.size ?? 0;
  return size > largeBytes;
}

function endProcess(log: Log): (error: unknown) => void {
  return (error) => {
    log.error({ err: error }, 'storage failed, the process ends');
    process.exit(fatalExitCode);
  };
}

function mustBeDurable(outcome: AppendOutcome): void {
  if (outcome.kind === 'durable') return;
  throw new PlatformError('disk_full', 'The disk has no room for the change; nothing was changed.');
}

/** Most messages lie in their rows and need not be waited for. */
function isHere(
  message: StoredMessage | undefined | Promise<StoredMessage | undefined>,
): message is StoredMessage | undefined {
  return !(message instanceof Promise);
}
