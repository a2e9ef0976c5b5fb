// What becomes of an update: it is judged by the copies it starts, and told once.

import { describe, expect, it } from 'vitest';
import type { Launch } from '../../src/instances/driver.ts';
import { commandCheck, type Health, stage } from './instances-world.ts';

const second = { revision: 2, sourceRevision: 2 };
const patient = { ...commandCheck, initialDelayMs: 1e9 };

const onlyFirst = ({ key }: Launch): Health => (key === '1.1' ? 'passes' : 'fails');

function rolling(readyTimeoutMs = 600_000) {
  return {
    maxSurge: { kind: 'percent', value: 2 } as const,
    maxUnavailable: { kind: 'count', value: 0 } as const,
    readyTimeoutMs,
  };
}

describe('an update', () => {
  it('goes from new to new, tells its begin and its end, and drains what is busy', async () => {
    const { clock, manager, feeder, events, want } = await stage();
    await want({ count: 2 });
    feeder(0).held = 1;
    await want({ count: 2 }, second);
    await clock.advance(1000);
    const states = () => manager.status('reader').map(({ revision, state }) => [revision, state]);
    expect(states()).toEqual([
      [1, 'Draining'],
      [2, 'Running'],
      [2, 'Running'],
    ]);
    expect(manager.status('reader')[0]?.reason).toBe('finishes one request, takes nothing more');
    expect(manager.report('reader')).toMatchObject({ rollout: { state: 'done' }, leaving: 1 });
    const told = events.filter(({ kind }) => kind === 'rollout').map(({ what }) => what);
    expect(told).toEqual(['begun', 'done']);
    feeder(0).finish();
    await clock.advance(100);
    expect(states().length).toBe(2);
  });

  it('says how far it is while it goes on', async () => {
    const { driver, manager, want } = await stage();
    await want({ count: 2 });
    driver.healthOf = onlyFirst;
    await want({ count: 2, healthCheck: patient }, second);
    expect(manager.report('reader')?.rollout).toEqual({
      state: 'rolling',
      text: '0 of 2 instances are new and ready, 2 older ones remain',
    });
  });

  it('that is not ready in time has failed, is told once, and the old ones go on', async () => {
    const { clock, driver, manager, failures, want } = await stage();
    await want({ count: 2 });
    driver.healthOf = onlyFirst;
    await want({ count: 2, healthCheck: patient, rolling: rolling(5000) }, second);
    await clock.advance(4900);
    expect(failures).toEqual([]);
    await clock.advance(60_000);
    const reason = 'none of its instances was ready within 5 s: check ended with code 1';
    expect(failures).toEqual([{ sourceRevision: 2, reason }]);
    expect(manager.report('reader')?.rollout).toEqual({
      state: 'failed',
      sourceRevision: 2,
      reason,
    });
    const ready = manager.status('reader').filter(({ state }) => state === 'Running');
    expect(ready.map(({ revision }) => revision)).toEqual([1, 1]);
  });

  it('does not count the time in which images are fetched', async () => {
    const { clock, driver, failures, manager, want } = await stage();
    await want();
    let fetched: () => void = () => undefined;
    driver.beforeStart = (launch) => {
      launch.tell({ state: 'Pulling', text: '1 of 9 layers' });
      return new Promise((resolve) => {
        fetched = resolve;
      });
    };
    driver.healthOf = onlyFirst;
    await want({ healthCheck: patient, rolling: rolling(5000) }, second);
    await clock.advance(3_600_000);
    expect(manager.status('reader')[1]).toMatchObject({
      state: 'Pulling',
      reason: '1 of 9 layers',
    });
    expect(failures).toEqual([]);
    fetched();
    await clock.advance(4000);
    expect(failures).toEqual([]);
    await clock.advance(2000);
    expect(failures.length).toBe(1);
  });

  it('whose instances end three times before one was ready has failed, and says how', async () => {
    const { clock, driver, failures, events, want } = await stage();
    await want();
    driver.failing = ({ key }) =>
      key === '1.2' ? { code: 7, signal: undefined, problem: undefined } : undefined;
    await want({}, second);
    expect(failures).toEqual([]);
    await clock.advance(10_000);
    expect(failures).toEqual([
      {
        sourceRevision: 2,
        reason:
          'its instances ended 3 times before one was ready: ended with code 7; ' +
          'it wrote last: last words',
      },
    ]);
    expect(events.filter(({ what }) => what === 'failed')).toMatchObject([{ kind: 'rollout' }]);
  });

  it('that can never run has failed at once', async () => {
    const { driver, failures, want } = await stage();
    await want();
    const problem = 'there is no image nginx:nope';
    driver.failing = ({ key }) =>
      key === '1.2' ? { code: undefined, signal: undefined, problem, isFinal: true } : undefined;
    await want({}, second);
    expect(failures).toEqual([
      { sourceRevision: 2, reason: `${problem}; it wrote last: last words` },
    ]);
  });

  it('that was ready once has proved itself, whatever happens later', async () => {
    const { clock, driver, failures, manager, want } = await stage();
    await want();
    await want({}, second);
    await clock.advance(1000);
    for (let times = 0; times < 5; times += 1) {
      driver.crash(1);
      await clock.advance(60_000);
    }
    expect(failures).toEqual([]);
    expect(manager.report('reader')?.rollout).toEqual({ state: 'done' });
  });

  it('that failed is ended when the launch before is wanted again, which goes on', async () => {
    const { clock, driver, failures, feeders, manager, want } = await stage();
    await want({ count: 2 });
    const before = manager.status('reader').map(({ name }) => name);
    driver.failing = ({ key }) =>
      key === '1.2' ? { code: 7, signal: undefined, problem: undefined } : undefined;
    await want({ count: 2 }, second);
    await clock.advance(10_000);
    expect(failures.length).toBe(1);
    await want({ count: 2 }, { revision: 3, sourceRevision: 1 });
    await clock.advance(1000);
    const after = manager.status('reader');
    expect(after.map(({ name, revision }) => [name, revision])).toEqual(
      before.map((name) => [name, 3]),
    );
    expect(feeders.length).toBe(2);
    expect(manager.report('reader')).toMatchObject({ running: 2, rollout: { state: 'done' } });
    expect(failures.length).toBe(1);
  });
});

