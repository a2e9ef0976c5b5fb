// service.json files as commands read them: one file, standard input, or all files of a folder.
// Mistakes name the file.

import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseJsonc } from '../config/jsonc.ts';
import { CommandError, type Context } from './context.ts';
import { fileProblem } from './file-problem.ts';
import { readInput } from './input.ts';

/** Most files that one folder may hold. */
const filesMax = 1000;

/** What one file declares. */
export interface Declaration {
  readonly file: string;
  readonly name: string;
  readonly definition: unknown;
}

/** Reads a service.json with comments. Relative paths of models are those of its folder. */
export async function readDefinition(context: Context, file: string): Promise<unknown> {
  const text = Buffer.from(await readInput(context, file)).toString('utf8');
  const place = file === '-' ? 'standard input' : file;
  if (text.trim() === '') throw new CommandError(`${place} is empty; \`sluice init\` writes one`);
  try {
    return withModels(parseJsonc(text), file === '-' ? '.' : dirname(file));
  } catch (error) {
    throw new CommandError(`${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The fields that may hold a path of this machine. */
const modelFields = ['model_path', 'processor_path'] as const;

/** A server has a working folder of its own: it is given absolute paths. */
function withModels(definition: unknown, folder: string): unknown {
  if (typeof definition !== 'object' || definition === null) return definition;
  const paths = modelFields.flatMap((field): [string, string][] => {
    const path: unknown = Reflect.get(definition, field);
    const isRelative = typeof path === 'string' && path !== '' && !/^(\/|[a-z0-9]+:)/i.test(path);
    return isRelative ? [[field, resolve(folder, path)]] : [];
  });
  return paths.length === 0 ? definition : { ...definition, ...Object.fromEntries(paths) };
}

/** The name that a definition gives its service. */
export function definitionName(definition: unknown): string | undefined {
  const field = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  const name =
    field(field(definition, 'metadata'), 'name') ??
    field(definition, 'metadata.name') ??
    field(definition, 'name');
  return typeof name === 'string' ? name : undefined;
}

/** The services that a file, or every *.json and *.jsonc of a folder, declares, in the order of the
 * files' names. All mistakes are told at once. */
export async function readDeclarations(
  context: Context,
  path: string,
): Promise<{ readonly isFolder: boolean; readonly declarations: readonly Declaration[] }> {
  const files = path === '-' ? undefined : await filesOf(path);
  const mistakes: string[] = [];
  const declarations: Declaration[] = [];
  for (const file of files ?? [path]) {
    try {
      declarations.push(await readDeclaration(context, file));
    } catch (error) {
      if (!(error instanceof CommandError) || context.interrupted.aborted) throw error;
      mistakes.push(error.message);
    }
  }
  mistakes.push(...twiceNamed(declarations));
  if (mistakes.length > 0) throw new CommandError(mistakes.join('\n'));
  return { isFolder: files !== undefined, declarations };
}

async function readDeclaration(context: Context, file: string): Promise<Declaration> {
  const definition = await readDefinition(context, file);
  const name = definitionName(definition);
  if (name !== undefined) return { file, name, definition };
  const place = file === '-' ? 'standard input' : file;
  throw new CommandError(`${place}: names no service: set metadata.name`);
}

/** undefined: it is one file, or nothing that can be read. */
async function filesOf(path: string): Promise<readonly string[] | undefined> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return undefined;
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    throw new CommandError(fileProblem(path, error));
  });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => entry.name)
    .filter((name) => /^[^.].*\.jsonc?$/.test(name))
    .sort();
  if (names.length === 0) throw new CommandError(`${path} holds no *.json and no *.jsonc file`);
  if (names.length > filesMax) {
    throw new CommandError(`${path} holds ${names.length} files; at most ${filesMax} are read`);
  }
  return names.map((name) => join(path, name));
}

function twiceNamed(declarations: readonly Declaration[]): readonly string[] {
  const first = new Map<string, string>();
  return declarations.flatMap(({ name, file }) => {
    const other = first.get(name);
    if (other === undefined) first.set(name, file);
    return other === undefined ? [] : [`${file}: declares ${name}, as ${other} does`];
  });
}
