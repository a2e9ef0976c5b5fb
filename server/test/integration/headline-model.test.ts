// The parts of `npm run headline`: the load that it says it makes, and a model server that behaves
// as ordinary ones do.

import { afterEach, expect, test } from 'vitest';
import { direct } from '../../../scripts/headline/callers.ts';
import { loadOf } from '../../../scripts/headline/load.ts';
import { type Model, startModel } from '../../../scripts/headline/model.ts';

const shape = {
  requests: 20_000,
  slots: 8,
  load: 0.85,
  timeoutMs: 150,
  shareAbove: 0.62,
  sigma: 0.8,
  seed: 1,
};
let model: Model | undefined;

afterEach(() => model?.close());

test('62 % of the calls take longer than the time-out, and the load is what it says', () => {
  const { calls, medianMs } = loadOf(shape);
  const above = calls.filter(({ workMs }) => workMs > 150).length / calls.length;
  expect(above).toBeGreaterThan(0.61);
  expect(above).toBeLessThan(0.63);
  expect(medianMs).toBeCloseTo(150 * Math.exp(0.8 * 0.3055), 0);
  const workMs = calls.reduce((sum, one) => sum + one.workMs, 0);
  expect(workMs / (calls.at(-1)?.atMs ?? 1) / 8).toBeCloseTo(0.85, 1);
});

test('one seed is one load', () => {
  expect(loadOf(shape)).toEqual(loadOf(shape));
  expect(loadOf({ ...shape, seed: 2 })).not.toEqual(loadOf(shape));
});

/** A call whose caller goes once the model has it. */
async function leave(one: Model, workMs: number, nth: number): Promise<void> {
  const leaving = new AbortController();
  const { signal } = leaving;
  const call = fetch(one.url, { method: 'POST', body: `${workMs}`, signal });
  await one.received(nth);
  leaving.abort();
  await expect(call).rejects.toThrow();
}

test('a call is given up when its time is over', async () => {
  model = await startModel(1, false);
  expect(await direct(model.url, 40)(100_000, performance.now())).toBe('timed out');
  expect(await direct(model.url, 40)(1, performance.now() - 1000)).toBe('timed out');
});

test('what has begun is worked on to its end when its caller has gone, and is wasted', async () => {
  model = await startModel(1, false);
  await leave(model, 200, 1);
  await model.idle();
  const { totalMs, wastedMs } = model.spent();
  expect(totalMs).toBeGreaterThanOrEqual(195);
  expect(wastedMs).toBe(totalMs);
  expect(await direct(model.url, 60_000)(1, performance.now())).toBe('result');
  expect(model.spent().wastedMs).toBe(0);
});

test.each([
  [false, 800],
  [true, 500],
])('a call in line whose caller has gone is worked on, unless it looks (%s)', async (skips, ms) => {
  model = await startModel(1, skips);
  await leave(model, 500, 1);
  await leave(model, 300, 2);
  await model.idle();
  const { totalMs } = model.spent();
  expect(totalMs).toBeGreaterThanOrEqual(ms - 5);
  if (skips) expect(totalMs).toBeLessThan(800);
});
