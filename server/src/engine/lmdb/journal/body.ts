// The body of a record of the journal: the rows that one transaction writes and removes, in order.
//
//   for each  16 bytes key | 4 bytes length of the row plus one, or 0 for a removal | row

import type { ChangeSink } from '../changes.ts';
import { keyBytes } from '../keys.ts';

const lengthBytes = 4;
const changeBytes: number = keyBytes + lengthBytes;

/** Changes as they are written to the journal. */
export interface BodySource {
  readonly count: number;
  /** Bytes of all rows. */
  readonly bytes: number;
  write(sink: ChangeSink): void;
}

/** How many bytes the body of these changes has at most. */
export function bodyBytesMax({ count, bytes }: BodySource): number {
  return count * changeBytes + bytes;
}

/** Writes the body to `into` from `start` on; answers where it ends. */
export function writeBody(source: BodySource, into: Buffer, start: number): number {
  let at = start;
  source.write({
    put(key, row) {
      into.set(key, at);
      into.writeUInt32LE(row.length + 1, at + keyBytes);
      into.set(row, at + changeBytes);
      at += changeBytes + row.length;
    },
    remove(key) {
      into.set(key, at);
      into.writeUInt32LE(0, at + keyBytes);
      at += changeBytes;
    },
  });
  return at;
}

/** Visits every change: where its key begins in `body`, and its row; null for a removal. */
export function eachChange(body: Buffer, visit: (keyAt: number, row: Buffer | null) => void): void {
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32LE(at + keyBytes);
    const rowAt = at + changeBytes;
    const end = length === 0 ? rowAt : rowAt + length - 1;
    visit(at, length === 0 ? null : body.subarray(rowAt, end));
    at = end;
  }
}
