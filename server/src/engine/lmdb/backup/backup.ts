// Backups of data folders, and data folders from backups. What is made gets its name at the very
// end: whatever comes in between, a disk that is full, Ctrl-C, a loss of power, nothing looks whole
// that isn't.

import { mkdtemp, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { type ChildOptions, runChild } from '../child.ts';
import { claimExistingFolder } from '../folder.ts';
import { syncFolder } from '../sync-folder.ts';
import type { CopyReport } from './make.ts';

export interface BackupOptions extends ChildOptions {
  /** The data folder. */
  readonly folder: string;
  /** Becomes the backup: nothing may be there yet, or an empty folder. */
  readonly target: string;
  /** The version of Sluice, for the manifest. */
  readonly sluice: string;
  /** Wall clock. */
  readonly now: number;
}

export interface Backup {
  readonly path: string;
  readonly madeAt: string;
  readonly services: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly files: number;
  readonly bytes: number;
}

/** Of a data folder that nobody uses. Throws as the start of a server would. */
export async function backUpStopped(options: BackupOptions): Promise<Backup> {
  const claim = await claimExistingFolder(options.folder);
  try {
    return await backUp(options, true);
  } finally {
    await claim.release();
  }
}

/**
 * Makes a backup; the caller has claimed the folder and sees to it that no payload file goes while
 * this runs. Throws with nothing left behind; when the process dies, a folder named
 * `TARGET.unfinished-...` may stay.
 */
export async function backUp(options: BackupOptions, isStopped = false): Promise<Backup> {
  const { folder, target } = options;
  await mustBeFree(target);
  const parent = await parentOf(target);
  await mustBeOutside(folder, parent);
  const madeAt = new Date(options.now).toISOString();
  const draft = await makeDraft(join(parent, `${basename(target)}.unfinished-`));
  try {
    const report = await copied({ ...options, isStopped }, draft, madeAt);
    await rename(draft, target);
    await syncFolder(parent);
    const { services, rows, files, bytes } = report;
    return { path: target, madeAt, services, rows, files, bytes };
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function copied(
  options: BackupOptions & { readonly isStopped: boolean },
  to: string,
  madeAt: string,
): Promise<CopyReport> {
  const { folder: from, sluice, isStopped, tell, signal } = options;
  const task = { kind: 'copy', from, to, sluice, madeAt, isStopped } as const;
  const last = await runChild(task, { tell, signal });
  if (last.kind === 'copied' && last.report.damageCount === 0) return last.report;
  const what =
    last.kind === 'copied'
      ? `${last.report.damages[0]?.what} ${last.report.damageCount} rows are damaged`
      : last.kind === 'damaged'
        ? last.what
        : 'it was not read to its end';
  throw new PlatformError(
    'conflict',
    `The data in ${from} is damaged (${what}); no backup was made. Stop the server and run ` +
      `\`sluice verify --data ${from}\`, which names everything that is damaged.`,
  );
}

async function makeDraft(prefix: string): Promise<string> {
  try {
    return await mkdtemp(prefix);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `The backup can't be written to ${dirname(prefix)} (${why}).`;
    throw new PlatformError('conflict', text, { cause });
  }
}

async function mustBeFree(target: string): Promise<void> {
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') return [basename(target)];
    throw error;
  });
  if (names.length === 0) return;
  throw new PlatformError(
    'conflict',
    `${target} is there already; a backup overwrites nothing. Name a new folder.`,
  );
}

async function parentOf(target: string): Promise<string> {
  const parent = dirname(target);
  const isFolder = await stat(parent).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return parent;
  throw new PlatformError('not_found', `There is no folder ${parent} to put the backup into.`);
}

async function mustBeOutside(folder: string, parent: string): Promise<void> {
  const way = relative(await realpath(folder), await realpath(parent));
  if (way === '..' || way.startsWith(`..${sep}`)) return;
  throw new PlatformError(
    'conflict',
    `The backup would lie inside of the data folder ${folder}; name a place outside of it.`,
  );
}
