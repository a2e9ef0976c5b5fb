// Why an instance is in its state, in sentences that begin in the middle: "ended with code 1 (3
// times in a row), starts again in 2 s; it wrote last: no such file".

import type { Ending } from './driver.ts';
import type { FeederView } from './feeder.ts';
import type { LastRun } from './status.ts';

const lineMax = 200;
/** The code that stands for an end by SIGKILL. */
const killed = 137;
/** What is known when it was not Sluice that did it, and the engine or system names no cause. */
const killedText = 'killed from outside, perhaps because memory ran out';

/** How a run ended: "ended with code 1", "was ended by SIGKILL". */
export function endingText(ending: Ending): string {
  if (ending.problem !== undefined) return ending.problem;
  if (ending.outOfMemory === true) return memoryText(ending);
  if (ending.signal === 'SIGKILL') return `was ended by SIGKILL: ${killedText}`;
  if (ending.signal !== undefined) return `was ended by ${ending.signal}`;
  // Only the parent of a process is told its code.
  if (ending.code === undefined) return 'ended, its code is not known';
  // A shell reports the death of its program by a signal as 128 + the signal's number.
  const { code } = ending;
  if (code === killed) return `ended with code ${code} (signal 9): ${killedText}`;
  const signal = code > 128 && code < 165 ? ` (signal ${code - 128})` : '';
  return `ended with code ${code}${signal}`;
}

/** The system may end one program of several, and the others end because of that. */
function memoryText({ code, memoryLimitBytes: limit }: Ending): string {
  const shown = limit === undefined ? '' : ` (limit ${Math.floor(limit / 2 ** 20)} MB)`;
  const why = `out of memory${shown}`;
  if (code === undefined || code === killed) return `was ended by the system: ${why}`;
  return `ended with code ${code}, after the system had ended a program in it: ${why}`;
}

/** `next`: milliseconds until it is started again; `kept`: it is not. */
export function crashText(last: LastRun, times: number, next: number | 'kept' | undefined): string {
  const row = times > 1 ? ` (${times} times in a row)` : '';
  return `${last.reason}${row}${nextText(next)}${wroteText(last)}`;
}

function nextText(next: number | 'kept' | undefined): string {
  if (next === undefined) return '';
  if (next === 'kept') return ', is kept as it is';
  return `, starts again in ${Math.max(0, Math.ceil(next / 1000))} s`;
}

/** The last line it wrote, to go on a sentence; empty when it wrote nothing, or nothing beside the
 * reason itself. */
export function wroteText({ lines, reason }: Pick<LastRun, 'lines' | 'reason'>): string {
  const line = lines.at(-1)?.trim() ?? '';
  return line === '' || line.includes(reason) ? '' : `; it wrote last: ${line.slice(0, lineMax)}`;
}

export function drainText(held: number): string {
  if (held === 0) return 'takes nothing more';
  return `finishes ${held === 1 ? 'one request' : `${held} requests`}, takes nothing more`;
}

/** Why a ready instance gets no work; empty when it does. */
export function feedText(feed: FeederView | undefined): string {
  if (feed === undefined) return '';
  if (feed.lost === 'replaced') return 'another worker uses the name of this instance';
  if (feed.lost === 'deleted') return 'its queues are gone';
  if (feed.refusedUntil > 0) {
    return `it refuses work; asked again at ${new Date(feed.refusedUntil).toISOString()}`;
  }
  if (feed.holds.includes('full')) return 'calls that were cut may still fill its window';
  return feed.isWatching ? '' : 'waiting for its queue';
}
