// How much a worker gives an instance, and when it gives nothing: windows, refusals, withdrawn
// leases, drains and deaths.

import type { ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import {
  type Answer,
  type Model,
  plainSettings,
  startModel,
  startWorker,
  type WorkerWorld,
  type WorldOptions,
} from './worker-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Bench extends WorkerWorld {
  readonly model: Model;
  readonly clock: VirtualClock;
  /** Answers the oldest open request. */
  answer(status?: number, headers?: Record<string, string>): void;
  /** Runs what is ready until `fact` holds. */
  until(fact: () => boolean): Promise<void>;
}

async function bench(options: Partial<WorldOptions> = {}, answer?: Answer): Promise<Bench> {
  const open: ServerResponse[] = [];
  const keep: Answer = (_request, response) => void open.push(response);
  const model = await startModel(answer ?? keep);
  closers.push(() => model.close());
  const clock = new VirtualClock(new SeededRandom(3));
  const started = startWorker({ origin: model.origin, clock, ...options });
  closers.push(() => started.close());
  return {
    ...started,
    model,
    clock,
    answer: (status = 200, headers = {}) => open.shift()?.writeHead(status, headers).end('x'),
    until: async (fact) => {
      while (!fact()) await clock.settle();
    },
  };
}

it('keeps exactly a window of requests at the model', async () => {
  const { source, model, answer, until } = await bench({ settings: { window: 3 } });
  source.put(...Array.from({ length: 12 }, () => ({})));
  for (let done = 0; done < 12; done += 1) {
    await until(() => model.open() === Math.min(3, 12 - done));
    answer();
    await until(() => source.completions.length === done + 1);
  }
  expect(model.most()).toBe(3);
  expect(source.returns).toEqual([]);
});

it('follows a new window without giving up what it holds', async () => {
  const { source, worker, model, answer, until } = await bench();
  source.put({}, {}, {});
  await until(() => model.open() === 1);
  worker.update({ ...plainSettings, window: 2 });
  await until(() => model.open() === 2);
  expect(source.watches.map(({ window, holding }) => [window, holding.length])).toEqual([
    [1, 0],
    [2, 1],
  ]);
  for (const done of [1, 2, 3]) {
    answer();
    await until(() => source.completions.length === done);
  }
  expect(source.returns).toEqual([]);
});

it('gives a refusing model nothing until its Retry-After is over', async () => {
  const { source, worker, model, clock, answer, until } = await bench();
  source.redeliveries = 1;
  source.put({});
  await until(() => model.open() === 1);
  answer(503, { 'retry-after': '20' });
  await until(() => source.returns.length === 1);
  expect(source.returns[0]).toMatchObject({ counted: false, delayMs: 0, code: '503' });
  expect(worker.view()).toMatchObject({ holds: ['refused'] });
  // A check that passes proves nothing: the model itself named the time.
  worker.checked(true, clock.now().mono + 1);
  await clock.advance(19_999);
  expect(model.seen.length).toBe(1);
  await clock.advance(1);
  await until(() => model.seen.length === 2);
  answer();
  await until(() => source.completions.length === 1);
});

it('caps a Retry-After at 10 minutes', async () => {
  const { source, worker, clock, model, answer, until } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  const at = clock.now().wall;
  answer(429, { 'retry-after': '86400' });
  await until(() => source.returns.length === 1);
  expect(worker.view().refusedUntil).toBe(at + 600_000);
});

it('backs off longer with each refusal in a row', async () => {
  const { source, worker, model, clock, answer, until } = await bench();
  source.redeliveries = 4;
  source.put({});
  const waits: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    await until(() => model.open() === 1);
    const at = clock.now().wall;
    answer(450);
    await until(() => source.returns.length === round + 1);
    waits.push(worker.view().refusedUntil - at);
    await clock.advance(60_000);
  }
  const ceilings = [1000, 2000, 4000, 8000];
  for (const [at, ceiling] of ceilings.entries()) {
    expect(waits[at]).toBeGreaterThanOrEqual(ceiling / 2);
    expect(waits[at]).toBeLessThanOrEqual(ceiling);
  }
});

it('takes work again when a check passes after a refused connection', async () => {
  const { source, worker, model, clock, until } = await bench();
  await model.close();
  source.put({});
  await until(() => source.returns.length === 1);
  expect(source.isPaused).toBe(true);
  worker.checked(true, clock.now().mono - 1);
  expect(source.isPaused).toBe(true);
  worker.checked(true, clock.now().mono);
  expect(source.isPaused).toBe(false);
});

it('takes work again after a refusal when a check has failed and then passed', async () => {
  const { source, worker, model, clock, answer, until } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  answer(503);
  await until(() => source.returns.length === 1);
  worker.checked(true, clock.now().mono);
  expect(source.isPaused).toBe(true);
  worker.checked(false, clock.now().mono);
  worker.checked(true, clock.now().mono);
  expect(source.isPaused).toBe(false);
});

it('gets nothing while its checks hold it back', async () => {
  const { source, worker, model, answer, until } = await bench({ settings: { window: 2 } });
  source.put({});
  await until(() => model.open() === 1);
  worker.holdBack();
  source.put({});
  answer();
  await until(() => source.completions.length === 1);
  expect(model.seen.length).toBe(1);
  worker.letThrough();
  await until(() => model.seen.length === 2);
});

