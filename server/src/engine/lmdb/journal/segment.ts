// The bytes of a segment of the journal: a block with its header, then records, each at the
// beginning of a block, so that writing one never touches the block of another.
//
//   header  4 magic | 4 crc32 of the rest | 6 generation | 6 from | 4 stamp | 4 records before
//   record  4 magic | 4 crc32 of the rest | 6 generation | 4 stamp | 4 number | 4 length | body
//
// Segments are written over when their content is in the table. What is left of an earlier use has
// another generation and stamp. All numbers are little endian.

import { crc32 } from 'node:zlib';
import { RowError } from '../../codec.ts';

/** What the disk writes as one. */
export const blockBytes = 4096;

export interface SegmentHeader {
  /** Rises by one from segment to segment. */
  readonly generation: number;
  /** All of this and later generations are needed; what was before it is in the table. */
  readonly from: number;
  /** Nobody outside can guess it, so no payload can look like a record. */
  readonly stamp: number;
  /** Records in the segment of the generation before; 0 when that one is not needed. */
  readonly recordsBefore: number;
}

const segmentMagic = 0x314a_4c53;
const recordMagic = 0x3152_4c53;
const sealedFrom = 8;
const headerBytes = 28;

/** Before the body of a record. */
export const recordBytes = 26;

/** Bytes that a record with so large a body takes. */
export function recordSpace(bodyBytes: number): number {
  return Math.ceil((recordBytes + bodyBytes) / blockBytes) * blockBytes;
}

/** The first block of a segment. */
export function segmentBlock(header: SegmentHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.writeUInt32LE(segmentMagic, 0);
  block.writeUIntLE(header.generation, 8, 6);
  block.writeUIntLE(header.from, 14, 6);
  block.writeUInt32LE(header.stamp, 20);
  block.writeUInt32LE(header.recordsBefore, 24);
  block.writeUInt32LE(crc32(block.subarray(sealedFrom, headerBytes)), 4);
  return block;
}

/** Completes a record whose body lies behind the first `recordBytes` of `record`. */
export function sealRecord(
  record: Buffer,
  { generation, stamp }: SegmentHeader,
  number: number,
  bodyBytes: number,
): void {
  record.writeUInt32LE(recordMagic, 0);
  record.writeUIntLE(generation, 8, 6);
  record.writeUInt32LE(stamp, 14);
  record.writeUInt32LE(number, 18);
  record.writeUInt32LE(bodyBytes, 22);
  record.writeUInt32LE(crc32(record.subarray(sealedFrom, recordBytes + bodyBytes)), 4);
}

/** The header at the beginning of a segment; undefined when there is none. */
export function readSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < headerBytes || bytes.readUInt32LE(0) !== segmentMagic) return undefined;
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(sealedFrom, headerBytes))) return undefined;
  return {
    generation: bytes.readUIntLE(8, 6),
    from: bytes.readUIntLE(14, 6),
    stamp: bytes.readUInt32LE(20),
    recordsBefore: bytes.readUInt32LE(24),
  };
}

/**
 * The bodies of a segment's records, as views. A last record that is not whole was never answered
 * and is left out; throws a `RowError` when a whole one lies behind it, because then something was
 * damaged.
 */
export function readSegment(bytes: Buffer, header: SegmentHeader): readonly Buffer[] {
  const bodies: Buffer[] = [];
  let at = blockBytes;
  for (;;) {
    const body = readRecord(bytes, at, header, bodies.length);
    if (body === undefined) break;
    bodies.push(body);
    at += recordSpace(body.length);
  }
  for (let later = at + blockBytes; later < bytes.length; later += blockBytes) {
    if (readRecord(bytes, later, header, undefined) === undefined) continue;
    throw damagedJournal(`record ${bodies.length} of segment ${header.generation}`);
  }
  return bodies;
}

/** Whether anything in a segment whose header can't be read is a record. */
export function hasRecords(bytes: Buffer): boolean {
  for (let at = blockBytes; at + recordBytes <= bytes.length; at += blockBytes) {
    const header = {
      generation: bytes.readUIntLE(at + 8, 6),
      from: 0,
      stamp: bytes.readUInt32LE(at + 14),
      recordsBefore: 0,
    };
    if (readRecord(bytes, at, header, undefined) !== undefined) return true;
  }
  return false;
}

/** The error for a journal that can't be trusted. */
export function damagedJournal(what: string): RowError {
  return new RowError(`The journal is damaged (${what}).`);
}

/** The body of the record of this segment at `at`; `number`: only the one with this number. */
function readRecord(
  bytes: Buffer,
  at: number,
  { generation, stamp }: SegmentHeader,
  number: number | undefined,
): Buffer | undefined {
  if (at + recordBytes > bytes.length || bytes.readUInt32LE(at) !== recordMagic) return undefined;
  if (bytes.readUIntLE(at + 8, 6) !== generation) return undefined;
  if (bytes.readUInt32LE(at + 14) !== stamp) return undefined;
  if (number !== undefined && bytes.readUInt32LE(at + 18) !== number) return undefined;
  const end = at + recordBytes + bytes.readUInt32LE(at + 22);
  if (end > bytes.length) return undefined;
  const sum = crc32(bytes.subarray(at + sealedFrom, end));
  return sum === bytes.readUInt32LE(at + 4) ? bytes.subarray(at + recordBytes, end) : undefined;
}
