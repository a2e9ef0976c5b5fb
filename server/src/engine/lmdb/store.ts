// An open store: journal and table, the payload files and all services in memory. It turns appends
// into jobs and keeps each service's batches in order; what a batch becomes stands in encode.ts.

import { dirname, join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { AppendOutcome, Batch, Row, ServiceDefinition } from '../engine.ts';
import { writeDefinition } from '../rows-codec.ts';
import { Changes } from './changes.ts';
import { encodeBatch, largePayloads } from './encode.ts';
import { PayloadFiles } from './files.ts';
import { type Job, JobLine } from './jobs.ts';
import { Journal } from './journal/journal.ts';
import { kinds, ownService } from './keys.ts';
import { Reads } from './reads.ts';
import { Room } from './room.ts';
import { RowStream } from './row-stream.ts';
import { Rows } from './rows.ts';
import type { Scanner } from './scanner.ts';
import { LmdbService } from './service.ts';
import { readFileOwner } from './stored.ts';
import { Sweeper } from './sweeper.ts';
import { syncFolder } from './sync-folder.ts';
import { isNoSpace, Table } from './table.ts';

export interface StoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly reserveBytes: number;
  readonly segmentBytes?: number | undefined;
  /** Stopped by whoever made it, after the store. */
  readonly scanner: Scanner;
  readonly fatal: (error: unknown) => void;
}

const defaultSegmentBytes = 4 * 2 ** 20;
const slots = 5;
const fenced: AppendOutcome = { kind: 'refused', why: 'fenced' };

export class LmdbStore {
  readonly #options: StoreOptions;
  readonly #table: Table;
  readonly #journal: Journal;
  readonly #rows: Rows;
  readonly #files: PayloadFiles;
  readonly #reads: Reads;
  readonly #room: Room;
  readonly #line: JobLine;
  readonly #sweeper: Sweeper;
  readonly #services = new Map<number, LmdbService>();
  /** Which payload files each service has, as the rows name them. */
  readonly #fileOwners = new Map<number, readonly Map<number, number>[]>();
  /** Work that outlives the call which began it. */
  readonly #background = new Set<Promise<void>>();

