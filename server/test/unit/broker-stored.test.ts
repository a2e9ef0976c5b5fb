// Which messages are kept at hand after they are durable: counted by the memory that they hold, not
// by what is read of it.

import { expect, it } from 'vitest';
import { keptBytesMax, keptMax, Stored } from '../../src/broker/stored.ts';
import { metaOf } from '../conformance/world.ts';

function put(stored: Stored, index: number, payload: Uint8Array): void {
  stored.add('input', { meta: metaOf(index, payload.length), payload });
  stored.setDurable('input', index);
}

const isKept = (stored: Stored, index: number) => stored.message('input', index) !== undefined;

it('counts a buffer once, however many messages came in it', () => {
  const stored = new Stored();
  const buffer = new ArrayBuffer(keptBytesMax);
  for (let index = 1; index <= 100; index += 1) {
    put(stored, index, new Uint8Array(buffer, index * 10, 10));
  }
  expect(isKept(stored, 100)).toBe(true);
  put(stored, 101, new Uint8Array(1));
  expect(isKept(stored, 101)).toBe(false);
});

it('has room again when the last message of a buffer is gone', () => {
  const stored = new Stored();
  const buffer = new ArrayBuffer(keptBytesMax);
  for (const index of [1, 2]) put(stored, index, new Uint8Array(buffer, 0, 10));
  stored.removed('input', 1);
  put(stored, 3, new Uint8Array(1));
  stored.removed('input', 2);
  put(stored, 4, new Uint8Array(1));
  expect([3, 4].map((index) => isKept(stored, index))).toEqual([false, true]);
});

it('keeps so many and no more, until one of them is under lease', () => {
  const stored = new Stored();
  for (let index = 1; index <= keptMax + 1; index += 1) put(stored, index, new Uint8Array(1));
  expect([keptMax, keptMax + 1].map((index) => isKept(stored, index))).toEqual([true, false]);
  const first = stored.message('input', 1);
  if (first !== undefined) stored.leased('input', first.meta);
  put(stored, keptMax + 2, new Uint8Array(1));
  expect(isKept(stored, keptMax + 2)).toBe(true);
  expect(stored.meta('input', 1)?.index).toBe(1);
});

it('keeps whatever is not durable yet', () => {
  const stored = new Stored();
  for (const index of [1, 2]) {
    const payload = new Uint8Array(keptBytesMax);
    stored.add('input', { meta: metaOf(index, payload.length), payload });
  }
  stored.setDurable('input', 1);
  expect([1, 2].map((index) => isKept(stored, index))).toEqual([false, true]);
});
