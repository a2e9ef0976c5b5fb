// How programs are started on behalf of users: by bash, with every descriptor above 2 closed. Node
// marks its own ones to be closed, but libraries do not (the database's file is such a one), and a
// model that holds one keeps files and ports of the server open long after its end.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

// Bash and not sh: Debian's closes no descriptor of two digits.
const closeDescriptors = `
for each in /proc/self/fd/* /dev/fd/*; do
  number=\${each##*/}
  case $number in [0-2] | *[!0-9]*) ;; *) eval "exec $number>&-" ;; esac
done
unset each number
`;

/** Waits for a word on descriptor 3, which ends with the server, before it becomes the program. */
const gated = `read -r -u 3 _ || exit 125
${closeDescriptors}
exec bash --norc --noprofile -c "$1"`;

const plain = `${closeDescriptors}
exec "$@"`;

export interface ShellOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string | undefined;
  /** A descriptor that takes standard output and standard error. */
  readonly output: number;
}

export interface GatedProcess {
  readonly child: ChildProcess;
  /** Lets the program begin. Until then it waits, and ends if the server does. */
  begin(): void;
}

/** Starts a shell text in a process group of its own, held back until `begin`. */
export function startGated(text: string, options: ShellOptions): GatedProcess {
  const child = spawn('bash', ['--norc', '--noprofile', '-c', gated, 'sluice-instance', text], {
    detached: true,
    stdio: ['ignore', options.output, options.output, 'pipe'],
    env: options.env,
    ...(options.workDir === undefined ? {} : { cwd: options.workDir }),
  });
  // The fourth channel is a pipe, as asked for above, and pipes to a child can be written to.
  const gate = child.stdio[3] as Writable | null;
  gate?.on('error', () => undefined);
  return { child, begin: () => void gate?.end('\n') };
}

/** Starts one command in a process group of its own. */
export function startCommand(
  argv: readonly string[],
  options: Omit<ShellOptions, 'output'>,
): ChildProcess {
  return spawn('bash', ['--norc', '--noprofile', '-c', plain, 'sluice-check', ...argv], {
    detached: true,
    stdio: 'ignore',
    env: options.env,
    ...(options.workDir === undefined ? {} : { cwd: options.workDir }),
  });
}