it('a first launch that crashes is told too, and goes on trying', async () => {
  const { clock, driver, failures, manager, want } = await stage();
  driver.failing = () => ({ code: 7, signal: undefined, problem: undefined });
  await want();
  await clock.advance(10_000);
  expect(failures.length).toBe(1);
  expect(manager.status('reader')[0]).toMatchObject({ state: 'CrashLoop' });
  driver.failing = () => undefined;
  await clock.advance(60_000);
  expect(manager.report('reader')).toMatchObject({ running: 1, rollout: { state: 'done' } });
});

describe('on a machine that is too small', () => {
  const core = { cpuMillis: 1000, memoryBytes: 0, gpus: 0 };
  const machine = (cores: number) => async () => ({
    cpuMillis: cores * 1000,
    memoryBytes: 1,
    devices: [],
  });

  it('what does not fit is pending and says what is missing, until there is room', async () => {
    const { clock, manager, events, want } = await stage({ capacity: machine(3) });
    await want({ count: 2, resources: core }, { number: 2, name: 'other' });
    await want({ count: 2, resources: core });
    const missing = 'needs 1 core, 0 of 3 are free; other holds 2, reader 1';
    expect(manager.status('reader').map(({ state, reason }) => [state, reason])).toEqual([
      ['Running', ''],
      ['Pending', missing],
    ]);
    expect(manager.report('reader')).toMatchObject({ running: 1, pending: 1, message: missing });
    expect(events.filter(({ what }) => what === 'pending')).toMatchObject([
      { service: 'reader', text: `One instance waits for room on the machine: ${missing}` },
    ]);
    await want({ count: 1, resources: core }, { number: 2, name: 'other', revision: 2 });
    await clock.advance(100);
    expect(manager.report('reader')).toMatchObject({ running: 2, pending: 0 });
  });

  it('an update drains an old instance before its replacement starts, one at a time', async () => {
    const { clock, driver, manager, feeder, want } = await stage({ capacity: machine(2) });
    await want({ count: 2, resources: core });
    feeder(0).held = 1;
    feeder(1).held = 2;
    await want({ count: 2, resources: core }, second);
    await clock.advance(60_000);
    expect(manager.status('reader').map(({ state }) => state)).toEqual([
      ...['Draining', 'Running'],
      ...['Pending', 'Pending'],
    ]);
    expect(driver.launches.length).toBe(2);
    feeder(0).finish();
    await clock.advance(1000);
    expect(manager.status('reader').map(({ revision, state }) => [revision, state])).toEqual([
      [1, 'Draining'],
      [2, 'Running'],
      [2, 'Pending'],
    ]);
    feeder(1).finish();
    await clock.advance(1000);
    expect(manager.report('reader')).toMatchObject({ running: 2, rollout: { state: 'done' } });
  });

  it('nobody takes the room that an update has made for itself', async () => {
    const { clock, manager, feeder, want } = await stage({ capacity: machine(1) });
    await want({ resources: core });
    feeder(0).held = 1;
    await want({ resources: core }, { number: 2, name: 'newcomer' });
    await clock.advance(1000);
    await want({ resources: core }, second);
    feeder(0).finish();
    await clock.advance(1000);
    expect(manager.report('reader')).toMatchObject({ running: 1 });
    expect(manager.report('newcomer')).toMatchObject({ running: 0, pending: 1 });
  });

  it('an update that needs more than the machine has fails, and the old ones go on', async () => {
    const { clock, failures, manager, want } = await stage({ capacity: machine(2) });
    await want({ resources: core });
    await want({ resources: { ...core, cpuMillis: 9000 } }, second);
    await clock.advance(1000);
    expect(failures).toMatchObject([{ reason: expect.stringContaining('this machine has 2') }]);
    expect(manager.status('reader')[0]).toMatchObject({ revision: 1, state: 'Running' });
  });

  it('instances get accelerators of their own and keep them over a crash', async () => {
    const capacity = async () => ({ cpuMillis: 1, memoryBytes: 1, devices: [0, 1, 2] });
    const { clock, driver, want } = await stage({ capacity });
    await want({ count: 2, resources: { cpuMillis: 0, memoryBytes: 0, gpus: 1 } });
    expect(driver.launches.map(({ devices }) => devices)).toEqual([[0], [1]]);
    driver.crash(1, driver.launches[0]?.instance);
    await clock.advance(2000);
    expect(driver.launches[2]?.devices).toEqual([0]);
  });
});

