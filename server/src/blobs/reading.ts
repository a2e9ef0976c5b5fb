// One body on its way out of its file. A body that is read whole is compared with the checksum in
// its name, and its last bytes are held back until that is done: what is damaged is never whole for
// whoever reads it.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';

/** A part of a body: from `first` to `last`, both included. */
export interface BodyRange {
  readonly first: number;
  readonly last: number;
}

export interface OpenBody {
  /** Bytes of the whole body. */
  readonly size: number;
  /** Of the part that was asked for. To be read to its end or destroyed. */
  readonly stream: Readable;
}

const readBytes = 256 * 1024;

/** Opens a file of which the checksum (SHA-256, hexadecimal) is known; undefined: it is gone. */
export async function openBody(
  path: string,
  sum: string,
  range: BodyRange | undefined,
): Promise<OpenBody | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const pieces = range === undefined ? wholeOf(file, size, sum) : partOf(file, size, range);
    const stream = Readable.from(closing(file, pieces), { objectMode: false });
    // A stream that is destroyed before it was read at all never begins what closes the file.
    stream.once('close', () => void file.close().catch(() => undefined));
    return { size, stream };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* closing(
  file: FileHandle,
  pieces: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } finally {
    await file.close().catch(() => undefined);
  }
}

async function* wholeOf(file: FileHandle, size: number, sum: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let held: Uint8Array | undefined;
  for await (const piece of partOf(file, size, { first: 0, last: size - 1 })) {
    hash.update(piece);
    if (held !== undefined) yield held;
    held = piece;
  }
  if (hash.digest('hex') !== sum) {
    throw new PlatformError('damaged', 'the disk no longer has the body that was stored');
  }
  if (held !== undefined) yield held;
}

async function* partOf(
  file: FileHandle,
  size: number,
  { first, last }: BodyRange,
): AsyncGenerator<Uint8Array> {
  const end = Math.min(last + 1, size);
  for (let at = first; at < end; ) {
    const length = Math.min(readBytes, end - at);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) throw new PlatformError('damaged', 'the file of the body was cut');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
