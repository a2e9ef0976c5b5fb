// What the room for the garbage collector comes to, and that V8 heeds it in a process that runs.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { growthPercent } from '../../src/kernel/heap-room.ts';

const mb = 2 ** 20;

/** How often a process collects all of its heap while it takes up buffers; without room it waits
 * until it does. */
async function collections(how: 'with' | 'without'): Promise<number> {
  const script = fileURLToPath(new URL('heap-room-load.ts', import.meta.url));
  const execArgv = ['--expose-gc', '--conditions=source', '--import', 'tsx'];
  const child = fork(script, [how], { execArgv });
  const [count] = await once(child, 'message');
  await once(child, 'exit');
  return Number(count);
}

describe('the room of the heap', () => {
  it('is the same for every small heap, and left to V8 in a large one', () => {
    expect(growthPercent(32 * mb)).toBe(800);
    expect(growthPercent(64 * mb)).toBe(400);
    expect(growthPercent(256 * mb)).toBe(100);
    expect(growthPercent(257 * mb)).toBe(0);
    expect(growthPercent(1)).toBe(1000);
  });

  it('lets buffers in without a full collection that would come otherwise', async () => {
    const [without, given] = await Promise.all([collections('without'), collections('with')]);
    expect(without).toBeGreaterThan(0);
    expect(given).toBe(0);
  });
});