it('waits for its driver without counting that against anybody, and says why', async () => {
  const trouble = 'no Docker Engine answers at /run/docker.sock';
  const { clock, driver, failures, events, status, want } = await stage({}, (made) => {
    made.trouble = trouble;
  });
  await want();
  await clock.advance(3_600_000);
  expect(status()).toMatchObject({ state: 'Pending', reason: trouble, restarts: 0 });
  expect([driver.launches.length, failures.length]).toEqual([0, 0]);
  expect(events.map(({ what }) => what)).toEqual(['pending']);
  driver.trouble = undefined;
  await clock.advance(6000);
  expect(status()).toMatchObject({ state: 'Running' });
});

describe('an update whose surroundings fail', () => {
  it('is waited for while a registry does not answer', async () => {
    const { clock, driver, failures, want } = await stage();
    await want({ count: 1 });
    const problem = 'registry.example does not answer';
    driver.failing = ({ key }) =>
      key === '1.2' ? { code: undefined, signal: undefined, problem, isOutside: true } : undefined;
    await want({ count: 1 }, second);
    await clock.advance(3_600_000);
    expect(failures).toEqual([]);
    driver.failing = () => undefined;
    await clock.advance(60_000);
    expect(driver.launches.at(-1)?.key).toBe('1.2');
  });

  it('fails at once where nothing can ever run it, and the old ones go on', async () => {
    const { clock, manager, failures, want } = await stage();
    await want({ count: 1 });
    await want({ count: 1, source: { kind: 'pending', missing: 'no processors here' } }, second);
    await clock.advance(1000);
    expect(failures).toEqual([{ sourceRevision: 2, reason: 'no processors here' }]);
    expect(manager.status('reader').map(({ state }) => state)).toEqual(['Running']);
  });
});
