// Restoring: a data folder from a backup. Everything is copied into a folder of its own inside of
// the data folder and checked there. Only then, in one go of renames, does it take its place; while
// that lasts, and in a new folder all along, the file FORMAT says that a restore is under way, and
// no server starts on the folder.

import { existsSync } from 'node:fs';
import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bodiesFolder } from '../../body-name.ts';
import { type ChildOptions, runChild } from '../child.ts';
import { claimForRestore } from '../folder.ts';
import { formatName, formatVersion, writeFormat, writeRestoring } from '../format.ts';
import { syncFolder } from '../sync-folder.ts';
import type { FolderReport } from '../verify.ts';
import { damaged, readManifest } from './manifest.ts';

export interface RestoreOptions extends ChildOptions {
  readonly backup: string;
  /** The data folder. */
  readonly folder: string;
  /** Whether data in the folder may be replaced; they are kept beside the new ones. */
  readonly replace: boolean;
  /** Wall clock. */
  readonly now: number;
}

export interface Restored {
  readonly madeAt: string;
  readonly services: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly files: number;
  readonly bytes: number;
  /** Where the replaced data are; undefined when there were none. */
  readonly replaced: string | undefined;
}

const stagingName = 'restoring';
/** What a backup may hold, and what it replaces. */
const parts = ['queue', bodiesFolder, 'admin', 'callbacks'] as const;

/** Throws with the folder as it was, unless that happens amid the renames: then the folder says
 * that a restore was not finished, and a further one finishes it. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { backup, folder, replace, now } = options;
  const { about } = await readManifest(backup, formatVersion);
  const claim = await claimForRestore(folder, replace);
  try {
    const staging = join(folder, stagingName);
    const aside = join(folder, `replaced-${new Date(now).toISOString().replaceAll(':', '-')}`);
    const report = await staged(options, staging).catch(async (error: unknown) => {
      await rm(staging, { recursive: true, force: true });
      if (claim.was === 'new') await rm(join(folder, formatName));
      throw error;
    });
    const isKept = await swap(folder, staging, aside);
    const { services, rows } = report;
    const { madeAt, files, bytes } = about;
    return { madeAt, services, rows, files, bytes, replaced: isKept ? aside : undefined };
  } finally {
    await claim.release();
  }
}

async function staged(options: RestoreOptions, staging: string): Promise<FolderReport> {
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { mode: 0o700 });
  return unpacked(options, staging);
}

async function unpacked(options: RestoreOptions, to: string): Promise<FolderReport> {
  const { backup: from, tell, signal } = options;
  const last = await runChild({ kind: 'unpack', from, to }, { tell, signal });
  if (last.kind === 'report' && last.report.damageCount === 0) return last.report;
  const what =
    last.kind === 'report'
      ? `${last.report.damageCount} rows are damaged, the first: ${last.report.damages[0]?.what}`
      : last.kind === 'damaged'
        ? last.what
        : 'it was not read to its end';
  throw damaged(from, what);
}

/** Puts the new parts into place and the old ones aside. Answers whether there were any. */
async function swap(folder: string, staging: string, aside: string): Promise<boolean> {
  await writeRestoring(folder);
  let isKept = false;
  for (const part of parts) {
    const isThere = existsSync(join(staging, part));
    // Bodies belong to the table that names them: without new ones, the old ones go aside too.
    if (!isThere && part !== bodiesFolder) continue;
    if (existsSync(join(folder, part))) {
      await mkdir(aside, { mode: 0o700, recursive: true });
      await rename(join(folder, part), join(aside, part));
      isKept = true;
    }
    if (isThere) await rename(join(staging, part), join(folder, part));
  }
  if (isKept) await syncFolder(aside);
  await rmdir(staging);
  await syncFolder(folder);
  await writeFormat(folder);
  return isKept;
}
