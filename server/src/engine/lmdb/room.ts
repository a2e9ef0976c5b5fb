// Whether the disk has room for new messages. Asked before every put, so it answers from memory
// and looks at the disk now and then.

import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';

export interface RoomOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What must stay free, so that completion and deletion go on when puts are refused. */
  readonly reserveBytes: number;
  /** Bytes inside the files that will be used before they grow. */
  readonly freeInside: () => number;
}

const lookEveryMs = 1000;
// The disk itself must have this part of the reserve, however much is free inside the files:
// large payloads and everything else around need new files.
const diskShare = 1 / 8;
// Rows become pages that are partly empty, and pages above them.
const growthPerByte = 2;

export class Room {
  readonly #options: RoomOptions;
  #leftBytes = 0;
  #low = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Whether something is left above the reserve. */
  get hasRoom(): boolean {
    return this.#leftBytes > 0;
  }

  /** So many bytes were written since the last look. */
  used(bytes: number): void {
    this.#leftBytes -= growthPerByte * bytes;
  }

  async #look(): Promise<void> {
    const { folder, reserveBytes, freeInside, clock, log } = this.#options;
    try {
      const disk = await statfs(folder);
      if (this.#stopped) return;
      const diskBytes = disk.bavail * disk.bsize;
      this.#leftBytes = Math.min(
        diskBytes + freeInside() - reserveBytes,
        diskBytes - reserveBytes * diskShare,
      );
      const low = this.#leftBytes <= 0;
      if (low !== this.#low) {
        if (low) log.warn({ folder, reserveBytes }, 'disk full, new messages are refused');
        else log.info({ folder }, 'disk has room again');
      }
      this.#low = low;
    } catch (error) {
      log.warn({ folder, error }, 'free disk space unknown');
    }
    if (!this.#stopped) this.#timer = clock.after(lookEveryMs, () => void this.#look());
  }
}
