// Dynamic batching on a virtual clock: what goes together, when, who waits for whom, and that
// everybody gets their own result or their own error.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher } from '../../src/processors/onnx/batcher.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

interface Item {
  readonly id: number;
  readonly key?: string;
  readonly rows?: number;
  readonly isBad?: boolean;
}

interface Rules {
  readonly rowsMax?: number;
  readonly delayMs?: number;
  /** Of a run, for each of its rows. */
  readonly runMs?: number;
}

function world({ rowsMax = 4, delayMs = 10, runMs = 0 }: Rules = {}) {
  const clock = new VirtualClock(new SeededRandom(1));
  const runs: number[][] = [];
  let running = 0;
  const batcher = new Batcher<Item, string>({
    rowsMax,
    delayMs,
    clock,
    keyOf: ({ key = 'a' }) => key,
    rowsOf: ({ rows = 1 }) => rows,
    async run(items) {
      runs.push(items.map(({ id }) => id));
      running += 1;
      expect(running).toBe(1);
      expect(new Set(items.map(({ key }) => key)).size).toBe(1);
      if (runMs > 0) await clock.sleep(runMs * items.length);
      running -= 1;
      const bad = items.find(({ isBad }) => isBad);
      if (bad !== undefined) throw new Error(`item ${bad.id} is bad`);
      return items.map(({ id }) => `result ${id}`);
    },
  });
  const submit = (item: Item, signal = new AbortController().signal): Promise<string> =>
    batcher.submit(item, signal).catch((error: unknown) => `${error}`);
  return { clock, runs, batcher, submit };
}

const idle = new AbortController().signal;

describe('when a lot runs', () => {
  it('runs items together that come within the delay of the first', async () => {
    const { clock, runs, submit } = world({ delayMs: 10 });
    const first = submit({ id: 1 });
    await clock.advance(9);
    const second = submit({ id: 2 });
    expect(runs).toEqual([]);
    await clock.advance(1);
    expect(await Promise.all([first, second])).toEqual(['result 1', 'result 2']);
    expect(runs).toEqual([[1, 2]]);
    const third = submit({ id: 3 });
    await clock.advance(10);
    expect(await third).toBe('result 3');
  });

  it('runs a full lot without waiting', async () => {
    const { clock, runs, submit } = world({ rowsMax: 2, delayMs: 10 });
    const results = [submit({ id: 1 }), submit({ id: 2 }), submit({ id: 3 })];
    await clock.settle();
    expect(runs).toEqual([[1, 2]]);
    await clock.advance(10);
    expect(await Promise.all(results)).toEqual(['result 1', 'result 2', 'result 3']);
    expect(runs).toEqual([[1, 2], [3]]);
  });

  it('takes what came in one turn of the event loop where no delay is set', async () => {
    const { clock, runs, submit } = world({ delayMs: 0 });
    const results = [submit({ id: 1 }), submit({ id: 2 })];
    expect(runs).toEqual([]);
    await clock.settle();
    expect(await Promise.all(results)).toEqual(['result 1', 'result 2']);
    expect(runs).toEqual([[1, 2]]);
  });

  it('lets a due lot grow while another one runs, and runs one at a time', async () => {
    const { clock, runs, submit } = world({ rowsMax: 3, delayMs: 1, runMs: 50 });
    const results = [submit({ id: 1 })];
    await clock.advance(1);
    results.push(submit({ id: 2 }));
    await clock.advance(20);
    results.push(submit({ id: 3 }), submit({ id: 4 }), submit({ id: 5 }));
    expect(runs).toEqual([[1]]);
    await clock.advance(30);
    expect(runs).toEqual([[1], [2, 3, 4]]);
    await clock.advance(200);
    expect(runs).toEqual([[1], [2, 3, 4], [5]]);
    expect(await Promise.all(results)).toHaveLength(5);
  });
});

describe('what goes together', () => {
  it('keeps items of different keys apart', async () => {
    const { clock, runs, submit } = world();
    const items = [
      { id: 1, key: 'wide' },
      { id: 2, key: 'narrow' },
      { id: 3, key: 'wide' },
    ];
    const results = items.map((item) => submit(item));
    await clock.advance(10);
    expect(await Promise.all(results)).toEqual(['result 1', 'result 2', 'result 3']);
    expect(runs.sort()).toEqual([[1, 3], [2]]);
  });

  it('counts rows, not items; a larger item goes alone', async () => {
    const { clock, runs, submit } = world({ rowsMax: 4 });
    const results = [
      submit({ id: 1, rows: 3 }),
      submit({ id: 2, rows: 2 }),
      submit({ id: 3, rows: 9 }),
    ];
    await clock.advance(10);
    await Promise.all(results);
    expect(runs).toEqual([[1], [2], [3]]);
  });
});

