// Where a user's own program lies: a file, or the entry of a folder. What is missing is said as a
// ModelError, since it will be missing at the next start too.

import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type LoadOptions, ModelError } from './processor.ts';

export interface ProgramPlace {
  /** Absolute path of the file to load. */
  readonly file: string;
  /** The folder of its model: model_path, or where the program itself lies. */
  readonly model: string;
}

/** `defaults`: the names that are looked for in a folder when no entry is given. */
export function programPlace(options: LoadOptions, defaults: readonly string[]): ProgramPlace {
  const { model, code, entry } = options;
  const base = code ?? model;
  if (base === '') throw new ModelError('no program is given: name it with processor_path');
  if (!existsSync(base)) throw new ModelError(`${base} does not exist`);
  const file = statSync(base).isDirectory() ? entryIn(base, entry, defaults) : base;
  if (code !== undefined && model !== '') return { file, model };
  return { file, model: statSync(base).isDirectory() ? base : dirname(base) };
}

function entryIn(folder: string, entry: string | undefined, defaults: readonly string[]): string {
  const names = entry === undefined ? defaults : [entry];
  const name = names.find((each) => existsSync(join(folder, each)));
  if (name === undefined) {
    const what = names.length === 1 ? names[0] : `none of ${names.join(', ')}`;
    throw new ModelError(`${folder} has ${what === names[0] ? 'no ' : ''}${what}`);
  }
  // An entry names a file of its folder, also when links stand in it.
  const inside = relative(realpathSync(folder), realpathSync(join(folder, name)));
  if (inside.startsWith('..')) throw new ModelError(`the entry ${name} lies outside of its folder`);
  return join(folder, name);
}
