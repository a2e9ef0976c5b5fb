// Marks and the groups they belong to. Part of the conformance suite.

import { beforeEach, describe, expect, it } from 'vitest';
import type { World } from './suite.ts';
import { deliver, group, markOf, put, recordOf, remove, rowsOf } from './world.ts';

export function marksRules(world: World): void {
  describe('marks', () => {
    beforeEach(async () => {
      await world.writer.write(
        group('input', 1),
        group('input', 2),
        put('input', 1),
        put('input', 2),
      );
    });

    it('keeps the newest mark of each message and group with all its fields', async () => {
      const { outcomes: some } = recordOf(1);
      const outcomes = [...some, ...some.map((one) => ({ ...one, counted: false, revision: 300 }))];
      const newest = markOf(2 ** 52, {
        state: 'returned',
        uid: 'ü',
        revision: 2 ** 20,
        bad: 3,
        deliveries: 9,
        notBefore: 1_700_000_000_999.125,
        resumable: false,
        place: true,
        placeIndex: 2 ** 35,
        outcomes,
      });
      await world.writer.write(deliver('input', 1, 1, 10), deliver('input', 1, 2, 11));
      await world.writer.write({
        kind: 'return',
        queue: 'input',
        group: 1,
        index: 1,
        mark: newest,
      });
      await world.writer.write(deliver('input', 2, 1, 12));
      const rows = await (await world.writerAfterReopen()).recover();
      expect(rowsOf(rows, 'mark')).toEqual([
        { kind: 'mark', queue: 'input', group: 1, index: 1, mark: newest },
        { kind: 'mark', queue: 'input', group: 2, index: 1, mark: markOf(12) },
        { kind: 'mark', queue: 'input', group: 1, index: 2, mark: markOf(11) },
      ]);
    });

    it('takes the last of several marks in one batch', async () => {
      await world.writer.write(deliver('input', 1, 1, 10), deliver('input', 1, 1, 11));
      const rows = rowsOf(await (await world.writerAfterReopen()).recover(), 'mark');
      expect(rows.map((row) => row.mark.deliveryId)).toEqual([11]);
    });

    it('forgets all marks of a message that leaves', async () => {
      await world.writer.write(deliver('input', 1, 1, 10), deliver('input', 2, 1, 11));
      await world.writer.write(deliver('input', 1, 2, 12), remove('input', 1));
      const again = await world.writerAfterReopen();
      const rows = rowsOf(await again.recover(), 'mark');
      expect(rows.map((row) => row.index)).toEqual([2]);
      await again.write(remove('input', 2));
      expect(rowsOf(await again.recover(), 'mark')).toEqual([]);
    });

    it('forgets a group with all its marks', async () => {
      await world.writer.write(deliver('input', 1, 1, 10), deliver('input', 2, 1, 11));
      await world.writer.write({ kind: 'groupGone', queue: 'input', group: 1 });
      const rows = await (await world.writerAfterReopen()).recover();
      expect(rowsOf(rows, 'group').map((row) => row.group)).toEqual([2]);
      expect(rowsOf(rows, 'mark').map((row) => row.group)).toEqual([2]);
    });

    it('keeps marks through thousands of changes', async () => {
      for (let round = 1; round <= 60; round++) {
        const marks = Array.from({ length: 100 }, (_, at) =>
          deliver('input', 1 + (at % 2), 1 + (at % 2), round * 1000 + at),
        );
        // The other two places stay as the first round left them.
        await world.writer.write(...(round === 1 ? [deliver('input', 1, 2, 5)] : []), ...marks);
      }
      const rows = rowsOf(await (await world.writerAfterReopen()).recover(), 'mark');
      expect(rows.map(({ group, index, mark }) => [group, index, mark.deliveryId])).toEqual([
        [1, 1, 60_098],
        [1, 2, 5],
        [2, 2, 60_099],
      ]);
    });
  });

  describe('groups', () => {
    it('keeps the last of several rows of a group', async () => {
      const resolved = new Map([['__proto__', 3]]);
      await world.writer.write(group('input', 1, 'a'), group('sink', 1, 'a'));
      await world.writer.write({
        kind: 'group',
        queue: 'sink',
        group: 1,
        gid: 'a',
        from: 12,
        usedAt: 5.5,
        resolved,
      });
      const rows = rowsOf(await (await world.writerAfterReopen()).recover(), 'group');
      expect(rows.map(({ queue, from }) => [queue, from])).toEqual([
        ['input', 1],
        ['sink', 12],
      ]);
      expect(rows[1]?.resolved).toEqual(resolved);
    });
  });
}
