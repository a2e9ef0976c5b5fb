// A model on its way in: its bytes so far and of which version they are, in a folder of its own
// that outlives a cut, the server and the machine. Only what was flushed counts after a start.

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isKnownVersion, noVersion, type Version } from './version.ts';

/** Written in one go: each write costs a thread of the pool a turn. */
const writeBytes = 1024 * 1024;
/** So much may be in the system's memory and not on the disk: one flush of gigabytes at the end
 * would hold up the flushes of the queues. */
const unflushedBytes = 32 * 2 ** 20;
const readBytes = 1024 * 1024;

/** What is said of the bytes that lie there. */
interface Mark {
  readonly format: 1;
  readonly version: Version;
  /** Of the whole; undefined: not known. */
  readonly size: number | undefined;
  readonly flushed: number;
}

export class Part {
  readonly folder: string;
  readonly #file: FileHandle;
  #hash: Hash;
  #bytes: number;
  #flushed: number;
  #version: Version;
  #size: number | undefined;
  #pieces: Uint8Array[] = [];
  #held = 0;
  #isPieced: boolean;

  private constructor(folder: string, file: FileHandle, mark: Mark | undefined, hash: Hash) {
    this.folder = folder;
    this.#file = file;
    this.#bytes = mark?.flushed ?? 0;
    this.#flushed = this.#bytes;
    this.#version = mark?.version ?? noVersion;
    this.#size = mark?.size;
    this.#isPieced = this.#bytes > 0;
    this.#hash = hash;
  }

  /** Goes on with what lies in the folder, if that is of any use; to be closed. */
  static async open(folder: string, signal: AbortSignal): Promise<Part> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(join(folder, 'data'), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const known = await readMark(folder);
      const mark = known !== undefined && known.flushed <= size ? known : undefined;
      await file.truncate(mark?.flushed ?? 0);
      const hash = createHash('sha256');
      await addToHash(hash, file, mark?.flushed ?? 0, signal);
      return new Part(folder, file, mark, hash);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The bytes so far; with those that are not in the file yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Something was answered, if only its head. */
  get isBegun(): boolean {
    return this.#bytes > 0 || isKnownVersion(this.#version);
  }

  get version(): Version {
    return this.#version;
  }

  get path(): string {
    return join(this.folder, 'data');
  }

  get isWhole(): boolean {
    return this.#size !== undefined && this.#bytes === this.#size;
  }

  /** More than one answer gave its bytes. */
  get isPieced(): boolean {
    return this.#isPieced;
  }

  /** What comes now is the rest. */
  resume(size: number | undefined): void {
    this.#isPieced = true;
    this.#size = size;
  }

  /** Throws away what is there; what comes now is of this version. */
  async restart(version: Version, size: number | undefined): Promise<void> {
    this.#forget();
    this.#version = version;
    this.#size = size;
    // The mark first: a crash in between leaves no bytes that it takes for others.
    await this.#mark();
    await this.#file.truncate(0);
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    if (this.#held >= writeBytes) await this.#write();
    if (this.#bytes - this.#held - this.#flushed >= unflushedBytes) await this.flush();
  }

  /** What came so far survives the end of the machine when it resolves. */
  async flush(): Promise<void> {
    await this.#write();
    if (this.#flushed < this.#bytes) await this.#file.datasync();
    this.#flushed = this.#bytes;
    await this.#mark();
  }

  /** Nothing more comes: this was the whole. */
  async end(): Promise<void> {
    this.#size = this.#bytes;
    await this.flush();
  }

  /** Of all bytes, hexadecimal; nothing may be added afterwards. */
  sum(): string {
    return this.#hash.copy().digest('hex');
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(): Promise<void> {
    if (this.#held === 0) return;
    const pieces = this.#pieces;
    const held = this.#held;
    this.#pieces = [];
    this.#held = 0;
    try {
      const { bytesWritten } = await this.#file.writev(pieces);
      if (bytesWritten === held) return;
      // A write may take less than it was given; this one goes on until all is written, or throws.
      await this.#file.appendFile(Buffer.concat(pieces).subarray(bytesWritten));
    } catch (error) {
      // What the sum has seen is not what lies there: nothing can be put behind it any more.
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#pieces = [];
    this.#held = 0;
    this.#bytes = 0;
    this.#flushed = 0;
    this.#isPieced = false;
    this.#hash = createHash('sha256');
    this.#version = noVersion;
    this.#size = undefined;
  }

  async #mark(): Promise<void> {
    const mark: Mark = {
      format: 1,
      version: this.#version,
      size: this.#size,
      flushed: this.#flushed,
    };
    const path = join(this.folder, 'part.json');
    await writeFile(`${path}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}

/** undefined: there is none, or none that can be read; the bytes are of no use then. */
async function readMark(folder: string): Promise<Mark | undefined> {
  try {
    // The shape is checked right below.
    const mark = JSON.parse(await readFile(join(folder, 'part.json'), 'utf8')) as Partial<Mark>;
    const { format, version, size, flushed } = mark;
    const isMark =
      format === 1 &&
      typeof version?.etag === 'string' &&
      typeof version.lastModified === 'string' &&
      (size === undefined || Number.isSafeInteger(size)) &&
      Number.isSafeInteger(flushed);
    return isMark ? { format, version, size, flushed: flushed ?? 0 } : undefined;
  } catch {
    return undefined;
  }
}

async function addToHash(
  hash: Hash,
  file: FileHandle,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(readBytes, bytes));
  for (let at = 0; at < bytes; ) {
    signal.throwIfAborted();
    const length = Math.min(buffer.length, bytes - at);
    const { bytesRead } = await file.read(buffer, 0, length, at);
    if (bytesRead === 0) throw new Error('a part of a model was cut');
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
