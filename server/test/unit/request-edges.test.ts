// The edges of requests that end on their own terms: calls that go on after their lease was taken,
// messages on their way to a reader, groups that come and go, keys and results that outlive their
// time; also after a crash.

import { describe, expect, it } from 'vitest';
import { writeTerms } from '../../src/queue/terms.ts';
import { version } from '../../src/requests/version.ts';
import { inWorld, refused, serviceName, type World } from './queue-world.ts';
import { deskOf, submit, viewOf } from './request-world.ts';

describe('a cancel', () => {
  const idle = { declaresInstances: true, idleMs: 10_000 };

  async function cancel(world: World, id: string): Promise<void> {
    await world.run(deskOf(world).cancel(serviceName, id, 'no more'));
    await world.settle();
  }

  it('of what waits is not over before a call that its lease was taken from is', async () => {
    await inWorld(idle, async (world) => {
      const { id } = await submit(world, 'one');
      const worker = await world.worker('i-1', { window: 1 });
      await world.advance(11_000);
      expect((await viewOf(world, id)).state).toBe('queued');
      await cancel(world, id);
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeUndefined();
      await world.advance(500);
      world.queues.freed('input', worker.of(1).deliveryId);
      await world.settle();
      expect((await viewOf(world, id)).cancel?.wastedMs).toBeGreaterThanOrEqual(500);
    });
  });

  it('of what two instances work on is over when both are free', async () => {
    await inWorld(idle, async (world) => {
      const { id } = await submit(world, 'one');
      const first = await world.worker('i-1', { window: 1 });
      await world.advance(11_000);
      const second = await world.worker('i-2');
      expect(second.indexes).toEqual([1]);
      await cancel(world, id);
      world.queues.freed('input', second.of(1).deliveryId);
      await world.settle();
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeUndefined();
      await world.closeWatch(first, 'dead');
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeGreaterThan(0);
    });
  });

  it('of what two instances work on stays unconfirmed when one of them is lost', async () => {
    await inWorld(idle, async (world) => {
      const { id } = await submit(world, 'one');
      const first = await world.worker('i-1', { window: 1 });
      await world.advance(11_000);
      const second = await world.worker('i-2');
      await cancel(world, id);
      await world.closeWatch(first, 'cut');
      world.queues.freed('input', second.of(1).deliveryId);
      await world.settle();
      expect((await viewOf(world, id)).cancel?.effectiveAt).toBeUndefined();
    });
  });

  it('takes what is on its way to a reader, and says so', async () => {
    await inWorld({}, async (world) => {
      const { id } = await submit(world, 'one');
      const handout = await world.handout('input');
      expect(await viewOf(world, id)).toMatchObject({ state: 'running', position: undefined });
      await cancel(world, id);
      handout.taken();
      await world.settle();
      const view = await viewOf(world, id);
      expect(view).toMatchObject({ state: 'canceled', cancel: { effectiveAt: undefined } });
      expect(world.view('input')).toMatchObject({ length: 0, waiting: 0 });
    });
  });

  it('of running work is remembered as a call that goes on after a crash', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      await world.worker('i-1');
      await cancel(world, id);
      await world.crash();
      expect(world.view('input').leftBehind.get('i-1')).toBe(1);
      await world.advance(61_000);
      await world.crash();
      expect(world.view('input').leftBehind.size).toBe(0);
    });
  });
});

