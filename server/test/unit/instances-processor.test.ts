// Processors as instances: their models are fetched and held, their processes started, and an end
// that says that the model cannot be used is final.

import { expect, it, onTestFinished } from 'vitest';
import type { ProcessorSource } from '../../src/deployment/instances.ts';
import type { HoldOptions, ModelAddress, ModelStore } from '../../src/instances/model-store.ts';
import { ProcessorDriver } from '../../src/instances/processor.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HandDriver, type Stage, stage } from './instances-world.ts';

const file = (address: string) => ({ address, checksum: undefined });

const source: ProcessorSource = {
  kind: 'processor',
  processor: 'pmml',
  model: file('s3://models/credit.pmml'),
  code: undefined,
  entry: undefined,
  config: undefined,
  batching: undefined,
  window: 3,
  allow: ['10.0.0.0/8'],
};

/** A store that the test answers for. */
class HandStore implements ModelStore {
  readonly asked: ModelAddress[] = [];
  readonly released: string[] = [];
  readonly heldAgain: string[] = [];
  answer: (address: string, options: HoldOptions) => Promise<string> = async () => '/cache/model';

  async hold(asked: ModelAddress, options: HoldOptions) {
    this.asked.push(asked);
    const path = await this.answer(asked.address, options);
    return { path, release: () => void this.released.push(asked.address) };
  }

  holdAgain(path: string) {
    this.heldAgain.push(path);
    return { path, release: () => void this.released.push(path) };
  }
}

interface World extends Stage {
  readonly store: HandStore;
  readonly processes: HandDriver;
  /** The text that the newest process was started with. */
  text(): string;
}

async function open(prepare: (processes: HandDriver) => void = () => undefined): Promise<World> {
  const store = new HandStore();
  // The stage has a clock of its own; this one only counts starts.
  const processes = new HandDriver(new VirtualClock(new SeededRandom(1)));
  prepare(processes);
  const program = ['/usr/bin/node', "/it's/main.js"];
  const processor = new ProcessorDriver({ processes, models: store, program });
  const staged = await stage({ drivers: { process: processes, endpoint: processes, processor } });
  const text = (): string => {
    const started = processes.launches.at(-1)?.source;
    return started?.kind === 'process' ? started.text : '';
  };
  return { ...staged, store, processes, text };
}

const final = (message: string): Error => Object.assign(new Error(message), { isFinal: true });

it('starts this very program with what was declared, each word as it is', async () => {
  const { want, text, processes, store, status } = await open();
  const batching = { sizeMax: 8, delayMs: 20 };
  const config = { secret: "it's" };
  await want({ source: { ...source, entry: 'a b.pmml', config, batching } });
  expect(text()).toBe(
    `'/usr/bin/node' '/it'\\''s/main.js' 'processor' 'pmml' '/cache/model' '--entry' 'a b.pmml' ` +
      `'--window' '3' '--batch-size' '8' '--batch-delay' '20'`,
  );
  expect(processes.launches[0]?.source).toMatchObject({
    env: { SLUICE_MODEL_CONFIG: JSON.stringify(config) },
    port: 0,
  });
  expect(processes.launches[0]?.uses).toEqual(['/cache/model']);
  expect(store.asked[0]?.rules).toMatchObject({
    allow: { setting: 'model.allow' },
    buckets: ['models'],
  });
  expect(status()).toMatchObject({ state: 'Running', kind: 'process' });
});

it('gives a program and its model separately', async () => {
  const { want, text, store } = await open();
  store.answer = async (address) => `/cache${address}`;
  const program = { processor: 'python' as const, model: file('/weights'), code: file('/app') };
  await want({ source: { ...source, ...program } });
  expect(text()).toContain(`'python' '/cache/weights' '--code' '/cache/app' `);
});

it('says how far the fetching of a model has come', async () => {
  const { want, store, status, clock, processes } = await open();
  let fetched: (path: string) => void = () => undefined;
  store.answer = (_address, { progress }) => {
    progress('120 of 410 MB');
    return new Promise((resolve) => {
      fetched = resolve;
    });
  };
  await want({ source });
  expect(status()).toMatchObject({ state: 'Pulling', reason: '120 of 410 MB' });
  expect(processes.launches).toHaveLength(0);
  fetched('/cache/model');
  await clock.settle();
  expect(status()?.state).toBe('Running');
});

