// Requests as objects, on the real queues: submitted once by a key, looked at, waited for, listed.

import { describe, expect, it } from 'vitest';
import type { ListFilter } from '../../src/requests/request.ts';
import { version } from '../../src/requests/version.ts';
import { text } from './queue-requests.ts';
import { inWorld, refused, serviceName } from './queue-world.ts';
import { deskOf, everything, submit, viewOf } from './request-world.ts';

const never = new AbortController().signal;

describe('one request', () => {
  it('is followed from the queue over its run to its result, which stays', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      await submit(world, 'first');
      const { id } = await submit(world, 'second', { path: '/v1/read' });
      expect(await viewOf(world, id)).toMatchObject({ state: 'queued', position: 1 });
      const worker = await world.worker('i-1', { window: 2 });
      expect(await viewOf(world, id)).toMatchObject({
        state: 'running',
        position: undefined,
        instance: 'i-1',
        deliveries: 1,
        path: '/v1/read',
      });
      const desk = deskOf(world);
      expect((await world.run(desk.result(serviceName, id)))?.kind).toBe('unfinished');
      await world.complete(worker, 2, 'done');
      expect(await viewOf(world, id)).toMatchObject({ state: 'succeeded', sizeOut: 4 });
      for (let reading = 0; reading < 2; reading += 1) {
        const result = await world.run(desk.result(serviceName, id));
        expect(result?.kind === 'result' && text(result.payload)).toBe('done');
      }
      expect(world.view('sink').length).toBe(0);
    });
  });

  it('says which revision of its service each delivery ran under, after a crash too', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      expect(await viewOf(world, id)).toMatchObject({ revision: 0, outcomes: [] });
      const before = await world.worker('i-1', { revision: 3 });
      await world.giveBack(before, 1, { counted: false });
      const running = { instance: 'i-1', revision: 3, outcomes: [{ uid: 'i-1', revision: 3 }] };
      expect(await viewOf(world, id)).toMatchObject(running);
      // The same instance follows a newer one; what it works on stays as it began.
      const holding = [before.of(1).deliveryId];
      const after = await world.worker('i-1', { revision: 4, holding });
      expect(await viewOf(world, id)).toMatchObject(running);
      await world.giveBack(before, 1, { counted: false });
      expect(await viewOf(world, id)).toMatchObject({ revision: 4 });
      await world.complete(after, 1, 'done');
      await world.crash();
      const rested = { revision: 4, outcomes: [{ revision: 3 }, { revision: 3 }] };
      expect(await viewOf(world, id)).toMatchObject(rested);
    });
  });

  it('is not found by an id that was counted up or made up', async () => {
    await inWorld({}, async (world) => {
      const { id } = await submit(world, 'one');
      const desk = deskOf(world);
      const [index, check = ''] = id.split('-');
      const other = check.startsWith('0') ? '1' : '0';
      for (const wrong of [
        `${index}-${other}${check.slice(1)}`,
        `${index}`,
        `2-${check}`,
        '',
        'x',
      ]) {
        expect(await world.run(desk.view(serviceName, wrong))).toBeUndefined();
      }
    });
  });

  it('put through the queue protocol is visible, and its result until it has left', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const index = await world.put('scan me', { id: 'page-1' });
      const desk = deskOf(world);
      const [seen] = (await world.run(desk.list(serviceName, everything))).requests;
      expect(seen).toMatchObject({ index, requestId: 'page-1', home: 'sink', state: 'queued' });
      const id = seen?.id ?? '';
      const worker = await world.worker('i-1');
      await world.complete(worker, index, 'text');
      const result = await world.run(desk.result(serviceName, id));
      expect(result?.kind === 'result' && text(result.payload)).toBe('text');
      (await world.handout('sink')).taken();
      await world.settle();
      expect(await world.run(desk.result(serviceName, id))).toMatchObject({
        kind: 'left',
        cause: 'handedOut',
      });
    });
  });

  it('tells whoever waits for a change or for the end, and lets them go', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const { id } = await submit(world, 'one');
      const desk = deskOf(world);
      const known = version(await viewOf(world, id));
      const change = desk.changed(serviceName, id, known, never);
      const end = desk.rested(serviceName, id, never);
      const leaver = new AbortController();
      const left = desk.rested(serviceName, id, leaver.signal);
      leaver.abort();
      expect(await world.run(left)).toMatchObject({ state: 'queued' });
      const worker = await world.worker('i-1');
      expect(await world.run(change)).toMatchObject({ state: 'running' });
      await world.complete(worker, 1, 'done');
      expect(await world.run(end)).toMatchObject({ state: 'succeeded' });
    });
  });
});

