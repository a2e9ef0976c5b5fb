// Copies the files of a data folder or of a backup, one after the other, flushed and with their
// checksums. Runs in a child process (child.ts).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { syncFolder } from '../sync-folder.ts';
import type { FileSum } from './manifest.ts';

/** Tells of so many more bytes. */
export type CountBytes = (bytes: number) => void;

/** Copies `path` below one folder to the same path below another; durable but for its name. */
export async function copyFile(
  from: string,
  to: string,
  path: string,
  count: CountBytes,
): Promise<FileSum> {
  const hash = createHash('sha256');
  const target = join(to, path);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const file = await open(target, 'wx', 0o600);
  try {
    for await (const piece of createReadStream(join(from, path), { highWaterMark: 2 ** 20 })) {
      hash.update(piece);
      await file.writeFile(piece);
      count(piece.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { path, sum: hash.digest('hex') };
}

/** Makes the names of everything below a folder durable. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(folder, entry.name));
  }
  await syncFolder(folder);
}

/** The names of the files in a folder, none when it isn't there, and their size together. */
export async function filesIn(
  folder: string,
): Promise<{ readonly names: readonly string[]; readonly bytes: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  let bytes = 0;
  for (const name of names) {
    // One that is gone meanwhile takes no room.
    bytes += await stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return { names, bytes };
}

/** Throws `disk_full` when a folder's disk has no room for so many bytes. */
export async function mustHaveRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new PlatformError(
    'disk_full',
    `The disk of ${folder} has ${megabytes(free)} free, of which ${megabytes(bytes)} are needed.`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}
