// What comes back of rows in general. Part of the conformance suite.

import { describe, expect, it } from 'vitest';
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
  Writer,
} from './world.ts';

export function rowsRules(world: World): void {
  describe('rows', () => {
    it('has nothing of a new service', async () => {
      expect(await world.writer.recover()).toEqual([]);
      expect(await world.writer.payload('input', 1)).toBeUndefined();
      expect(await world.writer.engine.records(7, 0, 10)).toEqual([]);
    });

    it('brings back what was appended, in the order of the contract', async () => {
      await world.writer.write(group('input', 1), put('input', 1), put('sink', 1), put('input', 2));
      await world.writer.write(deliver('input', 1, 2, 17), put('inputRear', 1), put('sinkRear', 1));
      await world.writer.write({
        kind: 'complete',
        index: 1,
        result: { meta: metaOf(2, 3), payload: Buffer.from('abc') },
        recordResult: undefined,
        record: recordOf(1),
        outbox: { index: 1, terms: '{"url":"http://127.0.0.1/x"}' },
      });
      const rows = await (await world.writerAfterReopen()).recover();
      expect(rows.map((row) => row.kind)).toEqual([
        'state',
        'group',
        ...Array.from({ length: 5 }, () => 'message'),
        'mark',
        'record',
        'outbox',
      ]);
      expect(messages(rows)).toEqual(['input 2', 'sink 1', 'sink 2', 'inputRear 1', 'sinkRear 1']);
      expect(rowsOf(rows, 'record')[0]?.record).toEqual(recordOf(1));
      expect(rowsOf(rows, 'outbox')[0]?.entry.terms).toBe('{"url":"http://127.0.0.1/x"}');
    });

    it('keeps every field of a message', async () => {
      const meta = metaOf(2 ** 40, 5, {
        id: 'é'.repeat(200),
        callerId: true,
        tags: new Map([
          ['__proto__', 'polluted'],
          ['', 'no name'],
          ['constructor', ''],
          ['标签', '值 🚰'],
          ['long', 'x'.repeat(5000)],
        ]),
        priority: 2 ** 31 - 1,
        bodyHash: 2 ** 32 - 1,
        acceptedAt: 1_700_000_000_000.5,
        expiresAt: 2 ** 52,
        home: 'record',
        path: '/v1/ocr?x=1',
        contentType: 'image/png',
        owner: 'token-b',
        idempotencyKey: 'k',
        terms: '{}',
        source: 2 ** 52 + 1,
      });
      const message = { meta, payload: Buffer.from('hello') };
      await world.writer.write({ kind: 'put', queue: 'input', message });
      const again = await world.writerAfterReopen();
      const rows = await again.recover();
      expect(rowsOf(rows, 'message')[0]?.meta).toEqual(meta);
      const refs = [{ service: 7, queue: 'input', index: 2 ** 40 }] as const;
      expect((await again.engine.payloads(refs))[0]?.meta).toEqual(meta);
    });

    it('tells indexes apart that differ above 32 bits', async () => {
      await world.writer.write(
        put('input', 5),
        put('input', 5 + 2 ** 32),
        put('input', 2 ** 53 - 1),
      );
      await world.writer.write(remove('input', 5));
      const rows = await (await world.writerAfterReopen()).recover();
      expect(messages(rows)).toEqual([`input ${5 + 2 ** 32}`, `input ${2 ** 53 - 1}`]);
    });

    it('keeps the state of the last batch', async () => {
      await world.writer.write(put('input', 9), { kind: 'end', queue: 'sink', ended: true });
      await world.writer.write(remove('input', 9));
      const again = await world.writerAfterReopen();
      const [state] = await again.recover();
      expect(state).toEqual({
        kind: 'state',
        state: {
          epoch: 0,
          lastIndexes: [9, 0, 0, 0],
          ended: [false, true, false, false],
          lastGroup: 0,
        },
      });
    });

    it('keeps services apart', async () => {
      const other = new Writer(world.writer.engine, 8);
      await world.writer.write(put('input', 1));
      await other.write(put('input', 1, 30), put('input', 2, 30));
      await world.writer.write(remove('input', 1));
      expect(messages(await world.writer.recover())).toEqual([]);
      expect(messages(await other.recover())).toEqual(['input 1', 'input 2']);
    });

    it('writes a batch of ten thousand messages as one', async () => {
      const puts = Array.from({ length: 10_000 }, (_, at) => put('input', at + 1, 100));
      await world.writer.write(...puts);
      const again = await world.writerAfterReopen();
      const rows = await again.recover();
      const indexes = rowsOf(rows, 'message').map((row) => row.meta.index);
      expect(indexes).toEqual(puts.map((_, at) => at + 1));
      expect(await again.payload('input', 10_000)).toEqual(payloadOf(10_000, 100));
    });

    it('leaves nothing of a message that came and went in one batch', async () => {
      await world.writer.write(
        group('input', 1),
        put('input', 1),
        deliver('input', 1, 1, 3),
        remove('input', 1),
        put('input', 2),
      );
      expect(messages(await (await world.writerAfterReopen()).recover())).toEqual(['input 2']);
    });
  });
}
