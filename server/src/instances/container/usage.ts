// What a container uses, from the engine's counters: a rate between two questions, or since its
// start at the first one.

import type Docker from 'dockerode';
import type { Usage } from '../driver.ts';

interface Reading {
  /** Wall clock of the engine. */
  readonly at: number;
  /** Of all cores together, in nanoseconds. */
  readonly cpu: number;
}

export class UsageMeter {
  #last: Reading;

  constructor(startedAt: number) {
    this.#last = { at: startedAt, cpu: 0 };
  }

  read(stats: Docker.ContainerStats): Usage | undefined {
    const at = Date.parse(stats.read);
    const cpu = stats.cpu_stats.cpu_usage.total_usage;
    const sinceMs = at - this.#last.at;
    if (!(sinceMs > 0)) return undefined;
    const cpuCores = Math.max(0, cpu - this.#last.cpu) / 1e6 / sinceMs;
    this.#last = { at, cpu };
    return { cpuCores, memoryBytes: memoryOf(stats.memory_stats) };
  }
}

/** Without the pages of files that the system takes back as soon as somebody needs room. */
function memoryOf({ usage = 0, stats }: Partial<Docker.MemoryStats>): number {
  // The first version of control groups has another name for them than the second.
  const { inactive_file: inactive = 0, total_inactive_file: total } = (stats ?? {}) as Readonly<
    Record<string, number | undefined>
  >;
  return Math.max(0, usage - (total ?? inactive));
}
