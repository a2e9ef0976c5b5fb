// Starts the programs that make load, and gives them jobs. They run on the built SDK, as users of
// the package do; only their own files are read as TypeScript.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Job, Reply } from './load/jobs.ts';
import { root, type World } from './world.ts';

export interface Loader {
  run(job: Job): Promise<Answer>;
  stop(): Promise<void>;
}

export interface EmptyServer {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** A load program, in a process of its own. */
export function startLoader(world: World): Loader {
  const child = startProgram(world, 'load/main.ts');
  return {
    run: async (job) => {
      child.send(job);
      const reply: Reply = await heard(child);
      if ('error' in reply) throw new Error(`${job.kind}: ${reply.error}`);
      return reply.answer;
    },
    stop: () => stopProgram(child),
  };
}

/** The server that does nothing, in a process of its own. */
export async function startEmptyServer(world: World): Promise<EmptyServer> {
  const child = startProgram(world, 'load/empty-server.ts');
  const port: number = await heard(child);
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    stop: () => stopProgram(child),
  };
}

/** Room for what a load program leaves behind: collecting it often takes processor time and pauses
 * that are the load program's, not those of the queue that is measured. */
const loadFlags = ['--initial-old-space-size=512', '--max-semi-space-size=64'];

/** A program of bench/, on the built packages of this repository. */
export function startProgram(world: World, file: string, ...args: string[]): ChildProcess {
  const flags = [...loadFlags, ...world.flags('load'), '--import', 'tsx'];
  const child = spawn(process.execPath, [...flags, join(root, 'bench', file), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  world.adopt(child);
  return child;
}

/** What a program says next; its programs are written against the same types. */
export async function heard<Said>(child: ChildProcess): Promise<Said> {
  const gone = new AbortController();
  const ended = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
    throw new Error(`a load program ended with ${code}`);
  });
  ended.catch(() => undefined);
  try {
    // The channel carries unchecked values; both ends are ours.
    const [said] = await Promise.race([once(child, 'message', { signal: gone.signal }), ended]);
    return said as Said;
  } finally {
    gone.abort();
  }
}

/** Ends a program by leaving it. */
export async function stopProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.disconnect();
  await ended;
}
