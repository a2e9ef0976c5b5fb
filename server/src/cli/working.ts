// Running a joined worker in the foreground, for `worker`: the settings of the command line, the
// two signals that end it, and what a person is told meanwhile.

import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { PlatformError } from '@sluice/sdk';
import { showDuration } from '../config/duration.ts';
import { workersFolder } from '../config/places.ts';
import { version } from '../config/version.ts';
import { JoinedWorker, type WorkerNews } from '../join/joined-worker.ts';
import type { InstanceChoice } from '../join/wanted.ts';
import { terminalLog } from '../kernel/log.ts';
import { CommandError, type Context } from './context.ts';
import { printable } from './tables.ts';

export interface WorkerOptions {
  readonly join: string;
  readonly service: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly endpoint?: string;
  readonly command?: string;
  readonly env?: ReadonlyMap<string, string>;
  readonly workDir?: string;
  readonly window?: number;
  readonly path?: string;
  readonly keepalive?: number;
  readonly healthPath?: string;
  readonly grace: number;
  readonly drainTimeout?: number;
  readonly name?: string;
  readonly data?: string;
}

/** The exit code of a worker that the server has refused for good: starting it again is no use. */
const refusedCode = 2;

const progressMs = 200;
const nameMax = 128;

/** Works until interrupted. Sets the exit code when the server refuses the worker. */
export async function work(context: Context, options: WorkerOptions): Promise<void> {
  const { environment, clock, random, output, terminal, interrupted } = context;
  const url = addressOf(options.join, '--join');
  const choice = choiceOf(options);
  checkName(options.name);
  const worker = new JoinedWorker({
    url,
    service: options.service,
    token: await tokenOf(context, options),
    name: options.name,
    choice,
    folder: options.data ?? workersFolder(environment),
    environment,
    version,
    news: (news) => tell(context, options, news),
    clock,
    random,
    log: terminalLog(terminal.stderr.isTTY === true ? 'error' : 'warn'),
  });
  output.note(`Worker ${worker.name} for ${options.service} at ${url}`);
  const cut = new AbortController();
  const second = (): void => cut.abort();
  const first = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, second);
  };
  if (interrupted.aborted) first();
  else interrupted.addEventListener('abort', first, { once: true });
  try {
    const over = worker.run(interrupted, cut.signal);
    await showDraining(context, worker, over);
    await over;
    output.note('Stopped');
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    output.error(`the server refuses this worker: ${printable(error.message)}`);
    process.exitCode = refusedCode;
  } finally {
    interrupted.removeEventListener('abort', first);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, second);
  }
}

async function showDraining(
  context: Context,
  worker: JoinedWorker,
  over: Promise<void>,
): Promise<void> {
  const { clock, interrupted, output } = context;
  let isOver = false;
  const end = over.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  await Promise.race([
    end,
    new Promise<void>((resolve) => {
      if (interrupted.aborted) resolve();
      interrupted.addEventListener('abort', () => resolve(), { once: true });
    }),
  ]);
  while (!isOver) {
    const { running } = worker;
    const requests = running === 1 ? '1 running request' : `${running} running requests`;
    if (running > 0) output.progress(`Waiting for ${requests} (Ctrl-C gives them back)`);
    await Promise.race([end, new Promise<void>((go) => void clock.after(progressMs, go))]);
  }
  output.endProgress();
}

function tell({ output }: Context, { service }: WorkerOptions, news: WorkerNews): void {
  switch (news.kind) {
    case 'waiting':
      output.progress(`Waiting for ${service}: ${printable(news.reason)}`);
      return;
    case 'joined':
      output.note(`Joined ${service} (${printable(news.agent)})`);
      return;
    case 'lost':
      output.note(`Connection lost, working on and trying again: ${printable(news.reason)}`);
      return;
    case 'back':
      output.note(`Connected again after ${showDuration(Math.ceil(news.afterMs))}`);
      return;
    case 'replaced': {
      const when = news.how === 'drain' ? 'when its work is done' : 'now';
      output.note(`The server wants the instance started anew, ${when}`);
      return;
    }
    case 'instance': {
      const why = news.reason === '' ? '' : `: ${printable(news.reason)}`;
      output.note(`Instance is ${news.state}${why}`);
      return;
    }
  }
}

function choiceOf(options: WorkerOptions): InstanceChoice {
  const { endpoint, command, window, path, keepalive, healthPath } = options;
  const common = {
    window,
    keepaliveMs: keepalive,
    healthPath: healthPath === undefined ? undefined : pathOf(healthPath, '--health-path'),
    terminationGraceMs: options.grace,
    drainTimeoutMs: options.drainTimeout ?? 0,
  };
  const own = path === undefined ? undefined : pathOf(path, '--path');
  if (endpoint !== undefined) {
    const { origin, pathname } = new URL(addressOf(endpoint, '--endpoint'));
    const source = { kind: 'endpoint', urls: [origin] } as const;
    return { ...common, source, path: own ?? (pathname === '/' ? undefined : pathname) };
  }
  if (command === undefined) {
    throw new CommandError('name the model server: --endpoint URL or --command TEXT');
  }
  const env = Object.fromEntries(options.env ?? []);
  const source = { kind: 'process', form: 'command', text: command, port: 0, env } as const;
  return { ...common, source: { ...source, workDir: options.workDir }, path: own };
}

// A token in an address would stand in process lists and logs.
function addressOf(text: string, option: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CommandError(`${option} ${text} is no address such as http://127.0.0.1:8600`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new CommandError(`${option} has a user or password in it: give --token-file instead`);
  }
  return text;
}

function pathOf(text: string, option: string): string {
  if (text.startsWith('/')) return text;
  throw new CommandError(`${option} ${text} is no path such as /predict`);
}

function checkName(name: string | undefined): void {
  if (name === undefined || (/^\w[\w.-]*$/.test(name) && name.length <= nameMax)) return;
  throw new CommandError(`--name has up to ${nameMax} letters, digits, _, - and .`);
}

async function tokenOf(context: Context, options: WorkerOptions): Promise<string> {
  const { environment, terminal } = context;
  const { tokenFile, token } = options;
  if (tokenFile === undefined) return token ?? environment.SLUICE_TOKEN ?? '';
  const text = tokenFile === '-' ? await textOf(terminal.stdin) : await readFile(tokenFile, 'utf8');
  if (text.trim() !== '') return text.trim();
  throw new CommandError(`${tokenFile === '-' ? 'the input' : tokenFile} holds no token`);
}
