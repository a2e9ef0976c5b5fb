// The Python process behind the kind `python`: started, given calls over one pipe, several at a
// time, and ended. When it is gone by itself, the calls it had are lost, not failed.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Input } from '../exchange.ts';
import { type Answer, type Call, LostError, ModelError } from '../processor.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { OpenCall } from './open-call.ts';

const script: string = fileURLToPath(new URL('../../../python/sluice_host.py', import.meta.url));
/** Environments beside a program, used before the python3 of the PATH. */
const ownPythons = ['.venv/bin/python3', 'venv/bin/python3'];

export interface HostOptions {
  /** The module to load. */
  readonly file: string;
  /** Its folder: what it imports is looked for there first. */
  readonly root: string;
  readonly model: string;
  readonly config: unknown;
  /** Threads: calls that run at a time. */
  readonly window: number;
}

/** What the module says of itself. */
export interface HostedModule {
  readonly schema: unknown;
  readonly about: string | undefined;
  readonly python: string;
}

export class PythonHost {
  /** Resolves with the reason when the process ends by itself after it was ready. */
  readonly lost: Promise<string>;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #calls = new Map<number, OpenCall>();
  readonly #ended: Promise<string>;
  #nextId = 1;
  #isClosing = false;

  constructor({ file, root, model, config, window }: HostOptions) {
    const python = pythonFor(file);
    // It inherits where the output goes: what the module prints stands in the instance's log. And
    // it compiles into memory (-B): the module may lie in a folder that is not its own to write in.
    this.#child = spawn(python, ['-u', '-B', script], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    // The fourth channel is a pipe, as asked for above, and pipes to a child go both ways.
    this.#pipe = this.#child.stdio[3] as Duplex;
    this.#pipe.on('error', () => undefined);
    this.#ended = endOf(this.#child, python);
    this.lost = new Promise((resolve) => {
      void this.#ended.then((reason) => {
        for (const call of this.#calls.values()) call.lose(new LostError(reason));
        this.#calls.clear();
        if (!this.#isClosing) resolve(reason);
      });
    });
    this.#pipe.write(encodeFrame({ type: 'start', file, root, model, config, window }));
  }

  /** Resolves when the module is loaded; throws ModelError when it never can be. */
  async ready(): Promise<HostedModule> {
    const head = await this.#first();
    const message = typeof head.message === 'string' ? head.message : 'it could not be loaded';
    if (head.type === 'failed')
      throw head.final === true ? new ModelError(message) : new Error(message);
    const { schema, about, python } = head;
    return {
      schema,
      about: typeof about === 'string' ? about : undefined,
      python: String(python),
    };
  }

  /** Runs `predict`. Rejects with what it threw, or LostError when the process is gone. */
  call(call: Call, input: Input): Promise<Answer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const open = new OpenCall({
      signal: call.signal,
      cancel: () => this.#send({ type: 'cancel', id }),
      taken: () => this.#send({ type: 'more', id }),
      over: () => this.#calls.delete(id),
    });
    this.#calls.set(id, open);
    const { method, path, headers } = call;
    const query = Object.fromEntries(call.query);
    const head = { type: 'call', id, kind: input.kind, method, path, query, headers };
    this.#send(head, call.body);
    return open.answer;
  }

  /** Lets running calls end, then the process. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#send({ type: 'close' });
    await this.#ended;
  }

  /** Ends it at once. */
  kill(): void {
    this.#isClosing = true;
    this.#child.kill('SIGKILL');
  }

  #send(head: object, body?: Uint8Array): void {
    if (this.#pipe.writable) this.#pipe.write(encodeFrame(head, body));
  }

  #first(): Promise<Frame['head']> {
    const reader = new FrameReader();
    return new Promise((resolve, reject) => {
      // Once settled this changes nothing.
      void this.#ended.then((reason) => reject(new ModelError(reason)));
      this.#pipe.on('data', (piece: Buffer) => {
        for (const frame of reader.take(piece)) {
          if (typeof frame.head.id === 'number') this.#calls.get(frame.head.id)?.take(frame);
          else resolve(frame.head);
        }
      });
    });
  }
}

function pythonFor(file: string): string {
  const folder = dirname(file);
  const own = ownPythons.map((path) => join(folder, path)).find((path) => existsSync(path));
  return own ?? 'python3';
}

/** Resolves with how it ended, as a sentence. */
function endOf(child: ChildProcess, python: string): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      const isMissing = 'code' in error && error.code === 'ENOENT';
      const text = `${python} was not found; install Python 3.8 or newer, or put a .venv beside it`;
      resolve(isMissing ? text : `${python} cannot be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      resolve(`Python ended by itself (${signal ?? `code ${code}`}); it may have said why above`);
    });
  });
}
