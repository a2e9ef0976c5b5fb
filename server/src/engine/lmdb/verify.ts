// Reads every row and every payload file of a table and says what is wrong with which. Runs in the
// child process of health.ts, because reading a damaged file may crash native code.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import type { RequestRecord } from '../../queue/record.ts';
import { RowError, RowReader } from '../codec.ts';
import {
  readDefinition,
  readDeparture,
  readGroup,
  readMark,
  readRecord,
  readState,
} from '../rows-codec.ts';
import { journalFolder } from './journal/journal.ts';
import { checkReach, readReach } from './journal/reach.ts';
import { type FinalRow, finalRows, readJournal } from './journal/replay.ts';
import {
  after,
  keyBytes,
  kindName,
  kinds,
  lastKey,
  makeKey,
  ownService,
  parseKey,
  type RowKey,
  seedOf,
} from './keys.ts';
import { rowsName, tableFiles } from './names.ts';
import { checkPages, type PageDamage } from './pages/check-pages.ts';
import { markEntries } from './service.ts';
import {
  checkPayload,
  readFileOwner,
  readMessage,
  readStored,
  resultSlot,
  type StoredPayload,
} from './stored.ts';
import { openTable, type Table } from './table.ts';
import { BodyVerifier } from './verify-bodies.ts';

/** One damaged row or file. */
export interface Damage {
  /** The kind of row, as in `FolderReport.rows`, or `page`. */
  readonly table: string;
  readonly service: number;
  /** Of a page its number. */
  readonly index: number;
  readonly what: string;
}

export interface FolderReport {
  readonly services: number;
  /** How many rows of each kind. */
  readonly rows: Readonly<Record<string, number>>;
  readonly payloadFiles: number;
  /** Files that no row names; the next start removes them. */
  readonly leftoverFiles: number;
  readonly fileBytes: number;
  /** The first thousand. */
  readonly damages: readonly Damage[];
  readonly damageCount: number;
}

/** How far long work has come: bytes copied, rows read, bytes of which the checksum was made. */
export interface Progress {
  readonly doing: 'copying' | 'reading' | 'summing';
  readonly done: number;
  readonly total: number;
}

export type TellProgress = (progress: Progress) => void;

const damagesMax = 1000;
const stepRows = 1000;

/** Everything. Only of a folder in which `hasTable`; nothing in it is changed. */
export async function verify(folder: string, tell: TellProgress): Promise<FolderReport> {
  const readers = join(folder, tableFiles.readers);
  const hadReaders = existsSync(readers);
  try {
    return await verifyTable(folder, tell);
  } finally {
    // lmdb makes it even for those who only read.
    if (!hadReaders) rmSync(readers, { force: true });
  }
}

async function verifyTable(folder: string, tell: TellProgress): Promise<FolderReport> {
  const pages = checkPages(join(folder, tableFiles.data), { table: rowsName });
  // What hangs on damaged pages can't be told, and reading them may end this process.
  if (pages.length > 0) return pageReport(pages);
  const table = openTable(folder, true);
  if (table === undefined) return emptyReport;
  try {
    const journal = await readJournal(journalFolder(folder));
    checkReach(table, journal);
    const verifier = new Verifier(folder, table, finalRows(journal.bodies));
    verifier.readAll(tell);
    return verifier.report();
  } finally {
    await table.close();
  }
}

function pageReport(pages: readonly PageDamage[]): FolderReport {
  const damages = pages.map(({ page, what }) => {
    return { table: 'page', service: 0, index: page, what };
  });
  return { ...emptyReport, damages, damageCount: damages.length };
}

/** Whether anything was ever written to the engine's folder. Throws `conflict` when something was
 * and is gone. */
export function hasTable(folder: string): boolean {
  const size = statSync(join(folder, tableFiles.data), { throwIfNoEntry: false })?.size ?? 0;
  if (size > 0) return true;
  // This folder is made after the table, at the first start.
  if (!existsSync(join(folder, 'payloads'))) return false;
  throw new PlatformError(
    'conflict',
    `The data in ${folder} is damaged: the file ${tableFiles.data} is missing or empty. Nothing ` +
      'was changed; restore it from a backup.',
  );
}

/** Of a folder in which nothing was ever written. */
export const emptyReport: FolderReport = {
  services: 0,
  rows: {},
  payloadFiles: 0,
  leftoverFiles: 0,
  fileBytes: 0,
  damages: [],
  damageCount: 0,
};

class Verifier {
  readonly #folder: string;
  readonly #table: Table;
  readonly #reader = new RowReader();
  readonly #rows: Record<string, number> = {};
  readonly #services = new Set<number>();
  readonly #withState = new Set<number>();
  /** Files that rows of messages and results name, with the key of that row. */
  readonly #named = new Map<number, string>();
  readonly #damages: Damage[] = [];
  #damageCount = 0;
  readonly #bodies: BodyVerifier;

  /** By key as latin1: rows of the journal, which count instead of those of the table. */
  readonly #fresh: ReadonlyMap<string, Buffer | null>;

  constructor(folder: string, table: Table, fresh: readonly FinalRow[]) {
    this.#folder = folder;
    this.#table = table;
    this.#bodies = new BodyVerifier(folder);
    this.#fresh = new Map(fresh.map(({ key, row }) => [key.toString('latin1'), row]));
  }

