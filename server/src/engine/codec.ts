// Bytes of one row: writing and reading of numbers, text and checksums. What a row of each kind
// contains stands in rows-codec.ts; this file knows only the frame around it:
//
//   1 byte format version | 4 bytes crc32 of the head | 4 bytes length of the head | head | rest
//
// The rest is the payload of a message, whose own crc32 is part of the head: so a start reads and
// checks a million heads without touching the payloads. The crc32 of the head begins with a number
// made of the row's key, the seed: a row that turns up under another key, because a bit of the key
// was flipped, is as damaged as one whose head was. All numbers are little endian.

import { crc32 } from 'node:zlib';
import { invariant } from '../kernel/invariant.ts';
import { shortCrc32 } from './crc.ts';

/** The version that is written. */
export const rowVersion = 2;

interface Frame {
  /** Whether the checksum of the head begins with the seed, or with nothing. */
  readonly coversKey: boolean;
}

/** How the frame of every version ever written is read; the contents did not differ so far. To
 * change a format add a version here and, where contents differ, a reader in rows-codec.ts. */
const frames: Readonly<Record<number, Frame>> = {
  1: { coversKey: false },
  2: { coversKey: true },
};

const headerBytes = 9;
/** Longer heads are worth a call into native code. */
const shortMax = 512;
const slabBytes = 256 * 1024;
const spareSlabsMax = 16;

/** A row that can't be read: its checksum, version or content is wrong. */
export class RowError extends Error {
  override readonly name = 'RowError';
}

interface Slab {
  readonly bytes: Buffer;
  readonly view: DataView;
}

function makeSlab(bytes: number): Slab {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  return { bytes: buffer, view: new DataView(buffer.buffer, buffer.byteOffset, bytes) };
}

/**
 * Writes rows one after the other into large slabs, which stay untouched until `recycle`: an
 * engine may hand slices of them to another thread without copying.
 */
export class RowWriter {
  #spare: Slab[] = [];
  #full: Slab[] = [];
  #slab = makeSlab(slabBytes);
  #start = 0;
  #position = 0;

  /** Begins a row; everything written until `end` belongs to it. */
  begin(): void {
    this.#start = this.#position;
    this.#need(headerBytes);
    this.#position += headerBytes;
  }

