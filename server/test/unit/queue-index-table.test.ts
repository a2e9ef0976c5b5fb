// The table of waiting messages against a plain list: whatever is added and removed, both hold the
// same.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexTable, noColumns } from '../../src/queue/index-table.ts';

/** Adds so many rows, or removes so many from a place on, front, middle or back. */
const anyStep = fc.oneof(
  fc.record({ add: fc.nat({ max: 600 }), gap: fc.nat({ max: 3 }) }),
  fc.record({ remove: fc.nat({ max: 600 }), from: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ keepEvery: fc.integer({ min: 2, max: 300 }) }),
);

type Step = { add: number; gap: number } | { remove: number; from: number } | { keepEvery: number };

class Both {
  readonly table = new IndexTable(noColumns);
  list: number[] = [];
  #last = 0;

  play(step: Step): void {
    if ('add' in step) {
      for (let nth = 0; nth < step.add; nth += 1) this.#add(1 + (nth % (step.gap + 1)));
      return;
    }
    if ('remove' in step) {
      const start = Math.floor(step.from * this.list.length);
      this.#remove(this.list.slice(start, start + step.remove));
      return;
    }
    this.#remove(this.list.filter((_, at) => at % step.keepEvery !== 0));
  }

  #add(gap: number): void {
    this.#last += gap;
    this.table.append(this.#last);
    this.list.push(this.#last);
  }

  #remove(indexes: readonly number[]): void {
    const gone = new Set(indexes);
    for (const index of indexes) expect(this.table.remove(index)).toBe(true);
    this.list = this.list.filter((index) => !gone.has(index));
  }

  compare(): void {
    expect(this.table.length).toBe(this.list.length);
    const found: number[] = [];
    let index = this.table.firstFrom(1);
    while (index > 0) {
      found.push(index);
      index = this.table.firstFrom(index + 1);
    }
    expect(found).toEqual(this.list);
    for (const [at, live] of this.list.entries()) {
      if (!this.table.has(live)) expect(`${live} is there`).toBe('it is not found');
      if (at % 97 === 0) expect(this.table.countBelow(live)).toBe(at);
    }
    expect(this.table.has(this.#last + 1)).toBe(false);
  }
}

describe('the table of messages', () => {
  it('still finds older rows when its last chunk has been emptied', () => {
    const both = new Both();
    both.play({ add: 300, gap: 0 });
    both.play({ remove: 299, from: 1 / 300 });
    both.compare();
    both.play({ add: 1, gap: 0 });
    both.compare();
  });

  it('holds the same as a plain list', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
        const both = new Both();
        for (const step of steps) {
          both.play(step);
          both.compare();
        }
      }),
      { numRuns: 60 },
    );
  });
});
