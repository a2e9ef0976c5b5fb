// The mock model server and its distributions.

import { afterEach, expect, test } from 'vitest';
import { Batcher } from '../../src/cli/mock-model/batcher.ts';
import { seededChance } from '../../src/cli/mock-model/chance.ts';
import { draw, parseLatency } from '../../src/cli/mock-model/latency.ts';
import { MockModel, type MockModelSettings } from '../../src/cli/mock-model/model.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';

const running: MockModel[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((model) => model.stop()));
});

const plain: MockModelSettings = {
  listen: { host: '127.0.0.1', port: 0 },
  latency: { kind: 'fixed', ms: 0 },
  failures: [],
  cutRate: 0,
  tokens: 0,
  paceMs: 0,
  batch: undefined,
  concurrency: 0,
  busyStatus: 429,
  crashAfter: 0,
  startupMs: 0,
  answer: undefined,
};

async function start(settings: Partial<MockModelSettings>, clock: Clock = systemClock) {
  const crashes = { count: 0 };
  const parts = {
    clock,
    chance: seededChance(1),
    crash: () => {
      crashes.count += 1;
    },
  };
  const model = new MockModel({ ...plain, ...settings }, parts);
  await model.start();
  running.push(model);
  const url = `http://127.0.0.1:${model.port}/`;
  const post = (body: string) => fetch(url, { method: 'POST', body });
  return { url, post, crashes };
}

/** Timers that fire when the test says so. */
function heldClock() {
  const waiting: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (_, fire) => {
      waiting.push(fire);
      return { cancel: () => void waiting.splice(waiting.indexOf(fire), 1) };
    },
  };
  return { clock, waiting, fire: () => waiting.splice(0).forEach((each) => void each()) };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

test('answers what it is sent, with the type it was sent', async () => {
  const { url } = await start({});
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', body: '{"a":1}', headers });
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.text()).toBe('{"a":1}');
});

test('fails as often as it was told, and the same requests with the same seed', async () => {
  const settings = {
    failures: [
      { status: 500, rate: 0.3 },
      { status: 503, rate: 0.3 },
    ],
  };
  const run = async () => {
    const { post } = await start(settings);
    const statuses: number[] = [];
    for (let request = 0; request < 60; request += 1) statuses.push((await post('x')).status);
    return statuses;
  };
  const first = await run();
  expect(await run()).toEqual(first);
  const share = (status: number) => first.filter((each) => each === status).length / 60;
  expect(share(500)).toBeGreaterThan(0.1);
  expect(share(503)).toBeGreaterThan(0.1);
  expect(share(200)).toBeGreaterThan(0.1);
});

test('refuses what is over its concurrency and says so in its statistics', async () => {
  const held = heldClock();
  const settings = {
    latency: { kind: 'fixed', ms: 100 },
    concurrency: 2,
    busyStatus: 503,
  } as const;
  const { url, post } = await start(settings, held.clock);
  const both = Promise.all([post('a'), post('b')]);
  await until(() => held.waiting.length === 2);
  expect((await post('c')).status).toBe(503);
  held.fire();
  expect((await both).map((response) => response.status)).toEqual([200, 200]);
  expect(await (await fetch(`${url}stats`)).json()).toMatchObject({
    received: 2,
    answered: 2,
    busy: 1,
    openMax: 2,
  });
});

test('answers word by word', async () => {
  const { post } = await start({ tokens: 3 });
  expect(await (await post('x')).text()).toBe('token1 token2 token3');
});

test('cuts an answer in the middle', async () => {
  const { post } = await start({ cutRate: 1 });
  await expect(post('x').then((response) => response.text())).rejects.toThrow();
});

test('crashes in the middle of the request it was told', async () => {
  const { post, crashes } = await start({ crashAfter: 2 });
  await post('x');
  expect(crashes.count).toBe(0);
  await post('x');
  expect(crashes.count).toBe(1);
});

test('is not healthy before its startup is over', async () => {
  const { url } = await start({ startupMs: 60_000 });
  expect((await fetch(`${url}healthz`)).status).toBe(503);
  const other = await start({});
  expect((await fetch(`${other.url}healthz`)).status).toBe(200);
});

test('works on a full batch at once and on a smaller one after its wait', async () => {
  const held = heldClock();
  const batcher = new Batcher({ sizeMax: 2, waitMs: 5, baseMs: 50, itemMs: 5 }, held.clock);
  const done: string[] = [];
  const join = (name: string) => batcher.join().then(() => done.push(name));
  const all = [join('a'), join('b'), join('c')];
  expect(held.waiting).toHaveLength(1);
  held.fire();
  await Promise.all(all.slice(0, 2));
  expect(done).toEqual(['a', 'b']);
  held.fire();
  held.fire();
  await Promise.all(all);
  expect(done).toEqual(['a', 'b', 'c']);
});

test('draws latencies with the mean and the median they were given', () => {
  const sample = (text: string): number[] => {
    const latency = parseLatency(text);
    if (latency === undefined) throw new Error(`${text} is no latency`);
    const chance = seededChance(7);
    const draws = Array.from({ length: 20_000 }, () => draw(latency, chance));
    return draws.sort((a, b) => a - b);
  };
  const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  expect(mean(sample('exponential:100ms'))).toBeCloseTo(100, -1);
  expect(sample('lognormal:100ms,0.8')[10_000]).toBeGreaterThan(95);
  expect(sample('lognormal:100ms,0.8')[10_000]).toBeLessThan(105);
  const even = sample('uniform:20ms,200ms');
  expect(even[0]).toBeGreaterThanOrEqual(20);
  expect(even.at(-1)).toBeLessThanOrEqual(200);
  for (const wrong of ['', 'x', 'uniform:20ms', 'uniform:9ms,2ms', 'lognormal:5ms', 'odd:1s']) {
    expect(parseLatency(wrong), wrong).toBeUndefined();
  }
});