describe('callers that leave', () => {
  it('does not work on an item whose caller left before its run', async () => {
    const { clock, runs, submit } = world();
    const leaving = new AbortController();
    const gone = submit({ id: 1 }, leaving.signal);
    const stays = submit({ id: 2 });
    leaving.abort(new Error('the caller has left'));
    expect(await gone).toContain('the caller has left');
    await clock.advance(10);
    expect(await stays).toBe('result 2');
    expect(runs).toEqual([[2]]);
  });

  it('forgets a lot that everybody left, and waits anew for the next', async () => {
    const { clock, runs, submit } = world({ delayMs: 10 });
    const leaving = new AbortController();
    const gone = submit({ id: 1 }, leaving.signal);
    leaving.abort();
    await gone;
    await clock.advance(5);
    const next = submit({ id: 2 });
    await clock.advance(9);
    expect(runs).toEqual([]);
    await clock.advance(1);
    expect(await next).toBe('result 2');
    expect(runs).toEqual([[2]]);
  });

  it('gives room back that a caller who left had taken', async () => {
    const { clock, runs, submit } = world({ rowsMax: 3 });
    const leaving = new AbortController();
    const results = [submit({ id: 1 }), submit({ id: 2 }, leaving.signal)];
    leaving.abort();
    results.push(submit({ id: 3 }), submit({ id: 4 }));
    await clock.settle();
    expect(runs).toEqual([[1, 3, 4]]);
    await Promise.all(results);
  });

  it('answers one who leaves during the run at once, the others with results', async () => {
    const { clock, submit } = world({ delayMs: 1, runMs: 100 });
    const leaving = new AbortController();
    const gone = submit({ id: 1 }, leaving.signal);
    const stays = submit({ id: 2 });
    await clock.advance(50);
    leaving.abort(new Error('left'));
    expect(await gone).toContain('left');
    await clock.advance(200);
    expect(await stays).toBe('result 2');
  });

  it('refuses a caller who has left already', async () => {
    const { batcher, runs, clock } = world();
    await expect(batcher.submit({ id: 1 }, AbortSignal.abort())).rejects.toThrow();
    await clock.advance(100);
    expect(runs).toEqual([]);
  });
});

describe('items that fail', () => {
  it('finds the one to blame; all others get their results', async () => {
    const { clock, runs, submit } = world({ rowsMax: 8 });
    const results = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => submit({ id, isBad: id === 6 }));
    await clock.advance(10);
    const texts = await Promise.all(results);
    expect(texts[5]).toContain('item 6 is bad');
    expect(texts.filter((text) => text.startsWith('result'))).toHaveLength(7);
    // The whole, then halves: 1-4 well, 5-8, 5-6, 5, 6, 7-8.
    expect(runs).toHaveLength(7);
  });

  it('does not try again for callers who left meanwhile', async () => {
    const { clock, runs, submit } = world({ delayMs: 1, runMs: 10, rowsMax: 8 });
    const leaving = new AbortController();
    const gone = submit({ id: 1 }, leaving.signal);
    const bad = submit({ id: 2, isBad: true });
    await clock.advance(15);
    leaving.abort();
    await gone;
    await clock.advance(100);
    expect(await bad).toContain('item 2 is bad');
    expect(runs).toEqual([[1, 2], [2]]);
  });

  it('takes a wrong number of results for a mistake of the run', async () => {
    const clock = new VirtualClock(new SeededRandom(1));
    const batcher = new Batcher<number, number>({
      rowsMax: 4,
      delayMs: 0,
      clock,
      keyOf: () => '',
      rowsOf: () => 1,
      run: (items) => Promise.resolve(items.length === 1 ? items : items.slice(1)),
    });
    const results = [batcher.submit(1, idle), batcher.submit(2, idle)];
    await clock.settle();
    expect(await Promise.all(results)).toEqual([1, 2]);
  });
});

it('answers every item once with its own result, whatever comes when', async () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 12 }),
    key: fc.constantFrom('a', 'b'),
    rows: fc.integer({ min: 1, max: 5 }),
    isBad: fc.boolean(),
    leavesAfterMs: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
  });
  const rules = fc.record({
    rowsMax: fc.integer({ min: 1, max: 6 }),
    delayMs: fc.integer({ min: 0, max: 10 }),
    runMs: fc.integer({ min: 0, max: 8 }),
  });
  const property = fc.asyncProperty(
    rules,
    fc.array(step, { maxLength: 20 }),
    async (how, steps) => {
      const { clock, submit, runs, batcher } = world(how);
      const results: Promise<string>[] = [];
      for (const [id, { waitMs, leavesAfterMs, ...item }] of steps.entries()) {
        await clock.advance(waitMs);
        const leaving = new AbortController();
        results.push(submit({ id, ...item }, leaving.signal));
        if (leavesAfterMs !== undefined) clock.after(leavesAfterMs, () => leaving.abort('left'));
      }
      await clock.advance(5000);
      const texts = await Promise.all(results);
      for (const [id, text] of texts.entries()) {
        const { isBad, leavesAfterMs } = steps[id] ?? {};
        const own = isBad ? `item ${id} is bad` : `result ${id}`;
        expect([own, `Error: ${own}`, ...(leavesAfterMs === undefined ? [] : ['left'])]).toContain(
          text,
        );
      }
      expect(batcher.counts.items).toBe(texts.filter((text) => text.startsWith('result')).length);
      expect(batcher.counts.runs).toBe(runs.length);
    },
  );
  await fc.assert(property, { numRuns: 60 });
});
