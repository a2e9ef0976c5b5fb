// A command run beside an instance, in its environment and folder: an `exec` health check. It ends
// with its signal, and takes with it whatever it has started.

import { signalGroup } from './process-group.ts';
import { startCommand } from './shell.ts';

export interface BesideOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string | undefined;
  readonly signal: AbortSignal;
}

/** Never rejects; `ok` means that it ended with code 0. */
export function runBeside(
  options: BesideOptions,
): Promise<{ readonly ok: boolean; readonly reason: string }> {
  const { argv, signal } = options;
  const child = startCommand(argv, options);
  return new Promise((resolve) => {
    const end = (): void => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    const done = (ok: boolean, reason: string): void => {
      signal.removeEventListener('abort', end);
      end();
      resolve({ ok, reason });
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    child.once('error', (error) => done(false, error.message));
    child.once('exit', (code, name) => {
      done(code === 0, `${argv[0]} ended with ${code === null ? name : `code ${code}`}`);
    });
  });
}
