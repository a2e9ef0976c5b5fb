// Rules 3, 4 and 12: places for results, completion in one step, and where a result has its home.

import { describe, expect, it } from 'vitest';
import { bytes, putRequest, text } from './queue-requests.ts';
import { type Consumer, inWorld, refused, serviceName, type World } from './queue-world.ts';

const declared = { declaresInstances: true } as const;
const tinySink = { ...declared, sink: { capacity: 1 } } as const;

/** What an EAS worker does: put the result under the request id, then commit. */
async function putResult(world: World, uid: string, id: string, body: string): Promise<number> {
  const by = { gid: serviceName, uid };
  return (await world.putAnswer('sink', body, { id, by })).index;
}

async function complete(
  world: World,
  consumer: Consumer,
  index: number,
  change: {
    payload: Uint8Array | undefined;
    outcome?: 'succeeded' | 'failed';
    code?: string;
    reason?: string;
  },
): Promise<number> {
  const { deliveryId } = consumer.of(index);
  const answer = await world.run(
    world.queues.complete({
      contentType: undefined,
      outcome: 'succeeded',
      code: '',
      reason: '',
      firstOutputAt: 0,
      ...change,
      deliveryId,
    }),
  );
  await world.settle();
  return answer;
}

describe('reserved places (rule 3)', () => {
  it('reserves a place for each message that is first leased to the working group', async () => {
    await inWorld({ ...declared, sink: { capacity: 3 } }, async (world) => {
      await world.worker('w', { window: 2 });
      for (const body of 'abc') await world.put(body);
      expect(world.view('sink').reserved).toBe(2);
    });
  });

  it('delivers nothing to the working group while no place is free', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w');
      const [first, second] = [await world.put('a'), await world.put('b')];
      expect(worker.indexes).toEqual([first]);
      await world.complete(worker, first, 'r');
      expect(worker.indexes).toEqual([first]);
      const handout = await world.handout('sink');
      handout.taken();
      await world.settle();
      expect(worker.indexes).toEqual([first, second]);
    });
  });

  it('keeps the place while the message waits after a delivery', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: true, delayMs: 60_000 });
      expect(world.view('sink').reserved).toBe(1);
      await refused('queue_full', world.run(world.queues.put('sink', putRequest('x'))));
    });
  });

  it('keeps places across a crash', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      await world.put('a');
      expect(worker.indexes).toHaveLength(1);
      await world.crash();
      expect(world.view('sink').reserved).toBe(1);
      await refused('queue_full', world.run(world.queues.put('sink', putRequest('x'))));
    });
  });

  it('reserves nothing for other groups', async () => {
    await inWorld(tinySink, async (world) => {
      const other = await world.watch('w', { by: { gid: 'copies', uid: 'w' } });
      await world.put('a');
      await world.put('b');
      expect(other.indexes).toHaveLength(2);
      expect(world.view('sink').reserved).toBe(0);
    });
  });

  it('lets a worker’s own sink put use the place, others not', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w', { kind: 'eas' });
      const index = await world.put('a', { id: 'one' });
      await refused('queue_full', world.run(world.queues.put('sink', putRequest('x'))));
      const notMine = putRequest('x', { id: 'other', by: worker.by });
      await refused('queue_full', world.run(world.queues.put('sink', notMine)));
      expect(await putResult(world, 'w', 'one', 'r')).toBe(1);
      expect(world.view('sink')).toMatchObject({ length: 1, reserved: 0 });
      await world.commit(worker, index);
      expect(world.view('input').length).toBe(0);
      expect(await world.record(index)).toMatchObject({ state: 'succeeded', resultIndex: 1 });
    });
  });

  it('answers a further result of the same request with the first index', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w', { kind: 'eas' });
      const index = await world.put('a', { id: 'one' });
      const first = await putResult(world, 'w', 'one', 'r');
      expect(await putResult(world, 'w', 'one', 'r again')).toBe(first);
      await world.commit(worker, index);
      expect(await putResult(world, 'w', 'one', 'after rest')).toBe(first);
      expect(await world.read('sink')).toEqual([[first, 'r']]);
    });
  });

  it('answers a completion after such a put with the index of the put', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w', { kind: 'eas' });
      const index = await world.put('a', { id: 'one' });
      const first = await putResult(world, 'w', 'one', 'put');
      expect(await world.complete(worker, index, 'completed')).toBe(first);
      expect(await world.read('sink')).toEqual([[first, 'put']]);
      expect((await world.record(index))?.resultIndex).toBe(first);
    });
  });

  it('knows ids that the server made, too', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const { index, id } = await world.putAnswer('input', 'a');
      const first = await world.complete(worker, index, 'r');
      expect(await putResult(world, 'w', id, 'late')).toBe(first);
      await world.crash();
      expect(await putResult(world, 'w', id, 'later')).toBe(first);
      expect(world.view('sink').length).toBe(1);
    });
  });

  it('knows a request for ten minutes after its rest, however long it waited before', async () => {
    await inWorld(declared, async (world) => {
      const index = await world.put('a', { id: 'one' });
      await world.advance(3_600_000);
      const worker = await world.worker('w', { kind: 'eas' });
      const first = await putResult(world, 'w', 'one', 'r');
      await world.commit(worker, index);
      await world.advance(5 * 60_000);
      expect(await putResult(world, 'w', 'one', 'late')).toBe(first);
      await world.crash();
      expect(await putResult(world, 'w', 'one', 'later')).toBe(first);
      expect(world.view('sink').length).toBe(1);
    });
  });

  it('answers 0 when the request came to rest without a result', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a', { id: 'one' });
      await complete(world, worker, index, { payload: undefined });
      expect(await putResult(world, 'w', 'one', 'late')).toBe(0);
      expect(world.view('sink')).toMatchObject({ length: 0, reserved: 0 });
    });
  });

  it('takes the place of the message leased to the putting consumer', async () => {
    await inWorld({ ...declared, dedup: false }, async (world) => {
      const one = await world.worker('one', { kind: 'eas', window: 1 });
      const first = await world.put('a', { id: 'same' });
      const two = await world.worker('two', { kind: 'eas', window: 1 });
      const second = await world.put('b', { id: 'same' });
      expect([one.indexes, two.indexes]).toEqual([[first], [second]]);
      const ofTwo = await putResult(world, 'two', 'same', 'r2');
      const ofOne = await putResult(world, 'one', 'same', 'r1');
      await world.commit(one, first);
      await world.commit(two, second);
      expect((await world.record(first))?.resultIndex).toBe(ofOne);
      expect((await world.record(second))?.resultIndex).toBe(ofTwo);
      expect(ofOne).not.toBe(ofTwo);
    });
  });

  it('gives the place back for success with an empty body and for a bare commit', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w', { kind: 'eas', window: 1 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      expect(await complete(world, worker, first, { payload: new Uint8Array(0) })).toBe(0);
      expect(worker.indexes).toEqual([first, second]);
      await world.commit(worker, second);
      expect(world.view('sink')).toMatchObject({ length: 0, reserved: 0 });
      expect(await world.record(first)).toMatchObject({ state: 'succeeded', resultIndex: 0 });
    });
  });

  it('writes a result for a failure, even one of zero bytes', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a', { tags: { page: '7' } });
      const failed = { outcome: 'failed', code: '500', reason: 'broken' } as const;
      await complete(world, worker, index, { payload: undefined, ...failed });
      const { messages } = await world.handout('sink', { autoDelete: false });
      expect(messages).toHaveLength(1);
      expect(messages[0]?.payload).toHaveLength(0);
      expect(Object.fromEntries(messages[0]?.tags ?? [])).toMatchObject({
        page: '7',
        lastCode: '500',
        lastReason: 'broken',
      });
      expect(await world.record(index)).toMatchObject({ state: 'failed', code: '500' });
    });
  });

  it('never refuses a completion with a valid token for lack of room', async () => {
    await inWorld({ ...declared, sink: { capacity: 3 } }, async (world) => {
      const worker = await world.worker('w');
      const indexes = [await world.put('a'), await world.put('b'), await world.put('c')];
      await world.change({ sink: { capacity: 1 } });
      for (const index of indexes) await world.complete(worker, index, 'r');
      expect(world.view('sink').length).toBe(3);
    });
  });

  it('makes room in an evicting sink by dropping the oldest result not under lease', async () => {
    await inWorld({ ...declared, sink: { capacity: 2, autoEvict: true } }, async (world) => {
      const worker = await world.worker('w', { window: 5 });
      const indexes = [await world.put('a'), await world.put('b'), await world.put('c')];
      expect(worker.indexes).toEqual(indexes);
      for (const index of indexes) await world.complete(worker, index, `r${index}`);
      expect((await world.read('sink')).map(([, body]) => body)).toEqual(['r2', 'r3']);
    });
  });

  it('gives the place back when the message is deleted', async () => {
    await inWorld(tinySink, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.run(world.queues.delete('input', [index]));
      await world.settle();
      expect(worker.voids).toHaveLength(1);
      expect(world.view('sink').reserved).toBe(0);
    });
  });
});