describe('a delay', () => {
  it('holds though its group has had no consumer for long', async () => {
    await inWorld({ groupRetentionMs: 60_000 }, async (world) => {
      const delayUntil = world.clock.now().wall + 3_600_000;
      await submit(world, 'later', { delayUntil });
      await world.closeWatch(await world.worker('i-1'), 'drain');
      await world.advance(1_800_000);
      const worker = await world.worker('i-2');
      expect(worker.indexes).toEqual([]);
      await world.advance(1_800_000);
      expect(worker.indexes).toEqual([1]);
    });
  });

  it('keeps no group for longer than itself', async () => {
    await inWorld({ groupRetentionMs: 60_000 }, async (world) => {
      const delayUntil = world.clock.now().wall + 300_000;
      await submit(world, 'later', { delayUntil });
      expect(world.view('input').groups).toHaveLength(1);
      await world.advance(500_000);
      expect(world.view('input').groups).toEqual([]);
      expect(world.view('input').waiting).toBe(1);
    });
  });

  it('is refused where only groups take work that know nothing of delays', async () => {
    await inWorld({}, async (world) => {
      const delayUntil = world.clock.now().wall + 5_000;
      const other = await world.watch('c-1', { by: { gid: 'other', uid: 'c-1' } });
      await refused('unprocessable', submit(world, 'later', { delayUntil }));
      await submit(world, 'now', {});
      expect(other.indexes).toEqual([1]);
      await world.worker('i-1');
      await submit(world, 'later', { delayUntil });
    });
    await inWorld({ declaresInstances: true }, async (world) => {
      const delayUntil = world.clock.now().wall + 5_000;
      await world.watch('c-1', { by: { gid: 'other', uid: 'c-1' } });
      await submit(world, 'later', { delayUntil });
    });
  });

  it('does not spare a message its place in the sink', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const delayUntil = world.clock.now().wall + 5_000;
      const terms = writeTerms({ ...nothing, delayUntil });
      await world.put('later', { terms });
      const worker = await world.worker('i-1');
      await world.advance(6_000);
      expect(worker.indexes).toEqual([1]);
      expect(world.view('sink').reserved).toBe(1);
    });
  });
});

const nothing = {
  delayUntil: 0,
  finishBy: 0,
  retainMs: 0,
  callback: undefined,
  body: undefined,
  trace: undefined,
};

describe('what is kept', () => {
  const hour = 3_600_000;

  it('is a key for its time, though records are kept for less, also after a crash', async () => {
    const times = { recordRetentionMs: hour, idempotencyMs: 6 * hour };
    await inWorld({ declaresInstances: true, ...times }, async (world) => {
      const { id } = await submit(world, 'one', { idempotencyKey: 'a' });
      await world.complete(await world.worker('i-1'), 1, 'done');
      for (let at = 0; at < 5; at += 1) await world.advance(hour);
      await world.crash();
      expect(await submit(world, 'one', { idempotencyKey: 'a' })).toMatchObject({
        id,
        repeated: true,
      });
      await world.advance(2 * hour);
      await world.crash();
      expect(await submit(world, 'one', { idempotencyKey: 'a' })).toMatchObject({
        index: 2,
        repeated: false,
      });
    });
  });

  it.each([
    [0, 24],
    [60_000, 1],
    [100 * hour, 100],
  ])('is a result with a callback: %i ms asked for, %i h kept', async (retainMs, hours) => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const callback = { url: 'https://example.org/', events: [] };
      const { id } = await submit(world, 'one', { callback, retainMs });
      await world.complete(await world.worker('i-1'), 1, 'done');
      const { doneAt, retainUntil } = await viewOf(world, id);
      expect(retainUntil - doneAt).toBe(hours * hour);
    });
  });

  it('makes room for results as soon as retentions are over', async () => {
    const limits = { recordResultBytesMax: 4 };
    await inWorld({ declaresInstances: true, ...limits }, async (world) => {
      await submit(world, 'one', { retainMs: 60_000 });
      const worker = await world.worker('i-1', { window: 1 });
      await world.complete(worker, 1, 'long');
      await submit(world, 'two');
      expect(worker.indexes).toEqual([1]);
      await world.advance(130_000);
      expect(worker.indexes).toEqual([1, 2]);
    });
  });

  it('is the link of a dead request to the one made from it, in the same transition', async () => {
    await inWorld({ declaresInstances: true, deliveryMax: 1 }, async (world) => {
      const { id } = await submit(world, 'one');
      const worker = await world.worker('i-1');
      await world.giveBack(worker, 1, { counted: true, code: '500' });
      const record = await world.record(1);
      const desk = deskOf(world);
      const edit = { payload: undefined, contentType: undefined, tags: undefined };
      const same = { ...edit, priority: undefined, path: undefined };
      const controller = new AbortController();
      const { signal } = controller;
      const told = desk.changed(serviceName, id, version(await viewOf(world, id)), signal);
      await world.run(desk.dead.redrive(serviceName, 1, same));
      // Without time going on: whoever follows it is told at once.
      await world.settle();
      controller.abort();
      expect(await told).toMatchObject({ redrivenAs: 2 });
      expect(await world.record(1)).toEqual({ ...record, after: '{"redrivenAs":2}' });
      await refused('not_found', world.run(desk.dead.redrive(serviceName, 1, same)));
    });
  });
});
