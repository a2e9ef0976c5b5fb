// The guard against messages that end the instances they are given to: suspect after two deaths,
// alone on an instance then, convicted by a death there and cleared by anything else.

import { describe, expect, it } from 'vitest';
import { makeSuspects } from './queue-suspects.ts';
import { type Consumer, inWorld, type World } from './queue-world.ts';

const declared = { declaresInstances: true, deliveryMax: 0 } as const;

async function lone(world: World, body = 'a'): Promise<number> {
  const [index = 0] = await makeSuspects(world, body);
  return index;
}

describe('a message with which two instances have died', () => {
  it('is delivered to an instance that holds nothing, which gets nothing else', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      const busy = await world.worker('busy', { window: 3 });
      expect(busy.indexes).toEqual([suspect]);
      const fresh = await world.put('b');
      expect(busy.indexes).toEqual([suspect]);
      const other = await world.worker('other', { window: 3 });
      expect(other.indexes).toEqual([fresh]);
      await world.complete(busy, suspect, 'fine');
      const later = await world.put('c');
      expect(busy.indexes).toEqual([suspect, later]);
    });
  });

  it('is dead when an instance dies with it alone, whatever max_delivery says', async () => {
    for (const deliveryMax of [0, 5]) {
      await inWorld({ ...declared, deliveryMax }, async (world) => {
        const suspect = await lone(world);
        await world.closeWatch(await world.worker('w', { window: 3 }), 'dead');
        expect(world.view('input').length).toBe(0);
        const why =
          'an instance died while it held nothing else (instance died), ' +
          'after 2 had died while they held it';
        expect(await world.record(suspect)).toMatchObject({
          state: 'dead',
          cause: 'poison',
          code: 'PoisonConvicted',
          reason: why,
          deliveries: 3,
        });
        for (const queue of ['inputRear', 'sink'] as const) {
          const { messages } = await world.handout(queue, { autoDelete: false });
          const tags = Object.fromEntries(messages[0]?.tags ?? []);
          expect(tags).toMatchObject({ lastCode: 'PoisonConvicted', lastReason: why });
        }
      });
    }
  });

  it('is none any more when the delivery before the death has kept a checkpoint', async () => {
    await inWorld(declared, async (world) => {
      const index = await lone(world);
      for (const uid of ['c', 'd', 'e']) {
        const instance = await world.worker(uid, { window: 1 });
        expect(instance.indexes).toEqual([index]);
        const { deliveryId = 0 } = instance.deliveries.at(-1) ?? {};
        await world.clock.run(world.queues.checkpoint(deliveryId, Buffer.of(1)));
        await world.closeWatch(instance, 'dead');
      }
      expect(world.view('inputRear').length).toBe(0);
      // It gets nowhere any more: two deaths make it suspect again, and the third one convicts it.
      for (const uid of ['f', 'g']) {
        expect(world.view('inputRear').length).toBe(0);
        await world.closeWatch(await world.worker(uid, { window: 1 }), 'dead');
      }
      expect(await world.record(index)).toMatchObject({ cause: 'poison', deliveries: 7 });
    });
  });

  it('is dead earlier when max_delivery says so', async () => {
    await inWorld({ ...declared, deliveryMax: 2 }, async (world) => {
      const suspect = await lone(world);
      expect(await world.record(suspect)).toMatchObject({ cause: 'deliveries' });
    });
  });

  it('needs a third death on instances that hold one message at a time, too', async () => {
    await inWorld(declared, async (world) => {
      const index = await world.put('a');
      for (const uid of ['a', 'b', 'c']) {
        expect(world.view('inputRear').length).toBe(0);
        const instance = await world.worker(uid, { window: 1 });
        expect(instance.indexes).toEqual([index]);
        await world.closeWatch(instance, 'dead');
      }
      expect(world.view('inputRear').length).toBe(1);
    });
  });

  it('leaves its companions with their lives', async () => {
    await inWorld(declared, async (world) => {
      const [killer = 0, ...companions] = await makeSuspects(world, 'abc');
      const first = await world.worker('w1', { window: 3 });
      expect(first.indexes).toEqual([killer]);
      await world.closeWatch(first, 'dead');
      const second = await world.worker('w2', { window: 3 });
      for (const [at, index] of companions.entries()) {
        expect(second.indexes).toEqual(companions.slice(0, at + 1));
        await world.complete(second, index, 'fine');
      }
      expect(world.view('inputRear').length).toBe(1);
      expect((await world.record(killer))?.state).toBe('dead');
      for (const index of companions) {
        expect((await world.record(index))?.state).toBe('succeeded');
      }
    });
  });

  it('says in its record when it became suspect', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      await world.complete(await world.worker('w'), suspect, 'fine');
      const reasons = (await world.record(suspect))?.outcomes.map(({ reason }) => reason);
      expect(reasons).toEqual([
        'instance died',
        'instance died; suspect: 2 instances died while they held it; it waits for one of its own',
      ]);
    });
  });
});

type End = (world: World, holder: Consumer, index: number) => Promise<void>;

const kept: readonly (readonly [string, End])[] = [
  ['a restart of Sluice', (world) => world.restart()],
  ['a crash of Sluice', (world) => world.crash()],
  ['a drain', (world, holder) => world.closeWatch(holder, 'drain')],
  [
    'a refusal',
    async (world, holder, index) => {
      await world.giveBack(holder, index, { counted: false });
      await world.closeWatch(holder, 'drain');
    },
  ],
  ['Shutdown', (world, holder, index) => world.negative(holder, index, 'Shutdown')],
];

