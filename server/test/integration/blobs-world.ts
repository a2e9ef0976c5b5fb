// A store of bodies in a folder of its own, and sources to feed it: of any size, slow, cut, false.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BodyStore, type BodyStoreOptions } from '../../src/blobs/store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';

export const mebibyte: number = 2 ** 20;

export class BodyWorld {
  readonly folder: string;
  readonly bodies: string;
  #isMounted = false;
  #stores: BodyStore[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.bodies = join(folder, 'bodies');
  }

  static async open(diskBytes = 0): Promise<BodyWorld> {
    const world = new BodyWorld(await mkdtemp(join(tmpdir(), 'sluice-bodies-')));
    if (diskBytes > 0) {
      const size = `size=${diskBytes}`;
      execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', world.folder]);
      world.#isMounted = true;
    }
    return world;
  }

  async store(options: Partial<BodyStoreOptions> = {}): Promise<BodyStore> {
    const store = new BodyStore({
      folder: this.bodies,
      bytesMax: 1024 * mebibyte,
      reserveBytes: 0,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      ...options,
    });
    await store.start();
    this.#stores.push(store);
    return store;
  }

  files(): Promise<readonly string[]> {
    return readdir(this.bodies);
  }

  /** As if the body had been there for an hour. */
  async age(name: string): Promise<void> {
    const then = Date.now() / 1000 - 3600;
    await utimes(join(this.bodies, name), then, then);
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.stop();
    if (this.#isMounted) execFileSync('umount', [this.folder]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Bytes that differ from place to place, so that a piece in the wrong place is seen. */
export function bytesOf(size: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = seed >>> 0;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** A source that gives its bytes in pieces. */
export function pieces(bytes: Uint8Array, pieceBytes: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += pieceBytes)
        yield bytes.subarray(at, at + pieceBytes);
    })(),
    { objectMode: false },
  );
}

/** A source that gives some bytes and then nothing for ever. */
export function stalled(bytes: Uint8Array): Readable {
  const source = new Readable({ read: () => undefined });
  source.push(bytes);
  return source;
}

export async function readAll(source: Readable): Promise<Buffer> {
  const found: Uint8Array[] = [];
  for await (const piece of source) found.push(piece);
  return Buffer.concat(found);
}

/** A signal that nobody aborts. */
export const never: AbortSignal = new AbortController().signal;
