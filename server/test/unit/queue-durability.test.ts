// Rule 1: nobody learns of anything before it is on stable storage; what is refused or lost there
// never happened.

import { describe, expect, it } from 'vitest';
import { FaultyEngine } from '../../src/engine/faulty.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { getRequest, putRequest } from './queue-requests.ts';
import { inWorldOn, refused, serviceName, type World } from './queue-world.ts';

/** A world whose disk writes only when it is told to. */
async function withSlowDisk(
  act: (world: World, disk: FaultyEngine) => Promise<void>,
): Promise<void> {
  let isHeld = false;
  const disk = new FaultyEngine({
    inner: new MemoryEngine(),
    onWaiting: () => {
      if (!isHeld) void disk.release();
    },
  });
  await inWorldOn(disk, { declaresInstances: true }, async (world) => {
    isHeld = true;
    await act(world, disk);
    isHeld = false;
    await disk.release();
    await world.settle();
  });
}

/** Whether a promise has settled by now. */
async function isSettled(world: World, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  await world.advance(5_000);
  return settled;
}

describe('before the disk has it', () => {
  it('no put is answered', async () => {
    await withSlowDisk(async (world, disk) => {
      const put = world.queues.put('input', putRequest('a'));
      expect(await isSettled(world, put)).toBe(false);
      await disk.release();
      expect((await world.run(put)).index).toBe(1);
    });
  });

  it('nothing is delivered', async () => {
    await withSlowDisk(async (world, disk) => {
      const opening = world.worker('w');
      await world.settle();
      await disk.release();
      const worker = await opening;
      const put = world.queues.put('input', putRequest('a'));
      await world.advance(5_000);
      expect(worker.indexes).toEqual([]);
      await disk.release();
      await world.run(put);
      await world.settle();
      await disk.release();
      await world.settle();
      expect(worker.indexes).toEqual([1]);
    });
  });

  it('no get shows it', async () => {
    await withSlowDisk(async (world, disk) => {
      const put = world.queues.put('sink', putRequest('a'));
      const get = world.queues.get('sink', getRequest({ timeoutMs: 60_000 }), undefined);
      expect(await isSettled(world, get)).toBe(false);
      await disk.release();
      expect((await world.run(get)).messages).toHaveLength(1);
      await world.run(put);
    });
  });

  it('no completion is answered and no result can be read', async () => {
    await withSlowDisk(async (world, disk) => {
      const opening = world.worker('w');
      await world.settle();
      await disk.release();
      const worker = await opening;
      const put = world.queues.put('input', putRequest('a'));
      await world.settle();
      await disk.release();
      await world.run(put);
      await world.settle();
      await disk.release();
      await world.settle();
      const completing = world.complete(worker, 1, 'r');
      const get = world.queues.get('sink', getRequest({ timeoutMs: 60_000 }), undefined);
      await world.settle();
      expect(disk.waiting).toBeGreaterThan(0);
      const both = Promise.race([completing, get]);
      expect(await isSettled(world, both)).toBe(false);
      await disk.release();
      expect(await completing).toBe(1);
      expect((await world.run(get)).messages).toHaveLength(1);
    });
  });
});

describe('when the disk refuses', () => {
  it('says so, has written nothing, and goes on', async () => {
    let fault: 'none' | 'full' | 'unknownLost' | 'unknownWritten' = 'none';
    const disk = new FaultyEngine({ inner: new MemoryEngine(), fault: () => fault });
    await inWorldOn(disk, {}, async (world) => {
      const known = putRequest('before', { id: 'mine' });
      await world.run(world.queues.put('input', known));
      const waiting = world.queues.get(
        'input',
        getRequest({ from: 99, timeoutMs: 60_000 }),
        undefined,
      );
      const failed = refused('unavailable', waiting);
      await world.settle();
      fault = 'full';
      const full = refused('disk_full', world.queues.put('input', putRequest('refused')));
      // Of what it repeats nobody may say that nothing was written.
      const repeat = refused('outcome_unknown', world.queues.put('input', known));
      await world.settle();
      fault = 'none';
      await world.run(full);
      await world.run(repeat);
      await world.run(failed);
      await world.advance(1_000);
      expect((await world.read('input')).map(([, body]) => body)).toEqual(['before']);
      expect(await world.put('after')).toBe(2);
    });
  });

  it('keeps its last room for results that have a place', async () => {
    let hasRoom = true;
    const disk = new FaultyEngine({ inner: new MemoryEngine(), hasRoom: () => hasRoom });
    await inWorldOn(disk, { declaresInstances: true }, async (world) => {
      await world.put('a', { id: 'mine' });
      const by = { gid: serviceName, uid: 'w' };
      const worker = await world.watch('w', { by });
      hasRoom = false;
      await world.run(refused('disk_full', world.queues.put('input', putRequest('b'))));
      const foreign = putRequest('x', { id: 'other', by });
      await world.run(refused('disk_full', world.queues.put('sink', foreign)));
      // What is there already is told as ever.
      expect(await world.putAnswer('input', 'a', { id: 'mine' })).toMatchObject({ index: 1 });
      expect(await world.putAnswer('sink', 'A', { id: 'mine', by })).toMatchObject({ index: 1 });
      await world.commit(worker, 1);
      expect(await world.putAnswer('sink', 'A', { id: 'mine', by })).toMatchObject({ index: 1 });
      expect([await world.read('input'), await world.read('sink')]).toEqual([[], [[1, 'A']]]);
    });
  });

  it('calls a write unknown whose answer was lost, and shows what is true', async () => {
    for (const lost of ['unknownLost', 'unknownWritten'] as const) {
      let fault: 'none' | typeof lost = 'none';
      const disk = new FaultyEngine({ inner: new MemoryEngine(), fault: () => fault });
      await inWorldOn(disk, {}, async (world) => {
        fault = lost;
        const request = putRequest('a', { id: 'mine' });
        const unknown = refused('outcome_unknown', world.queues.put('input', request));
        await world.settle();
        fault = 'none';
        await world.run(unknown);
        await world.advance(1_000);
        expect(await world.read('input')).toHaveLength(lost === 'unknownWritten' ? 1 : 0);
        const again = await world.putAnswer('input', 'a', { id: 'mine' });
        expect(again).toMatchObject({ index: 1, repeated: lost === 'unknownWritten' });
      });
    }
  });
});
