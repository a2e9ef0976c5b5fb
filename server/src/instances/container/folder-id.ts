// Who started a container: a name for a data folder that no other folder has, also not a copy of
// it, so that two servers on one Docker Engine never touch each other's containers.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../kernel/random.ts';

/** undefined: nothing has been started from this folder yet. */
export function readFolderId(folder: string): string | undefined {
  const path = join(folder, 'id');
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const [id = '', inode = ''] = readFileSync(path, 'utf8').trim().split(' ');
  // A folder that was copied has a file of another number; one that was moved keeps it.
  return /^[0-9a-f]{32}$/.test(id) && inode === String(facts.ino) ? id : undefined;
}

/** The folder's id, made when it is needed first. */
export async function ensureFolderId(folder: string, random: Random): Promise<string> {
  const known = readFolderId(folder);
  if (known !== undefined) return known;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'id');
  const id = random.secret(16);
  writeFileSync(path, '', { mode: 0o600 });
  writeFileSync(path, `${id} ${statSync(path).ino}\n`);
  return id;
}
