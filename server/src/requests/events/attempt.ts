// What one delivery of a request has said of itself so far: output and progress by their places,
// bounded. Every byte of output and every step of progress takes one place, for good: a reader may
// go on after any place, and gets neighbouring pieces as one, however they came.

import { isUtf8 } from 'node:buffer';
import { placesOf, type RequestEventData, type WorkNote } from '@sluice/sdk/wire';

/** An event, and the place behind all that it tells of. */
export type Told = { readonly next: number } & (
  | { readonly event: 'output'; readonly data: RequestEventData['output'] }
  | { readonly event: 'progress'; readonly data: RequestEventData['progress'] }
  | { readonly event: 'gap'; readonly data: RequestEventData['gap'] }
);

/** A block of output; the first `size` of its bytes count. */
interface Output {
  readonly kind: 'output';
  readonly at: number;
  bytes: Uint8Array;
  size: number;
}

interface LogLines {
  readonly kind: 'log';
  readonly at: number;
  readonly text: string;
}

/** Places whose notes never came here. */
interface Hole {
  readonly kind: 'hole';
  readonly at: number;
  readonly size: number;
}

type Entry = Output | LogLines | Hole;

/** The latest of its name; those before are forgotten. */
interface Field {
  readonly at: number;
  readonly data: RequestEventData['progress'];
  readonly bytes: number;
}

interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What an entry counts for beside its bytes. */
const entryBytes = 64;
/** Small pieces are gathered in blocks, which grow up to this size. */
const blockBytes = 4096;
const firstBlockBytes = 64;
/** Most output, and most log lines, of one event. */
const eventBytesMax = 16 * 1024;
const infinity = Number.POSITIVE_INFINITY;

export class Attempt {
  /** How many deliveries this was, from 1. */
  readonly number: number;
  /** Wall clock of its first output; 0 = there was none, or nobody knows. */
  firstOutputAt = 0;
  readonly #bytesMax: number;
  #entries: Entry[] = [];
  /** Entries before this one are dropped. */
  #first = 0;
  readonly #fields = new Map<string, Field>();
  #end = 0;
  #bytes = 0;
  /** Entries before this place are dropped, with so many bytes of output. */
  #droppedTo = 0;
  #droppedBytes = 0;
  #hasHole = false;

  constructor(number: number, bytesMax: number) {
    this.number = number;
    this.#bytesMax = bytesMax;
  }

  /** What it takes of memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Some of what it said never came here. */
  get hasHole(): boolean {
    return this.#hasHole;
  }

  /** Adds notes that begin at a place: what is known of them is passed over, and what is missing
   * before them is a gap. */
  add(notes: readonly WorkNote[], from: number): void {
    let at = from;
    for (const note of notes) {
      const behind = at + placesOf(note);
      if (behind > this.#end) this.#take(note, at);
      at = behind;
    }
    while (this.#bytes > this.#bytesMax && this.#dropOldest());
  }

  /**
   * The next event for a reader that knows all before `place`; undefined: there is none now. A
   * character that is cut by the end of the output waits for its rest, unless the end is final.
   */
  read(place: number, isFinal: boolean): Told | undefined {
    const field = this.#nextField(place);
    const stop = Math.min(field?.at ?? infinity, this.#droppedTo);
    // Steps among the dropped places are counted as output: the sum is "at most".
    const bytes = Math.min(this.#droppedBytes, stop - place);
    if (bytes > 0) return { event: 'gap', data: { bytes }, next: stop };
    const at = this.#find(Math.max(place, stop));
    const entry = this.#entries[at];
    const start = entry === undefined ? infinity : Math.max(place, entry.at);
    if (field !== undefined && field.at < start) return this.#progress(place, at);
    switch (entry?.kind) {
      case undefined:
        return undefined;
      case 'log':
        return this.#progress(place, at);
      case 'hole': {
        const next = entry.at + entry.size;
        return { event: 'gap', data: { bytes: next - start }, next };
      }
      case 'output':
        return this.#output(at, start, { until: field?.at ?? infinity, isFinal });
    }
  }

  #take(note: WorkNote, from: number): void {
    if (from > this.#end) {
      this.#hasHole = true;
      this.#push({ kind: 'hole', at: this.#end, size: from - this.#end });
    }
    switch (note.kind) {
      case 'output':
        this.#write(note.data.subarray(Math.max(0, this.#end - from)));
        break;
      case 'percent':
        this.#replace('percent', { percent: note.value }, 0);
        break;
      case 'stage':
        this.#replace('stage', { stage: note.text }, note.text.length);
        break;
      case 'preview':
        this.#replace('preview', { preview: note.text }, note.text.length);
        break;
      case 'log':
        this.#push({ kind: 'log', at: this.#end, text: note.text });
        break;
    }
  }

  /** Always copied: a piece that came from a socket is a view on far more memory than it has. */
  #write(piece: Uint8Array): void {
    const last = this.#entries.at(-1);
    const isOpen = last?.kind === 'output' && last.at + last.size === this.#end;
    if (!isOpen || last.size + piece.length > blockBytes) {
      const bytes = new Uint8Array(Math.max(piece.length, firstBlockBytes));
      bytes.set(piece);
      this.#push({ kind: 'output', at: this.#end, bytes, size: piece.length });
      return;
    }
    const needed = last.size + piece.length;
    if (needed > last.bytes.length) {
      const grown = new Uint8Array(Math.min(blockBytes, Math.max(needed, last.bytes.length * 2)));
      grown.set(last.bytes.subarray(0, last.size));
      this.#bytes += grown.length - last.bytes.length;
      last.bytes = grown;
    }
    last.bytes.set(piece, last.size);
    last.size = needed;
    this.#end += piece.length;
  }

  #replace(name: string, data: RequestEventData['progress'], bytes: number): void {
    this.#bytes += bytes - (this.#fields.get(name)?.bytes ?? 0);
    this.#fields.set(name, { at: this.#end, data, bytes });
    this.#end += 1;
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#end = behindOf(entry);
    this.#bytes += costOf(entry);
  }

  #dropOldest(): boolean {
    const entry = this.#entries[this.#first];
    if (entry === undefined) return false;
    this.#first += 1;
    this.#bytes -= costOf(entry);
    this.#droppedTo = behindOf(entry);
    if (entry.kind !== 'log') this.#droppedBytes += entry.size;
    if (this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }

  #nextField(place: number): Field | undefined {
    let next: Field | undefined;
    for (const field of this.#fields.values()) {
      if (field.at >= place && (next === undefined || field.at < next.at)) next = field;
    }
    return next;
  }

