// A command run inside a container: an `exec` health check. The engine cannot end such a command,
// so that one which hangs must not be joined by another one with every check.

import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';
import type { RunBeside } from '../driver.ts';
import { faultOf } from './faults.ts';

/** Runs commands one at a time in a container, with its environment and folder. */
export function execIn(container: Docker.Container): RunBeside {
  let isRunning = false;
  return async (argv, signal) => {
    if (isRunning) return { ok: false, reason: `${argv[0]}: the check before still runs` };
    isRunning = true;
    const done = execOnce(container, argv);
    const free = (): void => {
      isRunning = false;
    };
    done.then(free, free);
    try {
      return await untilAborted(done, signal);
    } catch (error) {
      return { ok: false, reason: faultOf(error).text };
    }
  };
}

type Answer = Awaited<ReturnType<RunBeside>>;

async function execOnce(container: Docker.Container, argv: readonly string[]): Promise<Answer> {
  const exec = await container.exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true });
  const output = await exec.start({});
  // It has ended when its output has.
  output.resume();
  await finished(output, { writable: false });
  const { ExitCode: code } = await exec.inspect();
  return { ok: code === 0, reason: `${argv[0]} ended with code ${code}` };
}

function untilAborted(done: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve({ ok: false, reason: 'not waited for' });
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    done.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
