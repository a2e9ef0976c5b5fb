// Claiming a data folder: whose it is, which format it has, and that nobody else uses it. What is
// in use, newer than this program or foreign gets one clear error and is left as it was.

import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import {
  type FolderState,
  formatVersion,
  readFolderState,
  writeFormat,
  writeRestoring,
} from './format.ts';
import { type FolderLock, lockFolder } from './lock.ts';

/** The folder of the engine's own files inside a data folder. */
export function queueFolder(folder: string): string {
  return join(folder, 'queue');
}

export interface FolderClaim {
  /** Throws when the folder was taken over meanwhile. */
  verify(): Promise<void>;
  /** What is written from now on may be unreadable for an older Sluice, and the folder says so. */
  raiseFormat(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Makes a data folder this process's own until `release`; creates it when it is missing. Throws a
 * `PlatformError` of code `unavailable` when it is in use (worth another try), else `conflict`.
 */
export async function claimFolder(folder: string): Promise<FolderClaim> {
  await makeFolder(folder).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `The data folder ${folder} can't be made (${why}); name another one with --data.`;
    throw new PlatformError('conflict', text, { cause });
  });
  return claim(folder, async () => {
    if ((await usableVersion(folder)) === undefined) await writeFormat(folder);
    if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
  });
}

/** The same of a folder that is there and holds data: nothing in it is made or changed. Throws
 * `not_found` when there is nothing. */
export async function claimExistingFolder(folder: string): Promise<FolderClaim> {
  const mustHoldData = async (): Promise<void> => {
    if ((await usableVersion(folder)) !== undefined) return;
    throw new PlatformError('not_found', `There is no data folder at ${folder}: it is empty.`);
  };
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isThere) throw new PlatformError('not_found', `There is no folder ${folder}.`);
  return claim(folder, mustHoldData);
}

/** What a restore may do with a folder. */
export interface RestoreClaim {
  /** What the folder was before; `format`: it holds data that are to be replaced. */
  readonly was: FolderState['kind'];
  release(): Promise<void>;
}

/**
 * Claims a folder for a restore; creates it when it is missing. From the first moment on a new
 * folder says that it is being restored. One that holds data is refused, unless `replace`; it stays
 * what it is for now.
 */
export async function claimForRestore(folder: string, replace: boolean): Promise<RestoreClaim> {
  await makeFolder(folder);
  const check = async (): Promise<FolderState> => {
    const state = await readFolderState(folder);
    if (state.kind !== 'format' || replace) return state;
    throw new PlatformError(
      'conflict',
      `The folder ${folder} holds data of Sluice. Nothing was changed; restore into an empty ` +
        'folder, or replace what is there with --force.',
    );
  };
  await check();
  const lock = await lockFolder(folder);
  try {
    const state = await check();
    if (state.kind !== 'format') await writeRestoring(folder);
    return { was: state.kind, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function claim(folder: string, check: () => Promise<void>): Promise<FolderClaim> {
  // Looked at before anything is written into it, and again when it can't change any more.
  await usableVersion(folder);
  const lock: FolderLock = await lockFolder(folder);
  try {
    await check();
    return {
      verify: () => lock.verify(),
      release: () => lock.release(),
      async raiseFormat() {
        const version = await usableVersion(folder);
        if (version !== undefined && version < formatVersion) await writeFormat(folder);
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The format of a folder that may be used; undefined when it is new. */
async function usableVersion(folder: string): Promise<number | undefined> {
  const state = await readFolderState(folder);
  if (state.kind === 'format') return state.version;
  if (state.kind === 'new') return undefined;
  throw new PlatformError(
    'conflict',
    `A restore into the folder ${folder} was not finished. Nothing was changed; run ` +
      `\`sluice restore\` once more, or use another folder.`,
  );
}

/** Makes a folder and those above it. Node's own way of doing so never ends where the system
 * refuses a new folder with "no such file" (below /proc, for one). */
async function makeFolder(folder: string): Promise<void> {
  const make = (): Promise<void> => mkdir(folder, { mode: 0o700 });
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = dirname(folder);
    if (error.code !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await make();
  });
}
