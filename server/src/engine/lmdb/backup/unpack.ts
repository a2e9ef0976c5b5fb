// Makes the files of a data folder from a backup: every file is compared with its checksum on the
// way, everything is read and checked, and the services begin a new life. Runs in a child process
// (child.ts); nobody uses the folder meanwhile.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatVersion } from '../format.ts';
import {
  emptyReport,
  type FolderReport,
  hasTable,
  type Progress,
  type TellProgress,
  verify,
} from '../verify.ts';
import { copyFile, mustHaveRoom, syncTree } from './copy.ts';
import { damaged, type FileSum, fileSum, type Manifest, readManifest } from './manifest.ts';
import { renewServices } from './renew.ts';

export interface UnpackTask {
  readonly kind: 'unpack';
  /** The backup. */
  readonly from: string;
  /** An empty folder. */
  readonly to: string;
}

/** Durable when it resolves; a report with damages means that the files are of no use. */
export async function unpack(task: UnpackTask, tell: TellProgress): Promise<FolderReport> {
  const { from, to } = task;
  process.umask(0o077);
  const manifest = await readManifest(from, formatVersion);
  await mustHaveRoom(to, manifest.about.bytes);
  await eachFile(manifest, { folder: from, doing: 'copying', tell }, (path, count) => {
    return copyFile(from, to, path, count);
  });
  const queue = join(to, 'queue');
  if (!hasTable(queue)) return emptyReport;
  const report = await verify(queue, tell);
  if (report.damageCount === 0) await renewServices(queue);
  await syncTree(to);
  return report;
}

/** Compares every file of a backup with its checksum; throws for the first that differs. */
export async function checkSums(folder: string, tell: TellProgress): Promise<Manifest> {
  const manifest = await readManifest(folder, formatVersion);
  await eachFile(manifest, { folder, doing: 'summing', tell }, async (path, count) => {
    return { path, sum: await fileSum(join(folder, path), count) };
  });
  return manifest;
}

interface Pass {
  readonly folder: string;
  readonly doing: Progress['doing'];
  readonly tell: TellProgress;
}

async function eachFile(
  { about, sums }: Manifest,
  { folder, doing, tell }: Pass,
  use: (path: string, count: (bytes: number) => void) => Promise<FileSum>,
): Promise<void> {
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    tell({ doing, done, total: Math.max(done, about.bytes) });
  };
  for (const { path, sum } of sums) {
    const isThere = await stat(join(folder, path)).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isThere) throw damaged(folder, `the file ${path} is missing`);
    const found = await use(path, count);
    if (found.sum !== sum) throw damaged(folder, `the file ${path} is not what it was`);
  }
}
