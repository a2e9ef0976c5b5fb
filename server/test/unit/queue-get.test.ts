// Rule 13 and the reading side: get, long polls, handing out with auto delete, count and search.

import { describe, expect, it } from 'vitest';
import { getRequest, putRequest, text } from './queue-requests.ts';
import { inWorld } from './queue-world.ts';

describe('get', () => {
  it('answers in index order whatever the priorities, as many as asked for', async () => {
    await inWorld({}, async (world) => {
      await world.put('a');
      await world.put('b', { priority: 9 });
      await world.put('c');
      expect((await world.read('input', { length: 2 })).map(([, body]) => body)).toEqual([
        'a',
        'b',
      ]);
    });
  });

  it('sees messages that are under lease', async () => {
    await inWorld({}, async (world) => {
      await world.watch('w');
      const index = await world.put('a');
      expect(await world.read('input')).toEqual([[index, 'a']]);
    });
  });

  it('begins at the given index and filters by tags and id', async () => {
    await inWorld({}, async (world) => {
      await world.put('a', { tags: { page: '1' } });
      const b = await world.put('b', { tags: { page: '1', kind: 'x' }, id: 'b' });
      const c = await world.put('c', { tags: { page: '2' } });
      expect(await world.read('input', { from: b })).toHaveLength(2);
      expect(await world.read('input', { tags: { page: '1', kind: 'x' } })).toEqual([[b, 'b']]);
      expect(await world.read('input', { id: 'b' })).toEqual([[b, 'b']]);
      expect(await world.read('input', { tags: { page: '2' }, from: c })).toEqual([[c, 'c']]);
      expect(await world.read('input', { tags: { page: '3' } })).toEqual([]);
    });
  });

  it('answers with tags, id, type, path and priority as they were put', async () => {
    await inWorld({}, async (world) => {
      const change = { contentType: 'image/png', path: '/ocr', priority: 3, id: 'one' };
      await world.put('a', { ...change, tags: { page: '1' } });
      const { messages } = await world.handout('input', { autoDelete: false });
      expect(messages[0]).toMatchObject(change);
      expect(messages[0]?.tags.get('page')).toBe('1');
    });
  });

  it('waits for a matching message and answers as soon as it comes', async () => {
    await inWorld({}, async (world) => {
      const poll = world.queues.get(
        'sink',
        getRequest({ id: 'mine', timeoutMs: 5_000 }),
        undefined,
      );
      await world.advance(1_000);
      await world.putAnswer('sink', 'other', { id: 'other' });
      const before = world.clock.now().mono;
      await world.putAnswer('sink', 'r', { id: 'mine' });
      const handout = await world.run(poll);
      expect(world.clock.now().mono - before).toBeLessThan(100);
      expect(handout.messages.map((message) => text(message.payload))).toEqual(['r']);
      handout.taken();
      await world.settle();
      expect(world.view('sink').length).toBe(1);
    });
  });

  it('answers what there is when the time is over, be it nothing', async () => {
    await inWorld({}, async (world) => {
      await world.put('a');
      const before = world.clock.now().mono;
      const handout = await world.handout('input', { length: 5, timeoutMs: 3_000 });
      const waited = world.clock.now().mono - before;
      expect(handout.messages).toHaveLength(1);
      expect(waited).toBeGreaterThanOrEqual(2_000);
      expect(waited).toBeLessThanOrEqual(3_200);
      handout.taken();
      await world.settle();
      expect((await world.handout('input', { timeoutMs: 1_000 })).messages).toEqual([]);
    });
  });

  it('sees only later messages with _index_=-1', async () => {
    await inWorld({}, async (world) => {
      await world.put('a');
      const poll = world.queues.get('input', getRequest({ from: -1, timeoutMs: 5_000 }), undefined);
      await world.settle();
      const later = await world.put('b');
      expect((await world.run(poll)).messages.map(({ index }) => index)).toEqual([later]);
    });
  });

  it('holds nothing after its caller has gone', async () => {
    await inWorld({}, async (world) => {
      const gone = new AbortController();
      const poll = world.queues.get('input', getRequest({ timeoutMs: 60_000 }), gone.signal);
      const failed = poll.then(
        () => false,
        () => true,
      );
      await world.settle();
      gone.abort();
      expect(await world.run(failed)).toBe(true);
      const index = await world.put('a');
      expect(await world.read('input')).toEqual([[index, 'a']]);
    });
  });

  it('ends an answer at 8 MiB, with at least one message', async () => {
    const source = { payloadBytesMax: 9 * 2 ** 20 };
    await inWorld({ source }, async (world) => {
      const body = 'x'.repeat(3 * 2 ** 20);
      for (let round = 0; round < 4; round += 1) await world.put(body);
      expect(await world.read('input')).toHaveLength(2);
      await world.put('y'.repeat(9 * 2 ** 20));
      expect(await world.read('input', { from: 5 })).toHaveLength(1);
    });
  });

  it('frees the slot of a watcher whose message it deletes', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const [first, second] = [await world.put('a'), await world.put('b')];
      const handout = await world.handout('input', { from: first });
      handout.taken();
      await world.settle();
      expect(consumer.indexes).toEqual([first, second]);
    });
  });
});