  /** Completes the head and appends `rest`; answers the whole row. `seed` is that of its key. */
  end(seed: number, rest?: Uint8Array): Buffer {
    const { bytes, view } = this.#slab;
    const head = this.#start + headerBytes;
    view.setUint8(this.#start, rowVersion);
    view.setUint32(this.#start + 1, crc32(bytes.subarray(head, this.#position), seed), true);
    view.setUint32(this.#start + 5, this.#position - head, true);
    if (rest !== undefined) this.raw(rest);
    return this.#slab.bytes.subarray(this.#start, this.#position);
  }

  /** All rows written so far are no longer needed; their memory is used again. */
  recycle(): void {
    for (const slab of this.#full) {
      const wanted = slab.bytes.length === slabBytes && this.#spare.length < spareSlabsMax;
      if (wanted) this.#spare.push(slab);
    }
    this.#full = [];
    if (this.#slab.bytes.length > slabBytes) this.#slab = this.#spare.pop() ?? makeSlab(slabBytes);
    this.#start = 0;
    this.#position = 0;
  }

  byte(value: number): void {
    this.#need(1);
    this.#slab.bytes[this.#position++] = value;
  }

  uint32(value: number): void {
    this.#need(4);
    this.#slab.view.setUint32(this.#position, value, true);
    this.#position += 4;
  }

  /** Any number as it is: times, which may have fractions. */
  float(value: number): void {
    this.#need(8);
    this.#slab.view.setFloat64(this.#position, value, true);
    this.#position += 8;
  }

  /** A whole number from 0 to 2^53 - 1 in 1 to 8 bytes, seven bits each, lowest first. */
  uint(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, 'a number in a row is whole');
    this.#need(8);
    const { bytes } = this.#slab;
    let rest = value;
    while (rest > 0x7fff_ffff) {
      bytes[this.#position++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[this.#position++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[this.#position++] = rest;
  }

  text(value: string): void {
    if (value.length < 128 && this.#ascii(value)) return;
    const length = Buffer.byteLength(value);
    this.uint(length);
    this.#need(length);
    this.#position += this.#slab.bytes.write(value, this.#position, 'utf8');
  }

  raw(value: Uint8Array): void {
    this.#need(value.length);
    this.#slab.bytes.set(value, this.#position);
    this.#position += value.length;
  }

  /** Writes what `write` writes, with its length before it. */
  sized(write: () => void): void {
    this.uint32(0);
    const before = this.#position - this.#start;
    write();
    // The row may have moved to another slab meanwhile, so positions count from its start.
    const length = this.#position - this.#start - before;
    this.#slab.view.setUint32(this.#start + before - 4, length, true);
  }

  // Most text is a short id; a loop beats the call into native code.
  #ascii(value: string): boolean {
    const { length } = value;
    this.#need(length + 1);
    const { bytes } = this.#slab;
    const start = this.#position;
    bytes[start] = length;
    for (let at = 0; at < length; at++) {
      const code = value.charCodeAt(at);
      if (code > 127) return false;
      bytes[start + 1 + at] = code;
    }
    this.#position = start + 1 + length;
    return true;
  }

  #need(bytes: number): void {
    if (this.#position + bytes <= this.#slab.bytes.length) return;
    const row = this.#slab.bytes.subarray(this.#start, this.#position);
    const wanted = row.length + bytes;
    this.#full.push(this.#slab);
    const fits = wanted <= slabBytes;
    this.#slab = (fits ? this.#spare.pop() : undefined) ?? makeSlab(fits ? slabBytes : wanted * 2);
    this.#slab.bytes.set(row, 0);
    this.#start = 0;
    this.#position = row.length;
  }
}

/** Reads one row after the other; throws `RowError` for anything that can't have been written. */
export class RowReader {
  #source: Uint8Array | undefined;
  #end = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer);
  #position = 0;
  #headStart = 0;
  #headEnd = 0;

  /**
   * Begins with a row: checks version and checksum of the head, `seed` being that of the key
   * under which it was found. The row lies between `start` and `end` of `row`, which may be the
   * same buffer with other content for every row.
   */
  open(row: Uint8Array, seed: number, start = 0, end: number = row.length): void {
    if (row !== this.#source) {
      this.#source = row;
      this.#bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
      this.#view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    }
    this.#end = end;
    if (end - start < headerBytes) throw new RowError('The row is cut.');
    const version = this.#view.getUint8(start);
    const frame = frames[version];
    if (frame === undefined) throw new RowError(`The row has the unknown version ${version}.`);
    this.#headStart = start + headerBytes;
    this.#position = this.#headStart;
    this.#headEnd = this.#headStart + this.#view.getUint32(start + 5, true);
    if (this.#headEnd > end) throw new RowError('The row is cut.');
    if (this.#checksum(frame.coversKey ? seed : 0) !== this.#view.getUint32(start + 1, true)) {
      throw new RowError('The checksum of the row is wrong.');
    }
  }

  /**
   * Begins with a head alone, already checked: one that `sized` gave or `copyHead` has copied. It
   * is what lies between `start` and `end` in `bytes`.
   */
  openHead(bytes: Buffer, start = 0, end: number = bytes.length): void {
    if (bytes !== this.#source) {
      this.#source = bytes;
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#end = end;
    this.#headStart = start;
    this.#position = start;
    this.#headEnd = end;
  }

  /** How far the head of the row that `row` begins with goes. */
  static headEnd(row: Buffer): number {
    return headerBytes + row.readUInt32LE(5);
  }

  /** How long the head of a row is. */
  get headBytes(): number {
    return this.#headEnd - this.#headStart;
  }

  /** Copies the head of a row. */
  copyHead(target: Uint8Array, at: number): void {
    this.#bytes.copy(target, at, this.#headStart, this.#headEnd);
  }

  /** What follows the head; a view, not a copy. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#headEnd, this.#end);
  }

  /** Whether the head has been read to its end. */
  get done(): boolean {
    return this.#position >= this.#headEnd;
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  float(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  uint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
      if (scale > 2 ** 49) throw new RowError('A number in the row is too long.');
    }
  }

  text(): string {
    const length = this.uint();
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** What `sized` wrote; a view, not a copy. */
  sized(): Buffer {
    const length = this.uint32();
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  #checksum(seed: number): number {
    const end = this.#headEnd;
    if (this.headBytes <= shortMax) return shortCrc32(this.#view, this.#headStart, end, seed);
    return crc32(this.#bytes.subarray(this.#headStart, end), seed);
  }

  #advance(bytes: number): number {
    const start = this.#position;
    this.#position += bytes;
    if (this.#position > this.#headEnd) throw new RowError('The row ends too early.');
    return start;
  }
}
