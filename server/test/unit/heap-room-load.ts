// A process with a heap of some 10 MB that takes up buffers as a server takes up large payloads.
// Says how often V8 collected all of its heap meanwhile.

import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { systemClock } from '../../src/kernel/clock.ts';
import { HeapRoom } from '../../src/kernel/heap-room.ts';

const buffers = 45;
const held: unknown[] = [Array.from({ length: 100_000 }, (_, at) => ({ at }))];

let full = 0;
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    // The types leave open what an entry about a collection has beside its times.
    const { kind } = (entry as PerformanceEntry & { readonly detail: { kind: number } }).detail;
    if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) full += 1;
  }
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const isGiven = process.argv[2] === 'with';
const room = new HeapRoom(systemClock);
if (isGiven) await room.start();
// What may come until the next collection is decided at the end of each.
globalThis.gc?.();
globalThis.gc?.();
await turn();
observer.observe({ entryTypes: ['gc'] });
for (let made = 0; made < buffers; made += 1) {
  held.push(new Uint8Array(2 ** 20));
  await turn();
}
// One that has begun ends on other threads.
for (let turns = 0; isGiven ? turns < 1000 : full === 0; turns += 1) await turn();
await room.stop();
process.send?.(held.length > buffers ? full : -1, () => process.disconnect());
