// Checks that bodies in files which messages and records name are there, and are what they were.
// Runs where rows are read, in a process of its own.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readAfterwards } from '../../queue/afterwards.ts';
import type { MessageMeta } from '../../queue/message.ts';
import type { RequestRecord } from '../../queue/record.ts';
import { type BodyPlace, readTerms } from '../../queue/terms.ts';
import { bodiesFolder, isBodyName, sumOf } from '../body-name.ts';
import { RowError } from '../codec.ts';

const readBytes = 2 ** 20;

export class BodyVerifier {
  readonly #folder: string;
  /** A body may be named twice, by a dead message and the one it was put anew as. */
  readonly #sound = new Set<string>();

  /** `queue`: the engine's folder; bodies lie beside it. */
  constructor(queue: string) {
    this.#folder = join(dirname(queue), bodiesFolder);
  }

  /** Throws a RowError when the body of a message is not what it was. */
  message({ terms }: MessageMeta): void {
    this.#check(terms === undefined ? undefined : understood(() => readTerms(terms).body));
  }

  /** The same of the result that a record names. */
  record({ after }: RequestRecord): void {
    this.#check(understood(() => readAfterwards(after).result));
  }

  #check(place: BodyPlace | undefined): void {
    if (place?.kind !== 'file' || this.#sound.has(place.name)) return;
    const { name, size } = place;
    if (!isBodyName(name)) throw new RowError('It names a body that can have no file.');
    const found = this.#sum(name);
    if (found.size !== size || found.sum !== sumOf(name)) {
      throw new RowError(`Its body ${name} is not what it was.`);
    }
    this.#sound.add(name);
  }

  #sum(name: string): { readonly size: number; readonly sum: string } {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(readBytes);
    let size = 0;
    try {
      const file = openSync(join(this.#folder, name), 'r');
      try {
        for (let read = -1; read !== 0; size += read) {
          read = readSync(file, buffer, 0, readBytes, size);
          hash.update(buffer.subarray(0, read));
        }
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw new RowError(`Its body ${name} can't be read.`, { cause: error });
    }
    return { size, sum: hash.digest('hex') };
  }
}

// What a later version wrote may be more than is known here.
function understood(read: () => BodyPlace | undefined): BodyPlace | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
