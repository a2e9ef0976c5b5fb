// A peer in the ring: its server and its load program, both running, with what they cost. Those
// that could not be started say why; the others go on without them.

import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { heard, startProgram, stopProgram } from '../loader.ts';
import { cpuUsOfTree, memoryOfTree } from '../process-figures.ts';
import type { World } from '../world.ts';
import type { PeerAnswer, PeerJob, PeerReply } from './load-jobs.ts';
import type { Address } from './open.ts';
import type { Peer, Started } from './peers.ts';

export interface Contestant {
  readonly peer: Peer;
  readonly address: Address;
  readonly server: Started['server'];
  /** From the start of the server's process until it took connections. */
  readonly startMs: number;
  run(job: PeerJob): Promise<Run>;
  /** Processor time of the server until now, in microseconds. */
  cpuUs(): number;
  memoryBytes(): number;
  /** Its folder stays, for another start on it. */
  close(): Promise<void>;
  /** Closes it and removes its folder, or a long run fills the disk. */
  leave(): Promise<void>;
}

export interface Run {
  readonly answer: PeerAnswer;
  /** Processor time for one message, in microseconds. */
  readonly serverUs: number;
  readonly clientUs: number;
}

/** Beyond the time that a job asks for; then it counts as one that hangs. */
const patienceMs = 60_000;

/** Starts its server, or the one that has been on the folder before, and its load program. */
export async function openContestant(
  world: World,
  peer: Peer,
  options: { readonly folder: string; readonly payloadBytes: number },
): Promise<Contestant> {
  const { address, server } = await peer.start(world, options);
  const startMs = performance.now() - server.startedAt;
  let program: ChildProcess | undefined;
  try {
    program = await startLoad(world, address);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const child = program;
  const cpuUs = (): number => cpuUsOfTree(server.pid);
  const close = async (): Promise<void> => {
    await stopProgram(child);
    await server.stop();
  };
  return {
    peer,
    address,
    server,
    startMs,
    cpuUs,
    memoryBytes: () => memoryOfTree(server.pid),
    run: async (job) => {
      if (!child.connected) throw new Error('its load program has ended');
      const before = cpuUs();
      child.send(job);
      const answer = await answerOf(child, msOf(job));
      const { total, cpuUs: client } = answer.main;
      const each = (us: number): number => us / Math.max(1, total);
      return { answer, serverUs: each(cpuUs() - before), clientUs: each(client) };
    },
    close,
    leave: async () => {
      await close();
      rmSync(options.folder, { recursive: true, force: true });
    },
  };
}

async function startLoad(world: World, address: Address): Promise<ChildProcess> {
  const child = startProgram(world, 'peers/load.ts', JSON.stringify(address));
  const said: PeerReply | 'ready' = await soon(child, patienceMs);
  if (said === 'ready') return child;
  await stopProgram(child);
  throw new Error('error' in said ? said.error : 'the load program did not start');
}

async function answerOf(child: ChildProcess, ms: number): Promise<PeerAnswer> {
  const reply: PeerReply = await soon(child, ms);
  if ('error' in reply) throw new Error(reply.error);
  return reply.answer;
}

function msOf(job: PeerJob): number {
  const seconds = 'seconds' in job ? job.seconds : 'secondsMax' in job ? job.secondsMax : 0;
  return seconds * 1000 + patienceMs;
}

/** What the program says next; a program that hangs is ended. */
export async function soon<Said>(child: ChildProcess, ms: number): Promise<Said> {
  const late = setTimeout(() => child.kill('SIGKILL'), ms);
  try {
    return await heard(child);
  } finally {
    clearTimeout(late);
  }
}
