// What is read back from a segment that was cut, torn, flipped or used before.

import { describe, expect, it } from 'vitest';
import { RowError } from '../../src/engine/codec.ts';
import {
  blockBytes,
  hasRecords,
  readSegment,
  readSegmentHeader,
  recordBytes,
  recordSpace,
  segmentBlock,
} from '../../src/engine/lmdb/journal/segment.ts';
import { bodyOf, keyAt, recordOf, segmentOf } from './journal-world.ts';

const header = { generation: 7, from: 6, stamp: 0x1234_5678, recordsBefore: 3 };
const bodies = [100, 5000, 40, 9000].map((size, at) => {
  return bodyOf([{ key: keyAt(at + 1), row: Buffer.alloc(size, at + 1) }]);
});
const whole = segmentOf(header, bodies);
const lastAt = segmentOf(header, bodies.slice(0, -1)).length;
const allButLast = bodies.slice(0, -1);
const sector = 512;
/** Where each record's last block is filled up. */
const paddings = bodies.map((body, at) => {
  const end = segmentOf(header, bodies.slice(0, at + 1)).length;
  return [end - recordSpace(body.length) + recordBytes + body.length, end] as const;
});

describe('a segment', () => {
  it('gives back its header and every record', () => {
    expect(readSegmentHeader(whole)).toEqual(header);
    expect(readSegment(whole, header)).toEqual(bodies);
  });

  it('has its last record whole or not at all, wherever it is cut', () => {
    const end = lastAt + 26 + (bodies.at(-1)?.length ?? 0);
    for (let at = lastAt; at <= whole.length; at++) {
      const expected = at < end ? allButLast : bodies;
      mustBe(readSegment(whole.subarray(0, at), header), expected, `cut at ${at}`);
    }
  });

  it('leaves the last record out when any of its sectors did not reach the disk', () => {
    const sectors = (whole.length - lastAt) / sector;
    const used = Math.ceil((26 + (bodies.at(-1)?.length ?? 0)) / sector);
    for (const stale of [Buffer.alloc(sector), Buffer.alloc(sector, 0xee)]) {
      for (let missing = 0; missing < sectors; missing++) {
        const torn = Buffer.from(whole);
        stale.copy(torn, lastAt + missing * sector);
        const expected = missing < used ? allButLast : bodies;
        mustBe(readSegment(torn, header), expected, `without sector ${missing}`);
      }
    }
  });

  it('finds every flipped bit of a record that is not the last one', () => {
    for (let at = blockBytes; at < lastAt; at++) {
      const flipped = flip(whole, at, at % 8);
      const read = attempt(() => readSegment(flipped, header));
      // What fills up the last block of a record means nothing.
      const isHarmless = paddings.some(([start, end]) => at >= start && at < end);
      if (read === 'refused') expect(isHarmless, `refused at ${at}`).toBe(false);
      else mustBe(read, isHarmless ? bodies : [], `flipped at ${at}`);
    }
  });

  it('never hands a flipped last record out', () => {
    for (let at = lastAt; at < whole.length; at++) {
      const read = readSegment(flip(whole, at, at % 8), header);
      mustBe(read, read.length < bodies.length ? allButLast : bodies, `flipped at ${at}`);
    }
  });

  it('has no header after any flipped bit of it', () => {
    for (let bit = 0; bit < 28 * 8; bit++) {
      const flipped = flip(whole, bit >> 3, bit & 7);
      expect(readSegmentHeader(flipped), `bit ${bit}`).toBeUndefined();
      expect(hasRecords(flipped)).toBe(true);
    }
    expect(hasRecords(segmentBlock(header))).toBe(false);
    expect(hasRecords(Buffer.alloc(10 * blockBytes))).toBe(false);
    expect(hasRecords(Buffer.alloc(0))).toBe(false);
  });

  it('does not see what an earlier use of its file has left', () => {
    for (const change of [{ generation: 5 }, { stamp: 99 }]) {
      const before = segmentOf({ ...header, ...change }, [...bodies, ...bodies]);
      for (let count = 0; count <= bodies.length; count++) {
        const file = Buffer.from(before);
        segmentOf(header, bodies.slice(0, count)).copy(file);
        expect(readSegment(file, header)).toEqual(bodies.slice(0, count));
      }
    }
  });

  it('takes no record with another number for the next one', () => {
    const file = Buffer.concat([
      segmentOf(header, bodies.slice(0, 1)),
      recordOf(header, 2, bodies[2] ?? whole),
    ]);
    expect(readSegment(file, header)).toEqual(bodies.slice(0, 1));
  });

  it('takes nothing inside the payload of a torn record for a record', () => {
    // As one who knows everything but the stamp would make it, on the boundary of a block.
    const forged = recordOf({ ...header, stamp: 1 }, 1, bodyOf([]));
    const row = Buffer.concat([Buffer.alloc(blockBytes - 26 - 20), forged, forged]);
    const body = bodyOf([{ key: keyAt(1), row }]);
    const file = segmentOf(header, [body]);
    expect(file.indexOf(forged)).toBe(2 * blockBytes);
    file.fill(0, blockBytes, blockBytes + sector);
    expect(readSegment(file, header)).toEqual([]);
  });
});

// Thousands of comparisons: vitest's own takes a while for each.
function mustBe(read: readonly Buffer[], expected: readonly Buffer[], where: string): void {
  const isSame =
    read.length === expected.length && Buffer.concat(read).equals(Buffer.concat(expected));
  if (!isSame) expect(read, where).toEqual(expected);
}

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
  return flipped;
}

function attempt<Value>(read: () => Value): Value | 'refused' {
  try {
    return read();
  } catch (error) {
    if (error instanceof RowError) return 'refused';
    throw error;
  }
}
