// A Sluice server in a process of its own, started from the command that users have, with its data
// in a folder that goes away with it.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AdminClient } from '@sluice/sdk';

export interface Sluice {
  readonly url: string;
  /** The file that the server's messages go to. */
  readonly log: string;
  readonly admin: AdminClient;
  readonly process: ChildProcess;
  /** Asks it to stop, waits until it has, and removes its data. */
  stop(): Promise<void>;
}

const command = fileURLToPath(new URL('../../server/bin/sluice.js', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const usualPort = 8600;
const startMsMax = 30_000;

/** Resolves when the server answers. `isolated`: other commands of this user will not find it. */
export async function startSluice(options: { readonly isolated: boolean }): Promise<Sluice> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  const port = options.isolated ? await freePort(0) : await freePort(usualPort);
  const url = `http://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('hex');
  const env = { ...process.env, SLUICE_ADMIN_TOKEN: token, SLUICE_LOG_LEVEL: 'warn' };
  if (options.isolated) {
    const config = join(folder, 'config');
    mkdirSync(config);
    Object.assign(env, { XDG_CONFIG_HOME: config });
  }
  const args = ['serve', '--data', join(folder, 'data'), '--listen', `127.0.0.1:${port}`];
  const log = join(folder, 'server.log');
  const output = openSync(log, 'a');
  // A group of its own: Ctrl-C reaches it through `stop` alone, once.
  const child = spawn(process.execPath, [command, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGINT');
      await exited;
    }
    remove();
  };
  try {
    await ready(child, url);
  } catch (error) {
    const said = readFileSync(log, 'utf8').trim();
    await stop();
    throw new Error(`Sluice did not start. It said:\n${said}`, { cause: error });
  }
  return { url, log, admin: new AdminClient({ url, token }), process: child, stop };
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const giveUpAt = Date.now() + startMsMax;
  while (child.exitCode === null && Date.now() < giveUpAt) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await pause(100);
  }
  throw new Error(`no answer from ${url}`);
}

/** The wished port if nobody has it, else any free one. */
async function freePort(wished: number): Promise<number> {
  const listener = createServer();
  listener.listen(wished, '127.0.0.1');
  try {
    await once(listener, 'listening');
  } catch {
    return freePort(0);
  }
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  return typeof address === 'object' && address !== null ? address.port : usualPort;
}

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
