// Rows come out of their bytes as they went in, wherever they lie, and a changed byte is noticed.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowError, RowReader, RowWriter } from '../../src/engine/codec.ts';
import { keySeed, kinds } from '../../src/engine/lmdb/keys.ts';
import { readMark, readRecord, writeMark, writeRecord } from '../../src/engine/rows-codec.ts';
import { markOf, recordOf } from './world.ts';

const seed = keySeed(7, kinds.message, 2 ** 40 + 1, 0);

type Field =
  | { readonly kind: 'uint'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'uint32'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('uint'), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('uint'), value: fc.nat(300) }),
  fc.record({ kind: fc.constant('float'), value: fc.double() }),
  fc.record({ kind: fc.constant('uint32'), value: fc.nat(0xffff_ffff) }),
  fc.record({ kind: fc.constant('text'), value: fc.string({ unit: 'binary', maxLength: 200 }) }),
);

function write(writer: RowWriter, { kind, value }: Field): void {
  if (kind === 'text') writer.text(value);
  else writer[kind](value);
}

describe('a row', () => {
  it('gives back every field and what follows the head', () => {
    const writer = new RowWriter();
    const reader = new RowReader();
    const rows = fc.array(fc.tuple(fc.array(field), fc.uint8Array({ maxLength: 3000 })));
    fc.assert(
      fc.property(rows, (all) => {
        const written = all.map(([fields, rest]) => {
          writer.begin();
          for (const one of fields) write(writer, one);
          return writer.end(seed, rest);
        });
        // All at once: a row must not be touched by those written after it.
        for (const [at, [fields, rest]] of all.entries()) {
          reader.open(written[at] ?? Buffer.alloc(0), seed);
          for (const { kind, value } of fields) expect(reader[kind]()).toEqual(value);
          expect(reader.done).toBe(true);
          expect(Buffer.compare(reader.rest(), rest)).toBe(0);
        }
        writer.recycle();
      }),
    );
  });

  it('may be larger than the memory that rows share', () => {
    const writer = new RowWriter();
    const reader = new RowReader();
    const long = 'ä'.repeat(400_000);
    for (let round = 0; round < 3; round++) {
      writer.begin();
      writer.text('before');
      writer.sized(() => writer.text(long));
      writer.uint(7);
      reader.open(writer.end(seed, Buffer.alloc(300_000, 9)), seed);
      expect(reader.text()).toBe('before');
      const inner = new RowReader();
      inner.openHead(reader.sized());
      expect(inner.text()).toBe(long);
      expect(reader.uint()).toBe(7);
      expect(reader.rest().equals(Buffer.alloc(300_000, 9))).toBe(true);
      writer.recycle();
    }
  });

  it('refuses numbers that are not whole', () => {
    const writer = new RowWriter();
    writer.begin();
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => writer.uint(value)).toThrow('a number in a row is whole');
    }
  });

  it('with a changed or missing byte is refused, and nothing else goes wrong', () => {
    const writer = new RowWriter();
    writer.begin();
    writeRecord(writer, recordOf(77));
    writeMark(writer, markOf(5, { outcomes: recordOf(1).outcomes }));
    const row = Buffer.from(writer.end(seed));
    const reader = new RowReader();
    const read = (bytes: Uint8Array): void => {
      reader.open(Buffer.from(bytes), seed);
      readRecord(reader);
      readMark(reader);
    };
    read(row);
    for (let at = 0; at < row.length; at++) {
      for (const bit of [1, 128]) {
        const changed = Buffer.from(row);
        changed[at] = (changed[at] ?? 0) ^ bit;
        expect(() => read(changed), `byte ${at}`).toThrow(RowError);
      }
      expect(() => read(row.subarray(0, at)), `cut at ${at}`).toThrow(RowError);
    }
  });

  it('is refused under a key that differs in one bit', () => {
    const writer = new RowWriter();
    const reader = new RowReader();
    const key = [7, kinds.message, 2 ** 40 + 1, 3] as const;
    writer.begin();
    writer.text('content');
    const row = Buffer.from(writer.end(keySeed(...key)));
    reader.open(row, keySeed(...key));
    const bits = [32, 8, 53, 32];
    for (const [part, count] of bits.entries()) {
      for (let bit = 0; bit < count; bit++) {
        const [service, kind, index, sub] = key.map((value, at) => {
          return at === part ? Number(BigInt(value) ^ (1n << BigInt(bit))) : value;
        });
        const other = keySeed(service ?? 0, kind ?? 0, index ?? 0, sub ?? 0);
        expect(() => reader.open(row, other), `part ${part}, bit ${bit}`).toThrow(RowError);
      }
    }
  });

  it('of version 1 is read whatever its key: its checksum covers the head alone', () => {
    const writer = new RowWriter();
    writer.begin();
    writer.text('content');
    const row = Buffer.from(writer.end(0));
    row[0] = 1;
    const reader = new RowReader();
    reader.open(row, seed);
    expect(reader.text()).toBe('content');
  });
});
