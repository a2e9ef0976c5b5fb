// Looks at a table in a child process before the server opens it (check.ts is that process).

import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PlatformError } from '@sluice/sdk/wire';
import type { CheckResult } from './check.ts';

const timeoutMs = 60_000;

/** Throws when the table in `folder` is damaged; a folder without one is fine. */
export async function checkInChild(folder: string): Promise<void> {
  if (!existsSync(join(folder, 'data.mdb'))) return;
  const damage = await runCheck(folder);
  if (damage === undefined) return;
  throw new PlatformError(
    'conflict',
    `The data in ${folder} is damaged (${damage}). Nothing was changed; restore it from a backup ` +
      'or move it away, and keep it for a report.',
  );
}

function runCheck(folder: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let result: CheckResult | undefined;
    const child = fork(script(), [folder], {
      execArgv: [...loader()],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: timeoutMs,
    });
    // Only check.ts speaks on this channel.
    child.on('message', (message) => (result = message as CheckResult));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (result !== undefined) resolve(result.damage);
      else resolve(`looking at it ended by ${signal ?? `exit code ${code}`}`);
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
