// Reads zip archives by their central directory, as PKWARE's APPNOTE 6.3.9 has it: stored and
// deflated files, zip64. Links, encryption and other methods are refused by name; size and checksum
// of every file are compared with what the directory says.

import type { FileHandle } from 'node:fs/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { type ArchiveEntry, entriesMax, shownName } from './archive-entry.ts';
import { finalError } from './fetch-error.ts';

interface Entry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly size: number;
  readonly at: number;
  /** What Unix calls the mode; 0: the archive was made elsewhere. */
  readonly mode: number;
}

interface Directory {
  readonly at: number;
  readonly bytes: number;
  readonly entries: number;
}

const endBytes = 22;
const commentBytesMax = 65_535;
const directoryBytesMax = 64 * 2 ** 20;
const headBytes = 46;
const localBytes = 30;
const marks = { end: 0x06054b50, end64: 0x06064b50, locator: 0x07064b50, head: 0x02014b50 };
const localMark = 0x04034b50;
const typeMask = 0o170000;
const folderType = 0o040000;
const fileType = 0o100000;
const madeByUnix = [3, 19];

/** The entries one after the other; throws a final error for what is damaged or refused. */
export async function* readZip(file: FileHandle, bytes: number): AsyncGenerator<ArchiveEntry> {
  const directory = await directoryOf(file, bytes);
  if (directory.entries > entriesMax) throw finalError(`it has more than ${entriesMax} entries`);
  const table = await read(file, directory.at, directory.bytes);
  let at = 0;
  for (let count = 0; count < directory.entries; count += 1) {
    const { entry, next } = headAt(table, at);
    at = next;
    yield await entryOf(entry, file);
  }
}

async function entryOf(entry: Entry, file: FileHandle): Promise<ArchiveEntry> {
  const { name, flags, method, mode, size } = entry;
  const refuse = (what: string): never => {
    throw finalError(`its entry ${shownName(name)} is ${what}`);
  };
  const type = mode & typeMask;
  if (type !== 0 && type !== folderType && type !== fileType) {
    refuse(type === 0o120000 ? 'a symbolic link' : 'neither a file nor a folder');
  }
  if ((flags & 1) !== 0) refuse('encrypted');
  if (method !== 0 && method !== 8) refuse(`packed by method ${method}; only deflate is unpacked`);
  const isFolder = name.endsWith('/') || type === folderType;
  if (isFolder && size > 0) refuse('a folder with content');
  return { name, kind: isFolder ? 'folder' : 'file', size, content: contentOf(entry, file) };
}

async function* contentOf(entry: Entry, file: FileHandle): AsyncGenerator<Uint8Array> {
  const { name, method, packedBytes, crc, at } = entry;
  const head = await read(file, at, localBytes);
  if (head.readUInt32LE(0) !== localMark) throw damaged();
  // The names stand there once more; the directory's are the ones that count.
  const from = at + localBytes + head.readUInt16LE(26) + head.readUInt16LE(28);
  let sum = 0;
  const plain = method === 0 ? packed(file, from, packedBytes) : inflated(file, from, packedBytes);
  for await (const piece of plain) {
    sum = crc32(piece, sum);
    yield piece;
  }
  if (sum !== crc) throw finalError(`the checksum of its entry ${shownName(name)} is wrong`);
}

async function* inflated(
  file: FileHandle,
  from: number,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  const feed = async (): Promise<void> => {
    for await (const piece of packed(file, from, bytes)) {
      if (!inflate.write(piece)) await drained(inflate);
      if (inflate.destroyed) return;
    }
    inflate.end();
  };
  const fed = feed().catch((error: unknown) => void inflate.destroy(asError(error)));
  try {
    yield* inflate;
  } finally {
    inflate.destroy();
    // The file is closed afterwards: nobody may read on.
    await fed;
  }
}