const clearing: readonly (readonly [string, End])[] = [
  [
    'a call that was cut',
    (world, holder, index) => world.giveBack(holder, index, { counted: true, code: '502' }),
  ],
  ['a negative commit', (world, holder, index) => world.negative(holder, index)],
  [
    'an idle time that was too long',
    async (world, holder, index) => {
      await world.advance(61_000);
      world.queues.freed('input', holder.of(index).deliveryId);
      await world.settle();
    },
  ],
];

describe('a suspect', () => {
  it.each(kept)('is still one after %s', async (_, end) => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      const holder = await world.worker('w', { window: 2 });
      await end(world, holder, suspect);
      await world.put('b');
      const next = await world.worker('next', { window: 2 });
      expect(next.indexes).toEqual([suspect]);
      await world.closeWatch(next, 'dead');
      expect((await world.record(suspect))?.code).toBe('PoisonConvicted');
    });
  });

  it.each(clearing)('is cleared by %s', async (_, end) => {
    await inWorld({ ...declared, idleMs: 60_000 }, async (world) => {
      const suspect = await lone(world);
      const holder = await world.worker('w', { window: 2 });
      await end(world, holder, suspect);
      await world.put('b');
      await world.closeWatch(holder, 'drain');
      const next = await world.worker('next', { window: 2 });
      expect(next.indexes).toHaveLength(2);
      await world.closeWatch(next, 'dead');
      expect(world.view('inputRear').length).toBe(0);
    });
  });

  it('needs two more deaths and a third one alone after it was cleared', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      const holder = await world.worker('w');
      await world.giveBack(holder, suspect, { counted: true });
      await world.closeWatch(holder, 'drain');
      for (const uid of ['a', 'b', 'c']) {
        expect(world.view('inputRear').length).toBe(0);
        await world.closeWatch(await world.worker(uid), 'dead');
      }
      expect((await world.record(suspect))?.code).toBe('PoisonConvicted');
    });
  });

  it('is one for its holder that takes over its own watch', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      await world.worker('w', { kind: 'eas', window: 2 });
      await world.put('b');
      const again = await world.worker('w', { kind: 'eas', window: 2 });
      expect(again.indexes).toEqual([suspect]);
    });
  });

  it('stays alone with a stream consumer that comes back in time', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      const before = await world.worker('w', { kind: 'stream', window: 2 });
      const holding = [before.of(suspect).deliveryId];
      await world.closeWatch(before, 'cut');
      await world.put('b');
      const after = await world.worker('w', { kind: 'stream', window: 2, holding });
      expect(after.watch.held).toEqual(holding);
      expect(after.indexes).toEqual([]);
    });
  });

  it('stays alone with a stream consumer that comes back after a crash of Sluice', async () => {
    await inWorld(declared, async (world) => {
      const suspect = await lone(world);
      const before = await world.worker('w', { kind: 'stream', window: 2 });
      const holding = [before.of(suspect).deliveryId];
      await world.crash();
      await world.put('b');
      const after = await world.worker('w', { kind: 'stream', window: 2, holding });
      expect(after.indexes).toEqual([]);
      await world.closeWatch(after, 'dead');
      expect((await world.record(suspect))?.code).toBe('PoisonConvicted');
    });
  });
});

/** Whether losing three holders so makes a message convicted. */
async function convicts(kind: 'eas' | 'stream' | 'worker', lose: End): Promise<boolean> {
  let convicted = false;
  await inWorld(declared, async (world) => {
    const index = await world.put('a');
    for (const uid of ['a', 'b', 'c']) {
      const holder = await world.worker(uid, { kind, window: 1 });
      expect(holder.indexes).toEqual([index]);
      await lose(world, holder, index);
    }
    convicted = (await world.record(index))?.code === 'PoisonConvicted';
  });
  return convicted;
}

describe('a death of the instance', () => {
  it('is one that is reported', async () => {
    expect(await convicts('worker', (world, holder) => world.closeWatch(holder, 'dead'))).toBe(
      true,
    );
  });

  it('is one that the holder of the delivery tells when it gives it back', async () => {
    const died = { counted: true, code: 'InstanceDied', reason: 'signal 11' };
    const tells: End = async (world, holder, index) => {
      holder.watch.pause();
      await world.giveBack(holder, index, died);
      await world.closeWatch(holder, 'dead');
    };
    expect(await convicts('worker', tells)).toBe(true);
  });

  it('is a stream connection that is lost and not resumed', async () => {
    const loses: End = async (world, holder) => {
      await world.closeWatch(holder, 'cut');
      await world.advance(11_000);
    };
    expect(await convicts('stream', loses)).toBe(true);
  });

  it('is not the lost connection of an EAS watch, which has no way to come back', async () => {
    expect(await convicts('eas', (world, holder) => world.closeWatch(holder, 'cut'))).toBe(false);
  });

  it('is nothing that befalls other groups', async () => {
    await inWorld({ ...declared, deliveryMax: 9 }, async (world) => {
      const [first, second] = [await world.put('a'), await world.put('b')];
      for (const uid of ['a', 'b', 'c', 'd']) {
        const by = { gid: 'copies', uid };
        const copier = await world.watch(uid, { by, kind: 'worker', window: 2 });
        expect(copier.indexes).toEqual([first, second]);
        await world.closeWatch(copier, 'dead');
      }
      expect(world.view('input').length).toBe(2);
    });
  });
});
