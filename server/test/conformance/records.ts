// Completion, death and what is remembered of requests. Part of the conformance suite.

import { describe, expect, it } from 'vitest';
import type { Transition } from '../../src/queue/transition.ts';
import type { World } from './suite.ts';
import {
  deliver,
  group,
  messages,
  metaOf,
  payloadOf,
  put,
  recordOf,
  remove,
  rowsOf,
} from './world.ts';

export function recordsRules(world: World): void {
  describe('completion, death and records', () => {
    it('completes all or nothing: message, result, record and callback', async () => {
      await world.writer.write(put('input', 1));
      await world.writer.write({
        kind: 'complete',
        index: 1,
        result: put('sink', 1, 50, { source: 1 }).message,
        recordResult: undefined,
        record: recordOf(1, { resultIndex: 1, revision: 129 }),
        outbox: { index: 1, terms: 'c' },
      });
      const again = await world.writerAfterReopen();
      const rows = await again.recover();
      expect(messages(rows)).toEqual(['sink 1']);
      expect(await again.payload('sink', 1)).toEqual(payloadOf(1, 50));
      expect(await again.engine.records(7, 0, 10)).toEqual([
        recordOf(1, { resultIndex: 1, revision: 129 }),
      ]);
      expect(rowsOf(rows, 'outbox')).toHaveLength(1);
      await again.write({ kind: 'outboxDone', index: 1 });
      expect(rowsOf(await again.recover(), 'outbox')).toEqual([]);
    });

    it.each([10, 300 * 1024])('keeps a result of %i bytes beside its record', async (size) => {
      await world.writer.write(put('input', 1));
      await world.writer.write({
        kind: 'complete',
        index: 1,
        result: undefined,
        recordResult: payloadOf(1, size),
        record: recordOf(1, { home: 'record' }),
        outbox: undefined,
      });
      const again = await world.writerAfterReopen();
      await again.recover();
      const result = await again.engine.recordResult(7, 1);
      expect(Buffer.from(result ?? []).equals(payloadOf(1, size))).toBe(true);
      expect(await again.engine.recordResult(7, 2)).toBeUndefined();
      await again.write({ kind: 'trimRecords', below: 2 });
      expect(await again.engine.recordResult(7, 1)).toBeUndefined();
    });

    it.each([0, 10, 300 * 1024])('moves a dead message of %i bytes to the rear', async (size) => {
      await world.writer.write(group('input', 1), put('input', 1, size), put('input', 2, size));
      await world.writer.write(deliver('input', 1, 1, 4));
      const rear = metaOf(1, size, { source: 1, tags: new Map([['lastCode', '500']]) });
      await world.writer.write({
        kind: 'dead',
        queue: 'input',
        index: 1,
        rear,
        notice: put('sink', 1, 0).message,
        record: recordOf(1, { state: 'dead', cause: 'deliveries' }),
        outbox: undefined,
      });
      const again = await world.writerAfterReopen();
      const rows = await again.recover();
      expect(messages(rows)).toEqual(['input 2', 'sink 1', 'inputRear 1']);
      expect(rowsOf(rows, 'message')[2]?.meta).toEqual(rear);
      expect(rowsOf(rows, 'mark')).toEqual([]);
      const payload = await again.payload('inputRear', 1);
      expect(Buffer.from(payload ?? [1]).equals(payloadOf(1, size))).toBe(true);
      await again.write(remove('inputRear', 1));
      expect(await again.payload('inputRear', 1)).toBeUndefined();
    });

    it('moves a message that was put a moment before', async () => {
      const dead = (index: number): Transition => ({
        kind: 'dead',
        queue: 'sink',
        index,
        rear: metaOf(index, 20),
        notice: undefined,
        record: undefined,
        outbox: undefined,
      });
      await Promise.all([
        world.writer.write(put('sink', 1), dead(1)),
        world.writer.write(put('sink', 2)),
        world.writer.write(dead(2)),
      ]);
      const again = await world.writerAfterReopen();
      expect(messages(await again.recover())).toEqual(['sinkRear 1', 'sinkRear 2']);
      expect(await again.payload('sinkRear', 2)).toEqual(payloadOf(2));
    });

    it('drops a dead message without a rear', async () => {
      await world.writer.write(put('input', 1));
      await world.writer.write({
        kind: 'dead',
        queue: 'input',
        index: 1,
        rear: undefined,
        notice: undefined,
        record: recordOf(1),
        outbox: { index: 1, terms: 'c' },
      });
      const rows = await (await world.writerAfterReopen()).recover();
      expect(messages(rows)).toEqual([]);
      expect(rowsOf(rows, 'record')).toHaveLength(1);
      expect(rowsOf(rows, 'outbox')).toHaveLength(1);
    });

    it('pages through records in the order of their indexes', async () => {
      const indexes = [1, 2, 3, 10, 2 ** 33];
      for (const index of [...indexes].reverse()) {
        await world.writer.write(put('input', index));
        await world.writer.write(remove('input', index, { record: recordOf(index) }));
      }
      const of = async (from: number, limit: number): Promise<readonly number[]> =>
        (await world.writer.engine.records(7, from, limit)).map((record) => record.index);
      expect(await of(0, 1000)).toEqual(indexes);
      expect(await of(2, 2)).toEqual([2, 3]);
      expect(await of(11, 5)).toEqual([2 ** 33]);
      expect(await of(2 ** 33 + 1, 5)).toEqual([]);
    });

    it('pages through callbacks to make in the order of their indexes', async () => {
      const indexes = [1, 2, 3, 10, 2 ** 33];
      for (const index of [...indexes].reverse()) {
        const removed = { record: recordOf(index), outbox: { index, terms: `terms ${index}` } };
        await world.writer.write(put('input', index), remove('input', index, removed));
      }
      const of = async (from: number, limit: number): Promise<readonly number[]> =>
        (await world.writer.engine.outbox(7, from, limit)).map((entry) => entry.index);
      expect(await of(0, 1000)).toEqual(indexes);
      expect(await of(2, 2)).toEqual([2, 3]);
      expect(await of(11, 5)).toEqual([2 ** 33]);
      expect(await of(2 ** 33 + 1, 5)).toEqual([]);
      await world.writer.write({ kind: 'outboxDone', index: 2 });
      expect(await world.writer.engine.outbox(7, 2, 1)).toEqual([{ index: 3, terms: 'terms 3' }]);
      const again = await world.writerAfterReopen();
      await again.recover();
      expect((await again.engine.outbox(7, 0, 9)).map(({ index }) => index)).toEqual([
        1,
        3,
        10,
        2 ** 33,
      ]);
    });

    it('remembers when and how a result left the sink', async () => {
      await world.writer.write(put('input', 1), put('sink', 1, 5, { source: 1 }), put('sink', 2));
      await world.writer.write(remove('sink', 1, { source: 1, at: 1234.5 }), remove('sink', 2));
      const again = await world.writerAfterReopen();
      await again.recover();
      expect(await again.engine.departure(7, 1)).toEqual({ cause: 'committed', at: 1234.5 });
      expect(await again.engine.departure(7, 2)).toBeUndefined();
    });

    it.each(['together', 'apart'])('writes a record anew, and trims it: %s', async (how) => {
      const before = recordOf(1, { home: 'record', revision: 3 });
      const after = { ...before, after: '{"freedAt":5}', reason: 'longer than before' };
      const steps: Transition[] = [
        put('input', 1),
        remove('input', 1, { record: before }),
        { kind: 'record', record: after },
      ];
      if (how === 'together') await world.writer.write(...steps);
      else for (const step of steps) await world.writer.write(step);
      const again = await world.writerAfterReopen();
      expect(rowsOf(await again.recover(), 'record').map(({ record }) => record)).toEqual([after]);
      // Trimmed in the transaction that writes it once more, it is gone.
      await again.write({ kind: 'record', record: before }, { kind: 'trimRecords', below: 2 });
      expect(await again.engine.records(7, 0, 9)).toEqual([]);
      expect(rowsOf(await again.recover(), 'record')).toEqual([]);
    });

    it('keeps the latest checkpoint of a message for as long as that is there', async () => {
      const of = async (writer: typeof world.writer): Promise<readonly string[]> => {
        const kept = [1, 2, 3, 4, 5].map((index) => writer.engine.checkpoint(7, index));
        return (await Promise.all(kept)).map((data) => Buffer.from(data ?? []).toString());
      };
      const checkpoint = (index: number, text: string): Transition => {
        return { kind: 'checkpoint', index, data: Buffer.from(text) };
      };
      const puts = [1, 2, 3, 4, 5].map((index) => put('input', index));
      await world.writer.write(...puts, checkpoint(1, 'a'), checkpoint(1, 'b'));
      await world.writer.write(...[2, 3, 4].map((index) => checkpoint(index, `c${index}`)));
      // It does not go with the records of its neighbours, also not of later ones.
      const gone = remove('input', 2, { record: recordOf(2) });
      await world.writer.write(gone, { kind: 'trimRecords', below: 256 });
      expect(await of(world.writer)).toEqual(['b', '', 'c3', 'c4', '']);
      const again = await world.writerAfterReopen();
      await again.recover();
      expect(await of(again)).toEqual(['b', '', 'c3', 'c4', '']);
      const dead = { rear: metaOf(1, 20, { source: 3 }), notice: undefined, outbox: undefined };
      await again.write(
        { kind: 'dead', queue: 'input', index: 3, ...dead, record: recordOf(3) },
        checkpoint(4, 'late'),
        remove('input', 4, { record: recordOf(4) }),
        checkpoint(5, 'd'),
      );
      expect(await of(again)).toEqual(['b', '', '', '', 'd']);
      const last = await world.writerAfterReopen();
      await last.recover();
      expect(await of(last)).toEqual(['b', '', '', '', 'd']);
    });

    it('trims records, their results and departures', async () => {
      const puts = Array.from({ length: 30 }, (_, at) => put('input', at + 1));
      await world.writer.write(...puts, put('sink', 1), put('sink', 2));
      for (let index = 1; index <= 29; index++) {
        await world.writer.write(remove('input', index, { record: recordOf(index) }));
      }
      await world.writer.write(remove('sink', 1, { source: 3 }), {
        kind: 'trimRecords',
        below: 20,
      });
      // What comes later for a lower index stays until the next trim.
      await world.writer.write(remove('sink', 2, { source: 4 }));
      const again = await world.writerAfterReopen();
      const rows = rowsOf(await again.recover(), 'record');
      expect(rows.map((row) => row.record.index)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
      expect(await again.engine.departure(7, 3)).toBeUndefined();
      expect(await again.engine.departure(7, 4)).toEqual({ cause: 'committed', at: 99 });
      const page = await again.engine.records(7, 0, 2);
      expect(page.map((record) => record.index)).toEqual([20, 21]);
    });
  });
}
