// What the system says about processes: when one started, and which belong to a group. Linux only;
// elsewhere start times are unknown and groups are known by their number alone.

import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../kernel/clock.ts';

export interface ProcessFacts {
  readonly pid: number;
  readonly group: number;
  /** One letter; Z and X are dead but not yet buried. */
  readonly state: string;
  /** Clock ticks from the start of the machine to that of the process. */
  readonly startTicks: string;
}

/** undefined: no such process, or no /proc. */
export function processFacts(pid: number): ProcessFacts | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // Field 2 is the name in brackets and may hold anything, brackets and spaces too.
  const [state = '', , group = '', ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // `rest` begins with field 6; the start time is field 22.
  return { pid, group: Number(group), state, startTicks: rest[16] ?? '' };
}

/** An id of the machine's present run, so that start times of another one are never compared. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

/** The living processes of a group; undefined: this system cannot say. */
export function groupMembers(group: number): readonly ProcessFacts[] | undefined {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return undefined;
  }
  const members: ProcessFacts[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const facts = processFacts(Number(name));
    if (facts?.group === group && isAlive(facts)) members.push(facts);
  }
  return members;
}

export function isAlive(facts: ProcessFacts): boolean {
  return facts.state !== 'Z' && facts.state !== 'X';
}

const watchEveryMs = 100;

/** Resolves when a process that is no child of ours has ended. Nobody is told of that: it is looked
 * at ten times a second. */
export function processEnd(facts: ProcessFacts, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isSame(facts)) clock.after(watchEveryMs, look);
      else resolve();
    };
    look();
  });
}

/** Whether that very process still runs; another one may have its number by now. */
export function isSame(facts: Pick<ProcessFacts, 'pid' | 'startTicks'>): boolean {
  const now = processFacts(facts.pid);
  return now !== undefined && isAlive(now) && now.startTicks === facts.startTicks;
}

/** Whether a variable stands in a process's environment as it was started. */
export function hasVariable(pid: number, variable: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(variable);
  } catch {
    return false;
  }
}
