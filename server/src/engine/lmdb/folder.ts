// Claiming a data folder: whose it is, which format it has, and that nobody else uses it. What is
// in use, newer than this program or foreign gets one clear error and is left as it was.

import { chmod, mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { lockFolder, lockName } from './lock.ts';

/** The folder of the engine's own files inside a data folder. */
export function queueFolder(folder: string): string {
  return join(folder, 'queue');
}

export interface FolderClaim {
  /** Throws when the folder was taken over meanwhile. */
  verify(): Promise<void>;
  release(): Promise<void>;
}

/** The file that makes a folder ours: two lines, product and format version. */
export const formatName = 'FORMAT';
export const formatVersion = 1;
const product = 'sluice data folder';
const unfinished = `${formatName}.new`;

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
  // Looked at before anything is written into it, and again when it can't change any more.
  await isNew(folder);
  const lock = await lockFolder(folder);
  try {
    if (await isNew(folder)) await writeFormat(folder);
    if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Whether the folder is empty; throws when it holds something that isn't ours. */
async function isNew(folder: string): Promise<boolean> {
  const text = await readFormat(folder);
  if (text === undefined) {
    const strange = (await readdir(folder)).find((name) => !isOurs(name));
    if (strange === undefined) return true;
    throw new PlatformError(
      'conflict',
      `The folder ${folder} is not a data folder of Sluice: it has no file ${formatName} but ` +
        `holds ${strange}. Nothing was changed; use an empty or a new folder.`,
    );
  }
  const [name, version] = text.split('\n');
  const format = Number(/^format (\d+)$/.exec(version ?? '')?.[1]);
  if (name !== product || !Number.isSafeInteger(format)) {
    throw new PlatformError(
      'conflict',
      `The file ${join(folder, formatName)} is not one of Sluice's. Nothing was changed.`,
    );
  }
  if (format > formatVersion) {
    throw new PlatformError(
      'conflict',
      `The data folder ${folder} has format ${format}, written by a newer Sluice; this one reads ` +
        `up to format ${formatVersion}. Nothing was changed; use the newer version.`,
    );
  }
  return false;
}

// What a crash while the folder was claimed for the first time may have left, and what a new
// file system has.
function isOurs(name: string): boolean {
  return (
    name === lockName ||
    name.startsWith(`${lockName}.stale.`) ||
    name === unfinished ||
    name === 'lost+found'
  );
}

async function readFormat(folder: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, formatName), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeFormat(folder: string): Promise<void> {
  const path = join(folder, unfinished);
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(`${product}\nformat ${formatVersion}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(path, join(folder, formatName));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
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
