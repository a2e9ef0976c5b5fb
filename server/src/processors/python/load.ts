// The kind `python`: a user's own Python module with `load` and `predict`, in a Python process of
// its own behind this one. It needs `python3` and no package.

import { basename, dirname, relative } from 'node:path';
import { anything, inputReader, ownSchema } from '../exchange.ts';
import { type Load, type LoadOptions, ModelError } from '../processor.ts';
import { programPlace } from '../program-file.ts';
import { type HostedModule, PythonHost } from './host.ts';

/** Looked for in a folder, in this order. */
const entries = ['model.py', 'main.py', 'app.py', '__init__.py'];

export const load: Load = async (options) => {
  const { file, model } = programPlace(options, entries);
  const { config = {}, window } = options;
  const host = new PythonHost({ file, root: rootOf(options, file), model, config, window });
  try {
    const module = await host.ready();
    return describe(host, module, basename(file));
  } catch (error) {
    host.kill();
    throw error;
  }
};

function describe(
  host: PythonHost,
  { schema, about, python }: HostedModule,
  name: string,
): Awaited<ReturnType<Load>> {
  const own = ownSchema(schema);
  const read = inputReader(own.input);
  return {
    description: {
      kind: 'python',
      model: name,
      about,
      input: own.input ?? anything,
      output: own.output ?? anything,
      details: { python },
    },
    lost: host.lost,
    answer: async (call) => host.call(call, read(call)),
    close: () => host.close(),
  };
}

/** The folder that the program was given as: what it imports may lie anywhere in there. */
function rootOf({ code, model }: LoadOptions, file: string): string {
  const base = code ?? model;
  if (base === '') throw new ModelError('no program is given: name it with processor_path');
  return relative(base, file) === '' ? dirname(file) : base;
}
