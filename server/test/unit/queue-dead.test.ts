// Rules 9 and 10: which deliveries count as ended badly, and what becomes of a message that has
// had too many of them.

import { describe, expect, it } from 'vitest';
import { text } from './queue-requests.ts';
import { type Consumer, inWorld, serviceName, type World } from './queue-world.ts';

const declared = { declaresInstances: true } as const;
const once = { ...declared, deliveryMax: 1 } as const;

/** Whether the one delivery of a message that ended so made it dead with `deliveryMax` 1. */
async function countsAsBad(
  end: (world: World, consumer: Consumer, index: number) => Promise<void>,
  kind: 'eas' | 'stream' | 'worker' = 'eas',
): Promise<boolean> {
  let dead = false;
  await inWorld({ ...once, idleMs: 60_000 }, async (world) => {
    const consumer = await world.worker('w', { kind, window: 1 });
    const index = await world.put('a');
    expect(consumer.indexes).toEqual([index]);
    await end(world, consumer, index);
    dead = world.view('inputRear').length === 1;
    expect(world.view('input').length).toBe(dead ? 0 : 1);
  });
  return dead;
}

describe('deliveries that count (rule 9)', () => {
  it('a negative commit', async () => {
    const bad = await countsAsBad((world, consumer, index) =>
      world.negative(consumer, index, 'Failed', 'no'),
    );
    expect(bad).toBe(true);
  });

  it('a negative commit without a code', async () => {
    const bad = await countsAsBad((world, consumer, index) => world.negative(consumer, index));
    expect(bad).toBe(true);
  });

  it('a lease longer than max_idle', async () => {
    expect(await countsAsBad((world) => world.advance(61_000))).toBe(true);
  });

  it('a call that was given back as cut or timed out', async () => {
    const bad = await countsAsBad(
      (world, consumer, index) => world.giveBack(consumer, index, { counted: true }),
      'worker',
    );
    expect(bad).toBe(true);
  });

  it('an instance that died with it', async () => {
    const bad = await countsAsBad(
      (world, consumer) => world.closeWatch(consumer, 'dead'),
      'worker',
    );
    expect(bad).toBe(true);
  });

  it('an EAS connection lost on the input', async () => {
    expect(await countsAsBad((world, consumer) => world.closeWatch(consumer, 'cut'))).toBe(true);
  });

  it('a stream connection lost on the input and not resumed in time', async () => {
    const bad = await countsAsBad(async (world, consumer) => {
      await world.closeWatch(consumer, 'cut');
      expect(world.view('inputRear').length).toBe(0);
      await world.advance(15_000);
    }, 'stream');
    expect(bad).toBe(true);
  });
});

describe('deliveries that do not count (rule 9)', () => {
  it('one refused before work began', async () => {
    const bad = await countsAsBad(
      (world, consumer, index) =>
        world.giveBack(consumer, index, { counted: false, code: '429', delayMs: 1_000 }),
      'worker',
    );
    expect(bad).toBe(false);
  });

  it('a drain', async () => {
    expect(await countsAsBad((world, consumer) => world.closeWatch(consumer, 'drain'))).toBe(false);
  });

  it('a negative commit with the code Shutdown', async () => {
    const bad = await countsAsBad((world, consumer, index) =>
      world.negative(consumer, index, 'Shutdown', 'leaving'),
    );
    expect(bad).toBe(false);
  });

  it('a crash of Sluice', async () => {
    expect(await countsAsBad((world) => world.crash())).toBe(false);
    expect(await countsAsBad((world) => world.crash(), 'worker')).toBe(false);
  });

  it('a restart of Sluice', async () => {
    expect(await countsAsBad((world) => world.restart())).toBe(false);
  });

  it('a takeover by the same consumer', async () => {
    const bad = await countsAsBad(async (world) => {
      await world.worker('w', { kind: 'eas', window: 1 });
    });
    expect(bad).toBe(false);
  });

  it('a stream connection resumed in time', async () => {
    const bad = await countsAsBad(async (world, consumer, index) => {
      const holding = [consumer.of(index).deliveryId];
      await world.closeWatch(consumer, 'cut');
      await world.advance(5_000);
      await world.worker('w', { kind: 'stream', window: 1, holding });
      await world.advance(20_000);
    }, 'stream');
    expect(bad).toBe(false);
  });

  it('a connection lost on the sink', async () => {
    await inWorld({ deliveryMax: 1 }, async (world) => {
      await world.putAnswer('sink', 'r');
      for (let round = 0; round < 3; round += 1) {
        const reader = await world.watch('reader', { queue: 'sink' });
        expect(reader.indexes).toHaveLength(1);
        await world.closeWatch(reader, 'cut');
      }
      expect(world.view('sink').length).toBe(1);
    });
  });

  it('any number of them where deliveries are not limited', async () => {
    await inWorld({ ...declared, deliveryMax: 0 }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      for (let round = 0; round < 20; round += 1) {
        await world.giveBack(worker, index, { counted: true });
      }
      expect(world.view('input').length).toBe(1);
    });
  });
});

