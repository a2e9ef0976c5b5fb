// Rules 5, 6 and 8: leases with fencing tokens, commits by index, and the order in which messages
// are handed to consumers.

import { describe, expect, it } from 'vitest';
import { text } from './queue-requests.ts';
import { inWorld, refused, serviceName, type World } from './queue-world.ts';

async function putAll(world: World, bodies: string): Promise<number[]> {
  const indexes: number[] = [];
  for (const body of bodies) indexes.push(await world.put(body));
  return indexes;
}

describe('order (rule 8)', () => {
  it('delivers by index where priorities are equal', async () => {
    await inWorld({}, async (world) => {
      const indexes = await putAll(world, 'abcdef');
      const consumer = await world.watch('w');
      expect(consumer.indexes).toEqual(indexes);
      expect(consumer.deliveries.map(({ payload }) => text(payload)).join('')).toBe('abcdef');
    });
  });

  it('delivers higher priorities first, equal ones by index', async () => {
    await inWorld({}, async (world) => {
      const low = await world.put('low', { priority: 0 });
      const high = await world.put('high', { priority: 2 ** 31 - 1 });
      const middle = await world.put('middle', { priority: 7 });
      const middleToo = await world.put('middle too', { priority: 7 });
      const consumer = await world.watch('w');
      expect(consumer.indexes).toEqual([high, middle, middleToo, low]);
    });
  });

  it('gives a message that came back its old place', async () => {
    await inWorld({}, async (world) => {
      const [first, second, third] = await putAll(world, 'abc');
      const consumer = await world.watch('w', { window: 1 });
      expect(consumer.indexes).toEqual([first]);
      await world.giveBack(consumer, first ?? 0, { counted: false });
      expect(consumer.indexes).toEqual([first, first]);
      await world.commit(consumer, first ?? 0);
      expect(consumer.indexes.slice(2)).toEqual([second]);
      expect(world.view('input').lastIndex).toBe(third);
    });
  });

  it('orders what came back like everything else: by priority, then by index', async () => {
    await inWorld({}, async (world) => {
      const low = await world.put('low');
      const lowToo = await world.put('low too');
      const high = await world.put('high', { priority: 5 });
      const first = await world.watch('w', { window: 3 });
      expect(first.indexes).toEqual([high, low, lowToo]);
      await world.closeWatch(first, 'drain');
      const higher = await world.put('higher', { priority: 9 });
      const later = await world.put('later', { priority: 5 });
      const second = await world.watch('w', { window: 9 });
      expect(second.indexes).toEqual([higher, high, later, low, lowToo]);
    });
  });

  it('hands a negative commit to another consumer with a free slot first', async () => {
    await inWorld({}, async (world) => {
      const one = await world.watch('one', { window: 1 });
      const index = await world.put('a');
      const other = await world.watch('other', { window: 1 });
      await world.negative(one, index);
      expect(one.indexes).toEqual([index]);
      expect(other.indexes).toEqual([index]);
    });
  });

  it('backs off after a negative commit that names a code, not after one without', async () => {
    await inWorld({ deliveryMax: 0 }, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      await world.negative(consumer, index);
      expect(consumer.indexes).toEqual([index, index]);
      await world.negative(consumer, index, 'Failed', 'no');
      expect(world.view('input')).toMatchObject({ backingOff: 1, leased: 0 });
      await world.advance(61_000);
      expect(consumer.indexes).toEqual([index, index, index]);
    });
  });

  it('passes over a message that backs off and delivers it when its time has come', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const [first, second] = await putAll(world, 'ab');
      await world.giveBack(consumer, first ?? 0, { counted: true, delayMs: 5_000 });
      expect(consumer.indexes).toEqual([first, second]);
      await world.commit(consumer, second ?? 0);
      await world.advance(4_000);
      expect(consumer.indexes).toEqual([first, second]);
      await world.advance(2_000);
      expect(consumer.indexes).toEqual([first, second, first]);
    });
  });

  it('keeps a back-off across a crash', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      await world.giveBack(consumer, index, { counted: true, delayMs: 60_000 });
      await world.crash();
      const later = await world.watch('w', { window: 1 });
      expect(later.indexes).toEqual([]);
      expect(world.view('input').backingOff).toBe(1);
      await world.advance(61_000);
      expect(later.indexes).toEqual([index]);
    });
  });
});

