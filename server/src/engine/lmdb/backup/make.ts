// Makes the files of a backup: a snapshot of the table, the payload files that it names, the admin
// token, the secrets of callbacks, and the manifest, everything read back and checked. Runs in a
// child process (child.ts) beside a server that goes on writing: lmdb keeps the snapshot as it was,
// and the server keeps the payload files.

import { chmod, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { systemClock, type Timer } from '../../../kernel/clock.ts';
import { bodiesFolder, isBodyName } from '../../body-name.ts';
import { formatVersion } from '../format.ts';
import { journalFolder } from '../journal/journal.ts';
import { checkReach, reachRow } from '../journal/reach.ts';
import { type FinalRow, finalRows, readJournal } from '../journal/replay.ts';
import { kinds, ownService } from '../keys.ts';
import { tableFiles } from '../names.ts';
import { isNoSpace, openTable } from '../table.ts';
import { emptyReport, type FolderReport, hasTable, type TellProgress, verify } from '../verify.ts';
import { copyFile, filesIn, mustHaveRoom, syncTree } from './copy.ts';
import { type FileSum, fileSum, writeManifest } from './manifest.ts';

export interface CopyTask {
  readonly kind: 'copy';
  /** The data folder. */
  readonly from: string;
  /** An empty folder. */
  readonly to: string;
  /** The version of Sluice. */
  readonly sluice: string;
  readonly madeAt: string;
  /** Nobody writes: what the journal has is not in the table yet. */
  readonly isStopped: boolean;
}

export interface CopyReport extends FolderReport {
  readonly files: number;
  readonly bytes: number;
}

// What must stay free on the disk that a server is writing to.
const reserveBytes = 256 * 2 ** 20;
const lookEveryMs = 200;

/** Leaves a whole backup in `to`, or throws; a report with damages means that none was made. */
export async function makeCopy(task: CopyTask, tell: TellProgress): Promise<CopyReport> {
  const { from, to, sluice, madeAt } = task;
  process.umask(0o077);
  const queue = join(to, 'queue');
  await mkdir(queue, { mode: 0o700 });
  const payloads = await filesIn(join(from, 'queue', 'payloads'));
  const beside = payloads.bytes + (await filesIn(join(from, bodiesFolder))).bytes;
  const isCopied = await copyTable(task, beside, tell);
  if (isCopied) await takeUpJournal(task.isStopped ? from : undefined, queue);
  const sums: FileSum[] = [];
  let bytes = 0;
  const count = (more: number): void => {
    bytes += more;
    tell({ doing: 'copying', done: bytes, total: Math.max(bytes, beside) });
  };
  for (const file of isCopied ? await namedFiles(queue) : []) {
    sums.push(await copyFile(from, to, `queue/payloads/${file}`, count));
  }
  // All that are there now: whatever the snapshot names is among them.
  for (const name of (await filesIn(join(from, bodiesFolder))).names) {
    if (!isBodyName(name)) continue;
    sums.push(await copyFile(from, to, `${bodiesFolder}/${name}`, count));
  }
  for (const name of (await filesIn(join(from, 'admin'))).names) {
    // A draft of the token that is being made, or was left by a crash.
    if (name !== 'token') continue;
    sums.push(await copyFile(from, to, `admin/${name}`, count));
  }
  for (const path of await callbackFiles(from)) sums.push(await copyFile(from, to, path, count));
  const report = isCopied ? await verify(queue, tell) : emptyReport;
  if (report.damageCount > 0) return { ...report, files: 0, bytes: 0 };
  if (isCopied) {
    const path = `queue/${tableFiles.data}`;
    sums.unshift({ path, sum: await summed(join(to, path), tell) });
    bytes += (await stat(join(to, path))).size;
  }
  await rm(join(queue, tableFiles.readers), { force: true });
  const { services, rows } = report;
  const about = { format: formatVersion, sluice, madeAt, services, rows };
  await writeManifest(to, { ...about, files: sums.length, bytes }, sums);
  await syncTree(to);
  return { ...report, files: sums.length, bytes };
}

/** Answers whether there is a table: a server that was stopped at once may have left none. */
async function copyTable(
  { from, to }: CopyTask,
  bytesBeside: number,
  tell: TellProgress,
): Promise<boolean> {
  const source = join(from, 'queue');
  const table = hasTable(source) ? openTable(source, true) : undefined;
  if (table === undefined) return false;
  const queue = join(to, 'queue');
  const copy = join(queue, tableFiles.data);
  const { fileBytes, freeBytes } = table.space();
  const total = fileBytes - freeBytes;
  const sharesDisk = (await stat(from)).dev === (await stat(to)).dev;
  await mustHaveRoom(to, total + bytesBeside + (sharesDisk ? reserveBytes : 0));
  let timer: Timer | undefined;
  const look = async (): Promise<void> => {
    const done = await stat(copy).then(
      ({ size }) => size,
      () => 0,
    );
    tell({ doing: 'copying', done, total: Math.max(done, total) });
    timer = systemClock.after(lookEveryMs, () => void look());
  };
  await look();
  try {
    await table.copyTo(queue);
  } catch (error) {
    throw copyError(error, to);
  } finally {
    timer?.cancel();
    await table.close();
  }
  await chmod(copy, 0o600);
  const file = await open(copy, 'r');
  await file.sync();
  await file.close();
  return true;
}

/** Makes the copy a table that needs no journal: with what the next start of a stopped server
 * would take up from `from`; a running one has brought its table everything. */
async function takeUpJournal(from: string | undefined, queue: string): Promise<void> {
  const table = openTable(queue, false);
  if (table === undefined) return;
  try {
    const rows: FinalRow[] = [];
    if (from !== undefined) {
      const journal = await readJournal(journalFolder(join(from, 'queue')));
      checkReach(table, journal);
      rows.push(...finalRows(journal.bodies));
    }
    if (table.apply([...rows, reachRow(undefined)]) === 'done') return;
    throw new PlatformError('disk_full', `The disk of ${queue} is full.`);
  } finally {
    await table.close();
  }
}

// lmdb gives the text of the system's error and no code.
function copyError(cause: unknown, to: string): unknown {
  const text = cause instanceof Error ? cause.message : '';
  if (!isNoSpace(cause) && !/no space left|quota/i.test(text)) return cause;
  return new PlatformError('disk_full', `The disk of ${to} is full.`, { cause });
}

/** What receivers of callbacks rely on: secrets, and the addresses that want no more. The log of
 * attempts is left out. */
async function callbackFiles(folder: string): Promise<readonly string[]> {
  const services = await readdir(join(folder, 'callbacks')).catch(() => []);
  const paths: string[] = [];
  for (const service of services) {
    const { names } = await filesIn(join(folder, 'callbacks', service));
    const wanted = names.filter((name) => /^(keys|closed|service)\.json$/.test(name));
    paths.push(...wanted.map((name) => `callbacks/${service}/${name}`));
  }
  return paths;
}

/** The numbers of the payload files that the snapshot needs. */
async function namedFiles(queue: string): Promise<readonly number[]> {
  const table = openTable(queue, true);
  if (table === undefined) return [];
  try {
    return [...table.scan.kind(ownService, kinds.file, 0, (_reader, file) => file)];
  } finally {
    await table.close();
  }
}

async function summed(path: string, tell: TellProgress): Promise<string> {
  const { size: total } = await stat(path);
  let done = 0;
  return fileSum(path, (bytes) => {
    done += bytes;
    tell({ doing: 'summing', done, total });
  });
}
