// The server under test: the built program as users start it, on a folder and a port that stay the
// same over all its lives.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '@sluice/sdk';
import { root, type World } from './world.ts';

export const adminToken = 'chaos-admin-token';

export interface Launch {
  /** A command that becomes the server, such as `prlimit`. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One life of the server. */
export interface ServerProcess {
  readonly pid: number;
  /** Its services are applied and it answers. Rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<ServerEnd>;
  readonly isEnded: boolean;
  /** The end is ours, or awaited: whoever watches for surprises need not report it. */
  isExpected: boolean;
  signal(signal: NodeJS.Signals): void;
  /** The last lines that it has written. */
  lastWords(): string;
}

export interface ServerOptions {
  readonly world: World;
  /** Each is a service.json, applied at every start. */
  readonly definitions: readonly object[];
  /** Tells several servers of one world apart. */
  readonly name?: string;
  /** Default: a folder of the world. */
  readonly data?: string;
  readonly port: number;
  readonly onKill: () => void;
  /** It ended and nobody had asked for that. */
  readonly onSurprise: (what: string) => void;
}

const wordsMax = 8_000;
const lastLines = 12;
const stopMs = 30_000;
const readyMs = 60_000;

export class Server {
  readonly url: string;
  readonly data: string;
  readonly #options: ServerOptions;
  readonly #files: readonly string[];
  readonly #lives: ServerProcess[] = [];

  constructor(options: ServerOptions) {
    const { world, definitions, port, name = 'server' } = options;
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
    this.data = options.data ?? join(world.folder, name);
    this.#files = definitions.map((definition, at) => {
      const file = join(world.folder, `${name}-${at}.json`);
      writeFileSync(file, JSON.stringify({ token: '', ...definition }));
      return file;
    });
  }

  /** What the file at `at` says from the next start on. */
  redefine(at: number, definition: object): void {
    const file = this.#files[at];
    if (file !== undefined) writeFileSync(file, JSON.stringify({ token: '', ...definition }));
  }

  /** The latest life that has not ended; when all have, the last one. */
  get current(): ServerProcess {
    const last = this.#lives.findLast(({ isEnded }) => !isEnded) ?? this.#lives.at(-1);
    if (last === undefined) throw new Error('the server was never started');
    return last;
  }

  get admin(): AdminClient {
    return new AdminClient({ url: this.url, token: adminToken });
  }

  /** Starts a process and waits for nothing. */
  spawn(launch: Launch = {}): ServerProcess {
    const { world, onSurprise } = this.#options;
    const listen = this.url.slice('http://'.length);
    const services = this.#files.flatMap((file) => ['--service', file]);
    const command = [join(root, 'server/bin/sluice.js'), 'serve'];
    const args = ['--data', this.data, '--listen', listen, ...services, '--log-level', 'info'];
    // When the harness is killed itself, the system ends the server.
    const orphanGuard = ['setpriv', '--pdeathsig', 'KILL'];
    const [program = '', ...rest] = [...orphanGuard, ...(launch.prefix ?? []), ...command, ...args];
    const child = spawn(program, rest, {
      cwd: world.folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: world.folder,
        SLUICE_ADMIN_TOKEN: adminToken,
        ...launch.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C reaches it through the harness alone.
      detached: true,
    });
    world.adopt(child);
    const started = lifeOf(child);
    void started.ended.then(({ code, signal }) => {
      if (started.isExpected) return;
      onSurprise(`the server ended by itself (${signal ?? code}):\n${started.lastWords()}`);
    });
    this.#lives.push(started);
    return started;
  }

  /** Starts it and waits until it is ready. */
  async start(launch: Launch = {}): Promise<void> {
    const started = this.spawn(launch);
    await started.ready;
  }

  /** SIGKILL, at whatever it is doing. */
  async kill(victim: ServerProcess = this.current): Promise<void> {
    if (victim.isEnded) return;
    victim.isExpected = true;
    victim.signal('SIGKILL');
    this.#options.onKill();
    await victim.ended;
  }

  /** Whatever still runs is about to be ended by others. */
  expectEnd(): void {
    for (const life of this.#lives) life.isExpected = true;
  }

  /** As Ctrl-C does it. */
  async stop(): Promise<void> {
    const { current } = this;
    if (current.isEnded) return;
    current.isExpected = true;
    current.signal('SIGINT');
    const timer = setTimeout(() => {
      this.#options.onSurprise(`the server does not stop:\n${current.lastWords()}`);
      current.signal('SIGKILL');
    }, stopMs);
    await current.ended;
    clearTimeout(timer);
  }
}

function lifeOf(child: ChildProcess): ServerProcess {
  let words = '';
  let isEnded = false;
  // Not before its last words have been read.
  const ended = once(child, 'close').then(([code, signal]): ServerEnd => {
    isEnded = true;
    return { code, signal };
  });
  const ready = new Promise<void>((resolve, reject) => {
    const hear = (text: string): void => {
      words = `${words}${text}`.slice(-wordsMax);
      if (/^Ready/m.test(words)) resolve();
    };
    child.stdout?.setEncoding('utf8').on('data', hear);
    child.stderr?.setEncoding('utf8').on('data', hear);
    child.once('error', reject);
    const late = setTimeout(() => reject(new Error(`not ready in time:\n${words}`)), readyMs);
    void ended.then(() => {
      clearTimeout(late);
      reject(new Error(`the server ended before it was ready:\n${words}`));
    });
    late.unref();
  });
  // Whoever kills it in its start does not wait for it.
  ready.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    ready,
    ended,
    get isEnded() {
      return isEnded;
    },
    isExpected: false,
    signal: (signal) => void child.kill(signal),
    lastWords: () => words.trim().split('\n').slice(-lastLines).join('\n'),
  };
}
