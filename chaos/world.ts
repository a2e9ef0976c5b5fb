// What one scenario works with: a folder on a real disk, the processes it starts, the file systems
// it mounts, and the promise that none of them is left behind, however it ends.

import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** Stands in the environment of all that servers of the harness start, with the world's name. */
export const worldVariable = 'CHAOS_WORLD';

export class World {
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #mounts: string[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  #isClosed = false;

  /** Below the repository, because a folder for temporary files may be memory. */
  constructor(name: string) {
    const parent = join(root, '.cache');
    mkdirSync(parent, { recursive: true });
    this.folder = mkdtempSync(join(parent, `chaos-${name}-`));
  }

  /** The value of `worldVariable`. */
  get name(): string {
    return this.folder;
  }

  /** Ends the process with the world, unless it has ended before. */
  adopt(child: ChildProcess): void {
    // An interrupted scenario may still be about to start something.
    if (this.#isClosed) child.kill('SIGKILL');
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
  }

  /** Runs when the world closes, the latest first. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Mounts a new file system of that size and answers its folder; undefined when it may not. */
  mountSmall(megabytes: number): string | undefined {
    const folder = join(this.folder, 'small');
    const image = join(this.folder, 'small.img');
    mkdirSync(folder, { recursive: true });
    const quietly = { stdio: 'ignore' } as const;
    try {
      writeFileSync(image, '');
      truncateSync(image, megabytes * 2 ** 20);
      execFileSync('mkfs.ext4', ['-q', '-m', '0', image], quietly);
      execFileSync('mount', ['-o', 'loop', image, folder], quietly);
    } catch {
      // No loop devices here: memory is a file system too, and gets as full.
      try {
        const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`];
        execFileSync('mount', [...options, 'tmpfs', folder], quietly);
      } catch {
        return undefined;
      }
    }
    this.#mounts.push(folder);
    return folder;
  }

  /** Processes that servers of this world have started, and that still run. */
  offspring(): readonly number[] {
    const variable = `${worldVariable}=${this.name}`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => environmentOf(pid).includes(variable) && isAlive(pid));
  }

  /** Ends every process, takes every file system down, and removes the folder unless kept. */
  async close({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    this.#isClosed = true;
    const running = [...this.#children];
    for (const child of running) {
      // One that was stopped takes note of nothing but this.
      child.kill('SIGKILL');
    }
    await Promise.all(running.map((child) => once(child, 'exit')));
    for (const close of this.#closers.splice(0).reverse()) await close();
    for (const pid of this.offspring()) killQuietly(pid);
    for (const folder of this.#mounts.splice(0)) {
      execFileSync('umount', [folder], { stdio: 'ignore' });
    }
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Sends SIGKILL to what may be gone already. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !['Z', 'X'].includes(text.slice(text.lastIndexOf(')') + 2)[0] ?? 'X');
  } catch {
    return false;
  }
}