function drained(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

async function* packed(file: FileHandle, from: number, bytes: number): AsyncGenerator<Uint8Array> {
  const end = from + bytes;
  for (let at = from; at < end; ) {
    const length = Math.min(256 * 1024, end - at);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) throw damaged();
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function directoryOf(file: FileHandle, bytes: number): Promise<Directory> {
  const length = Math.min(bytes, endBytes + commentBytesMax);
  const tail = await read(file, bytes - length, length);
  for (let at = length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== marks.end) continue;
    if (at + endBytes + tail.readUInt16LE(at + 20) !== length) continue;
    return checked(await directory64(file, bytes - length + at, tail.subarray(at)), bytes);
  }
  throw finalError('it is no zip archive, or one that was cut');
}

/** What the end says, or (for large archives) what another end before it says. */
async function directory64(file: FileHandle, endAt: number, end: Buffer): Promise<Directory> {
  const small = {
    entries: end.readUInt16LE(10),
    bytes: end.readUInt32LE(12),
    at: end.readUInt32LE(16),
  };
  const isSmall = small.entries < 0xffff && small.bytes < 0xffffffff && small.at < 0xffffffff;
  if (isSmall || endAt < 20) return small;
  const locator = await read(file, endAt - 20, 20);
  if (locator.readUInt32LE(0) !== marks.locator) return small;
  const large = await read(file, numberAt(locator, 8), 56);
  if (large.readUInt32LE(0) !== marks.end64) throw damaged();
  return { entries: numberAt(large, 32), bytes: numberAt(large, 40), at: numberAt(large, 48) };
}

function checked(directory: Directory, bytes: number): Directory {
  if (directory.at + directory.bytes > bytes) throw damaged();
  if (directory.bytes > directoryBytesMax) throw finalError('its list of entries is too long');
  return directory;
}

function headAt(table: Buffer, at: number): { readonly entry: Entry; readonly next: number } {
  if (at + headBytes > table.length || table.readUInt32LE(at) !== marks.head) throw damaged();
  const nameBytes = table.readUInt16LE(at + 28);
  const extraBytes = table.readUInt16LE(at + 30);
  const nameAt = at + headBytes;
  const extraAt = nameAt + nameBytes;
  const next = extraAt + extraBytes + table.readUInt16LE(at + 32);
  if (next > table.length) throw damaged();
  const isUnix = madeByUnix.includes(table.readUInt8(at + 5));
  const plain = {
    size: table.readUInt32LE(at + 24),
    packedBytes: table.readUInt32LE(at + 20),
    at: table.readUInt32LE(at + 42),
  };
  return {
    next,
    entry: {
      name: table.subarray(nameAt, extraAt).toString('utf8'),
      flags: table.readUInt16LE(at + 8),
      method: table.readUInt16LE(at + 10),
      crc: table.readUInt32LE(at + 16),
      mode: isUnix ? table.readUInt16LE(at + 40) : 0,
      ...large(plain, table.subarray(extraAt, extraAt + extraBytes)),
    },
  };
}

type Sizes = Pick<Entry, 'size' | 'packedBytes' | 'at'>;

/** Numbers that are too large for their field stand, in this order, in the field 1 of the extra. */
function large(plain: Sizes, extra: Buffer): Sizes {
  const full = 0xffffffff;
  if (plain.size !== full && plain.packedBytes !== full && plain.at !== full) return plain;
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      const field = extra.subarray(at + 4, at + 4 + length);
      let used = 0;
      const next = (value: number): number => {
        if (value !== full) return value;
        used += 8;
        return numberAt(field, used - 8);
      };
      const size = next(plain.size);
      const packedBytes = next(plain.packedBytes);
      return { size, packedBytes, at: next(plain.at) };
    }
    at += 4 + length;
  }
  return plain;
}

function numberAt(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw damaged();
  const value = Number(bytes.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw damaged();
  return value;
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) throw damaged();
    done += bytesRead;
  }
  return buffer;
}

function damaged(): Error {
  return finalError('the archive is damaged');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
