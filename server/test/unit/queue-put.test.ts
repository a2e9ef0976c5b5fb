// Rules 1, 8, 11 and 15: what a put promises, how indexes rise, what is refused when there is no
// room, and what a repeated put answers.

import { describe, expect, it } from 'vitest';
import { putRequest } from './queue-requests.ts';
import { inWorld, refused } from './queue-world.ts';

describe('indexes (rule 8)', () => {
  it('gives rising indexes from 1', async () => {
    await inWorld({}, async (world) => {
      const indexes = [await world.put('a'), await world.put('b'), await world.put('c')];
      expect(indexes[0]).toBeGreaterThan(0);
      expect(indexes).toEqual([...indexes].sort((one, other) => one - other));
      expect(new Set(indexes).size).toBe(3);
    });
  });

  it('never gives an index again, even when all messages are gone and it died', async () => {
    await inWorld({}, async (world) => {
      const last = await world.put('a');
      await world.run(world.queues.delete('input', [last]));
      await world.crash();
      expect(world.view('input').lastIndex).toBe(last);
      expect(await world.put('b')).toBeGreaterThan(last);
    });
  });

  it('numbers the sink and the rear queues apart from the input', async () => {
    await inWorld({}, async (world) => {
      await world.put('a');
      await world.put('b');
      const first = (await world.putAnswer('sink', 'r')).index;
      const rear = (await world.putAnswer('inputRear', 'r')).index;
      expect([first, rear]).toEqual([1, 1]);
    });
  });

  it('makes an id when the caller gives none and keeps the caller’s own', async () => {
    await inWorld({}, async (world) => {
      const made = await world.putAnswer('input', 'a');
      const given = await world.putAnswer('input', 'b', { id: 'mine' });
      expect(made.id).not.toBe('');
      expect(given.id).toBe('mine');
    });
  });
});

describe('capacity (rule 11)', () => {
  const tiny = { source: { capacity: 2 }, declaresInstances: true };

  it('refuses a put to a full queue and changes nothing', async () => {
    await inWorld(tiny, async (world) => {
      await world.put('a');
      await world.put('b');
      await refused('queue_full', world.run(world.queues.put('input', putRequest('c'))));
      expect((await world.read('input')).map(([, body]) => body)).toEqual(['a', 'b']);
      const after = world.view('input').lastIndex;
      await world.run(world.queues.truncate('input', after + 1));
      expect(await world.put('d')).toBe(after + 1);
    });
  });

  it('counts messages under lease', async () => {
    await inWorld(tiny, async (world) => {
      await world.put('a');
      await world.put('b');
      const worker = await world.worker('w');
      expect(worker.indexes).toHaveLength(2);
      await refused('queue_full', world.run(world.queues.put('input', putRequest('c'))));
    });
  });

  it('counts messages that back off', async () => {
    await inWorld(tiny, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a');
      await world.put('b');
      await world.giveBack(worker, index, { counted: true, delayMs: 60_000 });
      expect(world.view('input').backingOff).toBe(1);
      await refused('queue_full', world.run(world.queues.put('input', putRequest('c'))));
    });
  });

  it('has room again as soon as a message has left', async () => {
    await inWorld(tiny, async (world) => {
      const worker = await world.worker('w');
      const index = await world.put('a');
      await world.put('b');
      await world.complete(worker, index, 'done');
      expect(await world.put('c')).toBeGreaterThan(index);
    });
  });

  it('evicts the lowest index that is not under lease where the setting says so', async () => {
    await inWorld({ source: { capacity: 2, autoEvict: true } }, async (world) => {
      const worker = await world.watch('w', { window: 1 });
      const leased = await world.put('a');
      const evicted = await world.put('b');
      const newest = await world.put('c');
      expect(worker.indexes).toEqual([leased]);
      expect((await world.read('input')).map(([index]) => index)).toEqual([leased, newest]);
      expect(await world.record(evicted)).toMatchObject({ state: 'dropped', cause: 'evicted' });
    });
  });

  it('refuses a put when every message is under lease, auto eviction or not', async () => {
    await inWorld({ source: { capacity: 2, autoEvict: true } }, async (world) => {
      await world.watch('w', { window: 2 });
      await world.put('a');
      await world.put('b');
      await refused('queue_full', world.run(world.queues.put('input', putRequest('c'))));
    });
  });

  it('keeps what is over a lowered capacity and refuses new puts until there is room', async () => {
    await inWorld({ source: { capacity: 3 } }, async (world) => {
      for (const body of ['a', 'b', 'c']) await world.put(body);
      await world.change({ source: { capacity: 2 } });
      expect(await world.read('input')).toHaveLength(3);
      await world.run(world.queues.delete('input', [1]));
      await refused('queue_full', world.run(world.queues.put('input', putRequest('d'))));
      await world.run(world.queues.delete('input', [2]));
      expect(await world.put('e')).toBe(4);
    });
  });

  it('refuses a payload over the limit and takes one of exactly the limit', async () => {
    await inWorld({ source: { payloadBytesMax: 10 } }, async (world) => {
      const over = putRequest('x'.repeat(11));
      await refused('too_large', world.run(world.queues.put('input', over)));
      expect(await world.put('x'.repeat(10))).toBe(1);
    });
  });
});

