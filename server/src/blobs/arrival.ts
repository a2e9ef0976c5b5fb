// One body on its way into a file: a few hundred KB in memory at most, whatever its size. The
// source is read only as fast as the disk takes it.

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';

export interface ArrivalOptions {
  readonly path: string;
  /** A body with more is refused with `too_large`. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
  /** Sees to it that there is room for so many bytes, or throws. */
  readonly cover: (bytes: number) => Promise<void>;
  /** So many more bytes were written. */
  readonly wrote: (bytes: number) => void;
}

export interface Arrived {
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Written in one go: each write costs a thread of the pool a turn. */
const writeBytes = 256 * 1024;
/** So much may be in the system's memory and not on the disk: one flush of a gigabyte at the end
 * would hold up the flushes of the queues. */
const unflushedBytes = 32 * 2 ** 20;

/**
 * Writes a new file and flushes it; its name is not durable yet. Rejects when the source fails, is
 * too large, or `signal` is aborted (the source is destroyed then, and in no other case). The file
 * may be left, cut.
 */
export async function receiveFile(source: Readable, options: ArrivalOptions): Promise<Arrived> {
  const { signal, path } = options;
  signal.throwIfAborted();
  const cut = (): void => void source.destroy(asError(signal.reason));
  signal.addEventListener('abort', cut, { once: true });
  const file = await open(path, 'wx', 0o600);
  try {
    const arrived = await writeAll(source, file, options);
    signal.throwIfAborted();
    await file.datasync();
    return arrived;
  } catch (error) {
    throw isNoSpace(error) ? new PlatformError('disk_full', 'the disk is full') : error;
  } finally {
    signal.removeEventListener('abort', cut);
    await file.close();
  }
}

async function writeAll(
  source: Readable,
  file: FileHandle,
  { bytesMax, cover, wrote }: ArrivalOptions,
): Promise<Arrived> {
  const hash = createHash('sha256');
  let size = 0;
  let flushed = 0;
  let pieces: Uint8Array[] = [];
  let held = 0;
  const write = async (): Promise<void> => {
    await cover(size);
    await writeWhole(file, pieces, held);
    wrote(held);
    pieces = [];
    held = 0;
    if (size - flushed < unflushedBytes) return;
    await file.datasync();
    flushed = size;
  };
  // Whoever sent too much has to be told so: the source must stay whole.
  for await (const piece of source.iterator({ destroyOnReturn: false })) {
    const bytes: Uint8Array = piece;
    size += bytes.length;
    if (size > bytesMax) {
      throw new PlatformError('too_large', `the body has more than ${bytesMax} bytes`);
    }
    hash.update(bytes);
    pieces.push(bytes);
    held += bytes.length;
    if (held >= writeBytes) await write();
  }
  if (held > 0) await write();
  return { size, sha256: hash.digest('hex') };
}

// A write may take less than it was given.
async function writeWhole(file: FileHandle, pieces: Uint8Array[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(pieces);
  if (bytesWritten === bytes) return;
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  // This one goes on until all is written, or throws.
  await file.writeFile(rest);
}

function isNoSpace(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('given up');
}
