// What the processes of a group use of the machine: cores from the difference between two looks,
// memory as it is now. Linux only.

import { readFileSync } from 'node:fs';
import type { Clock } from '../kernel/clock.ts';
import type { Usage } from './driver.ts';
import { groupMembers } from './proc.ts';

/** Of the clock that /proc counts in; the same on every Linux that Node runs on. */
const ticksPerSecond = 100;
/** Looks that come sooner after one another say nothing. */
const leastMs = 200;

interface Look {
  readonly mono: number;
  /** By process: those that ended between two looks are not counted. */
  readonly ticks: ReadonlyMap<number, number>;
}

export class GroupUsage {
  readonly #group: number;
  readonly #clock: Clock;
  #before: Look | undefined;
  #usage: Usage | undefined;

  constructor(group: number, clock: Clock) {
    this.#group = group;
    this.#clock = clock;
  }

  /** undefined at the first look: there is nothing to compare it with. */
  look(): Usage | undefined {
    const { mono } = this.#clock.now();
    const before = this.#before;
    if (before !== undefined && mono - before.mono < leastMs) return this.#usage;
    const ticks = new Map<number, number>();
    let memoryBytes = 0;
    for (const { pid } of groupMembers(this.#group) ?? []) {
      const figures = figuresOf(pid);
      if (figures === undefined) continue;
      ticks.set(pid, figures.ticks);
      memoryBytes += figures.memoryBytes;
    }
    this.#before = { mono, ticks };
    if (before === undefined) return undefined;
    let used = 0;
    for (const [pid, now] of ticks) used += Math.max(0, now - (before.ticks.get(pid) ?? 0));
    const seconds = (mono - before.mono) / 1000;
    this.#usage = { cpuCores: used / ticksPerSecond / seconds, memoryBytes };
    return this.#usage;
  }
}

interface Figures {
  readonly ticks: number;
  readonly memoryBytes: number;
}

function figuresOf(pid: number): Figures | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // `fields` begins with field 3; 14 and 15 are the ticks in both modes.
    const ticks = Number(fields[11]) + Number(fields[12]);
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(status) ?? [];
    return { ticks, memoryBytes: Number(kilobytes) * 1024 };
  } catch {
    return undefined;
  }
}
