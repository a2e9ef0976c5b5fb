// How much of everything this machine has for instances: measured, or as the operator says.

import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { Clock } from '../../kernel/clock.ts';
import { type Accelerators, queryAccelerators } from './accelerators.ts';

export interface Capacity {
  /** Cores, in thousandths. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Indexes of the accelerators. */
  readonly devices: readonly number[];
}

/** What the operator says instead of what is measured. */
export interface GivenCapacity {
  readonly cpuMillis?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly gpus?: number | undefined;
}

export interface MeasureOptions {
  readonly given: GivenCapacity;
  /** The server's environment: it may itself be confined to some accelerators. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Where control groups are; default the system's own. */
  readonly controlGroups?: ControlGroups;
  readonly accelerators?: Accelerators;
}

/** Files that say how far a group of processes may go. */
export interface ControlGroups {
  /** What /proc/self/cgroup says; undefined: not there. */
  readonly own: string | undefined;
  /** The text of a file below the mount; undefined: not there. */
  read(path: string): string | undefined;
}

/** What of the machine instances may use: what is said, else what is measured. Never rejects. */
export async function measureCapacity(options: MeasureOptions): Promise<Capacity> {
  const { given, environment, clock } = options;
  const groups = options.controlGroups ?? systemGroups();
  const memoryLimit = Math.min(totalmem(), memoryLimitOf(groups));
  const devices =
    given.gpus === undefined
      ? await (options.accelerators ?? queryAccelerators)({ environment, clock })
      : Array.from({ length: given.gpus }, (_, index) => index);
  return {
    cpuMillis: given.cpuMillis ?? Math.min(availableParallelism() * 1000, cpuLimitOf(groups)),
    memoryBytes: given.memoryBytes ?? memoryLimit,
    devices,
  };
}

/**
 * The least share of cores of this group and those around it, in thousandths. `cpu.max` holds
 * microseconds of work and of time: "150000 100000" are 1.5 cores.
 */
export function cpuLimitOf(groups: ControlGroups): number {
  const limits = foldersOf(groups, 'cpu').map((folder) => {
    const [quota, period] = (groups.read(`${folder}/cpu.max`) ?? '').trim().split(/\s+/);
    const old = groups.read(`${folder}/cpu.cfs_quota_us`);
    const oldPeriod = groups.read(`${folder}/cpu.cfs_period_us`);
    return share(quota, period) ?? share(old, oldPeriod) ?? Number.POSITIVE_INFINITY;
  });
  return Math.min(Number.POSITIVE_INFINITY, ...limits);
}

/** The least limit of memory of this group and those around it, in bytes. */
export function memoryLimitOf(groups: ControlGroups): number {
  const limits = foldersOf(groups, 'memory').flatMap((folder) =>
    ['memory.max', 'memory.limit_in_bytes'].map((name) => {
      const limit = Number.parseInt(groups.read(`${folder}/${name}`) ?? '', 10);
      return limit > 0 ? limit : Number.POSITIVE_INFINITY;
    }),
  );
  return Math.min(Number.POSITIVE_INFINITY, ...limits);
}

function share(quota: string | undefined, period: string | undefined): number | undefined {
  const [part, whole] = [Number(quota ?? Number.NaN), Number(period ?? Number.NaN)];
  return part > 0 && whole > 0 ? Math.max(1, Math.floor((part / whole) * 1000)) : undefined;
}

/** This process's group and all around it, below the mount, in both versions of control groups. */
function foldersOf({ own }: ControlGroups, controller: string): readonly string[] {
  const folders: string[] = [];
  for (const line of (own ?? '').split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    const listed = names.split(',');
    if (names !== '' && !listed.includes(controller)) continue;
    const root = names === '' ? '' : `/${controller}`;
    const steps = path.split('/').filter((step) => step !== '' && step !== '..');
    for (let depth = steps.length; depth >= 0; depth -= 1) {
      folders.push([root, ...steps.slice(0, depth)].join('/'));
    }
  }
  return folders;
}

function systemGroups(): ControlGroups {
  return {
    own: textOf('/proc/self/cgroup'),
    read: (path) => textOf(`/sys/fs/cgroup${path.startsWith('/') ? '' : '/'}${path}`),
  };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
