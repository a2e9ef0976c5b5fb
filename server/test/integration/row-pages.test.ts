// Rows read from the pages of the file are those that lmdb reads, wherever they begin; they stay
// while others are written, and a damaged file is told or gives rows that were written.

import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RowError, RowWriter } from '../../src/engine/codec.ts';
import { kinds, makeKey, type RowKey, seedOf } from '../../src/engine/lmdb/keys.ts';
import { rowsName, tableFiles } from '../../src/engine/lmdb/names.ts';
import { PageError } from '../../src/engine/lmdb/pages/page-file.ts';
import { RowPages } from '../../src/engine/lmdb/pages/row-pages.ts';
import { Table } from '../../src/engine/lmdb/table.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { inFolder } from '../unit/journal-world.ts';

type Random = () => number;
type Seen = readonly [index: number, sub: number, text: string];

const writer = new RowWriter();
const usedKinds = [kinds.message, kinds.record, kinds.result];
const start: RowKey = { service: 2, kind: kinds.record, index: 0, sub: 0 };

function randomOf(seed: number): Random {
  const random = new SeededRandom(seed);
  return () => random.fraction();
}

function rowOf(key: RowKey, headBytes: number, restBytes: number): Buffer {
  writer.begin();
  writer.text(`${key.index}.${key.sub} `.padEnd(headBytes, '.'));
  const row = Buffer.from(writer.end(seedOf(key), Buffer.alloc(restBytes, 7)));
  writer.recycle();
  return row;
}

// Most rows lie in their leaf; some have pages of their own, and some of these a head that fills
// the first page, or several.
function anyRow(key: RowKey, random: Random): Buffer {
  const large = random() < 0.1;
  const headBytes = large ? random() * 12_000 : random() * 200;
  return rowOf(key, Math.floor(headBytes), Math.floor(random() * (large ? 20_000 : 1500)));
}

function anyKey(random: Random): RowKey {
  return {
    service: 1 + Math.floor(random() * 3),
    kind: usedKinds[Math.floor(random() * usedKinds.length)] ?? 0,
    index: Math.floor(random() * 3000),
    sub: Math.floor(random() * 2),
  };
}

function fill(table: Table, random: Random): void {
  for (let transaction = 0; transaction < 12; transaction += 1) {
    const rows = Array.from({ length: Math.floor(random() * 800) }, () => {
      const key = anyKey(random);
      return { key: makeKey(key), row: random() < 0.2 ? null : anyRow(key, random) };
    });
    expect(table.apply(rows)).toBe('done');
  }
}

function ofTable(table: Table, from: RowKey): readonly Seen[] {
  const seen: Seen[] = [];
  table.scan.step(from, Number.MAX_SAFE_INTEGER, (reader, index, sub) => {
    seen.push([index, sub, reader.text()]);
  });
  return seen;
}

function ofPages(folder: string, from: RowKey, atOnce = 100): readonly Seen[] {
  const seen: Seen[] = [];
  const pages = new RowPages(join(folder, tableFiles.data), rowsName, from);
  try {
    while (pages.next(atOnce, (reader, index, sub) => seen.push([index, sub, reader.text()])));
  } finally {
    pages.close();
  }
  return seen;
}

async function inTable(work: (table: Table, folder: string) => void): Promise<void> {
  await inFolder(async (folder) => {
    const table = new Table({ folder });
    try {
      work(table, folder);
    } finally {
      await table.close();
    }
  });
}

it('reads nothing from a table without rows, and one row from one page', async () => {
  await inTable((table, folder) => {
    expect(ofPages(folder, start)).toEqual([]);
    table.apply([{ key: makeKey(start), row: rowOf(start, 10, 10) }]);
    expect(ofPages(folder, start)).toEqual(ofTable(table, start));
    expect(ofPages(folder, { ...start, sub: 1 })).toEqual([]);
  });
});

it.each([1, 2, 3, 4])('reads what lmdb reads, from any row on (%i)', async (seed) => {
  const random = randomOf(seed);
  await inTable((table, folder) => {
    fill(table, random);
    let rows = 0;
    for (let at = 0; at < 40; at += 1) {
      const from = anyKey(random);
      const found = ofPages(folder, from, 1 + Math.floor(random() * 300));
      expect(found).toEqual(ofTable(table, from));
      rows += found.length;
    }
    expect(rows).toBeGreaterThan(1000);
  });
});

it('goes on reading what was there when it began', async () => {
  const random = randomOf(5);
  await inTable((table, folder) => {
    fill(table, random);
    const known = ofTable(table, start);
    const unpin = table.pin();
    const pages = new RowPages(join(folder, tableFiles.data), rowsName, start);
    const seen: Seen[] = [];
    while (pages.next(20, (reader, index, sub) => seen.push([index, sub, reader.text()]))) {
      const rows = Array.from({ length: 60 }, () => {
        const key = anyKey(random);
        return { key: makeKey(key), row: random() < 0.5 ? null : anyRow(key, random) };
      });
      table.apply(rows);
    }
    pages.close();
    unpin();
    expect(seen).toEqual(known);
    expect(ofPages(folder, start)).toEqual(ofTable(table, start));
    expect(ofTable(table, start)).not.toEqual(known);
  });
});

it('tells of damage, or gives rows as they were written', async () => {
  const random = randomOf(6);
  await inTable((table, folder) => {
    fill(table, random);
    const path = join(folder, tableFiles.data);
    const { size } = statSync(path);
    const told = { damaged: 0, sound: 0 };
    for (let flips = 0; flips < 1500; flips += 1) {
      // Half of the bits that flip are in the heads of pages.
      const page = Math.floor((random() * size) / 4096) * 4096;
      const at = page + Math.floor(random() * (random() < 0.5 ? 40 : 4096));
      const bit = 1 << Math.floor(random() * 8);
      flip(path, at, bit);
      try {
        const found = ofPages(folder, start);
        expect(found.every(([index, sub, text]) => text.startsWith(`${index}.${sub} `))).toBe(true);
        told.sound += 1;
      } catch (error) {
        expect(
          [RowError, PageError].some((kind) => error instanceof kind),
          `${error}`,
        ).toBe(true);
        told.damaged += 1;
      } finally {
        flip(path, at, bit);
      }
    }
    expect(told.damaged).toBeGreaterThan(20);
    expect(told.sound).toBeGreaterThan(50);
    expect(ofPages(folder, start)).toEqual(ofTable(table, start));
  });
});

function flip(path: string, at: number, bit: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ bit;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}