describe('repeated puts (rule 15)', () => {
  const id = 'order-1';

  it('answers the first index when id and body are the same', async () => {
    await inWorld({}, async (world) => {
      const first = await world.putAnswer('input', 'a', { id });
      const second = await world.putAnswer('input', 'a', { id });
      expect(first.repeated).toBe(false);
      expect(second).toMatchObject({ index: first.index, id, repeated: true });
      expect(world.view('input').length).toBe(1);
      expect(world.queues.counters('input').repeated).toBe(1);
    });
  });

  it('answers the first index when both puts come in the same turn', async () => {
    await inWorld({}, async (world) => {
      const both = await world.run(
        Promise.all([
          world.queues.put('input', putRequest('a', { id })),
          world.queues.put('input', putRequest('a', { id })),
        ]),
      );
      expect(both.map((answer) => answer.index)).toEqual([1, 1]);
      expect(world.view('input').length).toBe(1);
    });
  });

  it('takes another body with the same id as a new message', async () => {
    await inWorld({}, async (world) => {
      const first = await world.put('a', { id });
      const second = await world.put('b', { id });
      expect(second).toBeGreaterThan(first);
      expect(await world.put('a', { id })).toBe(first);
      expect(await world.put('b', { id })).toBe(second);
    });
  });

  it('still knows a message that has come to rest', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const worker = await world.worker('w');
      const first = await world.put('a', { id });
      await world.complete(worker, first, 'done');
      expect(await world.put('a', { id })).toBe(first);
      expect(worker.indexes).toEqual([first]);
    });
  });

  it('still knows it after a crash, waiting or at rest', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const done = await world.put('a', { id });
      await world.complete(worker, done, 'result');
      await world.closeWatch(worker, 'drain');
      const waiting = await world.put('b', { id: 'order-2' });
      await world.crash();
      expect(await world.put('a', { id })).toBe(done);
      expect(await world.put('b', { id: 'order-2' })).toBe(waiting);
    });
  });

  it('forgets after ten minutes', async () => {
    await inWorld({}, async (world) => {
      const first = await world.put('a', { id });
      await world.advance(9.5 * 60_000);
      expect(await world.put('a', { id })).toBe(first);
      await world.advance(11 * 60_000);
      expect(await world.put('a', { id })).toBeGreaterThan(first);
    });
  });

  it('takes every put as new where dedup is off', async () => {
    await inWorld({ dedup: false }, async (world) => {
      const first = await world.put('a', { id });
      expect(await world.put('a', { id })).toBeGreaterThan(first);
    });
  });

  it('takes equal bodies without an id of the caller’s as new', async () => {
    await inWorld({}, async (world) => {
      expect(await world.put('a')).not.toBe(await world.put('a'));
    });
  });

  it('is answered even when the queue is full or ended', async () => {
    await inWorld({ source: { capacity: 1 } }, async (world) => {
      const first = await world.put('a', { id });
      expect(await world.put('a', { id })).toBe(first);
      await world.run(world.queues.end('input', false));
      expect(await world.put('a', { id })).toBe(first);
    });
  });
});