describe('an idempotency key', () => {
  it('answers the first request to the same body, whatever has become of it since', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const key = { idempotencyKey: 'k-1' };
      const first = await submit(world, 'body', key);
      expect(await submit(world, 'body', key)).toMatchObject({ id: first.id, repeated: true });
      const worker = await world.worker('i-1');
      await world.complete(worker, 1, 'done');
      expect(await submit(world, 'body', key)).toMatchObject({ id: first.id, repeated: true });
      expect(world.queues.counters('input').put).toBe(1);
    });
  });

  it('is refused for another body, and is each owner’s own', async () => {
    await inWorld({}, async (world) => {
      const key = { idempotencyKey: 'k-1' };
      await submit(world, 'body', key);
      await refused('key_reused', submit(world, 'other', key));
      await refused('key_reused', submit(world, 'body', { ...key, path: '/v1/other' }));
      const other = await submit(world, 'other', { ...key, owner: 'somebody' });
      expect(other).toMatchObject({ index: 2, repeated: false });
    });
  });

  it('is remembered over a crash, for requests that wait and those at rest', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const rested = await submit(world, 'one', { idempotencyKey: 'k-1' });
      const worker = await world.worker('i-1');
      await world.complete(worker, 1, 'done');
      await world.closeWatch(worker, 'drain');
      const waiting = await submit(world, 'two', { idempotencyKey: 'k-2' });
      await world.crash();
      expect(await submit(world, 'one', { idempotencyKey: 'k-1' })).toMatchObject({
        id: rested.id,
        repeated: true,
      });
      expect(await submit(world, 'two', { idempotencyKey: 'k-2' })).toMatchObject({
        id: waiting.id,
        repeated: true,
      });
      await refused('key_reused', submit(world, 'three', { idempotencyKey: 'k-2' }));
    });
  });

  it('is forgotten after its time', async () => {
    await inWorld({ idempotencyMs: 60_000 }, async (world) => {
      const key = { idempotencyKey: 'k-1' };
      await submit(world, 'body', key);
      await world.advance(62_000);
      expect(await submit(world, 'body', key)).toMatchObject({ index: 2, repeated: false });
    });
  });
});

describe('the list', () => {
  it('shows those that wait, run and rest, newest first, page by page', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      for (let at = 0; at < 6; at += 1) {
        await submit(world, `${at}`, { tags: new Map([['half', String(at % 2)]]) });
      }
      const worker = await world.worker('i-1', { window: 2 });
      await world.complete(worker, 1, 'done');
      const desk = deskOf(world);
      const list = (more: Partial<ListFilter>) =>
        world.run(desk.list(serviceName, { ...everything, ...more }));
      const all = await list({});
      expect(all.requests.map(({ index }) => index)).toEqual([6, 5, 4, 3, 2, 1]);
      expect(all.next).toBe(0);
      const page = await list({ limit: 4 });
      expect(page.requests.map(({ index }) => index)).toEqual([6, 5, 4, 3]);
      const rest = await list({ limit: 4, below: page.next });
      expect(rest.requests.map(({ index }) => index)).toEqual([2, 1]);
      expect(rest.next).toBe(0);
      const running = await list({ states: ['running'] });
      expect(running.requests.map(({ index }) => index)).toEqual([3, 2]);
      const tagged = await list({ tags: new Map([['half', '1']]), states: ['queued'] });
      expect(tagged.requests.map(({ index }) => index)).toEqual([6, 4]);
      expect((await list({ owner: { name: 'somebody' } })).requests).toEqual([]);
    });
  });
});
