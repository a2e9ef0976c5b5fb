// Recent ids that a start finds: whatever the order in which they come, each is found, the oldest
// of the same id first.

import { expect, it } from 'vitest';
import { RecentIds } from '../../src/queue/recent-ids.ts';
import { RecentRows } from '../../src/queue/recent-rows.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

const begin = 1_790_000_000_000;
const count = 3000;
const names = 1200;

function found(times: readonly number[]): RecentIds {
  const ids = new RecentIds();
  const rows = new RecentRows(ids);
  for (const [at, time] of times.entries()) {
    rows.add({ low: at % names, high: 7 }, { index: at + 1, bodyHash: time }, begin + time);
  }
  rows.finish();
  return ids;
}

function expectAll(times: readonly number[]): void {
  const ids = found(times);
  expect(ids.size).toBe(times.length);
  const latest = begin + Math.max(...times);
  for (let name = 0; name < names; name += 1) {
    const wanted = times
      .flatMap((time, at) => (at % names === name ? [{ index: at + 1, bodyHash: time }] : []))
      .sort((a, b) => a.bodyHash - b.bodyHash || a.index - b.index);
    expect(ids.find({ low: name, high: 7 }, latest)).toEqual(wanted);
  }
  expect(ids.find({ low: names + 1, high: 7 }, latest)).toEqual([]);
}

// In whole seconds: what was taken back has lost the rest.
it('takes them in order', () => {
  expectAll(Array.from({ length: count }, (_, at) => Math.floor(at / 10) * 1000));
});

it('takes messages in order and then records in theirs', () => {
  const half = count / 2;
  expectAll(Array.from({ length: count }, (_, at) => (at % half) * 200 - ((at * 200) % 1000)));
});

it('takes them in any order', () => {
  const random = new SeededRandom(3);
  expectAll(Array.from({ length: count }, () => random.between(0, 400) * 1000));
});

it('has nothing when nothing comes', () => {
  expect(found([]).size).toBe(0);
});
