// Reads a journal back: which segments count, whether all of them are there and whole, and what
// the table has to become by them.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMessage, keyBytes, kindAt } from '../keys.ts';
import { eachChange } from './body.ts';
import type { SegmentHeader } from './segment.ts';
import { damagedJournal, hasRecords, readSegment, readSegmentHeader } from './segment.ts';

/** What the table has to become: a row, or null for none. In the order of the keys. */
export interface FinalRow {
  readonly key: Buffer;
  readonly row: Buffer | null;
}

export interface JournalContent {
  /** Of the records that may not be in the table yet, in order. */
  readonly bodies: readonly Buffer[];
  /** The file with the newest segment; undefined when there is no journal. */
  readonly newest: NewestSegment | undefined;
  /** All other files of the journal. */
  readonly others: readonly string[];
}

export interface NewestSegment {
  readonly path: string;
  readonly generation: number;
  /** The first generation whose records may not be in the table yet. */
  readonly from: number;
}

interface SegmentFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly header: SegmentHeader;
}

/** Reads the journal in a folder, which may be missing. Throws a `RowError` when it is damaged. */
export async function readJournal(folder: string): Promise<JournalContent> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files: SegmentFile[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    const bytes = await readFile(path);
    const header = readSegmentHeader(bytes);
    if (header !== undefined) files.push({ path, bytes, header });
    else if (hasRecords(bytes)) throw damagedJournal(`the head of ${name}`);
  }
  files.sort((a, b) => a.header.generation - b.header.generation);
  const newest = files.at(-1);
  const paths = names.map((name) => join(folder, name));
  if (newest === undefined) return { bodies: [], newest: undefined, others: paths };
  return {
    bodies: neededBodies(files, newest.header),
    newest: {
      path: newest.path,
      generation: newest.header.generation,
      from: newest.header.from,
    },
    others: paths.filter((path) => path !== newest.path),
  };
}

function neededBodies(files: readonly SegmentFile[], newest: SegmentHeader): readonly Buffer[] {
  const needed = files.filter(({ header }) => header.generation >= newest.from);
  const bodies: Buffer[] = [];
  let generation = newest.from;
  let before: number | undefined;
  for (const { bytes, header } of needed) {
    if (header.generation !== generation) throw damagedJournal(`segment ${generation} is missing`);
    const own = readSegment(bytes, header);
    if (before !== undefined && before !== header.recordsBefore) {
      // Without room for this segment the one before went on.
      const isGivenUp = own.length === 0 && before > header.recordsBefore;
      if (!isGivenUp) throw damagedJournal(`segment ${generation - 1} is cut`);
    }
    bodies.push(...own);
    before = own.length;
    generation++;
  }
  return bodies;
}

/**
 * What is left of many changes: the last one of every key, in the order of the keys. Some of them
 * may be in the table already, so what was removed is named even if it came with them.
 */
export function finalRows(bodies: Iterable<Buffer>): readonly FinalRow[] {
  const rows: Rows = new Map();
  for (const body of bodies) {
    eachChange(body, (at, row) => rows.set(keyAt(body, at), row));
  }
  return sorted(rows);
}

/** The same of one segment of which the table has nothing yet: messages that came and went in it
 * are left out. */
export function segmentRows(bodies: Iterable<Buffer>): readonly FinalRow[] {
  const rows: Rows = new Map();
  for (const body of bodies) {
    eachChange(body, (at, row) => {
      const key = keyAt(body, at);
      // The row of a message is written once and its number never used again.
      if (row === null && isMessage(kindAt(body, at)) && rows.delete(key)) return;
      rows.set(key, row);
    });
  }
  return sorted(rows);
}

type Rows = Map<string, Buffer | null>;

// Latin1 has a character for every byte, so texts and keys have the same order.
function keyAt(body: Buffer, at: number): string {
  return body.toString('latin1', at, at + keyBytes);
}

function sorted(rows: Rows): readonly FinalRow[] {
  const keys = [...rows.keys()].sort((a, b) => (a < b ? -1 : 1));
  return keys.map((key) => ({ key: Buffer.from(key, 'latin1'), row: rows.get(key) ?? null }));
}
