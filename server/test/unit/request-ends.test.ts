// How requests end or wait on their own terms, on the real queues: delays, deadlines, cancels and
// who wins, the dead and what becomes of them, checkpoints, callbacks; also after a crash.

import { describe, expect, it } from 'vitest';
import { bytes, text } from './queue-requests.ts';
import { inWorld, refused, serviceName, type World } from './queue-world.ts';
import { deskOf, submit, viewOf } from './request-world.ts';

describe('times', () => {
  it('delivers a delayed request when its time has come, also after a crash', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const delayUntil = world.clock.now().wall + 3_600_000;
      const { id } = await submit(world, 'later', { delayUntil });
      await submit(world, 'now');
      const worker = await world.worker('i-1', { window: 2 });
      expect(worker.indexes).toEqual([2]);
      expect(await viewOf(world, id)).toMatchObject({ state: 'queued', delayUntil, deliveries: 0 });
      await world.crash();
      const again = await world.worker('i-1', { window: 2 });
      await world.advance(3_500_000);
      expect(again.indexes).toEqual([2]);
      await world.advance(110_000);
      expect(again.indexes).toEqual([2, 1]);
      await world.complete(again, 1, 'done');
      expect(await viewOf(world, id)).toMatchObject({ state: 'succeeded', deliveries: 1 });
    });
  });

  it('passes over a commit of a delayed request that nobody had yet', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const delayUntil = world.clock.now().wall + 5_000;
      const { id } = await submit(world, 'later', { delayUntil });
      const stranger = { gid: serviceName, uid: 'stranger' };
      await world.run(world.queues.commit('input', [1], stranger));
      expect(await viewOf(world, id)).toMatchObject({ state: 'queued' });
    });
  });

  it('expires what has not started in time, and never runs it', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const startBy = world.clock.now().wall + 5_000;
      const { id } = await submit(world, 'one', { startBy });
      await world.advance(6_000);
      const worker = await world.worker('i-1');
      expect(worker.indexes).toEqual([]);
      expect(await viewOf(world, id)).toMatchObject({ state: 'expired', cause: 'expired' });
    });
  });

  it('ends what is not done in time, and notes when the model was free of it', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const finishBy = world.clock.now().wall + 5_000;
      const { id } = await submit(world, 'one', { finishBy });
      const worker = await world.worker('i-1');
      const { deliveryId } = worker.of(1);
      await world.advance(6_000);
      expect(worker.voids).toEqual([{ deliveryId, reason: 'deadline' }]);
      const over = await viewOf(world, id);
      expect(over).toMatchObject({ state: 'expired', cause: 'deadline' });
      expect(over.cancel).toEqual({
        requestedAt: over.doneAt,
        effectiveAt: undefined,
        wastedMs: undefined,
      });
      await world.advance(700);
      world.queues.freed('input', deliveryId);
      await world.settle();
      const { cancel } = await viewOf(world, id);
      expect(cancel?.effectiveAt).toBeGreaterThanOrEqual(over.doneAt + 700);
      expect(cancel?.wastedMs).toBe((cancel?.effectiveAt ?? 0) - over.doneAt);
    });
  });

  it('ends what still waits when its finish deadline is over', async () => {
    await inWorld({}, async (world) => {
      const finishBy = world.clock.now().wall + 5_000;
      const { id } = await submit(world, 'one', { finishBy });
      await world.crash();
      await world.advance(6_000);
      expect(await viewOf(world, id)).toMatchObject({ state: 'expired', cause: 'deadline' });
    });
  });
});

describe('a cancel', () => {
  it('takes out at once what waits', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      const desk = deskOf(world);
      const view = await world.run(desk.cancel(serviceName, id, 'changed my mind'));
      expect(view).toMatchObject({ state: 'canceled', reason: 'changed my mind' });
      expect(view?.cancel).toMatchObject({ effectiveAt: view?.doneAt, wastedMs: 0 });
      const worker = await world.worker('i-1');
      expect(worker.indexes).toEqual([]);
      await world.run(desk.cancel(serviceName, id, 'again'));
      expect((await viewOf(world, id)).reason).toBe('changed my mind');
    });
  });

  it('of running work keeps its slot taken until the model is known to be free', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      await submit(world, 'two');
      const worker = await world.worker('i-1', { window: 1 });
      const desk = deskOf(world);
      await world.run(desk.cancel(serviceName, id, ''));
      await world.settle();
      const { deliveryId } = worker.of(1);
      expect(worker.voids).toEqual([{ deliveryId, reason: 'canceled' }]);
      expect(worker.indexes).toEqual([1]);
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeUndefined();
      await world.advance(400);
      world.queues.freed('input', deliveryId);
      await world.settle();
      expect(worker.indexes).toEqual([1, 2]);
      expect((await viewOf(world, id)).cancel?.wastedMs).toBeGreaterThanOrEqual(400);
    });
  });

  it('stays unconfirmed where nobody can say that the model is free', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      const worker = await world.worker('i-1');
      await world.run(deskOf(world).cancel(serviceName, id, ''));
      await world.closeWatch(worker, 'cut');
      expect((await viewOf(world, id)).cancel).toMatchObject({ effectiveAt: undefined });
    });
  });

  it('is confirmed by the end of the process that worked on it', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      const worker = await world.worker('i-1');
      await world.run(deskOf(world).cancel(serviceName, id, ''));
      await world.closeWatch(worker, 'dead');
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeGreaterThan(0);
    });
  });

  it.each(['cancel first', 'completion first'])('has one winner: %s', async (order) => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      const worker = await world.worker('i-1');
      const desk = deskOf(world);
      if (order === 'cancel first') {
        await world.run(desk.cancel(serviceName, id, ''));
        await refused('stale_delivery', world.complete(worker, 1, 'late'));
        expect(await viewOf(world, id)).toMatchObject({ state: 'canceled' });
        // Whoever says that it is done is free.
        await world.settle();
        expect((await viewOf(world, id)).cancel?.effectiveAt).toBeGreaterThan(0);
      } else {
        await world.complete(worker, 1, 'done');
        await refused('conflict', world.run(desk.cancel(serviceName, id, '')));
        expect(await viewOf(world, id)).toMatchObject({ state: 'succeeded' });
      }
    });
  });
});

