// The table of calls under way and of leases: whatever numbers come and go, it is a Map.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NumberTable } from '../src/number-table.ts';

// Near each other, far apart, and in the same slot at every size of the table.
const someNumber = fc.oneof(
  fc.nat(200),
  fc.nat(5).map((nth) => nth * 8192 + 5),
  fc.maxSafeNat(),
);

test('is a Map in the order of its numbers', () => {
  const change = fc.record({ number: someNumber, isSet: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 100, size: 'max' }), (changes) => {
      const table = new NumberTable<number>();
      const map = new Map<number, number>();
      for (const [value, { number, isSet }] of changes.entries()) {
        if (isSet) table.set(number, value);
        else table.delete(number);
        if (isSet) map.set(number, value);
        else map.delete(number);
        expect(table.size).toBe(map.size);
        expect(table.get(number)).toBe(map.get(number));
      }
      for (const { number } of changes) expect(table.get(number)).toBe(map.get(number));
      expect(table.entries()).toEqual([...map].sort(([a], [b]) => a - b));
      expect(new Set(table.values())).toEqual(new Set(map.values()));
    }),
  );
});

test('keeps more values than it has slots, and forgets them', () => {
  const table = new NumberTable<string>();
  const numbers = Array.from({ length: 20_000 }, (_, at) => at * 3);
  for (const number of numbers) table.set(number, `value ${number}`);
  expect(table.size).toBe(numbers.length);
  for (const number of numbers) expect(table.get(number)).toBe(`value ${number}`);
  expect(table.entries().map(([number]) => number)).toEqual(numbers);
  table.clear();
  expect(table.size).toBe(0);
  expect(table.get(3)).toBeUndefined();
});