describe('completion (rule 4)', () => {
  it('removes the message, puts the result and writes the record in one step', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('gpu-1');
      const { index, id } = await world.putAnswer('input', 'a', { tags: { page: '7' } });
      const result = await world.complete(worker, index, 'text');
      expect(world.view('input').length).toBe(0);
      const { messages } = await world.handout('sink', { id, autoDelete: false });
      expect(messages.map((message) => [message.index, text(message.payload)])).toEqual([
        [result, 'text'],
      ]);
      expect(messages[0]?.tags.get('page')).toBe('7');
      expect(await world.record(index)).toMatchObject({
        id,
        state: 'succeeded',
        cause: 'completed',
        deliveries: 1,
        uid: 'gpu-1',
        sizeIn: 1,
        sizeOut: 4,
        resultIndex: result,
      });
    });
  });

  it('keeps result and record through a crash', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a');
      const result = await world.complete(worker, index, 'text');
      await world.crash();
      expect(await world.read('sink')).toEqual([[result, 'text']]);
      expect(await world.read('input')).toEqual([]);
      expect((await world.record(index))?.state).toBe('succeeded');
    });
  });

  it('frees the worker’s slot', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      await world.complete(worker, first, 'r');
      expect(worker.indexes).toEqual([first, second]);
    });
  });
});