describe('the dead', () => {
  const mortal = { declaresInstances: true, deliveryMax: 1 };

  async function die(world: World): Promise<void> {
    const worker = await world.worker('i-1');
    await world.giveBack(worker, 1, { counted: true, code: '504', reason: 'too slow' });
    await world.closeWatch(worker, 'drain');
  }

  it('are looked at and put anew, with a link both ways', async () => {
    await inWorld(mortal, async (world) => {
      const { id } = await submit(world, 'one', { tags: new Map([['page', '7']]), priority: 3 });
      await die(world);
      const desk = deskOf(world);
      expect(await viewOf(world, id)).toMatchObject({ state: 'dead', code: '504' });
      const { dead } = await world.run(desk.dead.list(serviceName, { below: 0, limit: 10 }));
      expect(dead).toMatchObject([{ rearIndex: 1, index: 1, id, code: '504', deliveries: 1 }]);
      const look = await world.run(desk.dead.look(serviceName, 1));
      expect(look === undefined ? '' : text(look.payload)).toBe('one');
      const edit = { payload: bytes('better'), contentType: undefined, tags: undefined };
      const rest = { priority: undefined, path: undefined };
      const anew = await world.run(desk.dead.redrive(serviceName, 1, { ...edit, ...rest }));
      expect(await viewOf(world, anew.id)).toMatchObject({
        state: 'queued',
        redriveOf: 1,
        priority: 3,
        tags: new Map([['page', '7']]),
      });
      expect(await viewOf(world, id)).toMatchObject({ redrivenAs: anew.index });
      expect(world.view('inputRear').length).toBe(0);
      const again = desk.dead.redrive(serviceName, 1, { ...edit, ...rest });
      await refused('not_found', world.run(again));
      const worker = await world.worker('i-2');
      expect(text(worker.of(anew.index).payload)).toBe('better');
      await world.complete(worker, anew.index, 'done');
      expect(await viewOf(world, anew.id)).toMatchObject({ state: 'succeeded', redriveOf: 1 });
    });
  });

  it('stay where they are when the queue has no room for them', async () => {
    await inWorld({ ...mortal, source: { capacity: 1 } }, async (world) => {
      await submit(world, 'one');
      await die(world);
      await submit(world, 'two');
      const desk = deskOf(world);
      const same = {
        payload: undefined,
        contentType: undefined,
        tags: undefined,
        priority: undefined,
        path: undefined,
      };
      await refused('queue_full', world.run(desk.dead.redrive(serviceName, 1, same)));
      expect(world.view('inputRear').length).toBe(1);
    });
  });

  it('are dropped', async () => {
    await inWorld(mortal, async (world) => {
      await submit(world, 'one');
      await die(world);
      await world.run(deskOf(world).dead.drop(serviceName, [1]));
      expect(world.view('inputRear').length).toBe(0);
    });
  });
});

describe('checkpoints', () => {
  it('are there for the next delivery, also after a crash; a stale one is refused', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      await submit(world, 'one');
      const worker = await world.worker('i-1');
      const { deliveryId } = worker.of(1);
      await world.run(world.queues.checkpoint(deliveryId, bytes('step 1')));
      await world.run(world.queues.checkpoint(deliveryId, bytes('step 2')));
      await world.crash();
      const kept = await world.run(world.queues.checkpointOf(1));
      expect(kept === undefined ? '' : text(kept)).toBe('step 2');
      await refused('stale_delivery', world.run(world.queues.checkpoint(deliveryId, bytes('x'))));
      const large = new Uint8Array(2 ** 20 + 1);
      const again = await world.worker('i-1');
      const newId = again.of(1).deliveryId;
      await refused('too_large', world.queues.checkpoint(newId, large));
      await world.complete(again, 1, 'done');
    });
  });
});

describe('callbacks', () => {
  const callback = { url: 'https://example.org/done', events: [] };

  it.each(['completed', 'canceled', 'expired', 'dead'])(
    'are written when it is %s',
    async (how) => {
      await inWorld({ declaresInstances: true, deliveryMax: 1 }, async (world) => {
        const startBy = how === 'expired' ? world.clock.now().wall + 1_000 : 0;
        const { id } = await submit(world, 'one', { callback, startBy });
        await submit(world, 'two');
        let told = 0;
        world.queues.requests.whenOutbox(() => {
          told += 1;
        });
        if (how === 'expired') await world.advance(2_000);
        else if (how === 'canceled') {
          await world.run(deskOf(world).cancel(serviceName, id, ''));
        } else {
          const worker = await world.worker('i-1');
          if (how === 'completed') await world.complete(worker, 1, 'done');
          else await world.giveBack(worker, 1, { counted: true, code: '500' });
        }
        await world.settle();
        expect(told).toBe(1);
        const rows: unknown[] = [];
        for await (const chunk of world.engine.recover(1)) {
          for (const row of chunk) if (row.kind === 'outbox') rows.push(row.entry.index);
        }
        expect(rows).toEqual([1]);
        expect((await viewOf(world, id)).retainUntil).toBeGreaterThan(world.clock.now().wall);
      });
    },
  );
});