describe('Shutdown', () => {
  it('sends nothing more to the consumer that said so until it comes back', async () => {
    await inWorld(declared, async (world) => {
      const leaving = await world.worker('w', { kind: 'eas', window: 1 });
      const index = await world.put('a');
      await world.negative(leaving, index, 'Shutdown', '');
      await world.put('b');
      expect(leaving.indexes).toEqual([index]);
      const back = await world.worker('w', { kind: 'eas', window: 1 });
      expect(back.indexes).toEqual([index]);
    });
  });
});

describe('dead messages (rule 10)', () => {
  it('are dead after the fifth bad delivery by default, not before', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      for (let round = 1; round <= 4; round += 1) {
        await world.giveBack(worker, index, { counted: true });
        expect(worker.of(index).deliveries).toBe(round + 1);
      }
      expect(world.view('inputRear').length).toBe(0);
      await world.giveBack(worker, index, { counted: true });
      expect(world.view('input').length).toBe(0);
      expect(world.view('inputRear').length).toBe(1);
    });
  });

  it('keep their count across a crash', async () => {
    await inWorld({ ...declared, deliveryMax: 2 }, async (world) => {
      const before = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(before, index, { counted: true });
      await world.crash();
      const after = await world.worker('w', { window: 1 });
      await world.giveBack(after, index, { counted: true });
      expect(world.view('inputRear').length).toBe(1);
    });
  });

  it('lie in the rear queue, anew, with what happened to them', async () => {
    await inWorld(once, async (world) => {
      const worker = await world.worker('w', { kind: 'eas', window: 1 });
      await world.put('first');
      await world.commit(worker, 1);
      const index = await world.put('second', { tags: { page: '7' }, id: 'two' });
      await world.negative(worker, index, 'OutOfMemory', 'too big');
      const { messages } = await world.handout('inputRear', { autoDelete: false });
      expect(messages).toHaveLength(1);
      expect(messages[0]).toMatchObject({ index: 1, id: 'two' });
      expect(text(messages[0]?.payload ?? new Uint8Array())).toBe('second');
      expect(Object.fromEntries(messages[0]?.tags ?? [])).toMatchObject({
        page: '7',
        sourceIndex: String(index),
        deliveryCount: '1',
        lastCode: 'OutOfMemory',
        lastReason: 'too big',
      });
    });
  });

  it('leave a notice in their reserved place, so that nobody polls for ever', async () => {
    await inWorld({ ...once, sink: { capacity: 1 } }, async (world) => {
      const worker = await world.worker('w', { kind: 'eas', window: 1 });
      const { index, id } = await world.putAnswer('input', 'a', { tags: { page: '7' } });
      await world.negative(worker, index, 'OutOfMemory', 'too big');
      const { messages } = await world.handout('sink', { id, autoDelete: false });
      expect(messages).toHaveLength(1);
      expect(messages[0]?.payload).toHaveLength(0);
      expect(Object.fromEntries(messages[0]?.tags ?? [])).toMatchObject({
        page: '7',
        lastCode: 'OutOfMemory',
        lastReason: 'too big',
      });
      expect(world.view('sink')).toMatchObject({ length: 1, reserved: 0 });
      expect(await world.record(index)).toMatchObject({
        state: 'dead',
        cause: 'deliveries',
        resultIndex: messages[0]?.index,
      });
    });
  });

  it('always name a cause in the notice, whatever ended the last delivery', async () => {
    const ends: ((world: World, consumer: Consumer, index: number) => Promise<void>)[] = [
      (world, consumer, index) => world.negative(consumer, index),
      (world, consumer) => world.closeWatch(consumer, 'cut'),
      (world, consumer) => world.closeWatch(consumer, 'dead'),
      (world) => world.advance(61_000),
      (world, consumer, index) => world.giveBack(consumer, index, { counted: true }),
    ];
    for (const end of ends) {
      await inWorld({ ...once, idleMs: 60_000 }, async (world) => {
        const consumer = await world.worker('w', { kind: 'eas', window: 1 });
        await end(world, consumer, await world.put('a'));
        for (const queue of ['sink', 'inputRear'] as const) {
          const { messages } = await world.handout(queue, { autoDelete: false });
          expect(messages[0]?.tags.get('lastCode') ?? '').not.toBe('');
        }
      });
    }
  });

  it('leave no notice where notices are off, and give the place back', async () => {
    await inWorld({ ...once, deadNotice: false }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: true });
      expect(world.view('sink')).toMatchObject({ length: 0, reserved: 0 });
      expect((await world.record(index))?.state).toBe('dead');
    });
  });

  it('leave no notice where their place already holds a result', async () => {
    await inWorld(once, async (world) => {
      const worker = await world.worker('w', { kind: 'eas', window: 1 });
      const index = await world.put('a', { id: 'one' });
      await world.putAnswer('sink', 'r', { id: 'one', by: worker.by });
      await world.negative(worker, index, 'Failed', '');
      expect((await world.read('sink')).map(([, body]) => body)).toEqual(['r']);
    });
  });

  it('are deleted where the policy is Drop, with the notice all the same', async () => {
    await inWorld({ ...once, deadPolicy: 'Drop' }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: true });
      expect(world.view('inputRear').length).toBe(0);
      expect(world.view('sink').length).toBe(1);
      expect((await world.record(index))?.state).toBe('dead');
    });
  });

  it('are never delivered again by themselves', async () => {
    await inWorld(once, async (world) => {
      const worker = await world.worker('w', { window: 5 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: true });
      await world.advance(3_600_000);
      expect(worker.indexes).toEqual([index]);
    });
  });

  it('fill at most a tenth of the capacity: the oldest are dropped', async () => {
    await inWorld({ ...once, source: { capacity: 30 } }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      for (let round = 1; round <= 5; round += 1) {
        const index = await world.put(`m${round}`);
        await world.giveBack(worker, index, { counted: true });
      }
      expect((await world.read('inputRear')).map(([, body]) => body)).toEqual(['m3', 'm4', 'm5']);
    });
  });

  it('are dropped when their retention is over', async () => {
    await inWorld({ ...once, deadRetentionMs: 60_000 }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: true });
      await world.advance(30_000);
      expect(world.view('inputRear').length).toBe(1);
      await world.advance(120_000);
      expect(world.view('inputRear').length).toBe(0);
    });
  });

  it('may be truncated, put and read in the rear queue, apart from the queue itself', async () => {
    await inWorld(once, async (world) => {
      const { index } = await world.putAnswer('inputRear', 'by hand');
      expect(world.view('input').length).toBe(0);
      expect(await world.read('inputRear')).toEqual([[index, 'by hand']]);
      await world.run(world.queues.truncate('inputRear', index + 1));
      expect(world.view('inputRear')).toMatchObject({ length: 0, lastIndex: index });
    });
  });

  it('make the sink’s rear queue of results nobody could take', async () => {
    await inWorld({ deliveryMax: 2 }, async (world) => {
      const { index } = await world.putAnswer('sink', 'r');
      const by = { gid: serviceName, uid: 'reader' };
      const reader = await world.watch('reader', { queue: 'sink', by });
      await world.negative(reader, index);
      await world.negative(reader, index);
      expect(world.view('sink').length).toBe(0);
      expect((await world.read('sinkRear')).map(([, body]) => body)).toEqual(['r']);
    });
  });
});
