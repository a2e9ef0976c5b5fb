// What one run of the benchmarks works with: a folder on a real disk, the processes it starts, and
// the promise that neither is left behind, however the run ends.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('..', import.meta.url));

export interface Scale {
  /** Measurements of each thing. */
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  /** Messages that wait in the scenario with a million of them. */
  readonly waiting: number;
}

export interface World {
  readonly scale: Scale;
  /** A new folder below the run's own. */
  folder(name: string): string;
  /** Ends the process when the run ends, unless it has ended before. */
  adopt(child: ChildProcess): void;
  say(line: string): void;
  /** Ends every process and removes the folder. */
  close(): Promise<void>;
}

/** `base` undefined: below the repository, because /tmp may be memory. */
export function openWorld(base: string | undefined, scale: Scale): World {
  const parent = base ?? join(root, '.cache');
  mkdirSync(parent, { recursive: true });
  const top = mkdtempSync(join(parent, 'bench-'));
  const children = new Set<ChildProcess>();
  return {
    scale,
    folder: (name) => mkdtempSync(join(top, `${name}-`)),
    adopt: (child) => {
      children.add(child);
      child.once('exit', () => children.delete(child));
    },
    say: (line) => void process.stdout.write(`${line}\n`),
    close: async () => {
      const running = [...children];
      for (const child of running) child.kill('SIGKILL');
      await Promise.all(running.map((child) => once(child, 'exit')));
      rmSync(top, { recursive: true, force: true });
    },
  };
}

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
