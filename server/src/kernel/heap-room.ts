// Room for the garbage collector. V8 counts buffers against a limit that goes by the size of the
// heap without them. So a small heap that large payloads pass through is marked as a whole for
// every few payloads, which takes more of the processors than all else that is done for them.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, Timer } from './clock.ts';
import type { Component } from './component.ts';

/**
 * What a small heap and its buffers may grow by before all of it is collected. V8 begins when what
 * is left is less than a young generation, 64 MB as `sluice` starts it, and counts young buffers
 * in, 32 MB and more: of 96 MB that left next to nothing, and a busy server collected all of its
 * heap every four seconds.
 */
const roomBytes = 256 * 2 ** 20;
const lookEveryMs = 5000;

/** While it runs, the heap of this process has room for buffers; then V8 decides by itself again.
 * The start option `--initial-old-space-size` does the same, but nobody can be made to give it. */
export class HeapRoom implements Component {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async start(): Promise<void> {
    if (this.#timer === undefined) this.#look();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    setGrowth(0);
  }

  #look(): void {
    setGrowth(growthPercent(getHeapStatistics().used_heap_size));
    this.#timer = this.#clock.after(lookEveryMs, () => this.#look());
  }
}

/**
 * By how many per cent a heap of this size may grow between two full collections; 0: as V8 decides,
 * which is once it is so large that V8 leaves it about as much room. A heap of 32 MB may grow by
 * 256 MB, which is 800 % (heap-room.test.ts).
 */
export function growthPercent(usedBytes: number): number {
  const percent = Math.floor((100 * roomBytes) / usedBytes);
  return percent < 100 ? 0 : Math.min(percent, 1000);
}

// V8 looks at this flag at each full collection, whenever it was set.
function setGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
