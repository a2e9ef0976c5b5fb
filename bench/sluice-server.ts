// The measured server: the built program as users start it, in a process of its own, with lmdb on
// a real disk.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pause, root, type World } from './world.ts';

/** The name of the service, its token, and the size of every message. */
export const service = 'bench';
export const token = 'bench-token';
export const payloadBytes = 1024;

export interface SluiceServer {
  readonly pid: number;
  readonly url: string;
  /** When its process was started, by `performance.now()`. */
  readonly startedAt: number;
  /** Collects garbage; only of a server started with `collects`. */
  collect(): Promise<void>;
  /** One figure of /metrics; 0 when there is none. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Holds data and definition; a further server on it finds what an earlier one left. */
  readonly folder: string;
  readonly collects?: boolean;
  /** Another build to measure; the one of this repository unless given. */
  readonly program?: string;
  /** Other room than that for a million messages of 1 KB. */
  readonly room?: Room;
}

/** Decides the largest payload: nine tenths of the memory, shared by both queues, over the length. */
export interface Room {
  readonly messages: number;
  readonly memoryMb: number;
}

const startMsMax = 120_000;
const adminToken = 'bench-admin-token';

/** Enough for every scenario of Sluice alone; one message fits 1 KB and its tags. */
const roomOfMillion: Room = { messages: 1_000_000, memoryMb: 4000 };

function definitionOf({ messages, memoryMb }: Room): object {
  return {
    metadata: { name: service, type: 'Async', instance: 0 },
    token,
    queue: {
      memory: memoryMb,
      source: { max_length: messages },
      sink: { max_length: messages },
    },
  };
}

/** Starts a server with the queues of one service; `ready` waits until it answers. */
export async function spawnServer(world: World, options: ServerOptions): Promise<SluiceServer> {
  const { folder, collects = false, program = join(root, 'server/bin/sluice.js') } = options;
  const file = join(folder, 'service.json');
  writeFileSync(file, JSON.stringify(definitionOf(options.room ?? roomOfMillion)));
  const port = await freePort();
  const log = join(folder, 'server.log');
  const output = openSync(log, 'a');
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [
      // Room for young garbage is the same however much waits, and is kept for a while: where
      // memory is measured it would count as that of messages.
      ...(collects ? ['--expose-gc'] : flagsOf(program)),
      ...world.flags('server'),
      ...['--import', join(root, 'bench/server-hook.js'), program],
      ...['serve', '--data', join(folder, 'data'), '--service', file],
      ...['--listen', `127.0.0.1:${port}`, '--log-level', 'warn'],
    ],
    {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        SLUICE_ADMIN_TOKEN: adminToken,
      },
      stdio: ['ignore', output, output, 'ipc'],
      // A group of its own: Ctrl-C reaches it through the benchmark alone.
      detached: true,
    },
  );
  closeSync(output);
  world.adopt(child);
  const url = `http://127.0.0.1:${port}`;
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}:\n${readFileSync(log, 'utf8')}`);
  });
  exited.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    url,
    startedAt,
    collect: async () => {
      child.send('collect');
      await Promise.race([once(child, 'message'), exited]);
    },
    metric: async (name) => {
      const answer = await fetch(`${url}/metrics`, {
        headers: { Authorization: `Bearer ${adminToken}` },
      });
      const text = await answer.text();
      const line = text.split('\n').find((each) => each.startsWith(name)) ?? '';
      return Number(line.slice(name.length).trim()) || 0;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
  };
}

/** What the command gives to Node.js when users start it. */
function flagsOf(program: string): readonly string[] {
  const found = /exec node (.*) "\$0"/.exec(readFileSync(program, 'utf8'));
  return found?.[1]?.split(' ') ?? [];
}

/** Starts a server and waits until it is ready. */
export async function startServer(world: World, options: ServerOptions): Promise<SluiceServer> {
  const server = await spawnServer(world, options);
  const until = performance.now() + startMsMax;
  while (performance.now() < until) {
    const answer = await fetch(`${server.url}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return server;
    await pause(50);
  }
  const log = readFileSync(join(options.folder, 'server.log'), 'utf8');
  throw new Error(`the server did not become ready:\n${log}`);
}

/** A port of loopback that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}
