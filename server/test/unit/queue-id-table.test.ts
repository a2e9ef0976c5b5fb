// Ids found again whatever was added and removed, also where places lie too far apart for slots of
// four bytes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hash } from '../../src/queue/hash.ts';
import { IdTable } from '../../src/queue/id-table.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

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
      let last = 0;
      const table = new IdTable({
        has: (place, hash) => {
          const name = names.get(place);
          if (name === undefined) return false;
          const { low, high } = hashOf(name);
          return low === hash.low && high === hash.high;
        },
        low: (place) => hashOf(names.get(place) ?? Number.NaN).low,
        bounds: () => [[...names.keys()][0] ?? 0, last],
        each: (visit) => {
          for (const [place, name] of names) visit(place, hashOf(name).low);
        },
      });
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

test('finds them while they move into other slots, as the table grows and shrinks', () => {
  const spread = (name: number): Hash => ({ low: Math.imul(name, 0x9e3779b1) >>> 8, high: name });
  const random = new SeededRandom(7);
  const names: number[] = [];
  let first = 1;
  const table = new IdTable({
    has: (place, { high }) => names[place] === high,
    low: (place) => spread(names[place] ?? expect.unreachable(`${place} was removed`)).low,
    bounds: () => [first, names.length - 1],
    each: () => expect.unreachable('nothing is gathered'),
  });
  const takesFirst = (): void => {
    table.remove(spread(names[first] ?? 0), first);
    delete names[first];
    first += 1;
    table.shrink();
  };
  names.push(Number.NaN);
  for (const wanted of [3000, 2500, 40, 700]) {
    for (let step = 0; step < 6000; step += 1) {
      const live = names.length - first;
      if (live >= wanted) takesFirst();
      if (live <= wanted) {
        // Two places in three share their id with another one.
        names.push(Math.floor(names.length / 1.5));
        table.add(spread(names.at(-1) ?? 0), names.length - 1);
      }
      const place = first + Math.floor(random.fraction() * (names.length - first));
      const name = names[place] ?? 0;
      const near = [place - 1, place, place + 1];
      expect(table.find(spread(name))).toEqual(near.filter((one) => names[one] === name));
    }
  }
});
