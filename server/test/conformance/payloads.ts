// Payloads of every size. Part of the conformance suite.

import { describe, expect, it } from 'vitest';
import type { World } from './suite.ts';
import { bytes, messages, metaOf, payloadOf, put, remove } from './world.ts';

export function payloadsRules(world: World): void {
  describe('payloads', () => {
    it('hands out copies that nobody else can change', async () => {
      const payload = payloadOf(1);
      const message = { meta: metaOf(1), payload };
      await world.writer.write({ kind: 'put', queue: 'input', message });
      payload.fill(0);
      const first = await world.writer.payload('input', 1);
      expect(first).toEqual(payloadOf(1));
      first?.fill(1);
      expect(await world.writer.payload('input', 1)).toEqual(payloadOf(1));
    });

    it('answers in the order of the question, undefined for what is not there', async () => {
      await world.writer.write(put('input', 1), put('input', 2, 0), put('sink', 2, 100));
      const refs = [
        { service: 7, queue: 'sink', index: 2 },
        { service: 7, queue: 'input', index: 3 },
        { service: 7, queue: 'input', index: 2 },
        { service: 6, queue: 'input', index: 2 },
        { service: 7, queue: 'input', index: 1 },
      ] as const;
      const found = await world.writer.engine.payloads(refs);
      expect(found.map((message) => message && bytes(message.payload))).toEqual([
        payloadOf(2, 100),
        undefined,
        Buffer.alloc(0),
        undefined,
        payloadOf(1),
      ]);
      expect(found[0]?.meta).toEqual(metaOf(2, 100));
      const metas = await world.writer.engine.metas(refs);
      expect(metas).toEqual(found.map((message) => message?.meta));
    });

    it('keeps payloads of every size around the one where files begin', async () => {
      const limit = 256 * 1024;
      const sizes = [0, 1, 4095, limit - 1, limit, limit + 1, 3 * 2 ** 20];
      await world.writer.write(...sizes.map((size, at) => put('input', at + 1, size)));
      const again = await world.writerAfterReopen();
      await again.recover();
      for (const [at, size] of sizes.entries()) {
        const payload = await again.payload('input', at + 1);
        expect(Buffer.from(payload ?? []).equals(payloadOf(at + 1, size))).toBe(true);
      }
      await again.write(...sizes.map((_, at) => remove('input', at + 1)));
      expect(messages(await again.recover())).toEqual([]);
    });

    it('keeps the order of batches around large payloads', async () => {
      const large = world.writer.write(put('input', 1, 2 ** 20));
      const small = world.writer.write(put('input', 2), remove('input', 1));
      await Promise.all([large, small]);
      expect(messages(await (await world.writerAfterReopen()).recover())).toEqual(['input 2']);
    });
  });
}
