// One state of a model that is being worked on: a process that serves it, and the way to it. Its
// output is shown as it comes.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ownProgram } from '../config/own-program.ts';
import {
  type Answer,
  type Call,
  type Description,
  InputError,
  LostError,
  type Processor,
} from '../processors/processor.ts';
import type { ProcessorOrder } from './model-server.ts';
import type { Output } from './output.ts';

export type DevModel = Processor;

export interface DevModelOptions extends ProcessorOrder {
  readonly output: Output;
  /** Aborted before it is ready: it is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What only one connection is meant for, or what fetch says itself. */
const ownHeaders = /^(connection|keep-alive|host|content-length|transfer-encoding|expect|upgrade)$/;

/** What its last line begins with when the model cannot be used. */
const refusal = 'sluice processor: ';

/** Resolves once it is ready; rejects with what its process said last. */
export async function startDevModel(options: DevModelOptions): Promise<DevModel> {
  const [node = '', ...words] = [...ownProgram(), '--json', ...argumentsOf(options)];
  // By the channel it learns that this process is gone, however that came.
  const child = spawn(node, words, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const { signal, output } = options;
  const drop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', drop, { once: true });
  const url = await urlOf(child, output);
  // From here on it is ended by `close`, once its calls have ended.
  signal.removeEventListener('abort', drop);
  const response = await fetch(url);
  // What the front of that process says of itself.
  const description = (await response.json()) as Description;
  return new ChildModel(child, url, description);
}

class ChildModel implements Processor {
  readonly description: Description;
  readonly lost: Promise<string>;
  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(child: ChildProcess, url: string, description: Description) {
    this.#child = child;
    this.#url = url;
    this.description = description;
    this.lost = endOf(child);
  }

  async answer({ method, path, query, headers, body, signal }: Call): Promise<Answer> {
    const place = path.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`${place}${query.size > 0 ? `?${query}` : ''}`, this.#url);
    const others = Object.entries(headers).filter(([name]) => !ownHeaders.test(name));
    const isBare = method === 'GET' || method === 'HEAD';
    const sent = { method, headers: Object.fromEntries(others), signal };
    const response = await fetch(url, isBare ? sent : { ...sent, body }).catch(
      (error: unknown): never => {
        throw new LostError('the model has gone', { cause: error });
      },
    );
    const { status } = response;
    const contentType = response.headers.get('content-type') ?? 'application/octet-stream';
    if (contentType === 'application/problem+json') throw problemIn(await response.json(), status);
    if (response.body === null) return { status, contentType, body: new Uint8Array(0) };
    return { status, contentType, stream: response.body };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/** So that the line about the call can say what was wrong; it is answered as it came. */
function problemIn(value: unknown, status: number): InputError {
  const {
    detail = '',
    field,
    row,
  }: { detail?: unknown; field?: unknown; row?: unknown } = typeof value === 'object' &&
  value !== null
    ? value
    : {};
  return new InputError(String(detail), {
    status,
    field: typeof field === 'string' ? field : undefined,
    row: typeof row === 'number' ? row : undefined,
  });
}

/** The address in its first line; everything else it writes is passed on. */
function urlOf(child: ChildProcess, output: Output): Promise<string> {
  let last = '';
  const show = (line: string): void => {
    last = line;
    if (!line.startsWith(refusal)) output.note(line);
  };
  if (child.stderr !== null) createInterface(child.stderr).on('line', show);
  return new Promise((resolve, reject) => {
    let url: string | undefined;
    if (child.stdout !== null) {
      createInterface(child.stdout).on('line', (line) => {
        const found = url === undefined ? urlIn(line) : undefined;
        url ??= found;
        if (found === undefined) show(line);
        else resolve(found);
      });
    }
    // After its last words.
    child.once('close', () => {
      reject(new Error(last.replace(refusal, '') || 'its process has ended'));
    });
    child.once('error', reject);
  });
}

function urlIn(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isOurs = typeof value === 'object' && value !== null && 'url' in value && 'kind' in value;
    return isOurs ? String(value.url) : undefined;
  } catch {
    return undefined;
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(`its process ended (${signal ?? `code ${code}`})`);
    });
  });
}

function argumentsOf(order: ProcessorOrder): readonly string[] {
  const { kind, path, entry, code, config, window, batchSize, batchDelay, bodyLimit } = order;
  const given: readonly (readonly [string, string | number | undefined])[] = [
    ['--entry', entry],
    ['--code', code],
    ['--config', config],
    ['--window', window],
    ['--batch-size', batchSize],
    ['--batch-delay', batchDelay],
    ['--body-limit', bodyLimit],
  ];
  const flags = given.flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, String(value)],
  );
  return ['processor', kind, path, '--port', '0', '--host', '127.0.0.1', ...flags];
}
