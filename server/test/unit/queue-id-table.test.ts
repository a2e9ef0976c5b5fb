// Ids found again whatever was added and removed, also where places lie too far apart for slots of
// four bytes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hash } from '../../src/queue/hash.ts';
import { IdTable } from '../../src/queue/id-table.ts';

/** Few hashes, so that many places have the same one or collide. */
const hashOf = (name: number): Hash => ({ low: name % 4, high: name });

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name: fc.nat(12),
      gap: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 1, max: 5 }) },
        { weight: 1, arbitrary: fc.integer({ min: 2 ** 31, max: 2 ** 34 }) },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), nth: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shrink' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gather' as const) }) },
);

test('finds the places of every id in order, after any steps', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const names = new Map<number, number>();
      const table = new IdTable({
        has: (place, hash) => {
          const name = names.get(place);
          if (name === undefined) return false;
          const { low, high } = hashOf(name);
          return low === hash.low && high === hash.high;
        },
        each: (visit) => {
          for (const [place, name] of names) visit(place, hashOf(name).low);
        },
      });
      let last = 0;
      for (const each of steps) {
        if (each.kind === 'add') {
          last += each.gap;
          names.set(last, each.name);
          table.add(hashOf(each.name), last);
        } else if (each.kind === 'remove') {
          const places = [...names.keys()];
          const place = places[each.nth % Math.max(1, places.length)];
          if (place === undefined) continue;
          table.remove(hashOf(names.get(place) ?? 0), place);
          names.delete(place);
        } else if (each.kind === 'gather') {
          table.gather();
        } else {
          table.shrink();
        }
      }
      for (let name = 0; name <= 12; name += 1) {
        const wanted = [...names].filter(([, one]) => one === name).map(([place]) => place);
        expect(table.find(hashOf(name))).toEqual(wanted);
      }
    }),
  );
});