  constructor(options: StoreOptions) {
    this.#options = options;
    const { folder, clock, log, reserveBytes, fatal } = options;
    const { segmentBytes = defaultSegmentBytes } = options;
    this.#table = new Table({ folder });
    this.#journal = new Journal({ folder, table: this.#table, clock, log, segmentBytes, fatal });
    this.#rows = new Rows(this.#table, this.#journal.overlay);
    this.#files = new PayloadFiles(join(folder, 'payloads'));
    const { scanner } = options;
    const parts = { table: this.#table, overlay: this.#journal.overlay, scanner };
    this.#reads = new Reads(this.#rows, new RowStream(parts), this.#files);
    const freeInside = (): number => this.#table.space().freeBytes;
    this.#room = new Room({ folder, clock, log, reserveBytes, freeInside });
    const write = (changes: Changes): Promise<'durable' | 'full'> => {
      this.#room.used(changes.bytes);
      return this.#journal.append(changes);
    };
    this.#line = new JobLine({ changes: new Changes(), write, fatal });
    const removeFile = (file: number): void => this.#removeFile(file);
    this.#sweeper = new Sweeper({ rows: this.#rows, line: this.#line, removeFile });
  }

  async start(): Promise<void> {
    await this.#journal.start();
    await this.#files.start(this.#loadFileOwners());
    // What a first start has made is there after a loss of power.
    const { folder } = this.#options;
    await syncFolder(folder);
    await syncFolder(dirname(folder));
    await this.#room.start();
    // What an earlier life began to remove and could not finish.
    const dropped = this.#rows.kind(ownService, kinds.dropped, 0, (_reader, index) => index);
    for (const index of [...dropped]) {
      this.#inBackground(this.#sweeper.drop(index, this.#filesOf(index)));
    }
  }

  async stop(): Promise<void> {
    this.#room.stop();
    this.#sweeper.stop();
    await this.#line.idle();
    while (this.#background.size > 0) await Promise.all(this.#background);
    await this.#journal.stop();
    await this.#table.close();
  }

  get reads(): Reads {
    return this.#reads;
  }

  get hasRoom(): boolean {
    return this.#room.hasRoom;
  }

  /** What the engine remembers of a service; read from its rows when it is asked for first. */
  service(number: number): LmdbService {
    const known = this.#services.get(number);
    if (known !== undefined) return known;
    const service = new LmdbService(number, this.#filesOf(number));
    service.load(this.#rows);
    this.#services.set(number, service);
    return service;
  }

  append(batch: Batch): Promise<AppendOutcome> {
    const service = this.service(batch.service);
    if (service.broken || !service.fence.admit(batch)) return Promise.resolve(fenced);
    const large = largePayloads(batch);
    return new Promise((resolve) => {
      const files = large.map(() => this.#files.nextNumber());
      const settle = (outcome: AppendOutcome): void => {
        if (outcome.kind !== 'durable') for (const file of files) this.#removeFile(file);
        resolve(outcome);
      };
      const encode = (changes: Changes): void => {
        const removeFile = (file: number): void => {
          changes.afterwards(() => this.#removeFile(file));
        };
        const rows = this.#rows;
        encodeBatch(batch, { service, changes, rows, files, removeFile });
      };
      const job: Job = { service, state: large.length === 0 ? 'ready' : 'waiting', encode, settle };
      this.#line.add(job);
      if (large.length > 0) this.#inBackground(this.#writeFiles(job, files, large));
    });
  }

  /** Memory is thrown away and read anew; then all rows in bounded chunks. */
  async *recover(number: number): AsyncIterable<readonly Row[]> {
    this.#services.delete(number);
    this.#fileOwners.delete(number);
    this.#loadFileOwners(number);
    const service = this.service(number);
    const release = this.#options.scanner.hold();
    try {
      for await (const rows of this.#reads.recovery(service)) {
        if (rows.length === 0) continue;
        yield rows;
        await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
      }
    } finally {
      this.#inBackground(release());
    }
  }

  async saveDefinition(definition: ServiceDefinition): Promise<AppendOutcome> {
    return this.#run((changes) => {
      changes.writer.begin();
      writeDefinition(changes.writer, definition);
      changes.put(ownService, kinds.definition, definition.number, 0);
    });
  }

  /** While `read` reads the files from another process, no payload file goes, and the table has
   * everything that was durable before. */
  async whileRead<T>(read: () => Promise<T>): Promise<T> {
    const release = this.#files.hold();
    try {
      await this.#journal.checkpoint();
      return await read();
    } finally {
      await release();
      this.#table.forgetDeadReaders();
    }
  }

  /** Answers the outcome of the decision; when durable, all rows are gone as well. */
  async dropService(number: number): Promise<AppendOutcome> {
    const service = this.service(number);
    service.broken = true;
    const outcome = await this.#run((changes) => {
      changes.remove(ownService, kinds.definition, number, 0);
      changes.writer.begin();
      changes.put(ownService, kinds.dropped, number, 0);
    });
    if (outcome.kind === 'durable') {
      await this.#sweeper.drop(number, service.files);
      this.#fileOwners.delete(number);
    }
    this.#services.delete(number);
    return outcome;
  }

  #run(encode: (changes: Changes) => void): Promise<AppendOutcome> {
    return new Promise((settle) => {
      this.#line.add({ service: undefined, state: 'ready', encode, settle });
    });
  }

  async #writeFiles(
    job: Job,
    files: readonly number[],
    payloads: readonly Uint8Array[],
  ): Promise<void> {
    try {
      await Promise.all(payloads.map((payload, at) => this.#files.write(files[at] ?? 0, payload)));
      await this.#files.flushFolder();
      job.state = 'ready';
    } catch (error) {
      if (!isNoSpace(error)) {
        this.#options.fatal(error);
        return;
      }
      job.state = 'failed';
    }
    this.#line.wake();
  }

  #removeFile(file: number): void {
    const { log } = this.#options;
    const removed = this.#files.remove(file).catch((error: unknown) => {
      log.warn({ file: this.#files.path(file), error }, 'payload file not removed');
    });
    this.#inBackground(removed);
  }

  #inBackground(work: Promise<void>): void {
    this.#background.add(work);
    void work.finally(() => this.#background.delete(work));
  }

  #filesOf(service: number): readonly Map<number, number>[] {
    const known = this.#fileOwners.get(service);
    if (known !== undefined) return known;
    const files = Array.from({ length: slots }, () => new Map<number, number>());
    this.#fileOwners.set(service, files);
    return files;
  }

  // Of one service or of all; answers all files that rows name.
  #loadFileOwners(only?: number): ReadonlySet<number> {
    const named = new Set<number>();
    const rows = this.#rows.kind(ownService, kinds.file, 0, (reader, file) => {
      const { service, slot, index } = readFileOwner(reader);
      named.add(file);
      if (only === undefined || only === service) this.#filesOf(service)[slot]?.set(index, file);
    });
    for (const _ of rows);
    return named;
  }
}
