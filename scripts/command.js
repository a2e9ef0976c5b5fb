// Runs other programs for the scripts of this folder. Plain JavaScript with nothing but what Node
// brings, because these scripts run on a fresh clone before anything is installed.

import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Flags that let Node run our TypeScript sources directly. */
export const sourceFlags = ['--conditions=source', '--import', 'tsx'];

/** The script of a program of node_modules, so that no shell and no npx stands in between. */
export function binOf(packageName, file) {
  return join(root, 'node_modules', packageName, file);
}

/**
 * Runs a program to its end, on this terminal unless `stdio` says otherwise. Answers its exit code;
 * a program that a signal ended or that could not be started counts as 1.
 */
export function run(command, args, { cwd = root, env = process.env, stdio = 'inherit' } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio });
    // A signal from the terminal reaches the child as well: stay until it has cleaned up.
    const stay = () => undefined;
    process.on('SIGINT', stay);
    const forward = () => child.kill('SIGTERM');
    process.on('SIGTERM', forward);
    const done = (code) => {
      process.off('SIGINT', stay);
      process.off('SIGTERM', forward);
      resolve(code);
    };
    child.once('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      done(1);
    });
    child.once('exit', (code) => done(code ?? 1));
  });
}

/** Runs a Node program of this repository with the Node that runs the script. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** Whether a program can be found on the path. */
export function hasProgram(name) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
  return found.status === 0;
}
