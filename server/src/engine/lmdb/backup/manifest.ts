// What makes a folder a backup: `backup.json` says what it is, `SHA256SUMS` names every file with
// its checksum, in the form that `sha256sum -c SHA256SUMS` reads. A backup is never written to.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';

export const backupName = 'backup.json';
export const sumsName = 'SHA256SUMS';
const product = 'sluice backup';
/** The version of these two files. */
const backupVersion = 1;

/** What backup.json holds. */
export interface BackupAbout {
  readonly product: typeof product;
  readonly version: number;
  /** The format of the data, as in a data folder. */
  readonly format: number;
  /** The version of Sluice that made it. */
  readonly sluice: string;
  /** RFC 3339, UTC: everything accepted before this moment is in it. */
  readonly madeAt: string;
  readonly services: number;
  /** How many rows of each kind. */
  readonly rows: Readonly<Record<string, number>>;
  /** Files of data, and their size together. */
  readonly files: number;
  readonly bytes: number;
}

export interface FileSum {
  /** Below the backup, with forward slashes. */
  readonly path: string;
  /** SHA-256, hexadecimal. */
  readonly sum: string;
}

export interface Manifest {
  readonly about: BackupAbout;
  /** Every file of data. */
  readonly sums: readonly FileSum[];
}

/** Durable when it resolves. */
export async function writeManifest(
  folder: string,
  about: Omit<BackupAbout, 'product' | 'version'>,
  sums: readonly FileSum[],
): Promise<void> {
  const text = JSON.stringify({ product, version: backupVersion, ...about }, undefined, 2);
  await writeDurably(join(folder, backupName), `${text}\n`);
  const sum = await fileSum(join(folder, backupName), () => undefined);
  const lines = [{ path: backupName, sum }, ...sums].map(({ path, sum }) => `${sum}  ${path}\n`);
  await writeDurably(join(folder, sumsName), lines.join(''));
}

/** Throws `not_found` or `conflict` when it is no backup, damaged, or written by a newer Sluice.
 * The files of data are not looked at. */
export async function readManifest(folder: string, formatMax: number): Promise<Manifest> {
  const text = await readText(folder, backupName);
  const sums = parseSums(folder, await readText(folder, sumsName));
  const own = sums.find(({ path }) => path === backupName);
  const about = parseAbout(text);
  if (about !== undefined && about.version > backupVersion) {
    throw newer(folder, `a backup of version ${about.version}`, `version ${backupVersion}`);
  }
  if (about === undefined || own?.sum !== createHash('sha256').update(text).digest('hex')) {
    throw damaged(folder, `${backupName} is not what it was`);
  }
  if (about.format > formatMax) {
    throw newer(folder, `data of format ${about.format}`, `format ${formatMax}`);
  }
  const data = sums.filter((each) => each !== own);
  if (data.length !== about.files) {
    throw damaged(folder, `${sumsName} names ${data.length} files of data, not ${about.files}`);
  }
  return { about, sums: data };
}

/** The error that says how a backup is damaged. */
export function damaged(folder: string, what: string): PlatformError {
  return new PlatformError('conflict', `The backup ${folder} is damaged: ${what}.`);
}

/** The SHA-256 of a file; `read` is told of every piece. */
export async function fileSum(path: string, read: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    hash.update(piece);
    read(piece.length);
  }
  return hash.digest('hex');
}

async function readText(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause;
    const text = `${folder} is not a backup: it has no file ${name}.`;
    throw new PlatformError('not_found', text, { cause });
  }
}

function parseAbout(text: string): BackupAbout | undefined {
  try {
    // Checked below as far as it is relied on; the checksum answers for the rest.
    const about = JSON.parse(text) as BackupAbout;
    const isOurs = about.product === product && Number.isSafeInteger(about.version);
    return isOurs && Number.isSafeInteger(about.format) ? about : undefined;
  } catch {
    return undefined;
  }
}

// Nothing else is ever in a backup, so nothing else is ever read from one or written by it.
const paths = new RegExp(
  '^(backup\\.json|queue/data\\.mdb|queue/payloads/\\d+|admin/[\\w-][\\w.-]*' +
    '|bodies/[0-9a-f-]+|callbacks/[\\w-][\\w.-]*/(keys|closed|service)\\.json)$',
);

function parseSums(folder: string, text: string): readonly FileSum[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw damaged(folder, `${sumsName} is cut`);
  return lines.map((line, at) => {
    const [, sum = '', path = ''] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (!paths.test(path)) throw damaged(folder, `line ${at + 1} of ${sumsName} names no file`);
    return { path, sum };
  });
}

function newer(folder: string, has: string, known: string): PlatformError {
  return new PlatformError(
    'conflict',
    `${folder} is ${has}, written by a newer Sluice; this one reads up to ${known}. ` +
      'Nothing was changed; use the newer version.',
  );
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
