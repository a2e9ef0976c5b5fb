// Definitions of services and their removal. Part of the conformance suite.

import { describe, expect, it } from 'vitest';
import type { World } from './suite.ts';
import { deliver, group, messages, put, recordOf, recovered, remove, Writer } from './world.ts';

export function definitionsRules(world: World): void {
  describe('definitions', () => {
    it('keeps, replaces and lists them by number', async () => {
      const { engine } = world.writer;
      await engine.saveDefinition({ number: 12, name: 'b', definition: '{}' });
      await engine.saveDefinition({ number: 3, name: 'a', definition: '{"x":1}' });
      await engine.saveDefinition({ number: 12, name: 'b', definition: '{"x":"ü"}' });
      const again = await world.reopen();
      expect(await again.definitions()).toEqual([
        { number: 3, name: 'a', definition: '{"x":1}' },
        { number: 12, name: 'b', definition: '{"x":"ü"}' },
      ]);
    });

    it('drops a service with everything it had, and nothing of others', async () => {
      const { engine } = world.writer;
      const other = new Writer(engine, 8);
      await engine.saveDefinition({ number: 7, name: 'a', definition: '{}' });
      await engine.saveDefinition({ number: 8, name: 'b', definition: '{}' });
      const puts = Array.from({ length: 3000 }, (_, at) => put('input', at + 1));
      await world.writer.write(...puts, group('input', 1), put('sink', 1, 300 * 1024));
      await world.writer.write(
        remove('input', 1, { record: recordOf(1) }),
        deliver('input', 1, 2, 4),
      );
      await other.write(put('input', 1));
      await engine.dropService(7);
      const again = await world.reopen();
      expect((await again.definitions()).map(({ number }) => number)).toEqual([8]);
      expect(await recovered(again, 7)).toEqual([]);
      expect(await again.records(7, 0, 10)).toEqual([]);
      expect(messages(await recovered(again, 8))).toEqual(['input 1']);
      const anew = new Writer(again, 7);
      await anew.write(put('input', 1));
      expect(messages(await anew.recover())).toEqual(['input 1']);
    });
  });
}
