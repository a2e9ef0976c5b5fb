// The journal in front of the table: every transaction is one record, written and flushed in one
// go, and answered then. The table gets the rows of a whole segment later, in one transaction of
// its own on another thread; what came and went within a segment never reaches it. Until then reads
// find the rows in memory (overlay.ts). A start brings the table what a crash has left.

import { mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { syncFolder } from '../sync-folder.ts';
import { isNoSpace, type Table } from '../table.ts';
import { Applier } from './applier.ts';
import { type BodySource, bodyBytesMax, writeBody } from './body.ts';
import { Overlay } from './overlay.ts';
import { checkReach, reachRow } from './reach.ts';
import { finalRows, readJournal } from './replay.ts';
import { recordBytes, recordSpace, type SegmentHeader, sealRecord } from './segment.ts';
import { SegmentFile } from './segment-file.ts';

export interface JournalOptions {
  /** The folder of the table; the journal has one of its own in it. */
  readonly folder: string;
  readonly table: Table;
  readonly clock: Clock;
  readonly log: Log;
  /** A segment that has grown to this goes to the table. */
  readonly segmentBytes: number;
  /** Called with an error that leaves no other way than to end the process. */
  readonly fatal: (error: unknown) => void;
}

/** The folder of the journal inside the folder of the table. */
export function journalFolder(folder: string): string {
  return join(folder, 'journal');
}

/** A segment grows so many times its size while the one before it is on its way into the table. */
const growthMax = 8;
const retryMs = 1000;
/** Where segments follow each other no faster than this, bringing one to the table takes a small
 * part of the time, also when it rests in between. */
const unhurriedMs = 100;
const noRoom = 'The disk has no room for the rows of the journal.';

export class Journal {
  readonly overlay: Overlay = new Overlay();
  readonly #options: JournalOptions;
  readonly #applier: Applier;
  #active: SegmentFile | undefined;
  /** A file whose content is in the table. */
  #spare: SegmentFile | undefined;
  /** Resolves when the sealed segment is in the table. */
  #applied: Promise<void> | undefined;
  /** When it was sealed, by the monotonic clock. */
  #appliedAt = Number.NEGATIVE_INFINITY;
  /** Resolves when the current attempt to bring it there is over. */
  #attempt: Promise<void> = Promise.resolve();
  #tableIsFull = false;
  #tryAgain: () => void = ignore;
  #isStopping = false;
  /** Resolves when the last record is written. */
  #writing: Promise<void> = Promise.resolve();
  /** While `checkpoint` turns to a new segment: records wait for it. */
  #turning: Promise<void> | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#applier = new Applier(options.folder);
  }

  /** Brings the table what an earlier life left. Throws when the journal is damaged. */
  async start(): Promise<void> {
    const { folder, table } = this.#options;
    const own = journalFolder(folder);
    await mkdir(own, { recursive: true, mode: 0o700 });
    const content = await readJournal(own);
    checkReach(table, content);
    const { bodies, newest, others } = content;
    const text = `The disk has no room to take up the journal in ${own}; nothing was changed.`;
    const full = new PlatformError('disk_full', text);
    const before = newest?.generation ?? 0;
    const taken = reachRow({ applied: before, present: before });
    if (table.apply([...finalRows(bodies), taken]) === 'full') throw full;
    const path = newest?.path ?? join(own, '1');
    const isNew = newest === undefined && !others.includes(path);
    const active = await SegmentFile.open(path, isNew);
    this.#active = active;
    if (!(await this.#begin(active, this.#header(before + 1, 0)))) throw full;
    if (table.apply([reachRow({ applied: before, present: before + 1 })]) === 'full') throw full;
    for (const other of others) if (other !== path) await unlink(other);
    await syncFolder(own);
  }

  /**
   * Writes a transaction. Resolves when it is durable, or refused: then nothing was written. The
   * next one comes when this one is over. It is on its way to the disk when this returns, before
   * anything else that wants to run.
   */
  append(changes: BodySource): Promise<'durable' | 'full'> {
    const { segmentBytes } = this.#options;
    const active = this.#opened();
    const most = this.#applied === undefined ? segmentBytes : growthMax * segmentBytes;
    const isFree = this.#turning === undefined && active.bytes < most;
    const written = isFree ? this.#write(active, changes) : this.#writeLater(changes);
    this.#writing = written.then(ignore, ignore);
    return this.#guarded(written);
  }

  /** Resolves when everything answered so far is in the table. */
  async checkpoint(): Promise<void> {
    while (this.#turning !== undefined) await this.#turning.catch(ignore);
    const turning = this.#guarded(this.#turnBetween());
    this.#turning = turning;
    try {
      await turning;
    } finally {
      this.#turning = undefined;
    }
    while (this.#applied !== undefined) await this.#attemptOver();
  }

  /** Brings everything into the table. What does not fit there is taken up by the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#turning?.catch(ignore);
    await this.#writing;
    this.#tryAgain();
    await this.#applied;
    await this.#applier.stop();
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    if (this.#applied === undefined) await this.#empty(active);
    await active.close();
    await this.#spare?.close();
  }

  async #empty(active: SegmentFile): Promise<void> {
    const { folder, table } = this.#options;
    const { bodies, newest } = await readJournal(journalFolder(folder));
    if (table.apply([...finalRows(bodies), reachRow(undefined)]) === 'full') return;
    const { generation } = newest ?? active.header;
    if (await this.#begin(active, this.#header(generation + 1, 0))) await active.trim();
  }

  /** false without room for it: the file may be used as before. */
  async #begin(file: SegmentFile, header: SegmentHeader): Promise<boolean> {
    try {
      await file.begin(header);
      return true;
    } catch (error) {
      if (isNoSpace(error)) return false;
      throw error;
    }
  }

  // A header that needs nothing before it.
  #header(generation: number, recordsBefore: number, from = generation): SegmentHeader {
    return { generation, from, stamp: systemRandom.uint32(), recordsBefore };
  }

  async #write(active: SegmentFile, changes: BodySource): Promise<'durable' | 'full'> {
    const record = Buffer.allocUnsafeSlow(recordSpace(bodyBytesMax(changes)));
    const end = writeBody(changes, record, recordBytes);
    const body = record.subarray(recordBytes, end);
    if (body.length === 0) return 'durable';
    const space = recordSpace(body.length);
    record.fill(0, end, space);
    sealRecord(record, active.header, active.records, body.length);
    try {
      await active.append(record.subarray(0, space));
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      await active.cutBack();
      return 'full';
    }
    this.overlay.add(body);
    return 'durable';
  }

  /** When there has to be a new segment first. */
  async #writeLater(changes: BodySource): Promise<'durable' | 'full'> {
    await this.#turning?.catch(ignore);
    const { segmentBytes } = this.#options;
    for (;;) {
      const active = this.#opened();
      const isSmall = active.bytes < growthMax * segmentBytes;
      if (active.bytes < segmentBytes) return this.#write(active, changes);
      if (this.#applied === undefined) {
        if (await this.#turn(active)) continue;
        // There is no room for another file; there may be some in this one.
        return isSmall ? this.#write(active, changes) : 'full';
      }
      if (isSmall) return this.#write(active, changes);
      if (this.#tableIsFull) return 'full';
      await this.#attempt;
    }
  }

  /** A new segment, whatever the size of this one, when nothing is being written. */
  async #turnBetween(): Promise<void> {
    await this.#writing;
    while (this.#applied !== undefined) await this.#attemptOver();
    if (this.overlay.isEmpty || (await this.#turn(this.#opened()))) return;
    throw new PlatformError('disk_full', noRoom);
  }

  /** Begins a new segment and sends the one before into the table; false without room for it. */
  async #turn(active: SegmentFile): Promise<boolean> {
    this.#spare ??= await this.#newFile();
    const next = this.#spare;
    const { generation } = active.header;
    const header = this.#header(generation + 1, active.records, generation);
    if (next === undefined || !(await this.#begin(next, header))) return false;
    this.#spare = undefined;
    this.#active = next;
    this.overlay.seal();
    this.#applied = this.#apply(active);
    return true;
  }

  async #newFile(): Promise<SegmentFile | undefined> {
    const path = join(
      journalFolder(this.#options.folder),
      String(this.#opened().header.generation + 1),
    );
    try {
      return await SegmentFile.open(path, true);
    } catch (error) {
      if (isNoSpace(error)) return undefined;
      throw error;
    }
  }

  async #apply(sealed: SegmentFile): Promise<void> {
    const { table, clock, fatal } = this.#options;
    const { path, bytes, records } = sealed;
    const now = clock.now().mono;
    const isUnhurried = now - this.#appliedAt >= unhurriedMs;
    this.#appliedAt = now;
    for (;;) {
      const attempt = this.#applier.apply({ path, bytes, records, isUnhurried });
      this.#attempt = attempt.then(ignore, () => new Promise<never>(ignore));
      let outcome: 'done' | 'full';
      try {
        outcome = await attempt;
      } catch (error) {
        fatal(error);
        return new Promise<never>(ignore);
      }
      this.#noteRoom(outcome === 'done');
      if (outcome === 'done') break;
      if (this.#isStopping) return sealed.close();
      await new Promise<void>((resolve) => {
        const timer = clock.after(retryMs, resolve);
        this.#tryAgain = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    // Reads that go on in an older view of the table would find neither.
    table.refresh();
    this.overlay.drop();
    this.#spare = sealed;
    this.#applied = undefined;
  }

  #noteRoom(hasRoom: boolean): void {
    if (this.#tableIsFull !== hasRoom) return;
    this.#tableIsFull = !hasRoom;
    const { folder, log } = this.#options;
    if (hasRoom) log.info({ folder }, 'the table has taken up the journal again');
    else log.warn({ folder }, 'no room for the table to take up the journal; nothing is lost');
  }

  async #attemptOver(): Promise<void> {
    await this.#attempt;
    if (!this.#tableIsFull) return;
    throw new PlatformError('disk_full', noRoom);
  }

  #opened(): SegmentFile {
    if (this.#active === undefined) throw new Error('the journal is not open');
    return this.#active;
  }

  // Whatever fails here leaves it open what the disk holds.
  #guarded<Value>(work: Promise<Value>): Promise<Value> {
    return work.catch((error: unknown) => {
      if (error instanceof PlatformError) throw error;
      this.#options.fatal(error);
      return new Promise<never>(ignore);
    });
  }
}

function ignore(): void {}
