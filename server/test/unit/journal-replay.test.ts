// Which segments of a folder count, and which states of a folder are refused as damaged.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { finalRows, readJournal, segmentRows } from '../../src/engine/lmdb/journal/replay.ts';
import { blockBytes, type SegmentHeader } from '../../src/engine/lmdb/journal/segment.ts';
import { kinds, makeKey } from '../../src/engine/lmdb/keys.ts';
import { bodyOf, inFolder, keyAt, segmentOf, withFiles } from './journal-world.ts';

const bodies = [1, 2, 3, 4].map((index) => {
  return bodyOf([{ key: keyAt(index), row: Buffer.alloc(3000 * index, index) }]);
});
const [first, second, third, fourth] = bodies.map((body) => [body]);

function head(generation: number, from: number, recordsBefore: number): SegmentHeader {
  return { generation, from, recordsBefore, stamp: 1000 + generation };
}

function segment(
  generation: number,
  from: number,
  recordsBefore: number,
  own: readonly Buffer[] = [],
): Buffer {
  return segmentOf(head(generation, from, recordsBefore), own);
}

async function read(files: Readonly<Record<string, Buffer>>): Promise<readonly Buffer[]> {
  return withFiles(files, async (folder) => (await readJournal(folder)).bodies);
}

const damaged = /The journal is damaged/;

it('finds nothing in a missing folder, an empty one, or one without a segment', async () => {
  const empty = { bodies: [], newest: undefined, others: [] };
  await inFolder(async (folder) => {
    expect(await readJournal(join(folder, 'missing'))).toEqual(empty);
    expect(await readJournal(folder)).toEqual(empty);
  });
  await withFiles({ 1: Buffer.alloc(0), 2: Buffer.alloc(blockBytes) }, async (folder) => {
    const others = [join(folder, '1'), join(folder, '2')];
    expect(await readJournal(folder)).toEqual({ ...empty, others });
  });
});

it('reads the needed segments in their order, whatever their files are called', async () => {
  const files = {
    a: segment(6, 5, 2, third),
    b: segment(5, 4, 1, [...(first ?? []), ...(second ?? [])]),
  };
  expect(await read(files)).toEqual(bodies.slice(0, 3));
  await withFiles(files, async (folder) => {
    const { newest, others } = await readJournal(folder);
    expect(newest).toEqual({ path: join(folder, 'a'), generation: 6, from: 5 });
    expect(others).toEqual([join(folder, 'b')]);
  });
});

it('leaves out what the newest segment says is in the table', async () => {
  expect(await read({ a: segment(5, 5, 0, first), b: segment(6, 6, 1, second) })).toEqual(second);
  // Even if that is damaged.
  const stale = segment(5, 5, 0, bodies);
  stale.fill(0, blockBytes, 2 * blockBytes);
  expect(await read({ a: stale, b: segment(6, 6, 0) })).toEqual([]);
});

it('refuses a folder in which a needed segment is missing', async () => {
  await expect(read({ b: segment(6, 5, 1, second) })).rejects.toThrow(damaged);
  const files = { a: segment(4, 4, 0, first), b: segment(6, 5, 1, second) };
  await expect(read(files)).rejects.toThrow(damaged);
  const twice = { a: segment(6, 5, 1, first), b: segment(6, 5, 1, second) };
  await expect(read(twice)).rejects.toThrow(damaged);
});

it('refuses a sealed segment that lost a record at its end, or has one too many', async () => {
  const sealed = segment(5, 5, 0, bodies.slice(0, 3));
  const next = segment(6, 5, 3, fourth);
  expect(await read({ a: sealed, b: next })).toEqual(bodies);
  for (const count of [0, 1, 2]) {
    const cut = segment(5, 5, 0, bodies.slice(0, count));
    await expect(read({ a: cut, b: next }), `${count}`).rejects.toThrow(damaged);
  }
  await expect(read({ a: segment(5, 5, 0, bodies), b: next })).rejects.toThrow(damaged);
});

it('takes a segment further than its successor knows when that one was given up', async () => {
  const files = { a: segment(5, 5, 0, bodies), b: segment(6, 5, 3) };
  expect(await read(files)).toEqual(bodies);
});

it('refuses a segment with records and without a header, needed or not', async () => {
  const lost = segment(5, 5, 0, first);
  lost.writeUInt8(lost.readUInt8(20) ^ 4, 20);
  await expect(read({ a: lost })).rejects.toThrow(damaged);
  await expect(read({ a: lost, b: segment(6, 5, 1, second) })).rejects.toThrow(damaged);
});

it('leaves one row or removal of each key, the last one, in the order of the keys', () => {
  const row = (text: string): Buffer => Buffer.from(text);
  const rows = finalRows([
    bodyOf([
      { key: keyAt(300), row: row('a') },
      { key: keyAt(2), row: row('b') },
      { key: keyAt(9, 0xff), row: null },
    ]),
    bodyOf([
      { key: keyAt(2), row: null },
      { key: keyAt(300), row: row('c') },
      { key: keyAt(0x80), row: row('') },
      { key: keyAt(2), row: row('d') },
    ]),
    bodyOf([{ key: keyAt(2), row: null }]),
  ]);
  expect(rows).toEqual([
    { key: makeKey(keyAt(2)), row: null },
    { key: makeKey(keyAt(0x80)), row: row('') },
    { key: makeKey(keyAt(300)), row: row('c') },
    { key: makeKey(keyAt(9, 0xff)), row: null },
  ]);
});

it('leaves out messages that came and went in one segment, and nothing else', () => {
  const of = (kind: number, index: number) => ({ service: 1, kind, index, sub: 0 });
  const row = Buffer.from('row');
  const written = [
    of(kinds.message, 8),
    of(kinds.message + 1, 8),
    of(kinds.marks, 8),
    of(kinds.record, 8),
  ];
  const gone = [of(kinds.message, 7), ...written, of(kinds.message + 1, 9)];
  const own = [
    bodyOf(written.map((key) => ({ key, row }))),
    bodyOf(gone.map((key) => ({ key, row: null }))),
    bodyOf([{ key: of(kinds.message, 10), row }]),
  ];
  expect(segmentRows(own)).toEqual([
    { key: makeKey(of(kinds.message, 7)), row: null },
    { key: makeKey(of(kinds.message, 10)), row },
    { key: makeKey(of(kinds.message + 1, 9)), row: null },
    { key: makeKey(of(kinds.marks, 8)), row: null },
    { key: makeKey(of(kinds.record, 8)), row: null },
  ]);
  // Of several segments some may be in the table.
  expect(finalRows(own)).toContainEqual({ key: makeKey(of(kinds.message, 8)), row: null });
});
