// A process of its own for whatever reads a table that may be damaged, or reads for long: a file
// which crashes native code crashes this process and not the server, and the server's event loop
// stays free. Does the one task that it is given, and ends with its parent.

import { type ErrorCode, PlatformError } from '@sluice/sdk/wire';
import { type CopyReport, type CopyTask, makeCopy } from './backup/make.ts';
import { checkSums, type UnpackTask, unpack } from './backup/unpack.ts';
import { glance } from './glance.ts';
import { isNoSpace } from './table.ts';
import { type FolderReport, type Progress, type TellProgress, verify } from './verify.ts';

/** `glance` takes bounded time, `verify` reads everything; both of an engine's folder. `sums`
 * compares the files of a backup with their checksums. */
export type CheckTask =
  | { readonly kind: 'glance' | 'verify' | 'sums'; readonly folder: string }
  | CopyTask
  | UnpackTask;

/** What the parent is told; nothing more comes after anything but `progress`. `refused`: there is
 * no damage, but something that a person has to see to. */
export type CheckMessage =
  | { readonly kind: 'sound' }
  | { readonly kind: 'damaged'; readonly what: string }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly what: string }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'report'; readonly report: FolderReport }
  | { readonly kind: 'copied'; readonly report: CopyReport };

// Not permitted, out of memory, no permission, too many files (in all, here), read-only disk.
const systemErrors: readonly unknown[] = [1, 12, 13, 23, 24, 30];

function say(message: CheckMessage): void {
  process.send?.(message);
}

const tell: TellProgress = (progress) => say({ kind: 'progress', progress });

async function work(task: CheckTask): Promise<CheckMessage> {
  switch (task.kind) {
    case 'glance':
      await glance(task.folder);
      return { kind: 'sound' };
    case 'sums':
      await checkSums(task.folder, tell);
      return { kind: 'sound' };
    case 'verify':
      return { kind: 'report', report: await verify(task.folder, tell) };
    case 'copy':
      return { kind: 'copied', report: await makeCopy(task, tell) };
    case 'unpack':
      return { kind: 'report', report: await unpack(task, tell) };
  }
}

function failure(error: unknown): CheckMessage {
  const what = error instanceof Error ? error.message : String(error);
  if (error instanceof PlatformError) return { kind: 'refused', code: error.code, what };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (isNoSpace(error)) return { kind: 'refused', code: 'disk_full', what };
  // The system's refusals are no damage. Files say so with a system call, lmdb with a number.
  const isSystem = error instanceof Error && 'syscall' in error && code !== 'EIO';
  if (isSystem || systemErrors.includes(code))
    return { kind: 'refused', code: 'unavailable', what };
  return { kind: 'damaged', what };
}

process.once('disconnect', () => process.exit(1));
async function run(task: CheckTask): Promise<void> {
  const last = await work(task).catch(failure);
  process.send?.(last, () => process.exit(0));
}

// Only child.ts starts this: with its task, which a list of processes shows then, or ahead of it.
const [, , given] = process.argv;
if (given === undefined) process.once('message', run);
else await run(JSON.parse(given) as CheckTask);
