// The kind `node`: a user's own module with `load` and `predict`, in this very process. It may
// answer at once, later, or piece by piece; what it throws says the status.

import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { anything, inputReader, isObject, ownSchema, thrown } from '../exchange.ts';
import { type Call, type Load, ModelError, type Processor } from '../processor.ts';
import { programPlace } from '../program-file.ts';
import { answerOf } from './answer.ts';
import { reportingOf } from './reporting.ts';

/** Looked for in a folder, in this order. */
const entries = ['index.mjs', 'index.js', 'model.mjs', 'model.js', 'main.mjs', 'main.js'];

type Predict = (input: unknown, context: unknown) => unknown;

export const load: Load = async (options) => {
  const { file, model } = programPlace(options, entries);
  const module = await importModule(file);
  const { predict, schema, about } = module;
  if (!isFunction(predict)) throw new ModelError(`${file} exports no function predict`);
  const own = ownSchema(schema);
  const read = inputReader(own.input);
  const { config = {}, log } = options;
  const surroundings = { model, config, log };
  // What it throws may pass: a file that is still being written, a server that does not answer yet.
  const state = isFunction(module.load) ? await module.load(surroundings) : undefined;
  const run: Predict = predict;
  const answer = async (call: Call): ReturnType<Processor['answer']> => {
    const { value } = read(call);
    const { method, path, query, headers, signal } = call;
    const told = reportingOf(headers);
    const context = { ...surroundings, ...told, state, method, path, query, headers, signal };
    try {
      return await answerOf(run(value, context));
    } catch (error) {
      throw thrown(error);
    }
  };
  return {
    description: {
      kind: 'node',
      model: basename(file),
      about: typeof about === 'string' ? about : undefined,
      input: own.input ?? anything,
      output: own.output ?? anything,
      details: { node: process.version },
    },
    answer,
    close: async () => {
      if (isFunction(module.close)) await module.close(state);
    },
  };
};

/** Its exports; those of a CommonJS module or of `export default {...}` are taken for its own. */
async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  let found: Readonly<Record<string, unknown>>;
  try {
    found = await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new ModelError(`${file} cannot be loaded: ${whyOf(cause, file)}`, { cause });
  }
  return isObject(found.default) ? { ...found.default, ...found } : found;
}

function whyOf(error: unknown, file: string): string {
  if (!(error instanceof Error)) return String(error);
  const line = error instanceof SyntaxError ? mistakenLine(file) : undefined;
  return `${error.name}: ${error.message}${line === undefined ? '' : ` (line ${line})`}`;
}

/** Node says where a mistake stands on the terminal only: in the first line of its check. */
function mistakenLine(file: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
  return /:(\d+)$/.exec(stderr.split('\n')[0] ?? '')?.[1];
}

function isFunction(value: unknown): value is (...values: readonly unknown[]) => unknown {
  return typeof value === 'function';
}
