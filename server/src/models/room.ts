// How many bytes models may take on this machine: a bound of the whole cache, a bound of one model,
// and the disk. Room is taken before it is used; where it is missing, what nobody holds goes first.

import { statfs } from 'node:fs/promises';
import { finalError, outsideError } from './fetch-error.ts';

export interface ModelLimits {
  /** Most bytes of one model, as it is fetched and as it is unpacked. */
  readonly modelBytesMax: number;
  /** Most bytes of all models together. */
  readonly bytesMax: number;
}

export interface ModelRoomOptions extends ModelLimits {
  readonly folder: string;
  /** What models leave free on the disk. */
  readonly reserveBytes: number;
  /** Removes what was not used for longest and nobody holds; false: there is nothing. */
  readonly evict: () => Promise<boolean>;
}

/** What one model on its way in has of the room. */
export interface Ticket {
  /** Sees to it that the model may have so many bytes; throws ModelFetchError. */
  cover(bytes: number): Promise<void>;
  /** So many of them are on the disk. */
  wrote(bytes: number): void;
  /** The bytes are counted elsewhere from now on, or gone. */
  close(): void;
}

export class ModelRoom {
  readonly #options: ModelRoomOptions;
  #bytes = 0;
  /** Taken and not on the disk yet. */
  #unwritten = 0;
  /** One at a time takes room: two would make the same one give way. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ModelRoomOptions) {
    this.#options = options;
  }

  /** Of all models, those on their way in included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes more lie there, or (with a negative number) less. */
  stored(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Throws a final error when `bytes` are too many for any model; `what` begins the sentence. */
  checkSize(bytes: number, what: string): void {
    const { modelBytesMax, bytesMax } = this.#options;
    const name = modelBytesMax <= bytesMax ? 'models.modelBytesMax' : 'models.bytesMax';
    const most = Math.min(modelBytesMax, bytesMax);
    if (bytes <= most) return;
    throw finalError(
      `${what} ${megabytes(bytes)} MB; the most is ${megabytes(most)} MB ` +
        `(${name} = ${most}, sluice serve --limit)`,
    );
  }

  /** Room for one model; none is taken yet. */
  open(): Ticket {
    let taken = 0;
    let written = 0;
    return {
      cover: async (bytes) => {
        const more = bytes - taken;
        if (more <= 0) return;
        const turn = this.#turn.then(() => this.#take(more));
        this.#turn = turn.catch(() => undefined);
        await turn;
        taken += more;
      },
      wrote: (bytes) => {
        const now = Math.min(bytes, taken);
        this.#unwritten -= now - written;
        written = now;
      },
      close: () => {
        this.#bytes -= taken;
        this.#unwritten -= taken - written;
        taken = 0;
        written = 0;
      },
    };
  }

  async #take(bytes: number): Promise<void> {
    const { bytesMax, reserveBytes, folder, evict } = this.#options;
    while (this.#bytes + bytes > bytesMax) {
      if (await evict()) continue;
      throw outsideError(
        `models that are in use leave no room: ${megabytes(this.#bytes)} of ` +
          `${megabytes(bytesMax)} MB are taken, ${megabytes(bytes)} more are needed ` +
          `(models.bytesMax = ${bytesMax}, sluice serve --limit)`,
      );
    }
    for (;;) {
      const disk = await statfs(folder);
      if (disk.bavail * disk.bsize - this.#unwritten - bytes >= reserveBytes) break;
      if (await evict()) continue;
      throw outsideError(
        `the disk of the data folder has no room for ${megabytes(bytes)} MB of a model; ` +
          `${megabytes(reserveBytes)} MB stay free`,
      );
    }
    this.#bytes += bytes;
    this.#unwritten += bytes;
  }
}

/** "0.4", "12", "4096": millions, as people count them. */
export function megabytes(bytes: number): string {
  const value = bytes / 1_000_000;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
