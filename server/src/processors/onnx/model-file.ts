// Where a model lies and what lies beside it: the .onnx file itself, and the files of lines
// (labels, characters, tokens) that its config names, which never lie outside of its folder.

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { ModelError } from '../processor.ts';

/** Longest file of lines. */
const linesBytesMax = 64 * 2 ** 20;

/** The .onnx file: the model itself, `entry` in its folder, or the only one there. */
export async function modelFile(model: string, entry: string | undefined): Promise<string> {
  if (model === '') throw new ModelError('an ONNX model needs model_path');
  const found = await stat(model).catch((cause: unknown) => {
    throw new ModelError(`the model can't be read: ${(cause as Error).message}`, { cause });
  });
  if (!found.isDirectory()) return model;
  if (entry !== undefined) return inside(model, entry, 'model_entry');
  const files = (await readdir(model)).filter((name) => name.endsWith('.onnx')).sort();
  const [only, ...others] = files;
  if (only === undefined) throw new ModelError('there is no .onnx file in the folder of the model');
  if (others.length === 0) return join(model, only);
  throw new ModelError(
    `the folder has several models, name one in model_entry: ${files.join(', ')}`,
  );
}

/** The name of a model by its file. */
export function modelName(file: string): string {
  const name = basename(file).replace(/\.onnx$/, '');
  return name.replace(/[^\w.-]/g, '-').slice(0, 128) || 'model';
}

/** Lines as the config gives them, or those of the file that it names. */
export async function linesBeside(
  file: string,
  source: string | readonly string[],
  setting: string,
): Promise<readonly string[]> {
  if (typeof source !== 'string') return source;
  const path = await inside(dirname(file), source, setting);
  const { size } = await stat(path);
  if (size > linesBytesMax) throw new ModelError(`${setting}: ${source} has ${size} bytes`);
  const lines = (await readFile(path, 'utf8')).split(/\r?\n/);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

async function inside(folder: string, name: string, setting: string): Promise<string> {
  const root = await realpath(folder);
  const path = await realpath(join(root, name)).catch((cause: unknown) => {
    throw new ModelError(`${setting}: there is no file ${name} beside the model`, { cause });
  });
  if (path.startsWith(root + sep)) return path;
  throw new ModelError(`${setting}: ${name} lies outside of the model's folder`);
}
