// How many bytes bodies may take: a bound of all of them together, and the disk. Room is taken
// before it is used, so that many bodies at once can't each find the same free space.

import { statfs } from 'node:fs/promises';
import { PlatformError } from '@sluice/sdk/wire';

export interface BodyRoomOptions {
  readonly folder: string;
  /** Most bytes of all bodies together. */
  readonly bytesMax: number;
  /** What bodies leave free on the disk. */
  readonly reserveBytes: number;
}

/** Without a declared size room is taken in steps of this. */
const stepBytes = 8 * 2 ** 20;
const retryAfterMs = 30_000;

export class BodyRoom {
  readonly #options: BodyRoomOptions;
  #storedBytes = 0;
  /** Taken for bodies on their way in. */
  #takenBytes = 0;
  /** The part of it that is not on the disk yet. */
  #unwrittenBytes = 0;

  constructor(options: BodyRoomOptions) {
    this.#options = options;
  }

  /** Bytes of the bodies that lie there. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** A body came to lie there, or (with a negative number) is gone. */
  stored(bytes: number): void {
    this.#storedBytes += bytes;
  }

  /** Room for one body; throws `disk_full` when there is none for `declared` bytes. */
  async open(declared: number | undefined): Promise<Ticket> {
    const ticket = new Ticket((bytes, written) => this.#move(bytes, written));
    if (declared !== undefined) await this.#take(ticket, declared);
    return ticket;
  }

  /** Sees to it that a body may have `bytes` bytes. */
  async cover(ticket: Ticket, bytes: number): Promise<void> {
    const needed = bytes - ticket.bytes;
    if (needed <= 0) return;
    const left = this.#options.bytesMax - this.#storedBytes - this.#takenBytes;
    await this.#take(ticket, Math.max(needed, Math.min(stepBytes, left)));
  }

  async #take(ticket: Ticket, bytes: number): Promise<void> {
    const { bytesMax, reserveBytes, folder } = this.#options;
    const all = this.#storedBytes + this.#takenBytes + bytes;
    if (all > bytesMax) {
      throw new PlatformError(
        'disk_full',
        `bodies in files would have ${all} bytes together, of ${bytesMax} ` +
          '(sluice serve --limit bodies.bytesMax); come back when some are done',
        { retryAfterMs },
      );
    }
    // Before the look at the disk: what is asked for meanwhile counts it too.
    ticket.take(bytes);
    const disk = await statfs(folder);
    if (disk.bavail * disk.bsize - this.#unwrittenBytes >= reserveBytes) return;
    ticket.take(-bytes);
    const text = `the disk has no room for a body of ${ticket.bytes + bytes} bytes`;
    throw new PlatformError('disk_full', text, { retryAfterMs });
  }

  #move(bytes: number, unwritten: number): void {
    this.#takenBytes += bytes;
    this.#unwrittenBytes += unwritten;
  }
}

/** What one body on its way in has of the room. */
export class Ticket {
  readonly #move: (bytes: number, unwritten: number) => void;
  #bytes = 0;
  #written = 0;

  constructor(move: (bytes: number, unwritten: number) => void) {
    this.#move = move;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    this.#move(bytes, bytes);
  }

  /** So many more bytes are on the disk. */
  wrote(bytes: number): void {
    this.#written += bytes;
    this.#move(0, -bytes);
  }

  /** The body is there, or given up. */
  close(): void {
    this.#move(-this.#bytes, this.#written - this.#bytes);
    this.#bytes = 0;
    this.#written = 0;
  }
}
