// A large result on its way to another machine lies on this one's disk: so the model is done with
// it at its own pace, and a cut line costs no work. The file has no name as soon as it is open:
// nothing of it is left however this process ends.

import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk';
import type { Random } from '../kernel/random.ts';

export interface Spooled {
  readonly size: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
  /** All of it, from the beginning; may be called again. */
  read(): Readable;
  close(): Promise<void>;
}

const readBytes = 256 * 1024;

/** Takes all that comes. Rejects when the source fails, `signal` is aborted or the disk is full;
 * nothing stays then. */
export async function spool(
  source: Readable,
  options: { readonly folder: string; readonly random: Random; readonly signal: AbortSignal },
): Promise<Spooled> {
  const { folder, random, signal } = options;
  const cut = (): void => void source.destroy(new Error('the result was given up'));
  signal.addEventListener('abort', cut, { once: true });
  try {
    signal.throwIfAborted();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${random.secret(8)}.result`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
      return await fill(source, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw isNoSpace(error) ? new PlatformError('disk_full', 'the disk is full') : error;
  } finally {
    signal.removeEventListener('abort', cut);
  }
}

async function fill(source: Readable, file: FileHandle): Promise<Spooled> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of source) {
    const bytes: Uint8Array = piece;
    hash.update(bytes);
    // Goes on until all is written, at the place where the one before ended.
    await file.writeFile(bytes);
    size += bytes.length;
  }
  return {
    size,
    sha256: hash.digest('hex'),
    read: () => Readable.from(pieces(file, size), { objectMode: false }),
    close: () => file.close(),
  };
}

async function* pieces(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new PlatformError('damaged', 'the result is cut on the disk');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function isNoSpace(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
