// The lock of a data folder: a listening socket in it. A process that dies, however it dies,
// leaves a socket that refuses connections, so a lock is never stale for long; and the lock is
// seen from other containers that share the folder, which a lock by process id would not be.
//
// On Linux the socket is bound through the descriptor of the folder, because the path of a socket
// is cut silently after 107 bytes. Elsewhere a folder whose path is too long is locked by a socket
// in the system's folder for temporary files, named by a hash of the path.

import { createHash } from 'node:crypto';
import { link, lstat, open, realpath, rename, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';

export interface FolderLock {
  /** Throws when the socket in the folder is no longer this process's own. */
  verify(): Promise<void>;
  release(): Promise<void>;
}

export const lockName = 'lock';
const socketPathBytesMax = 100;
const attemptsMax = 5;

/** Locks a folder until `release` or the end of the process; throws when it is in use. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const directory = await open(folder, 'r');
  try {
    const path = await socketPath(folder, directory.fd);
    const server = await listenOrReplace(folder, path);
    const own = await identity(path);
    return {
      async verify() {
        if ((await identity(path)) !== own) throw inUse(folder);
      },
      async release() {
        // Closing removes the socket from the folder, which needs the descriptor.
        await new Promise<void>((resolve) => server.close(() => resolve()));
        await directory.close();
      },
    };
  } catch (error) {
    await directory.close();
    throw error;
  }
}

async function socketPath(folder: string, descriptor: number): Promise<string> {
  if (process.platform === 'linux') return `/proc/self/fd/${descriptor}/${lockName}`;
  const real = await realpath(folder);
  const path = join(real, lockName);
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
  const name = createHash('sha256').update(real).digest('hex').slice(0, 32);
  return join(tmpdir(), `sluice-${name}`);
}

async function listenOrReplace(folder: string, path: string): Promise<Server> {
  for (let left = attemptsMax; left > 0; left--) {
    const server = await listen(path);
    if (server !== undefined) return server;
    const found = await identity(path);
    const answer = await knock(path);
    if (answer === 'alive') throw inUse(folder);
    if (answer === 'gone' || found === undefined) continue;
    const replaced = await replace(path, found);
    if (replaced !== undefined) return replaced;
  }
  throw inUse(folder);
}

// Another process may find the same stale socket at the same moment. So it isn't removed by its
// name: it is moved away, and put back should it turn out to be another one than was found.
async function replace(path: string, stale: string): Promise<Server | undefined> {
  const aside = `${path}.stale.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    if ((await identity(aside)) !== stale) {
      await link(aside, path).catch(() => undefined);
      return undefined;
    }
    // The stale socket still exists under its other name, so the new one can't get its number.
    return await listen(path);
  } finally {
    await unlink(aside);
  }
}

/** undefined when there is a socket already. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server.unref()));
  });
}

function knock(path: string): Promise<'alive' | 'stale' | 'gone'> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error) => {
      if (hasCode(error, 'ECONNREFUSED')) resolve('stale');
      else resolve(hasCode(error, 'ENOENT') ? 'gone' : 'alive');
    });
  });
}

async function identity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await lstat(path, { bigint: true });
    return `${dev} ${ino} ${birthtimeNs}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function inUse(folder: string): PlatformError {
  return new PlatformError(
    'unavailable',
    `The data folder ${folder} is in use by another process. Stop that one, or use another folder.`,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
