// Counts the work of a piece of program instead of timing it: how often every stretch of its source
// ran, by V8's own block counters, weighted by its length; how often and with how many bytes it
// called into native code; and how much memory it took. The numbers are the same on a fast and on
// a slow machine, alone and under load.

import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import type { Natives } from './natives.ts';

export interface Work {
  /** Characters of source that were run, by folder of the repository. */
  readonly source: Readonly<Record<string, number>>;
  readonly nativeCalls: number;
  readonly nativeBytes: number;
  /** Of the heap; nothing is collected meanwhile. */
  readonly heapBytes: number;
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/** Must be open before the code that it counts is loaded. */
export class WorkCounter {
  readonly #session = new Session();
  readonly #natives: Natives;
  readonly #root: string;

  /** `root` is where paths begin. */
  constructor(natives: Natives, root: string) {
    this.#natives = natives;
    this.#root = root;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** The work of `run`, divided by `times`. */
  async count(times: number, run: () => Promise<void>): Promise<Work> {
    // So that none is due while it runs.
    globalThis.gc?.();
    this.#take();
    this.#natives.take();
    const before = process.memoryUsage().heapUsed;
    await run();
    const heapBytes = (process.memoryUsage().heapUsed - before) / times;
    const { calls, bytes } = this.#natives.take();
    const source: Record<string, number> = {};
    for (const script of this.#take()) {
      const folder = this.#folderOf(script.url);
      if (folder === undefined) continue;
      source[folder] = (source[folder] ?? 0) + charactersRun(script) / times;
    }
    return { source, nativeCalls: calls / times, nativeBytes: bytes / times, heapBytes };
  }

  close(): void {
    this.#session.disconnect();
  }

  /** What ran since the last call. */
  #take(): readonly Script[] {
    let scripts: readonly Script[] = [];
    // An inspector of one's own process answers at once.
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error;
      scripts = result;
    });
    return scripts;
  }

  /** `server/src/queue`, `sdk/src`; undefined of what is not ours. */
  #folderOf(url: string): string | undefined {
    if (!url.startsWith('file:')) return undefined;
    const path = fileURLToPath(url).slice(this.#root.length);
    const [, folder] = /^(server\/src\/[^/]+|sdk\/src)\//.exec(path) ?? [];
    return folder;
  }
}

/** Each character counts as often as the innermost stretch around it ran. */
function charactersRun({ functions }: Script): number {
  const ranges = functions.flatMap((each) => each.ranges);
  // A stretch comes after those that it is part of.
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  let sum = 0;
  const around: Range[] = [];
  for (const range of ranges) {
    while ((around.at(-1)?.endOffset ?? Number.POSITIVE_INFINITY) <= range.startOffset)
      around.pop();
    const length = range.endOffset - range.startOffset;
    // What was counted for it as part of the one around it is taken back.
    sum += length * (range.count - (around.at(-1)?.count ?? 0));
    around.push(range);
  }
  return sum;
}