describe('filters', () => {
  it('delivers only messages that carry all given tags', async () => {
    await inWorld({}, async (world) => {
      await world.put('a', { tags: { kind: 'invoice' } });
      const both = await world.put('b', { tags: { kind: 'invoice', page: '2' } });
      const consumer = await world.watch('w', { tags: { kind: 'invoice', page: '2' } });
      expect(consumer.indexes).toEqual([both]);
      await world.put('c', { tags: { page: '2' } });
      expect(consumer.indexes).toEqual([both]);
    });
  });

  it('lets a filtered consumer reach past thousands of messages of others', async () => {
    await inWorld({}, async (world) => {
      await world.putMany(3000, { tags: { to: 'b' } });
      const wanted = await world.put('x', { tags: { to: 'a' } });
      const consumer = await world.watch('w', { tags: { to: 'a' } });
      await world.advance(1_000);
      expect(consumer.indexes).toEqual([wanted]);
    });
  });

  it('delivers by request id and from an index on', async () => {
    await inWorld({}, async (world) => {
      await world.put('a', { id: 'one' });
      const two = await world.put('b', { id: 'two' });
      const three = await world.put('c', { id: 'three' });
      const byId = await world.watch('x', { by: { gid: 'g1', uid: 'x' }, id: 'two' });
      const fromThree = await world.watch('y', { by: { gid: 'g2', uid: 'y' }, from: three });
      expect(byId.indexes).toEqual([two]);
      expect(fromThree.indexes).toEqual([three]);
    });
  });

  it('hands out tags and index without the payload where only indexes are asked for', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a', { tags: { kind: 'x' }, id: 'one' });
      const consumer = await world.watch('w', { indexOnly: true });
      const delivery = consumer.of(index);
      expect(delivery.payload).toHaveLength(0);
      expect([delivery.id, delivery.tags.get('kind')]).toEqual(['one', 'x']);
    });
  });
});