describe('results of home record (rule 12)', () => {
  it('are stored with the record and never enter the sink', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a', { home: 'record' });
      expect(await world.complete(worker, index, 'text')).toBe(0);
      expect(world.view('sink')).toMatchObject({ length: 0, reserved: 0 });
      const stored = await world.run(world.engine.recordResult(1, index));
      expect(stored === undefined ? undefined : text(stored)).toBe('text');
      expect(await world.record(index)).toMatchObject({ state: 'succeeded', resultIndex: 0 });
    });
  });

  it('need no place in the sink', async () => {
    await inWorld(tinySink, async (world) => {
      await world.putAnswer('sink', 'full');
      const worker = await world.worker('w');
      const blocked = await world.put('a');
      const free = await world.put('b', { home: 'record' });
      expect(worker.indexes).toEqual([free]);
      expect(blocked).toBeLessThan(free);
    });
  });

  it('wait while the store of such results is full', async () => {
    await inWorld({ ...declared, recordResultBytesMax: 8 }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const first = await world.put('a', { home: 'record' });
      const payload = bytes('12345678');
      await complete(world, worker, first, { payload });
      const second = await world.put('b', { home: 'record' });
      expect(worker.indexes).toEqual([first]);
      const third = await world.put('c');
      expect(worker.indexes).toEqual([first, third]);
      expect(second).toBeLessThan(third);
    });
  });
});