  readAll(tell: TellProgress): void {
    const total = this.#table.count;
    let start: RowKey = { service: 0, kind: 0, index: 0, sub: 0 };
    for (let done = 0; ; ) {
      const step = this.#table.range(start, lastKey, stepRows);
      for (const { key, value } of step) if (!this.#fresh.has(nameOf(key))) this.#row(key, value);
      done += step.length;
      tell({ doing: 'reading', done, total });
      const last = step.at(-1);
      if (last === undefined) {
        if (done !== total) this.#damage(lastKey, `${total - done} rows are missing.`);
        break;
      }
      start = after(parseKey(last.key));
    }
    for (const [key, row] of this.#fresh) {
      if (row !== null) this.#row(Buffer.from(key, 'latin1'), row);
    }
    for (const service of this.#services) {
      if (this.#withState.has(service)) continue;
      this.#damage({ service, kind: kinds.state, index: 0, sub: 0 }, 'The row is missing.');
    }
  }

  report(): FolderReport {
    const files = this.#payloadFiles();
    return {
      services: this.#services.size,
      rows: this.#rows,
      payloadFiles: files.length,
      leftoverFiles: files.filter((name) => !this.#named.has(Number(name))).length,
      fileBytes: this.#table.space().fileBytes,
      damages: this.#damages,
      damageCount: this.#damageCount,
    };
  }

  #row(bytes: Uint8Array, value: Uint8Array): void {
    const key = parseKey(bytes);
    const name = kindName(key.kind);
    this.#rows[name] = (this.#rows[name] ?? 0) + 1;
    if (key.service !== ownService) this.#services.add(key.service);
    try {
      if (bytes.length !== keyBytes) throw new RowError('The key has a wrong length.');
      this.#reader.open(value, seedOf(key));
      this.#content(key);
      if (!this.#reader.done) throw new RowError('The row is longer than its content.');
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      this.#damage(key, error.message);
    }
  }

  #content(key: RowKey): void {
    const reader = this.#reader;
    switch (key.kind) {
      case kinds.state:
        readState(reader);
        this.#withState.add(key.service);
        return;
      case kinds.group:
        same(readGroup(reader).group, key.sub);
        return;
      case kinds.message:
      case kinds.message + 1:
      case kinds.message + 2:
      case kinds.message + 3: {
        const { stored, meta } = readMessage(reader);
        same(meta.index, key.index);
        same(meta.size, stored.size);
        if (key.kind !== kinds.message + 1) this.#bodies.message(meta);
        this.#payload(key, stored, key.kind - kinds.message);
        return;
      }
      case kinds.marks:
        for (const { mark } of markEntries(reader)) {
          const inner = new RowReader();
          inner.openHead(mark);
          readMark(inner);
        }
        return;
      case kinds.record:
        if (key.sub === 0) this.#record(key.index, readRecord(reader));
        else readDeparture(reader);
        return;
      case kinds.result:
      case kinds.checkpoint:
        this.#payload(key, readStored(reader), resultSlot);
        return;
      case kinds.outbox:
        same(reader.uint(), key.index);
        reader.text();
        return;
      case kinds.definition:
        same(readDefinition(reader).number, key.index);
        return;
      case kinds.dropped:
        return;
      case kinds.file:
        this.#file(key);
        return;
      case kinds.journal:
        readReach(reader);
        return;
      default:
        throw new RowError('The kind of the row is unknown.');
    }
  }

  #record(index: number, record: RequestRecord): void {
    same(record.index, index);
    this.#bodies.record(record);
  }

  #payload(key: RowKey, stored: StoredPayload, slot: number): void {
    const { storage } = stored;
    if (storage.kind === 'inline') {
      checkPayload(stored, this.#reader.rest());
      return;
    }
    this.#named.set(storage.file, ownerName({ service: key.service, slot, index: key.index }));
    let payload: Buffer;
    try {
      payload = readFileSync(join(this.#folder, 'payloads', String(storage.file)));
    } catch (error) {
      throw new RowError(`Its payload file ${storage.file} can't be read.`, { cause: error });
    }
    checkPayload(stored, payload);
    const owner = makeKey({ service: ownService, kind: kinds.file, index: storage.file, sub: 0 });
    if (!this.#has(owner)) throw new RowError(`Nothing says whose file ${storage.file} is.`);
  }

  #has(key: Buffer): boolean {
    const fresh = this.#fresh.get(nameOf(key));
    return fresh === undefined ? this.#table.has(key) : fresh !== null;
  }

  // Rows of files come last, so all that name one have been seen.
  #file(key: RowKey): void {
    const owner = ownerName(readFileOwner(this.#reader));
    if (this.#named.get(key.index) !== owner) {
      throw new RowError(`The row that should name the file (${owner}) does not.`);
    }
  }

  #payloadFiles(): readonly string[] {
    try {
      return readdirSync(join(this.#folder, 'payloads'));
    } catch {
      return [];
    }
  }

  #damage(key: RowKey, what: string): void {
    this.#damageCount++;
    if (this.#damages.length >= damagesMax) return;
    const table = kindName(key.kind);
    this.#damages.push({ table, service: key.service, index: key.index, what });
  }
}

function same(found: number, expected: number): void {
  if (found !== expected)
    throw new RowError(`The row says ${found} where its key has ${expected}.`);
}

function ownerName(owner: { service: number; slot: number; index: number }): string {
  return `service ${owner.service}, place ${owner.slot}, index ${owner.index}`;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
