// What running work says, on its way to a server elsewhere: one row at a time for each delivery,
// what comes meanwhile goes as one, and of what does not fit the oldest is left out. Rows know
// their place, so that the server sees what is missing and takes nothing twice.

import { outputNoteBytesMax, placesOf, type WorkNote } from '@sluice/sdk/wire';
import type { Log } from '../kernel/log.ts';
import type { WorkDelivery, WorkNews } from '../worker/source.ts';

/** The way to the server. */
export interface NewsCarrier {
  tell(deliveryId: number, from: number, notes: readonly WorkNote[]): Promise<void>;
}

interface Row {
  /** The place of the first note. */
  from: number;
  notes: WorkNote[];
  bytes: number;
  isUnderWay: boolean;
}

/** Of one delivery, while the row before is under way. */
const waitingBytesMax = 256 * 1024;
/** Of one row; a message of the protocol has at most 1 MiB. */
const rowBytesMax = 256 * 1024;
/** What a note counts for beside its text or bytes. */
const noteBytes = 16;

export class NewsSender implements WorkNews {
  readonly #carrier: () => NewsCarrier;
  readonly #log: Log;
  readonly #rows = new Map<number, Row>();

  constructor(carrier: () => NewsCarrier, log: Log) {
    this.#carrier = carrier;
    this.#log = log;
  }

  add({ deliveryId }: WorkDelivery, notes: readonly WorkNote[], from: number): void {
    const row = this.#rows.get(deliveryId) ?? { from, notes: [], bytes: 0, isUnderWay: false };
    this.#rows.set(deliveryId, row);
    for (const note of notes) append(row, note);
    while (row.bytes > waitingBytesMax && row.notes.length > 1) dropFirst(row);
    if (!row.isUnderWay) this.#send(deliveryId, row);
  }

  end({ deliveryId }: WorkDelivery): void {
    const row = this.#rows.get(deliveryId);
    if (row === undefined) return;
    this.#rows.delete(deliveryId);
    // Not waited for: what is said first arrives first, and the completion comes after.
    while (row.notes.length > 0) this.#say(deliveryId, take(row));
  }

  #send(deliveryId: number, row: Row): void {
    if (row.notes.length === 0) return;
    row.isUnderWay = true;
    this.#say(deliveryId, take(row), () => {
      row.isUnderWay = false;
      if (this.#rows.get(deliveryId) === row) this.#send(deliveryId, row);
    });
  }

  #say(deliveryId: number, { from, notes }: Taken, then: () => void = () => undefined): void {
    this.#carrier()
      .tell(deliveryId, from, notes)
      .catch((error: unknown) => this.#log.debug({ error }, 'word of running work not taken'))
      .then(then, then);
  }
}

interface Taken {
  readonly from: number;
  readonly notes: readonly WorkNote[];
}

/** Pieces that follow one another become one, up to what a note may have. */
function append(row: Row, note: WorkNote): void {
  const last = row.notes.at(-1);
  row.bytes += sizeOf(note);
  if (note.kind === 'output' && last?.kind === 'output') {
    const size = last.data.length + note.data.length;
    if (size <= outputNoteBytesMax) {
      row.notes[row.notes.length - 1] = {
        kind: 'output',
        data: Buffer.concat([last.data, note.data]),
      };
      row.bytes -= noteBytes;
      return;
    }
  }
  for (const piece of piecesOf(note)) row.notes.push(piece);
}

function piecesOf(note: WorkNote): readonly WorkNote[] {
  if (note.kind !== 'output' || note.data.length <= outputNoteBytesMax) return [note];
  const pieces: WorkNote[] = [];
  for (let at = 0; at < note.data.length; at += outputNoteBytesMax) {
    pieces.push({ kind: 'output', data: note.data.subarray(at, at + outputNoteBytesMax) });
  }
  return pieces;
}

function dropFirst(row: Row): void {
  const first = row.notes.shift();
  if (first === undefined) return;
  row.from += placesOf(first);
  row.bytes -= sizeOf(first);
}

/** The first notes, as many as make a row. */
function take(row: Row): Taken {
  let count = 0;
  let bytes = 0;
  let places = 0;
  for (const note of row.notes) {
    if (count > 0 && bytes + sizeOf(note) > rowBytesMax) break;
    count += 1;
    bytes += sizeOf(note);
    places += placesOf(note);
  }
  const { from } = row;
  const notes = row.notes.splice(0, count);
  row.from += places;
  row.bytes = row.notes.reduce((sum, note) => sum + sizeOf(note), 0);
  return { from, notes };
}

function sizeOf(note: WorkNote): number {
  switch (note.kind) {
    case 'output':
      return note.data.length + noteBytes;
    case 'percent':
      return noteBytes;
    case 'stage':
    case 'preview':
    case 'log':
      return note.text.length * 3 + noteBytes;
  }
}
