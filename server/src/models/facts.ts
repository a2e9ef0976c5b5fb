// What is written down of a model beside its files: where it came from, which version it was and
// what it has. Read at a start; what can't be read counts as missing.

import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Version } from './version.ts';

export interface EntryFacts {
  /** Of the address it came from. */
  readonly identity: string;
  /** The address without what may be secret, for logs. */
  readonly shown: string;
  /** Of the file, or of the folder it was unpacked to. */
  readonly name: string;
  /** A file as it was fetched, or a folder that was unpacked. */
  readonly form: 'file' | 'folder';
  readonly version: Version;
  /** Of the file as it was fetched, hexadecimal. */
  readonly sha256: string;
  /** On the disk, unpacked. */
  readonly bytes: number;
  /** Wall clock. */
  readonly fetchedAt: number;
}

const file = 'model.json';

/** Replaces what is there, in one step; the name is durable once its folder was flushed. */
export async function writeFacts(folder: string, facts: EntryFacts): Promise<void> {
  const path = join(folder, file);
  const fresh = await open(`${path}.new`, 'w', 0o600);
  try {
    const { identity, shown, name, form, version, sha256, bytes, fetchedAt } = facts;
    const known = { format: 1, identity, shown, name, form, version, sha256, bytes, fetchedAt };
    await fresh.writeFile(`${JSON.stringify(known)}\n`);
    await fresh.datasync();
  } finally {
    await fresh.close();
  }
  await rename(`${path}.new`, path);
}

/** undefined: there is nothing that can be read. */
export async function readFacts(folder: string): Promise<EntryFacts | undefined> {
  try {
    // The shape is checked right below.
    const read = JSON.parse(await readFile(join(folder, file), 'utf8')) as Partial<EntryFacts> & {
      readonly format?: unknown;
    };
    const { format, identity, shown, name, form, version, sha256, bytes, fetchedAt } = read;
    if (form !== 'file' && form !== 'folder') return undefined;
    if (format !== 1 || !isText(identity) || !isText(shown) || !isText(name)) return undefined;
    if (!isText(version?.etag) || !isText(version.lastModified)) return undefined;
    if (!isText(sha256) || !isCount(bytes) || !isCount(fetchedAt)) return undefined;
    // A part of a path below: nothing but a name.
    if (name === '' || name.includes('/') || name === '..') return undefined;
    return { identity, shown, name, form, version, sha256, bytes, fetchedAt };
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}
