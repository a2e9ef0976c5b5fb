// Writing and reading of the byte forms that both codecs share: varints, strings, counted bytes.
// Works in Node and browsers alike. A reader trusts nothing: every length is checked against what
// is there, and whatever is malformed is a `bad_request`.

import { PlatformError } from './errors.ts';

const encoder = new TextEncoder();
// `ignoreBOM` keeps a leading U+FEFF: it is part of the text, not a mark of its encoding.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// Up to these lengths a loop over the characters beats the call into the text coder. A text that
// was put together from many pieces takes more memory than one that the decoder made.
const shortText = { writing: 47, reading: 16 } as const;

/** Pieces of the usual size that are cut from one buffer: many small ones cost the collector. */
const piecesInOne = 4;

/** A buffer that grows while it is filled. `take` hands over what is in it and goes on behind. */
export class ByteWriter {
  /** From where the next piece begins. */
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `room`: how many bytes to begin with; a good guess saves copies. */
  constructor(room: number) {
    this.#bytes = new Uint8Array(Math.max(room, 16));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A whole number from 0 below 2^53: seven bits a byte, lowest first. Throws `bad_request`. */
  varint(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
      throw new PlatformError('bad_request', `${value} is not a whole number from 0 below 2^53.`);
    }
    this.#reserve(8);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    let small = rest | 0;
    while (small > 0x7f) {
      this.#bytes[this.#length++] = (small & 0x7f) | 0x80;
      small >>>= 7;
    }
    this.#bytes[this.#length++] = small;
  }

  /** UTF-8 with its length in bytes before it. Lone surrogates become U+FFFD. */
  text(value: string): void {
    const length = value.length;
    if (length <= shortText.writing && this.#ascii(value)) return;
    // One UTF-16 unit takes at most three bytes of UTF-8.
    this.#reserve(8 + length * 3);
    const bytes = encoder.encode(value);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Bytes with their length before them. */
  counted(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Leaves three bytes open for `closeRecord` and answers where they are. */
  openRecord(): number {
    this.#reserve(3);
    const start = this.#length;
    this.#length += 3;
    return start;
  }

  /** Fills in how many bytes came after the three, lowest byte first. Below 2^24. */
  closeRecord(start: number): void {
    const size = this.#length - start - 3;
    this.#view.setUint16(start, size & 0xffff, true);
    this.#bytes[start + 2] = size >>> 16;
  }

  /** Forgets everything after `length`. */
  cutBack(length: number): void {
    this.#length = length;
  }

  /** What was written, for good; the writer starts anew with room for `next` bytes, `least` in any
   * new buffer. */
  take(next: number, least: number): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    const isEnough = this.#bytes.length - this.#length >= next;
    this.#use(
      isEnough
        ? this.#bytes.subarray(this.#length)
        : new Uint8Array(Math.max(next * piecesInOne, least)),
    );
    this.#length = 0;
    return taken;
  }

  /** What was written, for a writer that is used once. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #ascii(value: string): boolean {
    const length = value.length;
    this.#reserve(length + 1);
    const start = this.#length + 1;
    const bytes = this.#bytes;
    for (let at = 0; at < length; at++) {
      const unit = value.charCodeAt(at);
      if (unit > 0x7f) return false;
      bytes[start + at] = unit;
    }
    bytes[this.#length] = length;
    this.#length = start + length;
    return true;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(needed * 2);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#use(grown);
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** Reads what a ByteWriter wrote. Byte strings come out as views, not copies. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #end: number;
  #at: number;

  /** Reads `bytes` from `start` up to `end`. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw cutShort();
    // Inside the bounds just checked.
    return this.#bytes[this.#at++] as number;
  }

  /** A whole number below 2^53; more is refused, since it would not stay exact. */
  varint(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    let factor = 128;
    for (let count = 1; count < 10; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) {
          throw new PlatformError('bad_request', 'A number is not below 2^53.');
        }
        return value;
      }
      factor *= 128;
    }
    throw new PlatformError('bad_request', 'A number has more than ten bytes.');
  }

  text(): string {
    const length = this.varint();
    const start = this.#advance(length);
    if (length <= shortText.reading) {
      const text = this.#ascii(start, length);
      if (text !== undefined) return text;
    }
    try {
      return decoder.decode(this.#bytes.subarray(start, start + length));
    } catch (cause) {
      throw new PlatformError('bad_request', 'A text is not valid UTF-8.', { cause });
    }
  }

  /** Counted bytes, as a view on the bytes being read. */
  counted(): Uint8Array {
    return this.raw(this.varint());
  }

  raw(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** All that is left, as a view. */
  rest(): Uint8Array {
    return this.raw(this.left);
  }

  /** A reader of the next `length` bytes alone; this one goes on behind them. */
  inner(length: number): ByteReader {
    const start = this.#advance(length);
    return new ByteReader(this.#bytes, start, start + length);
  }

  /** Like `inner`, without another reader: ends this one after the next `length` bytes. Answers
   * what `leave` takes. */
  enter(length: number): number {
    const outer = this.#end;
    this.#end = this.#advance(length) + length;
    this.#at = this.#end - length;
    return outer;
  }

  /** Passes over what is left of the bytes that were entered. */
  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** The three bytes that `closeRecord` wrote. */
  recordLength(): number {
    const low = this.byte();
    const middle = this.byte();
    return low + middle * 256 + this.byte() * 65_536;
  }

  #ascii(start: number, length: number): string | undefined {
    const bytes = this.#bytes;
    const end = start + length;
    let text = '';
    let at = start;
    // Four characters at a time: each piece of a text that is added is another object.
    for (; at + 4 <= end; at += 4) {
      // Inside the bounds that `#advance` has checked.
      const a = bytes[at] as number;
      const b = bytes[at + 1] as number;
      const c = bytes[at + 2] as number;
      const d = bytes[at + 3] as number;
      if ((a | b | c | d) > 0x7f) return undefined;
      text += String.fromCharCode(a, b, c, d);
    }
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte > 0x7f) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw cutShort();
    this.#at = start + length;
    return start;
  }
}

function cutShort(): PlatformError {
  return new PlatformError('bad_request', 'The bytes end before the value they announce.');
}
