// Where the servers of the peers are on this machine; scripts/peers.js installs them. A program
// that is not there is a reason for 'not run', not a failure.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../world.ts';

/** What stands in the table instead of figures. */
export class NotRun extends Error {}

export type ProgramName = 'redis-server' | 'postgres' | 'initdb' | 'nats-server';

export interface Program {
  readonly path: string;
  readonly version: string;
}

const natsOldest = [2, 10] as const;

/** Throws `NotRun` with the reason when it is missing or too old. */
export function programOf(name: ProgramName): Program {
  const path = foldersOf(name)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
  if (path === undefined) throw new NotRun(`${name} is missing (apt-get install ${debian[name]})`);
  const said = execFileSync(path, ['--version'], { encoding: 'utf8' });
  const version = /\d+(\.\d+)+/.exec(said)?.[0] ?? 'unknown';
  if (name === 'nats-server') {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const isOld = major < natsOldest[0] || (major === natsOldest[0] && minor < natsOldest[1]);
    if (isOld) throw new NotRun(`nats-server ${version} is older than ${natsOldest.join('.')}`);
  }
  return { path, version };
}

const debian: Readonly<Record<ProgramName, string>> = {
  'redis-server': 'redis-server',
  postgres: 'postgresql',
  initdb: 'postgresql',
  'nats-server': 'nats-server, of Debian 13 or later',
};

function foldersOf(name: ProgramName): readonly string[] {
  const path = (process.env.PATH ?? '').split(':');
  if (name === 'nats-server') return [join(root, '.cache/peers/nats/usr/sbin'), ...path];
  if (name === 'redis-server') return path;
  // Debian keeps each version in a folder of its own and off the path.
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions) : [];
  const newestFirst = found.toSorted((a, b) => Number(b) - Number(a));
  return [...newestFirst.map((version) => join(versions, version, 'bin')), ...path];
}
