// What Linux says about a process: the processor time it has used and the memory that is its own.

import { readFileSync } from 'node:fs';

// USER_HZ of /proc is 100 on every platform that Node runs on.
const tickUs = 10_000;

/** Processor time of all its threads until now, in microseconds. */
export function cpuUs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in brackets may have blanks; what follows it is numbered from 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[14 - 3]) + Number(fields[15 - 3])) * tickUs;
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
