// Rule 2 across a restart: which calls of before may still fill a model's window.

import { expect, it } from 'vitest';
import { inWorld } from './queue-world.ts';

const declared = { declaresInstances: true };

it('knows after a crash how many calls each instance may still be at work on', async () => {
  await inWorld(declared, async (world) => {
    const busy = await world.worker('busy', { window: 3 });
    await world.worker('idle', { window: 1, from: 0 });
    await world.putMany(3);
    await world.complete(busy, busy.indexes[0] ?? 0, 'done');
    const held = busy.indexes.length - 1;
    expect(world.view('input').leftBehind).toEqual(new Map());
    await world.crash();
    const { leftBehind } = world.view('input');
    expect(leftBehind.get('busy')).toBe(held);
    expect(leftBehind.get('idle') ?? 0).toBe(3 - busy.indexes.length);
  });
});

it('counts calls that were cut before, and those of a second crash, for a minute', async () => {
  await inWorld(declared, async (world) => {
    const worker = await world.worker('w', { window: 2 });
    await world.putMany(2);
    await world.giveBack(worker, 1, { counted: true, delayMs: 300_000, code: '408' });
    await world.crash();
    expect(world.view('input').leftBehind.get('w')).toBe(2);
    await world.advance(30_000);
    await world.crash();
    expect(world.view('input').leftBehind.get('w')).toBe(2);
    await world.advance(61_000);
    await world.crash();
    expect(world.view('input').leftBehind.get('w')).toBeUndefined();
  });
});

it('counts no call that never began, and none of other groups', async () => {
  await inWorld(declared, async (world) => {
    const worker = await world.worker('w', { window: 1 });
    await world.watch('copy', { window: 1 });
    await world.put('a');
    await world.giveBack(worker, 1, { counted: false, delayMs: 300_000, code: '503' });
    await world.crash();
    expect(world.view('input').leftBehind).toEqual(new Map());
  });
});
