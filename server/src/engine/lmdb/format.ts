// The file that makes a folder a data folder: two lines, product and format version. What it says
// decides whether anything else in the folder is touched. While a backup is being restored its
// second line says so, and nobody but another restore uses the folder.

import { open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { backupName } from './backup/manifest.ts';
import { lockName } from './lock.ts';
import { syncFolder } from './sync-folder.ts';

export const formatName = 'FORMAT';
const product = 'sluice data folder';
const restoring = 'restoring';
const unfinished = `${formatName}.new`;

/**
 * What the format of each version ever written is to this program. A version stays here for ever:
 * what was written once can be read by every later Sluice.
 */
const formats: Readonly<Record<number, string>> = {
  1: 'rows of version 1; read as they are, rewritten as they change',
  2: 'rows of version 2, whose checksum covers the key; a journal in front of the table',
  3: 'the same, with records that say more and may be written again, and with checkpoints',
};

/** The format that is written. */
export const formatVersion = 3;

/** `new`: empty, or all that is in it are traces of a first start that was cut short. */
export type FolderState =
  | { readonly kind: 'new' }
  | { readonly kind: 'restoring' }
  | { readonly kind: 'format'; readonly version: number };

/** Looks without changing anything; throws `conflict` when it holds something that isn't ours or
 * that this program can't read. */
export async function readFolderState(folder: string): Promise<FolderState> {
  const text = await readFormat(folder);
  if (text === undefined) {
    await mustBeEmpty(folder);
    return { kind: 'new' };
  }
  const [name, second] = text.split('\n');
  if (name === product && second === restoring) return { kind: 'restoring' };
  const version = Number(/^format (\d+)$/.exec(second ?? '')?.[1]);
  if (name !== product || !Number.isSafeInteger(version) || version < 1) {
    throw new PlatformError(
      'conflict',
      `The file ${join(folder, formatName)} is not one of Sluice's. Nothing was changed.`,
    );
  }
  if (formats[version] === undefined) {
    throw new PlatformError(
      'conflict',
      `The data folder ${folder} has format ${version}, written by a newer Sluice; this one ` +
        `reads up to format ${formatVersion}. Nothing was changed; use the newer version.`,
    );
  }
  return { kind: 'format', version };
}

/** Durable when it resolves, as is `writeRestoring`. */
export async function writeFormat(folder: string): Promise<void> {
  await write(folder, `format ${formatVersion}`);
}

export async function writeRestoring(folder: string): Promise<void> {
  await write(folder, restoring);
}

async function mustBeEmpty(folder: string): Promise<void> {
  const names = await readdir(folder);
  const strange = names.find((name) => !isOurs(name));
  if (strange === undefined) return;
  if (names.includes(backupName)) {
    throw new PlatformError(
      'conflict',
      `The folder ${folder} is a backup. Nothing was changed; ` +
        `\`sluice restore ${folder} --data DIR\` makes a data folder of it.`,
    );
  }
  throw new PlatformError(
    'conflict',
    `The folder ${folder} is not a data folder of Sluice: it has no file ${formatName} but ` +
      `holds ${strange}. Nothing was changed; use an empty or a new folder.`,
  );
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

async function write(folder: string, second: string): Promise<void> {
  const path = join(folder, unfinished);
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(`${product}\n${second}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(path, join(folder, formatName));
  await syncFolder(folder);
}
