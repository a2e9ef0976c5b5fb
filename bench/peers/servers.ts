// The servers of the peers: started in a folder of the run as children that end with it, however it
// ends. Each is ready when it says so in its log.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from '../sluice-server.ts';
import { pause, type World } from '../world.ts';
import { NotRun, type Program, programOf } from './programs.ts';

export interface PeerServer {
  readonly pid: number;
  readonly port: number;
  readonly version: string;
  /** When its process was started, by `performance.now()`. */
  readonly startedAt: number;
  /** In order: all that was acknowledged is on disk. */
  stop(): Promise<void>;
}

const startMsMax = 300_000;
const lookMs = 10;

interface Command {
  readonly program: Program;
  readonly args: readonly string[];
  readonly port: number;
  readonly folder: string;
  /** What it logs once it takes connections. */
  readonly ready: RegExp;
  /** What makes it stop in order. */
  readonly stop: NodeJS.Signals;
  /** What makes it end at once and leave nothing in the system. */
  readonly end: NodeJS.Signals;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Redis with an append-only file; `folder` may hold one from before. */
export async function startRedis(
  world: World,
  { folder, fsync }: { readonly folder: string; readonly fsync: 'always' | 'everysec' },
): Promise<PeerServer> {
  const port = await freePort();
  return start(world, {
    program: programOf('redis-server'),
    args: [
      ...['--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
      ...['--appendonly', 'yes', '--appendfsync', fsync, '--save', ''],
    ],
    port,
    folder,
    ready: /Ready to accept connections/,
    stop: 'SIGTERM',
    end: 'SIGKILL',
  });
}

/** NATS with JetStream on disk: acknowledged before the disk has it, or after with `always`. */
export async function startNats(
  world: World,
  { folder, sync }: { readonly folder: string; readonly sync: 'default' | 'always' },
): Promise<PeerServer> {
  const port = await freePort();
  const file = join(folder, 'nats.conf');
  const interval = sync === 'always' ? 'sync_interval: always' : '';
  writeFileSync(
    file,
    [
      `listen: "127.0.0.1:${port}"`,
      'max_payload: 4MB',
      `jetstream { store_dir: "${folder}", max_file_store: 64GB, ${interval} }`,
    ].join('\n'),
  );
  return start(world, {
    program: programOf('nats-server'),
    args: ['--config', file],
    port,
    folder,
    ready: /Server is ready/,
    stop: 'SIGTERM',
    end: 'SIGKILL',
  });
}

export const postgresUser = 'bench';
export const postgresDatabase = 'postgres';

/** What differs from PostgreSQL's defaults, each towards speed; a commit is on disk as by default. */
export const postgresSettings: Readonly<Record<string, string>> = {
  synchronous_commit: 'on',
  fsync: 'on',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '15min',
  max_connections: '200',
  autovacuum_naptime: '5s',
};

/** PostgreSQL, which refuses to run as root: then as the user of Debian's package. */
export async function startPostgres(
  world: World,
  { folder }: { readonly folder: string },
): Promise<PeerServer> {
  const program = programOf('postgres');
  const user = postgresOwner();
  const data = join(folder, 'data');
  if (user !== undefined) {
    // The folders of a run are for its user alone; this one must be reached by another.
    chmodSync(dirname(folder), 0o711);
    chownSync(folder, user.uid, user.gid);
    mustBeReached(dirname(folder));
  }
  if (!isThere(join(data, 'PG_VERSION'))) {
    const args = ['-D', data, '-U', postgresUser, '--auth=trust', '--no-sync', '--no-locale'];
    const options = { cwd: folder, stdio: 'pipe', encoding: 'utf8', ...user } as const;
    const initdb = programOf('initdb').path;
    const made = spawnSync(initdb, [...args, '--encoding=UTF8'], options);
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  }
  const port = await freePort();
  const settings = { ...postgresSettings, listen_addresses: '127.0.0.1', port: String(port) };
  return start(world, {
    program,
    args: [
      ...['-D', data, '-k', folder],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    port,
    folder,
    ready: /ready to accept connections/,
    stop: 'SIGINT',
    // Killed it would leave a segment of shared memory.
    end: 'SIGQUIT',
    user,
  });
}

/** Throws `NotRun` when a folder above is closed to the user of PostgreSQL. */
function mustBeReached(folder: string): void {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) {
      throw new NotRun(`the user postgres cannot reach ${at}, where the data lie (--folder)`);
    }
  }
}

function postgresOwner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    try {
      return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: 'pipe' }));
    } catch {
      return undefined;
    }
  });
  if (uid === undefined || gid === undefined) {
    throw new NotRun('PostgreSQL does not run as root, and there is no user postgres');
  }
  return { uid, gid };
}

function isThere(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

async function start(world: World, command: Command): Promise<PeerServer> {
  const log = join(command.folder, `${Date.now()}.log`);
  const output = openSync(log, 'a');
  const startedAt = performance.now();
  const { path, version } = command.program;
  // Ends it also when the benchmark is killed and can end nothing itself.
  const guard = ['--pdeathsig', command.end.slice('SIG'.length), '--'];
  const child = spawn('setpriv', [...guard, path, ...command.args], {
    cwd: command.folder,
    stdio: ['ignore', output, output],
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    // A group of its own: Ctrl-C reaches it through the benchmark alone.
    detached: true,
    ...command.user,
  });
  closeSync(output);
  world.adopt(child, command.end);
  await ready(child, log, command.ready);
  return {
    pid: child.pid ?? 0,
    port: command.port,
    version,
    startedAt,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill(command.stop);
      await ended;
    },
  };
}

async function ready(child: ChildProcess, log: string, words: RegExp): Promise<void> {
  const until = performance.now() + startMsMax;
  while (performance.now() < until) {
    const text = readFileSync(log, 'utf8');
    if (words.test(text)) return;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`a server ended at its start:\n${text.slice(-2000)}`);
    }
    await pause(lookMs);
  }
  throw new Error(`a server did not become ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}
