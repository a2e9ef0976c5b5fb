// How commands find a running server without being told: a server on loopback writes one file with
// its address and admin token into its user's configuration folder, and removes it when it ends.

import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A server as its file describes it. */
export interface ServerEntry {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly host: string;
}

export const defaultPort = 8600;

/** Writes the file of a server, mode 0600 in a folder of mode 0700. Answers its path. */
export async function writeServerFile(
  folder: string,
  server: { readonly url: string; readonly token: string },
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const entry: ServerEntry = { ...server, pid: process.pid, host: hostname() };
  const file = join(folder, fileName(server.url));
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(entry, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return file;
}

/** Removes the file if it is still the one of this process. */
export async function removeServerFile(file: string): Promise<void> {
  const entry = await readEntry(file);
  if (entry?.pid === process.pid && entry.host === hostname()) await rm(file, { force: true });
}

/** Every server of this user that may be running. Files of processes that are gone are passed over
 * (a killed server leaves its file behind; the next one on that address replaces it). */
export async function readServerFiles(folder: string): Promise<readonly ServerEntry[]> {
  const names = await readdir(folder).catch(() => []);
  const entries = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => readEntry(join(folder, name))),
  );
  return entries.filter((entry) => entry !== undefined).filter(mayRun);
}

function fileName(url: string): string {
  return `${new URL(url).host.replaceAll(/[^A-Za-z0-9.-]/g, '_')}.json`;
}

async function readEntry(file: string): Promise<ServerEntry | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { url, token, pid, host } = { url: '', token: '', pid: 0, host: '', ...value };
    return URL.canParse(url)
      ? { url, token: String(token), pid: Number(pid), host: String(host) }
      : undefined;
  } catch {
    return undefined;
  }
}

// Signal 0 asks whether a process exists. Another user's process counts as running; the home folder
// may be shared between machines, and of another machine's processes nothing is known.
function mayRun(entry: ServerEntry): boolean {
  if (entry.host !== hostname()) return true;
  try {
    process.kill(entry.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