  /** The first entry that has something at or behind a place. */
  #find(place: number): number {
    let low = this.#first;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && behindOf(entry) <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Everything up to the next output as one event; the latest of each field, all log lines. */
  #progress(place: number, from: number): Told {
    let at = from;
    let next = place;
    let data: RequestEventData['progress'] = {};
    for (;;) {
      const field = this.#nextField(next);
      const entry = this.#entries[at];
      if (field !== undefined && field.at < (entry?.at ?? infinity)) {
        data = { ...data, ...field.data };
        next = field.at + 1;
      } else if (entry?.kind === 'log') {
        const log = data.log === undefined ? entry.text : `${data.log}\n${entry.text}`;
        if (data.log !== undefined && log.length > eventBytesMax) break;
        data = { ...data, log };
        next = entry.at + 1;
        at += 1;
      } else break;
    }
    return { event: 'progress', data, next };
  }

  #output(
    from: number,
    start: number,
    { until, isFinal }: { readonly until: number; readonly isFinal: boolean },
  ): Told | undefined {
    const pieces: Piece[] = [];
    let length = 0;
    for (let at = from; length < eventBytesMax; at += 1) {
      const entry = this.#entries[at];
      // Places between two blocks are of steps that later ones have replaced.
      if (entry?.kind !== 'output' || entry.at >= until) break;
      const skipped = Math.max(0, start - entry.at);
      const most = Math.min(entry.size, skipped + eventBytesMax - length);
      const bytes = entry.bytes.subarray(skipped, most);
      pieces.push({ at: entry.at + skipped, bytes });
      length += bytes.length;
    }
    const all = Buffer.concat(pieces.map(({ bytes }) => bytes));
    const next = placeOf(pieces, length);
    const isLast = !isFinal && until === infinity && next === this.#end;
    const whole = isLast || this.#goesOn(next, until) ? wholeCharacters(all) : length;
    if (whole === 0 && isLast) return undefined;
    const told = whole === 0 ? length : whole;
    const data = outputOf(all.subarray(0, told));
    return { event: 'output', data, next: placeOf(pieces, told) };
  }

  /** Whether more output comes right behind a place, before any step. */
  #goesOn(place: number, until: number): boolean {
    const entry = this.#entries[this.#find(place)];
    return entry?.kind === 'output' && entry.at < until;
  }
}

function behindOf(entry: Entry): number {
  return entry.at + (entry.kind === 'log' ? 1 : entry.size);
}

function costOf(entry: Entry): number {
  switch (entry.kind) {
    case 'output':
      return entryBytes + entry.bytes.length;
    case 'log':
      return entryBytes + entry.text.length;
    case 'hole':
      return entryBytes;
  }
}

/** The place behind the first `count` bytes of pieces. */
function placeOf(pieces: readonly Piece[], count: number): number {
  let place = 0;
  let left = count;
  for (const { at, bytes } of pieces) {
    if (left <= 0) break;
    place = at + Math.min(left, bytes.length);
    left -= bytes.length;
  }
  return place;
}

function outputOf(bytes: Buffer): RequestEventData['output'] {
  if (isUtf8(bytes)) return { text: bytes.toString('utf8') };
  return { base64: bytes.toString('base64') };
}

/** How many of the bytes end with a whole character, as far as they are UTF-8 at all. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
