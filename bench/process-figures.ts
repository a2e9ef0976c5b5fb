// What Linux says about a process: the processor time it has used and the memory that is its own.

import { readdirSync, readFileSync } from 'node:fs';

// USER_HZ of /proc is 100 on every platform that Node runs on.
const tickUs = 10_000;

/** Processor time of all its threads until now, in microseconds. */
export function cpuUs(pid: number): number {
  const fields = fieldsOf(pid);
  return (Number(fields[14 - 3]) + Number(fields[15 - 3])) * tickUs;
}

/** The same of a process, of its children that run, and of those that have ended. */
export function cpuUsOfTree(pid: number): number {
  const ended = fieldsOf(pid);
  const endedTicks = Number(ended[16 - 3]) + Number(ended[17 - 3]);
  const running = [pid, ...childrenOf(pid)].map((each) => found(() => cpuUs(each)));
  return running.reduce((sum, each) => sum + each, 0) + endedTicks * tickUs;
}

/** Memory of a process and its children that is not backed by files; what they share counts once. */
export function memoryOfTree(pid: number): number {
  let kilobytes = 0;
  for (const each of [pid, ...childrenOf(pid)]) {
    kilobytes += found(() => {
      const text = readFileSync(`/proc/${each}/smaps_rollup`, 'latin1');
      const parts = [...text.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB$/gm)];
      return parts.reduce((sum, [, part]) => sum + Number(part), 0);
    });
  }
  return kilobytes * 1024;
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => found(() => Number(fieldsOf(each)[4 - 3])) === pid);
}

/** 0 of a process that has ended since it was listed. */
function found(figure: () => number): number {
  try {
    return figure();
  } catch {
    return 0;
  }
}

function fieldsOf(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in brackets may have blanks; what follows it is numbered from 3.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Of its main thread alone, the one that runs JavaScript. */
export function mainThreadUs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1000;
}

/** Memory that is not backed by a file: lmdb's map is left out. */
export function anonymousBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const kilobytes = /^Anonymous:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kilobytes === undefined) throw new Error('the kernel does not tell anonymous memory');
  return Number(kilobytes) * 1024;
}