describe('handing out with auto delete (rule 13)', () => {
  it('hides a message while its answer is on the way', async () => {
    await inWorld({ source: { capacity: 1 } }, async (world) => {
      const index = await world.put('a', { id: 'one' });
      const handout = await world.handout('input');
      expect(handout.messages.map((message) => message.index)).toEqual([index]);
      expect(await world.read('input')).toEqual([]);
      expect(world.view('input').length).toBe(0);
      const filter = { tags: new Map(), id: 'one', priority: undefined };
      expect(await world.run(world.queues.count('input', filter))).toBe(0);
      const by = { gid: 'eas', uid: 'x' };
      expect(await world.run(world.queues.search('input', index, by))).toBeUndefined();
      const watcher = await world.watch('w');
      expect(watcher.indexes).toEqual([]);
      const next = world.run(world.queues.put('input', putRequest('b')));
      await expect(next).rejects.toMatchObject({ code: 'queue_full' });
      handout.cut();
      await world.settle();
      expect(watcher.indexes).toEqual([index]);
    });
  });

  it('deletes it durably once the answer was taken', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      const handout = await world.handout('input');
      handout.taken();
      await world.settle();
      await world.crash();
      expect(await world.read('input')).toEqual([]);
      expect((await world.record(index))?.cause).toBe('handedOut');
    });
  });

  it('shows it again with the same index after a cut', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      (await world.handout('input')).cut();
      await world.settle();
      expect(await world.read('input')).toEqual([[index, 'a']]);
    });
  });

  it('shows it again with the same index after a crash', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      await world.handout('input');
      await world.crash();
      expect(await world.read('input')).toEqual([[index, 'a']]);
    });
  });

  it('answers a waiting poll when a hidden message is shown again', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      const handout = await world.handout('input');
      const poll = world.queues.get('input', getRequest({ timeoutMs: 60_000 }), undefined);
      await world.settle();
      handout.cut();
      const before = world.clock.now().mono;
      expect((await world.run(poll)).messages.map((message) => message.index)).toEqual([index]);
      expect(world.clock.now().mono - before).toBeLessThan(1_000);
    });
  });

  it('hands one message to one of several waiting polls', async () => {
    await inWorld({}, async (world) => {
      const polls = ['a', 'b', 'c'].map(() =>
        world.queues.get('sink', getRequest({ timeoutMs: 2_000 }), undefined),
      );
      await world.settle();
      await world.putAnswer('sink', 'r');
      const handouts = await world.run(Promise.all(polls));
      expect(handouts.map(({ messages }) => messages.length).sort()).toEqual([0, 0, 1]);
    });
  });
});

describe('count and search', () => {
  it('counts by tags, id and priority', async () => {
    await inWorld({}, async (world) => {
      await world.put('a', { tags: { page: '1' }, priority: 3 });
      await world.put('b', { tags: { page: '1' }, id: 'b' });
      await world.put('c');
      const count = (change: { page?: string; id?: string; priority?: number }) =>
        world.run(
          world.queues.count('input', {
            tags: change.page === undefined ? new Map() : new Map([['page', change.page]]),
            id: change.id,
            priority: change.priority,
          }),
        );
      expect(await count({})).toBe(3);
      expect(await count({ page: '1' })).toBe(2);
      expect(await count({ id: 'b' })).toBe(1);
      expect(await count({ priority: 3 })).toBe(1);
      expect(await count({ priority: 4 })).toBe(0);
    });
  });

  it('tells how many messages come before a waiting one', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const [held, first, second] = [
        await world.put('a'),
        await world.put('b'),
        await world.put('c'),
      ];
      const urgent = await world.put('d', { priority: 5 });
      const { by } = consumer;
      const search = (index: number) => world.run(world.queues.search('input', index, by));
      expect(await search(held)).toEqual({
        consumerId: 'eas.w',
        isPending: true,
        waitCount: 0,
      });
      expect(await search(urgent)).toMatchObject({ isPending: false, waitCount: 0 });
      expect(await search(first)).toMatchObject({ isPending: false, waitCount: 1 });
      expect(await search(second)).toMatchObject({ isPending: false, waitCount: 2 });
      expect(await search(99)).toBeUndefined();
    });
  });

  it('answers for the caller’s own group', async () => {
    await inWorld({}, async (world) => {
      await world.watch('w', { by: { gid: 'a', uid: 'w' } });
      const index = await world.put('x');
      const other = { gid: 'b', uid: 'me' };
      const answer = await world.run(world.queues.search('input', index, other));
      expect(answer?.isPending).toBe(false);
    });
  });

  it('shows consumers, groups and lengths', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 3 });
      for (const body of 'abcde') await world.put(body);
      await world.commit(consumer, 1);
      const view = world.view('input');
      expect(view).toMatchObject({
        name: 'input',
        ended: false,
        length: 4,
        waiting: 1,
        leased: 3,
        firstIndex: 2,
        lastIndex: 5,
      });
      expect(view.consumers).toHaveLength(1);
      expect(view.consumers[0]).toMatchObject({
        gid: 'eas',
        uid: 'w',
        pending: 3,
        window: 3,
        slots: 0,
        status: 'Running',
        autoCommit: false,
      });
      expect(view.groups).toHaveLength(1);
      expect(view.groups[0]).toMatchObject({ gid: 'eas', pending: 3, consumers: 1 });
    });
  });

  it('says 0 for the first and last index where nothing was ever put', async () => {
    await inWorld({}, async (world) => {
      expect(world.view('input')).toMatchObject({ firstIndex: 0, lastIndex: 0, length: 0 });
    });
  });
});
