// Which processes a server has started, in one small file each, so that the next server can end
// what a killed one has left running. A record is there before its process begins, and goes after.

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { bootId, groupMembers, hasVariable, isAlive, processFacts } from './proc.ts';
import { endGroup } from './process-group.ts';

/** Stands in the environment of every process we start, with the instance's name. */
export const instanceVariable = 'SLUICE_INSTANCE';

export interface ProcessRecord {
  readonly format: 1;
  readonly service: string;
  readonly instance: string;
  /** Also the number of its process group. */
  readonly pid: number;
  /** With the pid, these two make a process unmistakable. Empty: unknown on this system. */
  readonly startTicks: string;
  readonly bootId: string;
  readonly port: number;
}

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
      await file.writeFile(`${JSON.stringify(record)}\n`);
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

  /** All that can be read; what cannot is left alone and reported. */
  async list(log: Log): Promise<readonly ProcessRecord[]> {
    const records: ProcessRecord[] = [];
    for (const name of await namesIn(this.#folder)) {
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

export interface OrphanHunt {
  readonly records: ProcessRecords;
  readonly clock: Clock;
  readonly log: Log;
  readonly graceMs: number;
}

/** Ends every recorded process that still runs, as a group, and forgets the records. */
export async function endOrphans({ records, clock, log, graceMs }: OrphanHunt): Promise<void> {
  const boot = bootId();
  const ends = (await records.list(log)).map(async (record) => {
    const { service, instance, pid } = record;
    if (record.bootId === boot && isOurs(record)) {
      log.info({ service, instance, pid }, 'ending a process of an earlier server');
      const hurry = new AbortController().signal;
      const gone = await endGroup({ clock, group: pid, graceMs, hurry });
      if (!gone) log.error({ service, instance, pid }, 'a process of an earlier server stays');
    }
    await records.remove(instance);
  });
  await Promise.all(ends);
}

/**
 * Whether the group of that number is still the one we started. Its leader says so by its start
 * time; when the leader is gone, the others of the group by the name in their environment.
 */
function isOurs(record: ProcessRecord): boolean {
  const leader = processFacts(record.pid);
  if (leader !== undefined && isAlive(leader)) return leader.startTicks === record.startTicks;
  const variable = `${instanceVariable}=${record.instance}`;
  return (groupMembers(record.pid) ?? []).some(({ pid }) => hasVariable(pid, variable));
}

function parse(text: string): ProcessRecord | undefined {
  try {
    // The shape is checked right below.
    const value = JSON.parse(text) as Partial<ProcessRecord>;
    const whole =
      value.format === 1 &&
      typeof value.instance === 'string' &&
      typeof value.service === 'string' &&
      Number.isSafeInteger(value.pid) &&
      Number(value.pid) > 1 &&
      typeof value.startTicks === 'string' &&
      typeof value.bootId === 'string';
    return whole ? (value as ProcessRecord) : undefined;
  } catch {
    return undefined;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