it('fails an update at once when its model never can be had, and keeps trying rarely', async () => {
  const { want, store, failures, status } = await open((driver) => {
    driver.lastLines = async () => [];
  });
  store.answer = async () => Promise.reject(final('the checksum is another one'));
  await want({ source });
  expect(failures).toEqual([{ sourceRevision: 1, reason: 'the checksum is another one' }]);
  expect(status()).toMatchObject({ state: 'Pending' });
  expect(status()?.reason).toMatch(
    /^the checksum is another one, starts again in (4[5-9]|5\d|60) s/,
  );
});

it('does not put down to a model what its surroundings lack', async () => {
  const { want, store, failures, clock, status } = await open();
  let answers = false;
  store.answer = async () => {
    if (!answers) throw new Error('models.example.com does not answer');
    return '/cache/model';
  };
  await want({ source });
  // More than the three endings after which an update fails.
  await clock.advance(10_000);
  expect(store.asked.length).toBeGreaterThan(3);
  expect(failures).toEqual([]);
  answers = true;
  await clock.advance(60_000);
  expect(status()?.state).toBe('Running');
});

it('takes the last word of a process whose model cannot be used for the reason', async () => {
  const { want, failures, status, processes } = await open((driver) => {
    driver.failing = () => ({ code: 78, signal: undefined, problem: undefined });
    driver.lastLines = async () => ['loading', 'sluice processor: element Foo is not supported'];
  });
  await want({ source });
  expect(failures).toEqual([{ sourceRevision: 1, reason: 'element Foo is not supported' }]);
  expect(status()).toMatchObject({ state: 'Pending', last: { code: 78 } });
  expect(processes.launches).toHaveLength(1);
});

it('is a crash, and tried again soon, when a process ends with another code', async () => {
  const { want, clock, status, processes } = await open();
  await want({ source });
  processes.crash(1);
  await clock.settle();
  expect(status()).toMatchObject({ state: 'CrashLoop' });
  await clock.advance(1000);
  expect(processes.launches).toHaveLength(2);
});

it('holds a model while a process runs, and no longer', async () => {
  const { want, clock, store, processes, manager } = await open();
  await want({ source });
  expect(store.released).toEqual([]);
  processes.crash(1);
  await clock.advance(1000);
  expect([store.asked.length, store.released.length]).toEqual([2, 1]);
  await clock.run(manager.remove('reader'));
  expect(store.released).toHaveLength(2);
});

it('lets go of a model that came when nobody wanted it any more', async () => {
  const { want, clock, store, processes } = await open();
  let fetched: (path: string) => void = () => undefined;
  store.answer = () =>
    new Promise((resolve) => {
      fetched = resolve;
    });
  await want({ source });
  await want({ source, count: 0 });
  fetched('/cache/model');
  await clock.settle();
  expect(store.released).toHaveLength(1);
  expect(processes.launches).toEqual([]);
});

it('goes on with the process of an earlier server, and holds what that has', async () => {
  const store = new HandStore();
  const clock = new VirtualClock(new SeededRandom(1));
  const processes = new HandDriver(clock);
  const processor = new ProcessorDriver({ processes, models: store, program: ['sluice'] });
  const uses = ['/cache/old', '/cache/code'];
  const left = ['reader-abcde', 'reader-fghij'].map((name) => processes.survivor(name, '1.1'));
  processes.left = left.map((each) => ({ ...each, uses }));
  const [survivor, unwanted] = await processor.survivors();
  // Before anything is started, which may need room.
  expect(store.heldAgain).toEqual([...uses, ...uses]);
  await unwanted?.end();
  expect(store.released.splice(0)).toEqual(uses);
  const ended = new AbortController();
  onTestFinished(() => ended.abort());
  const running = await survivor?.adopt({
    service: 'reader',
    number: 1,
    instance: 'reader-abcde',
    key: '1.1',
    revision: 1,
    source,
    url: undefined,
    resources: { cpuMillis: 0, memoryBytes: 0, gpus: 0 },
    devices: [],
    tell: () => undefined,
    signal: ended.signal,
  });
  expect(store.asked).toEqual([]);
  expect(store.released).toEqual([]);
  processes.crash(0, 'reader-abcde');
  await running?.ended;
  await clock.settle();
  expect(store.released).toEqual(uses);
});