it('cuts a call whose lease was taken and frees the slot only when the model is', async () => {
  const { source, worker, model, clock, until } = await bench();
  source.put({}, {});
  await until(() => model.open() === 1);
  const [lease = 0] = source.leased;
  source.void(lease);
  await until(() => worker.view().abandoned === 1);
  await until(() => model.open() === 0);
  await clock.advance(600_000);
  expect([source.freedIds, model.seen.length]).toEqual([[], 1]);
  worker.checked(false, clock.now().mono);
  expect(source.freedIds).toEqual([]);
  worker.checked(true, clock.now().mono);
  expect(source.freedIds).toEqual([lease]);
  await until(() => model.seen.length === 2);
  expect(source.returns).toEqual([]);
});

it('leaves room for calls of an earlier server until a check passes late enough', async () => {
  const { source, worker, model, clock, until } = await bench({
    settings: { window: 3, releaseAfterMs: 30_000 },
    leftBehind: 2,
  });
  source.put({}, {}, {}, {});
  await until(() => model.open() === 1);
  await clock.advance(29_000);
  worker.checked(true, clock.now().mono);
  await clock.advance(0);
  expect([model.open(), worker.view().abandoned]).toEqual([1, 2]);
  await clock.advance(2000);
  worker.checked(true, clock.now().mono);
  await until(() => model.open() === 3);
  expect(worker.view().abandoned).toBe(0);
  expect(source.returns).toEqual([]);
});

it('takes nothing while such calls may fill its whole window', async () => {
  const { source, worker, model, clock, until } = await bench({ leftBehind: 9 });
  await until(() => source.isPaused);
  source.put({});
  await clock.advance(10_000);
  expect([model.seen.length, worker.view().holds]).toEqual([0, ['full']]);
  await clock.advance(25_000);
  worker.checked(true, clock.now().mono);
  await until(() => model.open() === 1);
});

it('frees the slot at once when the call was over before the lease was taken', async () => {
  const { source, worker, until } = await bench({}, (_request, response) => response.end('x'));
  source.put({});
  await until(() => source.completions.length === 1);
  source.void(99);
  expect(source.freedIds).toEqual([99]);
  expect(worker.view().abandoned).toBe(0);
});

it('lets work under way end before it leaves, and takes no more', async () => {
  const { source, worker, model, answer, until } = await bench({ settings: { window: 2 } });
  source.put({}, {});
  await until(() => model.open() === 2);
  let left = false;
  const drained = worker.drain(new AbortController().signal).then(() => {
    left = true;
  });
  source.put({});
  answer();
  await until(() => source.completions.length === 1);
  expect(left).toBe(false);
  answer();
  await drained;
  expect(source.completions.length).toBe(2);
  expect([source.closes, source.waiting, model.seen.length]).toEqual([['drain'], 1, 2]);
});

it('gives open calls back uncounted when it cannot wait any longer', async () => {
  const { source, worker, model, until } = await bench({ settings: { window: 2 } });
  source.put({}, {});
  await until(() => model.open() === 2);
  const deadline = new AbortController();
  const drained = worker.drain(deadline.signal);
  deadline.abort();
  await drained;
  expect(source.returns).toMatchObject([
    { counted: false, code: 'Shutdown', delayMs: 0 },
    { counted: false, code: 'Shutdown', delayMs: 0 },
  ]);
  expect(source.closes).toEqual(['drain']);
});

it('counts what a dead instance held, with its last words', async () => {
  const { source, worker, model, until } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  await worker.died('the process was ended by SIGKILL');
  expect(source.returns).toMatchObject([
    {
      counted: true,
      code: 'InstanceDied',
      reason: 'the process was ended by SIGKILL',
      delayMs: 0,
    },
  ]);
  expect(source.closes).toEqual(['dead']);
});

it('takes a cut connection for the death that is reported a moment later', async () => {
  const { source, worker, until, clock } = await bench({ cutGraceMs: 500 }, (_request, response) =>
    response.destroy(),
  );
  source.put({});
  await until(() => worker.view().running.length === 1);
  await clock.settle();
  await worker.died('the process ended with code 139');
  expect(source.returns).toMatchObject([{ counted: true, reason: expect.stringMatching(/139/) }]);
});

it('judges a cut connection by itself when no death is reported', async () => {
  const { source, clock, until, model } = await bench({ cutGraceMs: 500 }, (_request, response) =>
    response.destroy(),
  );
  source.put({});
  await until(() => model.seen.length === 1);
  while (source.returns.length === 0) await clock.advance(100);
  expect(source.returns).toMatchObject([{ counted: true, reason: expect.stringMatching(/cut/) }]);
});

it('opens its watch again after the queues recovered, with what it holds', async () => {
  const { source, model, clock, answer, until } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  const leases = source.leased;
  source.end('recovering');
  await clock.advance(1000);
  expect(source.watches[1]?.holding).toEqual(leases);
  answer();
  await until(() => source.completions.length === 1);
});

it('stops work whose lease did not survive the recovery', async () => {
  const { source, worker, model, clock, until } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  source.forgetLeases();
  source.end('recovering');
  await clock.advance(1000);
  await until(() => model.open() === 0);
  expect(worker.view()).toMatchObject({ running: [], abandoned: 1 });
  expect([source.completions, source.returns]).toEqual([[], []]);
});

it('stops for good when another worker takes its name', async () => {
  const { source, worker, clock, until, model } = await bench();
  source.put({});
  await until(() => model.open() === 1);
  source.end('replaced');
  await clock.advance(60_000);
  expect(source.watches.length).toBe(1);
  expect(worker.view().lost).toBe('replaced');
});
