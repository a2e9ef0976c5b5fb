// Running a processor in the foreground: listen, load the model, answer until told to end. A model
// that cannot be used ends with a code of its own, so that whatever watches over the process knows
// that trying again cannot help.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseJsonc } from '../config/jsonc.ts';
import { Front } from '../processors/front.ts';
import { kindNames, loaderOf } from '../processors/kinds.ts';
import {
  type Batching,
  type Load,
  type LoadOptions,
  ModelError,
  type Processor,
} from '../processors/processor.ts';
import { CommandError, type Context } from './context.ts';
import { fileProblem } from './file-problem.ts';
import { plainLog } from './plain-log.ts';

export interface ProcessorOptions {
  readonly port?: number;
  readonly host?: string;
  readonly entry?: string;
  readonly code?: string;
  readonly config?: string;
  readonly window: number;
  readonly batchSize?: number;
  readonly batchDelay?: number;
  readonly bodyLimit: number;
}

export interface ProcessorOrder extends ProcessorOptions {
  readonly kind: string;
  readonly path: string;
}

export const defaultBodyLimitMb = 64;
const defaultPort = 9000;

/** EX_CONFIG: the model, or what was said about it, cannot be used. */
const unusable = 78;

const defaultBatch: Batching = { sizeMax: 16, delayMs: 50 };

/** Serves the model until interrupted; ends the process, whatever the model has left open. */
export async function runProcessor(context: Context, order: ProcessorOrder): Promise<void> {
  const { clock, output, interrupted } = context;
  const log = plainLog(output);
  const config = await readConfig(context, order.config);
  const { host, port } = placeOf(context, order);
  const front = new Front({ host, port, bodyBytesMax: order.bodyLimit * 2 ** 20, clock, log });
  await front.start();
  const end = untilAborted(interrupted);
  // `sluice dev` has started it, and is gone.
  process.once('disconnect', () => process.exit(0));
  const loading = loadProcessor(order, { ...loadOptions(order), config, clock, log });
  const processor = await Promise.race([loading, end.then(() => undefined)]).catch(
    (error: unknown) => refuse(context, error),
  );
  // Interrupted while it was loading: what has been begun ends with this process.
  if (processor === undefined) process.exit(0);
  await front.show(processor);
  const { kind, model } = processor.description;
  const value = { url: front.url, kind, model };
  output.record(value, () => [`${kind} ${model} on ${front.url}`]);
  const lost = await Promise.race([end.then(() => undefined), processor.lost ?? never]);
  if (lost !== undefined) {
    output.error(lost);
    front.cut();
    process.exit(1);
  }
  await front.stop();
  // A program of the user's may have left timers and sockets that would keep the process.
  process.exit(0);
}

/** Throws ModelError, also for a kind that there is not. */
export async function loadProcessor(
  { kind }: Pick<ProcessorOrder, 'kind'>,
  options: LoadOptions,
): Promise<Processor> {
  let load: Load | undefined;
  try {
    load = await loaderOf(kind);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`the processor ${kind} cannot run here: ${why}`, { cause });
  }
  if (load === undefined) {
    throw new ModelError(`there is no processor ${kind}; there are ${kindNames.join(', ')}`);
  }
  return load(options);
}

/** Where it listens: flags, then HOST and PORT, as every model server that Sluice starts. */
export function placeOf(
  { environment }: Context,
  { host, port }: ProcessorOptions,
): { readonly host: string; readonly port: number } {
  const given = port ?? Number(environment.PORT ?? defaultPort);
  if (!Number.isInteger(given) || given < 0 || given > 65_535) {
    throw new CommandError(`${port ?? environment.PORT} is no port`);
  }
  return { host: host ?? environment.HOST ?? '127.0.0.1', port: given };
}

function loadOptions(order: ProcessorOrder): Omit<LoadOptions, 'config' | 'clock' | 'log'> {
  const { path, code, entry, window, batchSize, batchDelay } = order;
  const hasBatches = batchSize !== undefined || batchDelay !== undefined;
  const batching = {
    sizeMax: batchSize ?? defaultBatch.sizeMax,
    delayMs: batchDelay ?? defaultBatch.delayMs,
  };
  return {
    model: path === '' ? '' : resolve(path),
    code: code === undefined ? undefined : resolve(code),
    entry,
    batching: hasBatches ? batching : undefined,
    window,
  };
}

/** JSON, a file with it, or what a server hands down in the environment, where no other user of the
 * machine sees it. */
async function readConfig(context: Context, given: string | undefined): Promise<unknown> {
  const text = given ?? context.environment.SLUICE_MODEL_CONFIG ?? '';
  if (text === '') return undefined;
  const isJson = text.trimStart().startsWith('{');
  const json = isJson
    ? text
    : await readFile(text, 'utf8').catch((error: unknown) => {
        throw new CommandError(fileProblem(text, error));
      });
  try {
    return parseJsonc(json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${isJson ? '--config' : text}: ${why}`);
  }
}

/** Says why there is no model, in the one line that is looked for, and ends. */
function refuse({ output }: Context, error: unknown): never {
  if (error instanceof ModelError) {
    output.note(`sluice processor: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}`);
    process.exit(unusable);
  }
  output.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }));
}

const never: Promise<string> = new Promise(() => undefined);
