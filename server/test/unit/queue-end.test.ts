// Rules 14, 16 and 17: how messages come to rest and what is remembered of them, the end of a
// stream, and what depends on which clock.

import { describe, expect, it } from 'vitest';
import { putRequest, watchRequest } from './queue-requests.ts';
import { inWorld, refused, serviceName } from './queue-world.ts';

const declared = { declaresInstances: true } as const;

describe('coming to rest (rule 14)', () => {
  it('leaves a record that names the cause', async () => {
    await inWorld({}, async (world) => {
      const [deleted, truncated] = [await world.put('a'), await world.put('b')];
      await world.run(world.queues.delete('input', [deleted, 99]));
      await world.run(world.queues.truncate('input', truncated + 1));
      const committed = await world.put('c');
      const consumer = await world.watch('w');
      await world.commit(consumer, committed);
      await world.closeWatch(consumer, 'drain');
      const forced = await world.put('d');
      await world.run(world.queues.end('input', true));
      await world.settle();
      const causes = [];
      for (const index of [deleted, truncated, committed, forced]) {
        const record = await world.record(index);
        causes.push(`${record?.state} ${record?.cause}`);
      }
      expect(causes).toEqual([
        'dropped deleted',
        'dropped truncated',
        'succeeded committed',
        'dropped forceEnded',
      ]);
    });
  });

  it('lists the deliveries that ended before the last', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('gpu-1', { window: 1 });
      const index = await world.put('a');
      const first = worker.of(index).deliveryId;
      const bad = { counted: true, code: '504', reason: 'timed out' };
      await world.giveBack(worker, index, bad);
      await world.complete(worker, index, 'r');
      const record = await world.record(index);
      expect(record).toMatchObject({ deliveries: 2, state: 'succeeded' });
      expect(record?.outcomes).toHaveLength(1);
      expect(record?.outcomes[0]).toMatchObject({ deliveryId: first, uid: 'gpu-1', ...bad });
    });
  });

  it('forgets the oldest records beyond their number, in blocks', async () => {
    await inWorld({ recordCountMax: 600 }, async (world) => {
      await world.putMany(1000);
      await world.run(world.queues.truncate('input', 1001));
      await world.advance(3_600_000);
      const kept = await world.run(world.engine.records(1, 0, 1000));
      expect(kept.length).toBeLessThanOrEqual(600);
      expect(kept.length).toBeGreaterThan(300);
      const newest = Array.from({ length: kept.length }, (_, at) => 1001 - kept.length + at);
      expect(kept.map((record) => record.index)).toEqual(newest);
    });
  });

  it('forgets records when their retention is over', async () => {
    await inWorld({ ...declared, recordRetentionMs: 60_000 }, async (world) => {
      const worker = await world.worker('w');
      await world.complete(worker, await world.put('a'), 'r');
      expect(await world.run(world.engine.records(1, 0, 100))).toHaveLength(1);
      await world.advance(3_600_000);
      expect(await world.run(world.engine.records(1, 0, 100))).toHaveLength(0);
    });
  });

  it('remembers when and how a result left the sink', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a');
      await world.complete(worker, index, 'r');
      expect(await world.run(world.engine.departure(1, index))).toBeUndefined();
      (await world.handout('sink')).taken();
      await world.settle();
      const departure = await world.run(world.engine.departure(1, index));
      expect(departure?.cause).toBe('handedOut');
    });
  });
});

