// What one run of the benchmarks works with: a folder on a real disk, the processes it starts, and
// the promise that neither is left behind, however the run ends.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** For a process that puts something away at the end. */
const patienceMs = 5000;

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
  /** Flags of Node for the process so named; they make a profile when one was asked for. */
  flags(name: string): readonly string[];
  /** A new folder below the run's own. */
  folder(name: string): string;
  /** Ends the process when the run ends, unless it has ended before; by another signal when it has
   * something to put away. */
  adopt(child: ChildProcess, signal?: NodeJS.Signals): void;
  say(line: string): void;
  /** Ends every process and removes the folder. */
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly scale: Scale;
  /** undefined: below the repository, because /tmp may be memory. */
  readonly folder: string | undefined;
  /** Where processor profiles go; undefined: none are made. */
  readonly profiles: string | undefined;
}

/** Nothing runs yet. */
export function openWorld({ scale, folder, profiles }: WorldOptions): World {
  const parent = resolve(folder ?? join(root, '.cache'));
  mkdirSync(parent, { recursive: true });
  const top = mkdtempSync(join(parent, 'bench-'));
  const children = new Map<ChildProcess, NodeJS.Signals>();
  let profiled = 0;
  let isOver = false;
  return {
    scale,
    flags: (name) => {
      if (profiles === undefined) return [];
      profiled += 1;
      const file = `${name}-${profiled}.cpuprofile`;
      return ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`, `--cpu-prof-name=${file}`];
    },
    folder: (name) => {
      if (isOver) throw new Error('the run is over');
      return mkdtempSync(join(top, `${name}-`));
    },
    adopt: (child, signal = 'SIGKILL') => {
      children.set(child, signal);
      // Started by what had not yet heard that the run is over.
      if (isOver) child.kill(signal);
      child.once('exit', () => children.delete(child));
    },
    say: (line) => {
      // What fails because the run is over is no news.
      if (!isOver) process.stdout.write(`${line}\n`);
    },
    close: async () => {
      isOver = true;
      const running = [...children];
      await Promise.all(running.map(([child, signal]) => end(child, signal)));
      rmSync(top, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await exited;
  clearTimeout(late);
}

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
