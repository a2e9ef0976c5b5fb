// What running work says of itself while it goes on: pieces of output and steps of progress, in
// order. A row of notes knows where it begins: every byte of output and every other note takes one
// place. So a row that comes twice, or after something was left out, finds its place.

import type { ByteReader, ByteWriter } from '../bytes.ts';
import { PlatformError } from '../errors.ts';

export type WorkNote =
  | { readonly kind: 'output'; readonly data: Uint8Array }
  /** From 0 to 100. */
  | { readonly kind: 'percent'; readonly value: number }
  /** A stage and a preview replace the one before; log lines are added. */
  | { readonly kind: 'stage' | 'preview' | 'log'; readonly text: string };

/** Most bytes of output in one note on the wire. */
export const outputNoteBytesMax: number = 64 * 1024;
/** Longest stage, preview and log of one note, in UTF-8. */
export const textNoteBytesMax: Readonly<Record<'stage' | 'preview' | 'log', number>> = {
  stage: 256,
  preview: 32 * 1024,
  log: 8 * 1024,
};

const codes = { output: 0, percent: 1, stage: 2, preview: 3, log: 4 } as const;
const texts = { 2: 'stage', 3: 'preview', 4: 'log' } as const;
/** On the wire a percentage is a whole number of hundredths. */
const hundredths = 100;

/** How many places a note takes. */
export function placesOf(note: WorkNote): number {
  return note.kind === 'output' ? note.data.length : 1;
}

export function writeNotes(writer: ByteWriter, notes: readonly WorkNote[]): void {
  for (const note of notes) {
    writer.byte(codes[note.kind]);
    switch (note.kind) {
      case 'output':
        writer.counted(note.data);
        break;
      case 'percent':
        writer.varint(Math.round(note.value * hundredths));
        break;
      case 'stage':
      case 'preview':
      case 'log':
        writer.text(note.text);
        break;
    }
  }
}

/** All notes up to the end of `reader`. Throws `bad_request`. */
export function readNotes(reader: ByteReader): WorkNote[] {
  const notes: WorkNote[] = [];
  while (reader.left > 0) notes.push(readNote(reader));
  return notes;
}

function readNote(reader: ByteReader): WorkNote {
  const code = reader.byte();
  if (code === codes.output) return { kind: 'output', data: reader.counted() };
  if (code === codes.percent) {
    const value = reader.varint() / hundredths;
    if (value > 100) throw new PlatformError('bad_request', `${value} % is more than 100 %.`);
    return { kind: 'percent', value };
  }
  if (code === codes.stage || code === codes.preview || code === codes.log) {
    return { kind: texts[code], text: reader.text() };
  }
  throw new PlatformError('bad_request', 'There is no such note.');
}
