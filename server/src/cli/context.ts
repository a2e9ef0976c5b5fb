// What every command is given: the terminal, time, the environment, and the words that are the same
// for all of them (--url, --token, --credentials, --json).

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseJsonc } from '../config/jsonc.ts';
import { type Environment, serversFolder } from '../config/places.ts';
import { defaultPort, readServerFiles, type ServerEntry } from '../config/server-file.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { fileProblem } from './file-problem.ts';
import type { Output, Terminal } from './output.ts';

export interface Context {
  readonly terminal: Terminal;
  readonly output: Output;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by Ctrl-C and SIGTERM, except in `serve`, which minds the signals itself. */
  readonly interrupted: AbortSignal;
}

/** A mistake of the user or a refusal, told in one sentence; no stack is shown. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface ServerAddress {
  readonly url: string;
  readonly token: string;
}

/** The options that every command takes. */
interface GlobalOptions {
  readonly url?: string;
  readonly token?: string;
  /** A file with both. */
  readonly credentials?: string;
}

/** Address and token of the server: flags, then the file of --credentials, then SLUICE_URL and
 * SLUICE_TOKEN, then the file that a server on loopback writes: the default port's, else the only
 * one. */
export async function findServer(context: Context, command: Command): Promise<ServerAddress> {
  const found = await lookUpServer(context, command);
  if (found !== undefined) return found;
  throw new CommandError(
    'no running server found: start one with `sluice serve`, or name one with --url and --token ' +
      '(or SLUICE_URL and SLUICE_TOKEN)',
  );
}

/** The same, undefined when nothing names a server. */
export async function lookUpServer(
  context: Context,
  command: Command,
): Promise<ServerAddress | undefined> {
  const { environment } = context;
  const flags: GlobalOptions = command.optsWithGlobals();
  const file =
    flags.credentials === undefined ? undefined : await readCredentials(flags.credentials);
  const url = flags.url ?? file?.url ?? nonEmpty(environment.SLUICE_URL);
  if (url !== undefined && !isHttp(url)) {
    throw new CommandError(`${url} is no address such as http://127.0.0.1:8600`);
  }
  // The token of a file is for the address that stands beside it.
  const fits = file !== undefined && url !== undefined && isSame(file.url, url);
  const token = flags.token ?? (fits ? file.token : nonEmpty(environment.SLUICE_TOKEN));
  if (url !== undefined && token !== undefined) return { url, token };
  const servers = await readServerFiles(serversFolder(environment));
  const known = url === undefined ? choose(servers) : servers.find((each) => isSame(each.url, url));
  if (known === undefined) {
    if (url === undefined) return undefined;
    throw new CommandError(`no token for ${url}: give --token or SLUICE_TOKEN`);
  }
  return { url: url ?? known.url, token: token ?? known.token };
}

async function readCredentials(file: string): Promise<ServerAddress> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(fileProblem(file, error));
  });
  try {
    const value: unknown = parseJsonc(text);
    const { url, token } = { url: '', token: '', ...(value instanceof Object ? value : {}) };
    if (typeof url === 'string' && isHttp(url) && typeof token === 'string' && token !== '') {
      return { url, token };
    }
  } catch {
    // Said below: the text of the mistake could quote the token.
  }
  throw new CommandError(`${file} is no file such as {"url": "http://...", "token": "..."}`);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function choose(servers: readonly ServerEntry[]): ServerEntry | undefined {
  const usual = servers.find((each) => new URL(each.url).port === String(defaultPort));
  if (usual !== undefined || servers.length < 2) return usual ?? servers[0];
  const addresses = servers.map((each) => each.url).join(', ');
  throw new CommandError(`several servers run here: choose one with --url (${addresses})`);
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function isSame(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}

/** Resolves after `ms`; rejects when the command is interrupted. */
export function pause(context: Context, ms: number): Promise<void> {
  const { interrupted, clock } = context;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      reject(new CommandError('interrupted'));
    };
    const timer = clock.after(ms, () => {
      interrupted.removeEventListener('abort', stop);
      resolve();
    });
    if (interrupted.aborted) stop();
    else interrupted.addEventListener('abort', stop, { once: true });
  });
}
