// Runs check.ts, the child process for whatever reads a table that may be damaged or reads for
// long, and answers the last thing that it said.

import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PlatformError } from '@sluice/sdk/wire';
import type { CheckMessage, CheckTask } from './check.ts';
import type { TellProgress } from './verify.ts';

export interface ChildOptions {
  readonly tell?: TellProgress | undefined;
  /** Ends the child; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a child comes to when nothing stands in its way. */
export type ChildResult = Exclude<CheckMessage, { readonly kind: 'refused' | 'progress' }>;

/** Started ahead of its task; it ends with this process. */
let spare: ChildProcess | undefined;

/** Starts a child ahead: the next task need not wait until it is there. */
export function warmChild(): void {
  if (spare !== undefined) return;
  spare = start([]);
  // One that fails now is replaced when it is needed.
  spare.on('error', () => undefined);
  spare.unref();
  spare.channel?.unref();
}

/** Throws a `PlatformError` when the child was refused something. A child that dies in silence has
 * found damage. */
export async function runChild(task: CheckTask, options: ChildOptions = {}): Promise<ChildResult> {
  const last = await lastWord(task, options);
  if (last.kind === 'refused') throw new PlatformError(last.code, last.what);
  return last;
}

function lastWord(
  task: CheckTask,
  { tell, signal }: ChildOptions,
): Promise<Exclude<CheckMessage, { readonly kind: 'progress' }>> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let last: Exclude<CheckMessage, { readonly kind: 'progress' }> | undefined;
    const child = taken(task);
    const end = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', end, { once: true });
    child.on('message', (message) => {
      // Only check.ts speaks on this channel.
      const said = message as CheckMessage;
      if (said.kind === 'progress') tell?.(said.progress);
      else last = said;
    });
    child.on('error', reject);
    child.on('close', (code, ended) => {
      signal?.removeEventListener('abort', end);
      if (signal?.aborted === true) reject(signal.reason);
      const what = `reading it ended by ${ended ?? `exit code ${code}`}`;
      resolve(last ?? { kind: 'damaged', what });
    });
  });
}

function taken(task: CheckTask): ChildProcess {
  const warm = spare;
  spare = undefined;
  if (warm?.connected !== true) return start([JSON.stringify(task)]);
  warm.ref();
  warm.channel?.ref();
  warm.send(task);
  return warm;
}

function start(args: readonly string[]): ChildProcess {
  const stdio: StdioOptions = ['ignore', 'ignore', 'ignore', 'ipc'];
  return fork(script(), args, { execArgv: [...loader()], env: {}, stdio });
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
