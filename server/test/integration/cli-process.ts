// Runs the real command in a process of its own, with a home folder that nobody else uses.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** How long a command may take to end by itself once it is told to. */
const patienceMs = 3000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written until now. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the first match in what it writes; rejects when it ends without one. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface CommandWorld {
  readonly home: string;
  /** Starts `sluice ARGS`. */
  start(args: readonly string[], options?: StartOptions): RunningCommand;
  /** Runs `sluice ARGS` to its end. */
  run(args: readonly string[], options?: StartOptions): Promise<Ended>;
  /** Ends what still runs and removes the home folder. */
  close(): Promise<void>;
}

export interface StartOptions {
  /** What it reads; `open`: nothing comes and it does not end. */
  readonly input?: string | { readonly kind: 'open' } | undefined;
  readonly environment?: Readonly<Record<string, string>>;
}

export function openCommandWorld(): CommandWorld {
  const home = mkdtempSync(join(tmpdir(), 'sluice-home-'));
  const running = new Set<RunningCommand>();
  const start: CommandWorld['start'] = (args, options = {}) => {
    const command = startCommand(home, args, options);
    running.add(command);
    void command.ended.then(() => running.delete(command));
    return command;
  };
  return {
    home,
    start,
    run: (args, options) => start(args, options).ended,
    close: async () => {
      await Promise.all([...running].map(endCommand));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A server that is told twice takes its model processes along at once; one that is killed leaves
 * them to the next. */
async function endCommand({ child, ended }: RunningCommand): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
    child.kill(signal);
    const late = new AbortController();
    const patience = sleep(patienceMs, 'late', { signal: late.signal }).catch(() => 'ended');
    if ((await Promise.race([ended, patience])) !== 'late') {
      late.abort();
      return;
    }
  }
  await ended;
}

function startCommand(
  home: string,
  args: readonly string[],
  options: StartOptions,
): RunningCommand {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [...program(), ...args], {
    cwd: root,
    env: { PATH, HOME: home, ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  if (typeof options.input === 'string') child.stdin?.end(options.input);
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, ...output }));
  return {
    child,
    ended,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(`${output.stdout}\n${output.stderr}`);
          if (match !== null) resolve(match);
        };
        look();
        child.stdout?.on('data', look);
        child.stderr?.on('data', look);
        void ended.then(({ code, stdout, stderr }) =>
          reject(new Error(`ended with ${code} before ${pattern}:\n${stdout}\n${stderr}`)),
        );
      }),
  };
}

/** How Node runs `sluice`. The built program starts four times as fast; it is used when it was
 * built after the last change. */
export function program(): readonly string[] {
  const isBuilt = ['sdk', 'server'].every((workspace) => {
    const stamp = join(root, workspace, 'tsconfig.tsbuildinfo');
    return existsSync(stamp) && statSync(stamp).mtimeMs > newest(join(root, workspace, 'src'));
  });
  if (isBuilt) return [join(root, 'server/bin/sluice.js')];
  return ['--conditions=source', '--import', 'tsx', join(root, 'server/src/main.ts')];
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Math.max(
    ...entries
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}