describe('truncate', () => {
  it('removes every message below the index and no other', async () => {
    await inWorld({}, async (world) => {
      for (const body of 'abcd') await world.put(body);
      await world.run(world.queues.truncate('input', 3));
      expect(await world.read('input')).toEqual([
        [3, 'c'],
        [4, 'd'],
      ]);
    });
  });

  it('takes leases with it', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      await world.run(world.queues.truncate('input', index + 1));
      await world.settle();
      expect(consumer.voids).toHaveLength(1);
      await refused('stale_delivery', world.complete(consumer, index, 'late'));
      const next = await world.put('b');
      expect(consumer.indexes).toEqual([index, next]);
    });
  });

  it('empties a long queue in one call', async () => {
    await inWorld({}, async (world) => {
      await world.putMany(2000);
      await world.run(world.queues.truncate('input', world.view('input').lastIndex + 1));
      expect(world.view('input').length).toBe(0);
      expect(await world.run(world.engine.records(1, 0, 1))).toHaveLength(1);
    });
  });
});

describe('end of stream (rule 16)', () => {
  it('refuses puts and still delivers what is there', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      await world.run(world.queues.end('input', false));
      await refused('ended', world.run(world.queues.put('input', putRequest('b'))));
      const consumer = await world.watch('w');
      expect(consumer.indexes).toEqual([index]);
      expect(consumer.ended).toBeUndefined();
      await world.commit(consumer, index);
      expect(consumer.ended).toBe('ended');
    });
  });

  it('closes watches only when nothing waits, backs off or is leased', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(consumer, index, { counted: true, delayMs: 5_000 });
      await world.run(world.queues.end('input', false));
      await world.settle();
      expect(consumer.ended).toBeUndefined();
      await world.advance(6_000);
      expect(consumer.indexes).toEqual([index, index]);
      await world.commit(consumer, index);
      expect(consumer.ended).toBe('ended');
    });
  });

  it('hands the last message over before it closes, with auto commit too', async () => {
    for (const autoCommit of [false, true]) {
      await inWorld({}, async (world) => {
        const index = await world.put('a');
        await world.run(world.queues.end('input', false));
        const consumer = await world.watch('w', { autoCommit });
        if (!autoCommit) await world.commit(consumer, index);
        expect(consumer.told).toEqual([`delivered ${index}`, 'closed ended']);
      });
    }
  });

  it('closes the watches of an empty queue at once and refuses new ones', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w');
      await world.run(world.queues.end('input', false));
      await world.settle();
      expect(consumer.ended).toBe('ended');
      const { queue, request } = watchRequest('again');
      const nothing = {
        deliver: () => undefined,
        voided: () => undefined,
        closed: () => undefined,
        buffered: () => 0,
      };
      await refused('ended', world.run(world.queues.watch(queue, request, nothing)));
    });
  });

  it('drops what waits and voids leases when forced', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const leased = await world.put('a');
      await world.put('b');
      await world.run(world.queues.end('input', true));
      await world.settle();
      expect(world.view('input').length).toBe(0);
      expect(consumer.voids.map(({ deliveryId }) => deliveryId)).toEqual([
        consumer.of(leased).deliveryId,
      ]);
      expect(consumer.ended).toBe('ended');
    });
  });

  it('survives a crash and is undone by reopening', async () => {
    await inWorld({}, async (world) => {
      await world.run(world.queues.end('input', false));
      await world.crash();
      expect(world.view('input').ended).toBe(true);
      await refused('ended', world.run(world.queues.put('input', putRequest('b'))));
      await world.run(world.queues.reopen('input'));
      expect(await world.put('c')).toBe(1);
      await world.crash();
      expect(world.view('input').ended).toBe(false);
    });
  });

  it('ends one queue and not the other', async () => {
    await inWorld(declared, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a');
      await world.run(world.queues.end('input', false));
      await world.complete(worker, index, 'r');
      expect((await world.read('sink')).map(([, body]) => body)).toEqual(['r']);
      expect((await world.putAnswer('sink', 'x')).index).toBe(2);
    });
  });
});

