// Serving a model that is being worked on: one address that stays, behind it a process for each
// state of the files. A new one takes over once it is ready; what is wrong with it is said.

import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Timer } from '../kernel/clock.ts';
import { silentLog } from '../kernel/log.ts';
import { type EndedCall, Front } from '../processors/front.ts';
import { kindNames, kindOfFile } from '../processors/kinds.ts';
import { CommandError, type Context } from './context.ts';
import { type DevModel, startDevModel } from './dev-model.ts';
import { type ProcessorOptions, placeOf } from './model-server.ts';

export interface DevOptions extends ProcessorOptions {
  readonly kind?: string;
}

/** Editors write a file in several steps. */
const calmMs = 100;
/** What a model is made of; what it writes itself, logs and caches, is passed over. */
const ofModel = /\.([cm]?js|json|py|pmml|xml|onnx)$/;
const notOfModel = /(^|\/)(node_modules|__pycache__|\.[^/]+|venv)(\/|$)/;

/** Serves until interrupted. */
export async function runDev(context: Context, path: string, options: DevOptions): Promise<void> {
  const { clock, output } = context;
  const kind = options.kind ?? kindOfFile(path);
  const named = kindNames.join(', ');
  if (kind === undefined) throw new CommandError(`${path}: say what it is with --kind (${named})`);
  const file = resolve(path);
  const isFolder = statSync(file).isDirectory();
  const observe = (call: EndedCall): void => say(context, callText(call));
  const place = placeOf(context, options);
  const bodyBytesMax = options.bodyLimit * 2 ** 20;
  const front = new Front({ ...place, bodyBytesMax, clock, log: silentLog, observe });
  await front.start();
  output.record({ url: front.url, kind }, () => [`${kind} ${basename(file)} on ${front.url}`]);
  const reloading = new Reloading(context, front, { ...options, kind, path: file });
  const watcher = watchFiles(isFolder ? file : dirname(file), isFolder, () => reloading.soon());
  reloading.now();
  await untilInterrupted(context);
  watcher.close();
  reloading.end();
  await front.stop();
  process.exit(0);
}

/** Loads the model again and again, each time only the newest state. */
class Reloading {
  readonly #context: Context;
  readonly #front: Front;
  readonly #order: ProcessorOptions & { readonly kind: string; readonly path: string };
  #timer: Timer | undefined;
  #loading: AbortController | undefined;
  #shown: DevModel | undefined;

  constructor(context: Context, front: Front, order: DevOptions & { kind: string; path: string }) {
    this.#context = context;
    this.#front = front;
    this.#order = order;
  }

  /** When nothing has changed any more for a moment. */
  soon(): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.after(calmMs, () => this.now());
  }

  now(): void {
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#load(loading.signal).catch((error: unknown) => {
      if (loading.signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      say(this.#context, `not loaded: ${why}`);
      this.#shown = undefined;
      this.#front.hide(why).catch(() => undefined);
    });
  }

  /** Nothing is loaded any more. */
  end(): void {
    this.#timer?.cancel();
    this.#loading?.abort();
    this.#shown = undefined;
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { clock, output } = this.#context;
    const startedAt = clock.now().mono;
    const model = await startDevModel({ ...this.#order, output, signal });
    this.#shown = model;
    this.#front.show(model).catch(() => undefined);
    say(this.#context, `loaded in ${milliseconds(clock.now().mono - startedAt)}`);
    const why = await model.lost;
    if (this.#shown !== model) return;
    say(this.#context, `${why}; it is loaded again when a file changes`);
    await this.#front.hide(why ?? 'the model has ended');
  }
}

function watchFiles(folder: string, isDeep: boolean, changed: () => void): FSWatcher {
  return watch(folder, { recursive: isDeep }, (_event, name) => {
    if (name === null || (ofModel.test(name) && !notOfModel.test(name))) changed();
  });
}

function callText({ method, path, status, elapsedMs, bytesIn, error }: EndedCall): string {
  const why = error instanceof Error ? `  ${error.message}` : '';
  const left = status === 499 ? '  the caller left' : '';
  return `${method} ${path}  ${status}  ${milliseconds(elapsedMs)}  ${bytesIn} B in${why}${left}`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function say({ clock, output }: Context, text: string): void {
  const time = new Date(clock.now().wall).toTimeString().slice(0, 8);
  output.note(`${time}  ${text}`);
}

function untilInterrupted({ interrupted }: Context): Promise<void> {
  if (interrupted.aborted) return Promise.resolve();
  return new Promise((done) => interrupted.addEventListener('abort', () => done(), { once: true }));
}