describe('leases and tokens (rule 5)', () => {
  it('refuses and counts a completion whose token is no longer current', async () => {
    await inWorld({ idleMs: 10_000, declaresInstances: true }, async (world) => {
      const slow = await world.worker('slow', { window: 1 });
      const index = await world.put('a');
      await world.advance(11_000);
      const quick = await world.worker('quick', { window: 1 });
      expect(quick.indexes).toEqual([index]);
      await refused('stale_delivery', world.complete(slow, index, 'late'));
      expect(world.queues.counters('input').stale).toBe(1);
      await world.complete(quick, index, 'in time');
      expect((await world.read('sink')).map(([, body]) => body)).toEqual(['in time']);
      await refused('stale_delivery', world.complete(slow, index, 'late again'));
      await refused('stale_delivery', world.complete(quick, index, 'twice'));
    });
  });

  it('gives every delivery a new, higher token, after a crash too', async () => {
    await inWorld({ deliveryMax: 0 }, async (world) => {
      await world.put('a');
      const tokens: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const consumer = await world.watch('w', { window: 1 });
        tokens.push(consumer.deliveries[0]?.deliveryId ?? 0);
        await world.crash();
      }
      expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other));
      expect(tokens[0]).toBeGreaterThan(0);
    });
  });

  it('lets a stream consumer keep its leases across a crash of Sluice', async () => {
    await inWorld({ declaresInstances: true }, async (world) => {
      const by = { gid: serviceName, uid: 'w' };
      const before = await world.worker('w', { kind: 'stream', window: 2 });
      const index = await world.put('a');
      const holding = [before.of(index).deliveryId];
      await world.crash();
      const after = await world.watch('w', { by, kind: 'stream', window: 2, holding });
      expect(after.watch.held).toEqual(holding);
      expect(after.indexes).toEqual([]);
      expect(await world.complete(before, index, 'done')).toBe(1);
    });
  });

  it('gives what a returning consumer no longer holds back uncounted', async () => {
    await inWorld({ deliveryMax: 1 }, async (world) => {
      const before = await world.watch('w', { kind: 'stream', window: 2 });
      const index = await world.put('a');
      const lost = before.of(index).deliveryId;
      await world.closeWatch(before, 'cut');
      const after = await world.watch('w', { kind: 'stream', window: 2, holding: [] });
      expect(after.watch.held).toEqual([]);
      expect(after.indexes).toEqual([index]);
      expect(after.of(index).deliveryId).toBeGreaterThan(lost);
    });
  });

  it('returns what an EAS watcher held as soon as its connection is cut', async () => {
    await inWorld({}, async (world) => {
      const one = await world.watch('one', { window: 1 });
      const index = await world.put('a');
      const other = await world.watch('other', { window: 1 });
      await world.closeWatch(one, 'cut');
      expect(other.indexes).toEqual([index]);
      expect(other.of(index).deliveries).toBe(2);
    });
  });

  it('lets the newest connection of the same consumer win', async () => {
    await inWorld({ deliveryMax: 1 }, async (world) => {
      const old = await world.watch('w', { window: 1 });
      const index = await world.put('a');
      const fresh = await world.watch('w', { window: 1 });
      expect(old.ended).toBe('replaced');
      expect(fresh.indexes).toEqual([index]);
      expect(world.view('input').consumers).toHaveLength(1);
    });
  });

  it('touch starts the idle time anew', async () => {
    await inWorld({ idleMs: 10_000 }, async (world) => {
      const worker = await world.worker('w', { window: 1 });
      const index = await world.put('a');
      await world.advance(8_000);
      await world.run(world.queues.touch('input', worker.of(index).deliveryId));
      await world.advance(8_000);
      expect(worker.voids).toEqual([]);
      await world.advance(4_000);
      expect(worker.voids).toHaveLength(1);
    });
  });
});

describe('commits by index (rule 6)', () => {
  it('lets any member of the group commit what is leased to another', async () => {
    await inWorld({}, async (world) => {
      const one = await world.watch('one');
      const index = await world.put('a');
      await world.run(world.queues.commit('input', [index], { gid: 'eas', uid: 'stranger' }));
      await world.settle();
      expect(one.indexes).toEqual([index]);
      expect(world.view('input').length).toBe(0);
    });
  });

  it('takes a commit of a message that waits after an earlier delivery', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w');
      const index = await world.put('a');
      await world.closeWatch(consumer, 'cut');
      expect(world.view('input')).toMatchObject({ length: 1, waiting: 1 });
      await world.commit(consumer, index);
      expect(world.view('input').length).toBe(0);
    });
  });

  it('passes over index 0, unknown and never delivered indexes', async () => {
    await inWorld({}, async (world) => {
      const index = await world.put('a');
      const by = { gid: 'eas', uid: 'w' };
      await world.run(world.queues.commit('input', [0, index, 99], by));
      await world.run(world.queues.negative('input', [0, index, 99], by, '', ''));
      expect(world.view('input')).toMatchObject({ length: 1, waiting: 1 });
    });
  });

  it('passes over a commit by a group the message was not delivered to', async () => {
    await inWorld({}, async (world) => {
      const one = await world.watch('one');
      const index = await world.put('a');
      const by = { gid: 'others', uid: 'w' };
      await world.run(world.queues.commit('input', [index], by));
      expect(world.view('input').length).toBe(1);
      await world.commit(one, index);
      expect(world.view('input').length).toBe(0);
    });
  });

  it('commits on delivery with auto commit', async () => {
    await inWorld({}, async (world) => {
      const consumer = await world.watch('w', { autoCommit: true, window: 1 });
      const indexes = await putAll(world, 'abc');
      expect(consumer.indexes).toEqual(indexes);
      expect(consumer.of(1).deliveryId).toBe(0);
      expect(world.view('input').length).toBe(0);
    });
  });
});
