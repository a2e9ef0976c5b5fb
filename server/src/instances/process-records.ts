// Which processes a server has started, in one small file each, so that the next server can go on
// with what a killed one has left running. A record is there before its process begins, and goes
// after.

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../kernel/log.ts';

export interface ProcessRecord {
  readonly service: string;
  readonly instance: string;
  /** Also the number of its process group. */
  readonly pid: number;
  /** With the pid, these two make a process unmistakable. Empty: unknown on this system. */
  readonly startTicks: string;
  readonly bootId: string;
  readonly port: number;
  /** undefined: written by a server that took nothing over. */
  readonly launch: RecordedLaunch | undefined;
}

/** Which launch a process is a copy of. */
export interface RecordedLaunch {
  /** Of the service. */
  readonly number: number;
  readonly key: string;
  readonly revision: number;
  /** Wall clock. */
  readonly startedAt: number;
  readonly devices: readonly number[];
  /** Paths that have to stay while it runs; undefined: none were recorded. */
  readonly uses?: readonly string[] | undefined;
}

/** A record that was not all written yet. */
const unfinished = '.json.new';

export class ProcessRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** On disk when it resolves. */
  async save(record: ProcessRecord): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const path = this.#path(record.instance);
    const fresh = `${path}.new`;
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ format: 2, ...record })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async remove(instance: string): Promise<void> {
    await rm(this.#path(instance), { force: true });
  }

  /** All that can be read, before any is saved; what cannot is left alone and reported. What a
   * killed server was about to write goes: its process has never begun. */
  async list(log: Log): Promise<readonly ProcessRecord[]> {
    const records: ProcessRecord[] = [];
    for (const name of await namesIn(this.#folder)) {
      if (name.endsWith(unfinished)) await rm(join(this.#folder, name), { force: true });
      if (!name.endsWith('.json')) continue;
      const record = parse(await readFile(join(this.#folder, name), 'utf8'));
      if (record === undefined) log.warn({ file: name }, 'unreadable process record');
      else records.push(record);
    }
    return records;
  }

  #path(instance: string): string {
    return join(this.#folder, `${instance}.json`);
  }
}

/** Format 1 knew nothing of launches. */
function parse(text: string): ProcessRecord | undefined {
  try {
    // The shape is checked right below.
    const value = JSON.parse(text) as Partial<ProcessRecord> & { readonly format?: unknown };
    const { service, instance, pid, startTicks, bootId, port, launch } = value;
    const whole =
      (value.format === 1 || value.format === 2) &&
      isText(instance) &&
      isText(service) &&
      isText(startTicks) &&
      isText(bootId) &&
      isNumber(pid) &&
      pid > 1 &&
      isNumber(port);
    if (!whole) return undefined;
    const known = value.format === 2 && isLaunch(launch) ? launch : undefined;
    return { service, instance, pid, startTicks, bootId, port, launch: known };
  } catch {
    return undefined;
  }
}

function isLaunch(launch: Partial<RecordedLaunch> | undefined): launch is RecordedLaunch {
  if (typeof launch !== 'object' || launch === null) return false;
  const { number, key, revision, startedAt, devices, uses = [] } = launch;
  const numbers = [number, revision, startedAt].every(isNumber);
  if (!numbers || !isText(key) || !Array.isArray(uses) || !uses.every(isText)) return false;
  return Array.isArray(devices) && devices.every(isNumber);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