describe('time (rule 17)', () => {
  it('expires messages that waited too long, with a record', async () => {
    await inWorld({ source: { expireMs: 60_000 } }, async (world) => {
      const index = await world.put('a');
      await world.advance(50_000);
      expect(world.view('input').length).toBe(1);
      await world.advance(20_000);
      expect(world.view('input').length).toBe(0);
      expect(await world.record(index)).toMatchObject({ state: 'expired', cause: 'expired' });
    });
  });

  it('takes a put’s own expiry before the queue’s', async () => {
    await inWorld({}, async (world) => {
      const expiresAt = world.clock.now().wall + 5_000;
      await world.put('a', { expiresAt });
      const stays = await world.put('b');
      await world.advance(10_000);
      expect(await world.read('input')).toEqual([[stays, 'b']]);
    });
  });

  it('never delivers what has expired', async () => {
    await inWorld({}, async (world) => {
      await world.put('a', { expiresAt: world.clock.now().wall + 1_000 });
      world.clock.jumpWall(2_000);
      const consumer = await world.watch('w');
      expect(consumer.indexes).toEqual([]);
    });
  });

  it('expires nothing that is under lease', async () => {
    await inWorld({ ...declared, source: { expireMs: 10_000 } }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.advance(60_000);
      expect(world.view('input')).toMatchObject({ length: 1, leased: 1 });
      await world.complete(worker, index, 'r');
      expect((await world.record(index))?.state).toBe('succeeded');
    });
  });

  it('expires a message when it comes back from a lease too late', async () => {
    await inWorld({ ...declared, source: { expireMs: 10_000 } }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.advance(60_000);
      await world.giveBack(worker, index, { counted: true });
      await world.advance(5_000);
      expect(worker.indexes).toEqual([index]);
      expect((await world.record(index))?.state).toBe('expired');
    });
  });

  it('expires a message whose time came while a copy of it was under lease', async () => {
    await inWorld({ ...declared, source: { expireMs: 10_000 } }, async (world) => {
      const copies = await world.watch('w', { by: { gid: 'copies', uid: 'w' }, window: 1 });
      const index = await world.put('a');
      await world.advance(20_000);
      expect(world.view('input').length).toBe(1);
      await world.commit(copies, index);
      await world.advance(5_000);
      expect(world.view('input').length).toBe(0);
      expect((await world.record(index))?.state).toBe('expired');
    });
  });

  it('expires a message whose time came while an answer on its way hid it', async () => {
    await inWorld({ source: { expireMs: 10_000 } }, async (world) => {
      await world.put('a');
      const handout = await world.handout('input');
      await world.advance(20_000);
      handout.cut();
      await world.advance(5_000);
      expect(world.view('input').length).toBe(0);
    });
  });

  it('delivers a message again that had expired only for a clock that ran ahead', async () => {
    await inWorld({ source: { expireMs: 60_000 } }, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      world.clock.jumpWall(3_600_000);
      await world.commit(consumer, first);
      world.clock.jumpWall(-3_600_000);
      await world.advance(10_000);
      const state = (await world.record(second))?.state;
      expect(consumer.indexes.includes(second) || state === 'expired').toBe(true);
    });
  });

  it('lets a jump of the wall clock neither end leases nor back-offs', async () => {
    await inWorld({ idleMs: 60_000 }, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const [held, other] = [await world.put('a'), await world.put('b')];
      await world.giveBack(consumer, held, { counted: false, delayMs: 30_000 });
      expect(consumer.indexes).toEqual([held, other]);
      world.clock.jumpWall(24 * 3_600_000);
      await world.advance(1_000);
      expect(consumer.indexes).toEqual([held, other]);
      expect(consumer.voids).toEqual([]);
    });
  });

  it('gives an expired request of the working group its place back', async () => {
    await inWorld({ ...declared, source: { expireMs: 10_000 } }, async (world) => {
      const by = { gid: serviceName, uid: 'w' };
      const worker = await world.watch('w', { by, kind: 'worker', window: 1 });
      const index = await world.put('a');
      await world.giveBack(worker, index, { counted: false, delayMs: 60_000 });
      await world.advance(30_000);
      expect(world.view('input').length).toBe(0);
      expect(world.view('sink').reserved).toBe(0);
    });
  });
});
