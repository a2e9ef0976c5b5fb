// The files that are submitted: found below folders, told apart by a name of their own, and given
// keys from name and content, by which the same file is the same request whenever it is submitted.

import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { CommandError } from './context.ts';
import { fileProblem } from './file-problem.ts';

export interface SubmitInput {
  readonly file: string;
  /** Below the folder that was named, with slashes; of a file that was named, its last part. */
  readonly name: string;
}

/** More than anybody waits for by one command; named, so that it does not end in memory. */
const inputsMax = 1_000_000;

/** The files, each folder's in the order of their names. Hidden ones are left out, and so is
 * everything in the folder of the results. */
export async function inputsOf(
  paths: readonly string[],
  out: string | undefined,
): Promise<readonly SubmitInput[]> {
  const results = out === undefined ? undefined : await realpath(out).catch(() => resolve(out));
  const inputs: SubmitInput[] = [];
  const names = new Map<string, string>();
  for (const path of paths) {
    for await (const input of filesOf(path, results)) {
      const other = names.get(input.name);
      if (other !== undefined) {
        throw new CommandError(`${other} and ${input.file} have the same name ${input.name}`);
      }
      if (inputs.length === inputsMax) {
        throw new CommandError(`more than ${inputsMax} files; submit them in parts`);
      }
      names.set(input.name, input.file);
      inputs.push(input);
    }
  }
  return inputs;
}

async function* filesOf(path: string, results: string | undefined): AsyncGenerator<SubmitInput> {
  try {
    if ((await stat(path)).isDirectory()) yield* below(path, '', results);
    else yield { file: path, name: basename(path) };
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(fileProblem(path, error));
  }
}

async function* below(
  folder: string,
  prefix: string,
  results: string | undefined,
): AsyncGenerator<SubmitInput> {
  if ((await realpath(folder)) === results) return;
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const file = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) yield* below(file, `${name}/`, results);
    // A link may lead to a file, or out of the folder and round in circles.
    else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(file)).isFile())) {
      yield { file, name };
    }
  }
}

/** A file as the body of a request, read while it is sent. */
export async function fileBody(
  file: string,
): Promise<{ readonly body: Blob; readonly type: string }> {
  try {
    if (!(await stat(file)).isFile()) throw new CommandError(`${file}: is no file`);
    const type = types[extname(file).toLowerCase()] ?? unknownType;
    return { body: await openAsBlob(file, { type }), type };
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(fileProblem(file, error));
  }
}

/** What makes another request of the same file. */
export interface KeyTerms {
  /** Of the run, by which a user tells the same files apart. */
  readonly run: string;
  readonly path: string | undefined;
  readonly contentType: string;
  /** From 1; raised to have the same file worked on again. */
  readonly attempt: number;
}

/** The idempotency key of a file: of its name, its content, and how it is submitted. */
export async function keyOfFile(
  { file, name }: SubmitInput,
  { run, path = '', contentType, attempt }: KeyTerms,
): Promise<string> {
  const hash = createHash('sha256');
  // The first part is the version of this recipe.
  hash.update(JSON.stringify(['sluice submit 1', run, name, path, contentType, attempt]));
  try {
    for await (const piece of createReadStream(file)) hash.update(piece as Uint8Array);
  } catch (error) {
    throw new CommandError(fileProblem(file, error));
  }
  return `file-${hash.digest('hex').slice(0, keyDigits)}`;
}

// 160 bits: no two of a million files meet by chance.
const keyDigits = 40;

const unknownType = 'application/octet-stream';

const types: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.jsonl': 'application/x-ndjson',
  '.md': 'text/markdown',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.ndjson': 'application/x-ndjson',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.tif': 'image/tiff',
  '.tiff': 'image/tiff',
  '.txt': 'text/plain',
  '.wav': 'audio/wav',
  '.webp': 'image/webp',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

/** How the file of a result ends, by its type. */
export function endingOf(contentType: string | undefined): string {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/event-stream') return '.txt';
  if (type === 'image/jpeg') return '.jpg';
  const known = Object.entries(types).find(([, each]) => each === type);
  if (known !== undefined) return known[0];
  if (type.endsWith('+json')) return '.json';
  return type.startsWith('text/') ? '.txt' : '.bin';
}

/** The type of what has no name: JSON where it is an object or list of JSON, text where it is
 * text. */
export function typeOfData(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return isJson(text) ? 'application/json' : 'text/plain; charset=utf-8';
  } catch {
    return unknownType;
  }
}

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
