// What every archive is held to while it is unpacked, whatever its form: plain files and folders
// below one folder, so many, so large and so much larger than the archive. Whatever else it holds
// ends the unpacking at once, with a reason that names the entry.

import { constants, createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { syncFolder } from '../engine/lmdb/sync-folder.ts';
import type { Packing } from './address.ts';
import { type ArchiveEntry, entriesMax, pathOf, shownName } from './archive-entry.ts';
import { finalError, ModelFetchError } from './fetch-error.ts';
import { type ModelRoom, megabytes, type Ticket } from './room.ts';
import { readTar } from './tar.ts';
import { readZip } from './zip.ts';

export interface UnpackOptions {
  readonly packing: Packing;
  /** The archive. */
  readonly path: string;
  /** Its bytes. */
  readonly bytes: number;
  /** For how many of them the ticket stands: it was fetched, or lies on this machine anyway. */
  readonly roomBytes: number;
  /** A new folder, made here. */
  readonly into: string;
  /** For messages. */
  readonly shown: string;
  readonly room: ModelRoom;
  readonly ticket: Ticket;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** What is unpacked may be so many times the archive; models pack to a half, bombs to nothing. */
const ratioMax = 200;
/** Below this no ratio is looked at: an archive of a few small files proves nothing. */
const ratioFreeBytes = 64 * 2 ** 20;

/** Resolves with the bytes of all files, on stable storage; throws a final ModelFetchError for an
 * archive that is damaged or means no good. The folder may be left, unfinished. */
export async function unpack(options: UnpackOptions): Promise<number> {
  const { packing, path, bytes, into, signal } = options;
  const unpacking = new Unpacking(options);
  await mkdir(into, { mode: 0o700 });
  try {
    if (packing === 'zip') {
      const file = await open(path, constants.O_RDONLY);
      try {
        for await (const entry of readZip(file, bytes)) await unpacking.add(entry);
      } finally {
        await file.close();
      }
    } else {
      for await (const entry of readTar(tarBytes(path, packing))) await unpacking.add(entry);
    }
    return await unpacking.end();
  } catch (error) {
    signal.throwIfAborted();
    throw archiveError(error, options.shown);
  }
}

async function* tarBytes(path: string, packing: Packing): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: 256 * 1024 });
  if (packing === 'tar') {
    yield* source;
    return;
  }
  const plain = createGunzip({ chunkSize: 256 * 1024 });
  source.on('error', (error) => plain.destroy(error));
  source.pipe(plain);
  try {
    yield* plain;
  } finally {
    source.destroy();
    plain.destroy();
  }
}

// What zlib says of damaged data is an error of the archive; what the disk says is not.
function archiveError(error: unknown, shown: string): unknown {
  if (error instanceof ModelFetchError) {
    return error.isFinal ? finalError(`${shown} is not unpacked: ${error.message}`, error) : error;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('Z_')) return error;
  const why = error instanceof Error ? error.message : code;
  return finalError(`${shown} is not unpacked: the archive is damaged (${why})`, error);
}

class Unpacking {
  readonly #options: UnpackOptions;
  readonly #folders = new Set<string>();
  #entries = 0;
  #bytes = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#folders.add(options.into);
  }

  async add(entry: ArchiveEntry): Promise<void> {
    this.#options.signal.throwIfAborted();
    this.#entries += 1;
    if (this.#entries > entriesMax) throw finalError(`it has more than ${entriesMax} entries`);
    const parts = pathOf(entry.name);
    const path = join(this.#options.into, ...parts);
    if (entry.kind === 'folder') {
      await this.#folder(path, entry.name);
      return;
    }
    if (parts.length === 0) throw finalError(`its file ${shownName(entry.name)} has no name`);
    await this.#folder(dirname(path), entry.name);
    await this.#file(path, entry);
  }

  /** All of it survives the end of the machine when it resolves. */
  async end(): Promise<number> {
    if (this.#entries === 0) throw finalError('it is empty');
    for (const folder of this.#folders) await syncFolder(folder);
    return this.#bytes;
  }

  async #folder(path: string, name: string): Promise<void> {
    if (this.#folders.has(path)) return;
    const above = dirname(path);
    await this.#folder(above, name);
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => refuseTwice(error, name));
    this.#folders.add(path);
    if (this.#folders.size > entriesMax) throw finalError(`it has more than ${entriesMax} folders`);
  }

  async #file(path: string, { name, size, content }: ArchiveEntry): Promise<void> {
    const { room, ticket, roomBytes } = this.#options;
    // What it says it will be, before a byte of it is unpacked; what it is, below.
    room.checkSize(this.#bytes + size, 'unpacked it would have');
    this.#check(this.#bytes + size);
    await ticket.cover(roomBytes + this.#bytes + size);
    const file = await open(path, 'wx', 0o600).catch((error: unknown) => refuseTwice(error, name));
    try {
      await this.#write(file, name, size, content);
      await file.datasync();
    } finally {
      await file.close();
    }
    ticket.wrote(roomBytes + this.#bytes);
    this.#tell();
  }

  async #write(
    file: FileHandle,
    name: string,
    size: number,
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    let written = 0;
    for await (const piece of content) {
      this.#options.signal.throwIfAborted();
      written += piece.length;
      if (written > size) throw finalError(`${shownName(name)} has more bytes than it says`);
      await file.appendFile(piece);
    }
    if (written < size) throw finalError(`${shownName(name)} is cut short`);
    this.#bytes += written;
  }

  #check(bytes: number): void {
    const most = Math.max(ratioFreeBytes, ratioMax * this.#options.bytes);
    if (bytes <= most) return;
    throw finalError(
      `unpacked it would have more than ${megabytes(most)} MB, over ${ratioMax} times its size: ` +
        'it looks like a bomb',
    );
  }

  #tell(): void {
    const { progress } = this.#options;
    progress(`unpacking, ${this.#entries} entries, ${megabytes(this.#bytes)} MB`);
  }
}

function refuseTwice(error: unknown, name: string): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR') {
    throw finalError(`its entry ${shownName(name)} stands there twice`);
  }
  throw error;
}
