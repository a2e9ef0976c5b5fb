// The admin token of a data folder: made at the first start, kept in `admin/token`, readable by the
// owner only. Whoever holds it may run commands on this machine through a service's definition.

import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../kernel/random.ts';
import { Secret } from './secret.ts';

export interface AdminToken {
  readonly token: Secret;
  /** The file could be read by others and has been closed to them; the token may be known. */
  readonly wasExposed: boolean;
}

/** Reads the token below `folder`, or makes one. The folder gets mode 0700, the file 0600. */
export async function ensureAdminToken(folder: string, random: Random): Promise<AdminToken> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const file = join(folder, 'token');
  const known = await readToken(file);
  if (known !== undefined) return known;
  // Written aside and linked into place: a crash leaves no half token, and of two programs that
  // start together one wins.
  const draft = join(folder, `token.${random.id()}`);
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${random.secret(32)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await link(draft, file).catch(ignore('EEXIST'));
  await rm(draft, { force: true });
  const made = await readToken(file);
  if (made === undefined) throw new Error(`${file} has vanished while it was made`);
  return made;
}

async function readToken(file: string): Promise<AdminToken | undefined> {
  const text = await readFile(file, 'utf8').catch(ignore('ENOENT'));
  if (text === undefined) return undefined;
  const token = text.trim();
  if (token.length < 16) {
    throw new Error(`${file} holds no token: delete it and a new one is made at the next start`);
  }
  const wasExposed = ((await stat(file)).mode & 0o077) !== 0;
  if (wasExposed) await chmod(file, 0o600);
  return { token: new Secret(token), wasExposed };
}

function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined;
    throw error;
  };
}
