// One file of the journal, which holds one segment after the other.

import { constants, write } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../sync-folder.ts';
import { blockBytes, type SegmentHeader, segmentBlock } from './segment.ts';

const { O_CREAT, O_DSYNC, O_EXCL, O_RDWR } = constants;
/** Where the system knows it, a write is over when it is flushed: one call instead of two. */
const flushesItself: boolean = process.platform === 'linux';
const flags: number = O_RDWR | (flushesItself ? O_DSYNC : 0);

export class SegmentFile {
  readonly path: string;
  readonly #file: FileHandle;
  #header: SegmentHeader | undefined;
  #at = 0;
  #records = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Opens a file; `isNew`: makes it, and it is there after a loss of power. */
  static async open(path: string, isNew: boolean): Promise<SegmentFile> {
    const file = await open(path, isNew ? flags | O_CREAT | O_EXCL : flags, 0o600);
    try {
      if (isNew) await syncFolder(dirname(path));
    } catch (error) {
      // Another try makes it anew.
      await file.close();
      await unlink(path);
      throw error;
    }
    return new SegmentFile(path, file);
  }

  /** The segment that it holds; throws before the first. */
  get header(): SegmentHeader {
    if (this.#header === undefined) throw new Error('the file holds no segment yet');
    return this.#header;
  }

  /** Bytes of the segment so far. */
  get bytes(): number {
    return this.#at;
  }

  /** Records of the segment so far. */
  get records(): number {
    return this.#records;
  }

  /**
   * Makes an empty segment durable. What was in the file, which must not be needed any more, does
   * not count from then on. By itself, before the first record: the blocks of one write reach the
   * disk in any order, and a record without its header would look like damage.
   */
  async begin(header: SegmentHeader): Promise<void> {
    await this.#write(segmentBlock(header), 0);
    this.#header = header;
    this.#at = blockBytes;
    this.#records = 0;
  }

  /** Adds a whole record; resolves after the flush. After an error nothing of it may stay. */
  async append(record: Buffer): Promise<void> {
    await this.#write(record, this.#at);
    this.#at += record.length;
    this.#records++;
  }

  /** Takes back what an `append` that failed may have written. */
  async cutBack(): Promise<void> {
    await this.#file.truncate(this.#at);
    await this.#file.datasync();
  }

  /** Gives the disk back what lies behind the segment. */
  async trim(): Promise<void> {
    await this.#file.truncate(this.#at);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += await writeSome(this.#file.fd, bytes, done, at + done);
    }
    if (!flushesItself) await this.#file.datasync();
  }
}

/** As `FileHandle.write`, which takes twice the time on its way. */
function writeSome(fd: number, bytes: Buffer, from: number, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, at, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}
