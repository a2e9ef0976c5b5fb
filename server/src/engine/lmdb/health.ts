// Looks at a folder from a child process: at a table shortly before the server opens it, and at a
// data folder or a backup from end to end for `sluice verify`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { backupName, damaged } from './backup/manifest.ts';
import { runChild } from './child.ts';
import { claimExistingFolder, queueFolder } from './folder.ts';
import { emptyReport, type FolderReport, hasTable, type TellProgress } from './verify.ts';

/** Throws when the table in `folder` is damaged; a folder without one is fine. */
export async function glanceInChild(folder: string): Promise<void> {
  if (!hasTable(folder)) return;
  const last = await runChild({ kind: 'glance', folder });
  if (last.kind !== 'damaged') return;
  throw new PlatformError(
    'conflict',
    `The data in ${folder} is damaged (${last.what}). Nothing was changed; restore it from a ` +
      'backup or move it away, and keep it for a report.',
  );
}

/**
 * Reads every row and payload file in a data folder that nobody uses, or in a backup, and reports
 * what is damaged. Throws as the start of a server would when the folder is in use, foreign or
 * unreadable, and for the first damaged file of a backup.
 */
export async function verifyFolder(folder: string, tell: TellProgress): Promise<FolderReport> {
  if (existsSync(join(folder, backupName))) {
    const last = await runChild({ kind: 'sums', folder }, { tell });
    if (last.kind === 'damaged') throw damaged(folder, last.what);
    return verifyRows(queueFolder(folder), tell);
  }
  const claim = await claimExistingFolder(folder);
  try {
    return await verifyRows(queueFolder(folder), tell);
  } finally {
    await claim.release();
  }
}

async function verifyRows(queue: string, tell: TellProgress): Promise<FolderReport> {
  if (!hasTable(queue)) return emptyReport;
  const last = await runChild({ kind: 'verify', folder: queue }, { tell });
  if (last.kind === 'report') return last.report;
  const what = last.kind === 'damaged' ? last.what : 'it was not read to its end';
  throw new PlatformError('conflict', `The data in ${queue} can't be read: ${what}.`);
}
