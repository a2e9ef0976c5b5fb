// Looks at a table from a child process (check.ts): shortly before the server opens it, and from
// end to end for `sluice verify`.

import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PlatformError } from '@sluice/sdk/wire';
import type { CheckMessage, CheckMode } from './check.ts';
import { claimFolder, queueFolder } from './folder.ts';
import { emptyReport, type FolderReport, type VerifyProgress } from './verify.ts';

/** Throws when the table in `folder` is damaged; a folder without one is fine. */
export async function glanceInChild(folder: string): Promise<void> {
  if (!hasTable(folder)) return;
  const last = await runChild('glance', folder, () => undefined);
  if (last.kind !== 'damaged') return;
  throw new PlatformError(
    'conflict',
    `The data in ${folder} is damaged (${last.what}). Nothing was changed; restore it from a ` +
      'backup or move it away, and keep it for a report.',
  );
}

/**
 * Reads every row and payload file in a data folder that nobody uses, and reports what is damaged.
 * Throws as the start of a server would when the folder is in use, foreign or unreadable.
 */
export async function verifyFolder(
  folder: string,
  progress: (step: VerifyProgress) => void,
): Promise<FolderReport> {
  if (!existsSync(folder)) throw new PlatformError('not_found', `There is no folder ${folder}.`);
  const claim = await claimFolder(folder);
  try {
    const queue = queueFolder(folder);
    if (!hasTable(queue)) return emptyReport;
    const last = await runChild('verify', queue, progress);
    if (last.kind === 'report') return last.report;
    const what = last.kind === 'damaged' ? last.what : 'it was not read to its end';
    throw new PlatformError('conflict', `The data in ${queue} can't be read: ${what}.`);
  } finally {
    await claim.release();
  }
}

function hasTable(folder: string): boolean {
  return existsSync(join(folder, 'data.mdb'));
}

// Answers the last thing that the child said. A child that dies in silence found damage.
function runChild(
  mode: CheckMode,
  folder: string,
  progress: (step: VerifyProgress) => void,
): Promise<CheckMessage> {
  return new Promise((resolve, reject) => {
    let last: CheckMessage | undefined;
    const child = fork(script(), [mode, folder], {
      execArgv: [...loader()],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.on('message', (message) => {
      // Only check.ts speaks on this channel.
      last = message as CheckMessage;
      if (last.kind === 'progress') progress(last.progress);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const what = `reading it ended by ${signal ?? `exit code ${code}`}`;
      if (last === undefined || last.kind === 'progress') resolve({ kind: 'damaged', what });
      else resolve(last);
    });
  });
}

const isSource = import.meta.url.endsWith('.ts');

function script(): string {
  return fileURLToPath(new URL(isSource ? 'check.ts' : 'check.js', import.meta.url));
}

// While developing there is no built check.js.
function loader(): readonly string[] {
  if (!isSource) return [];
  const tsx = createRequire(import.meta.url).resolve('tsx');
  return ['--conditions=source', '--import', pathToFileURL(tsx).href];
}
