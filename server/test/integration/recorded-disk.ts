// Every change that a journal makes to its files, in order, and the states in which a loss of power
// during one of them may leave the disk: what was flushed before it stays, of the write under way
// any sectors may have arrived. vi.mock of the file system in the test hands the calls over.

import type { write } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { SeededRandom } from '../simulation/seeded-random.ts';

/** What lies on the disk, by name. */
export type Files = ReadonlyMap<string, Buffer>;

export type Step =
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly name: string; readonly size: number }
  | { readonly kind: 'made'; readonly name: string }
  | { readonly kind: 'gone'; readonly name: string };

const sector = 512;
const block = 4096;
const subsetsMax = 16;
const randomStates = 14;

export class RecordedDisk {
  /** Called before a step is made. */
  onStep: (step: Step) => void = () => undefined;
  /** Only what lies in this folder is recorded. */
  folder = '';
  /** How many more bytes the disk takes. */
  leftBytes: number = Number.POSITIVE_INFINITY;
  readonly #names = new Map<number, string>();

  opened(path: string, flagsMake: boolean, handle: FileHandle): FileHandle {
    if (dirname(path) !== this.folder) return handle;
    const name = basename(path);
    this.#names.set(handle.fd, name);
    if (flagsMake) this.onStep({ kind: 'made', name });
    const truncate = handle.truncate.bind(handle);
    handle.truncate = (size = 0) => {
      this.onStep({ kind: 'size', name, size });
      return truncate(size);
    };
    const close = handle.close.bind(handle);
    handle.close = () => {
      this.#names.delete(handle.fd);
      return close();
    };
    return handle;
  }

  unlinked(path: string): void {
    if (dirname(path) === this.folder) this.onStep({ kind: 'gone', name: basename(path) });
  }

  write(
    real: typeof write,
    fd: number,
    bytes: Buffer,
    from: number,
    length: number,
    at: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void {
    const name = this.#names.get(fd);
    if (name === undefined) {
      real(fd, bytes, from, length, at, done);
      return;
    }
    const taken = Math.min(length, this.leftBytes);
    this.leftBytes -= taken;
    if (taken === 0) {
      done(Object.assign(new Error('no space left'), { code: 'ENOSPC' }), 0);
      return;
    }
    this.onStep({
      kind: 'write',
      name,
      at,
      bytes: Buffer.from(bytes.subarray(from, from + taken)),
    });
    real(fd, bytes, from, taken, at, done);
  }
}

/** The disk after a step. */
export function after(files: Files, step: Step): Files {
  const next = new Map(files);
  const before = files.get(step.name) ?? Buffer.alloc(0);
  if (step.kind === 'gone') next.delete(step.name);
  else if (step.kind === 'made') next.set(step.name, Buffer.alloc(0));
  else if (step.kind === 'size') next.set(step.name, Buffer.from(before.subarray(0, step.size)));
  else
    next.set(
      step.name,
      written(before, step.at, step.bytes, () => true, true),
    );
  return next;
}

/** What the file of a step may hold after a loss of power during it; undefined: no such file. */
export function* tornStates(
  files: Files,
  step: Step,
  random: SeededRandom,
): Iterable<Buffer | undefined> {
  const before = files.get(step.name);
  yield before;
  yield after(files, step).get(step.name);
  if (step.kind !== 'write' || before === undefined) return;
  const { at, bytes } = step;
  const perBlock = block / sector;
  const blocks = Math.ceil(bytes.length / block);
  for (let number = 0; number < subsetsMax; number++) {
    const chosen = blocks <= 4 ? number : random.between(0, 2 ** blocks - 1);
    const arrived = (place: number): boolean =>
      (chosen & (1 << Math.floor(place / perBlock))) !== 0;
    yield written(before, at, bytes, arrived, random.chance(0.5));
  }
  for (let number = 0; number < randomStates; number++) {
    const share = random.pick([0.05, 0.5, 0.95]);
    yield written(before, at, bytes, () => random.chance(share), random.chance(0.5));
  }
}

// Only the sectors that arrived; `isGrown`: the file has its new size whatever has arrived.
function written(
  before: Buffer,
  at: number,
  bytes: Buffer,
  arrived: (place: number) => boolean,
  isGrown: boolean,
): Buffer {
  const file = Buffer.alloc(Math.max(before.length, at + bytes.length));
  before.copy(file);
  let end = before.length;
  for (let start = 0; start < bytes.length; start += sector) {
    if (!arrived(start / sector)) continue;
    const part = bytes.subarray(start, start + sector);
    part.copy(file, at + start);
    end = Math.max(end, at + start + part.length);
  }
  return isGrown ? file : file.subarray(0, end);
}
