// Order of batches and the fence around them. Part of the conformance suite.

import { describe, expect, it } from 'vitest';
import type { World } from './suite.ts';
import { messages, put, remove } from './world.ts';

export function orderRules(world: World): void {
  describe('order and fence', () => {
    it('makes batches durable in the order of the calls', async () => {
      const order: number[] = [];
      const appends = Array.from({ length: 50 }, async (_, at) => {
        await world.writer.write(put('input', at + 1), ...(at > 0 ? [remove('input', at)] : []));
        order.push(at);
      });
      await Promise.all(appends);
      expect(order).toEqual(order.map((_, at) => at));
      expect(messages(await (await world.writerAfterReopen()).recover())).toEqual(['input 50']);
    });

    it('refuses a gap in the sequence and everything after it', async () => {
      await world.writer.write(put('input', 1));
      world.writer.sequence++;
      const fenced = { kind: 'refused', why: 'fenced' };
      expect(await world.writer.append(put('input', 2))).toEqual(fenced);
      expect(await world.writer.append(put('input', 3))).toEqual(fenced);
      expect(messages(await world.writer.recover())).toEqual(['input 1']);
      await world.writer.write(put('input', 2));
    });

    it('refuses a sequence that was there already', async () => {
      await world.writer.write(put('input', 1));
      world.writer.sequence--;
      expect(await world.writer.append(put('input', 2))).toEqual({
        kind: 'refused',
        why: 'fenced',
      });
    });

    it('refuses a lower epoch, after a restart too', async () => {
      await world.writer.write({ kind: 'epoch', epoch: 4 }, put('input', 1));
      const late = world.writer.batch([put('input', 2)], { epoch: 3 });
      expect(await world.writer.engine.append(late)).toEqual({ kind: 'refused', why: 'fenced' });
      const again = await world.writerAfterReopen();
      await again.recover();
      expect(again.state.epoch).toBe(4);
      const stale = again.batch([put('input', 2)], { epoch: 3 });
      expect(await again.engine.append(stale)).toEqual({ kind: 'refused', why: 'fenced' });
      again.sequence = 0;
      await again.write({ kind: 'epoch', epoch: 5 }, put('input', 2));
    });

    it('expects sequence 1 after each recovery', async () => {
      await world.writer.write(put('input', 1));
      await world.writer.write(put('input', 2));
      await world.writer.recover();
      await world.writer.write(put('input', 3));
      expect(messages(await world.writer.recover())).toEqual(['input 1', 'input 2', 'input 3']);
    });
  });
}
