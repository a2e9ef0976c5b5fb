// The life of instances on a virtual clock, with a driver and a model that live in the test.

import { describe, expect, it } from 'vitest';
import { InstanceManager } from '../../src/instances/manager.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { deployed } from '../deployed.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { commandCheck, HandDriver, HandFeeder, stage } from './instances-world.ts';

it('starts again after a crash, later each time, at most a minute later', async () => {
  const { clock, driver, want, status } = await stage();
  driver.health = 'fails';
  await want({ healthCheck: { ...commandCheck, initialDelayMs: 1e9 } });
  const waits: number[] = [];
  for (let crashes = 1; crashes <= 10; crashes += 1) {
    driver.crash(crashes);
    await clock.settle();
    expect(status()).toMatchObject({ state: 'CrashLoop', restarts: crashes - 1 });
    const crashedAt = clock.now().mono;
    while (driver.starts.length === crashes) await clock.advance(100);
    waits.push((driver.starts.at(-1) ?? 0) - crashedAt);
  }
  const longest = [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
  for (const [at, most] of longest.entries()) {
    expect(waits[at]).toBeLessThanOrEqual(most + 100);
    expect(waits[at]).toBeGreaterThanOrEqual(most * 0.75);
  }
});

it('shows what it wrote last, and starts the row anew once it was steady', async () => {
  const { clock, driver, want, status } = await stage();
  await want();
  driver.crash(1);
  await clock.settle();
  expect(status()?.reason).toBe(
    'ended with code 1, starts again in 1 s; it wrote last: last words',
  );
  await clock.advance(1000);
  driver.crash(1);
  await clock.settle();
  expect(status()?.reason).toContain('2 times in a row');
  await clock.advance(2000 + 60_000);
  driver.crash(137);
  await clock.settle();
  expect(status()?.reason).toMatch(
    /^ended with code 137 \(signal 9\): killed from outside, perhaps because memory ran out, starts/,
  );
  expect(status()?.last).toMatchObject({ code: 137, lines: ['first words', 'last words'] });
});

it('keeps a crashed copy as it is when that is asked for', async () => {
  const { clock, driver, want, status } = await stage();
  await want({ keepCrashed: true });
  driver.crash(1);
  await clock.advance(3_600_000);
  expect(driver.starts.length).toBe(1);
  const reason = 'ended with code 1, is kept as it is; it wrote last: last words';
  expect(status()).toMatchObject({ state: 'CrashLoop', reason });
  await want({ keepCrashed: false }, 2);
  await clock.advance(1000);
  expect([driver.starts.length, status()?.state]).toEqual([2, 'Running']);
  await want({ keepCrashed: true }, 3);
  driver.crash(1);
  await clock.advance(3_600_000);
  expect(driver.starts.length).toBe(2);
  await want({ count: 0 }, 4);
  expect(status()).toBeUndefined();
});

it('feeds a copy with its first success and tells its feeder when it dies', async () => {
  const { clock, driver, feeders, want, status } = await stage();
  driver.health = 'fails';
  await want({ healthCheck: { ...commandCheck, initialDelayMs: 60_000 } });
  await clock.advance(5000);
  expect([status()?.state, feeders.length]).toEqual(['Starting', 0]);
  driver.health = 'passes';
  await clock.advance(1000);
  expect([status()?.state, feeders[0]?.said]).toEqual(['Running', ['start']]);
  driver.crash(9);
  await clock.settle();
  expect(feeders[0]?.said).toEqual(['start', 'died: the process ended with code 9']);
  await clock.advance(1000);
  expect(feeders.length).toBe(2);
});

it('is busy and gets no work while work keeps it from answering, and is never ended', async () => {
  const { clock, driver, feeder: only, want, status } = await stage();
  await want();
  const feeder = only();
  feeder.held = 1;
  driver.health = 'hangs';
  await clock.advance(3_600_000);
  expect(status()).toMatchObject({ state: 'Busy', restarts: 0 });
  expect(feeder.said).toEqual(['start', 'holdBack']);
  driver.health = 'passes';
  await clock.advance(15_000);
  expect(status()).toMatchObject({ state: 'Running' });
  expect(feeder.said).toEqual(['start', 'holdBack', 'letThrough']);
});

it('is ended and started anew when it fails its checks and holds no work', async () => {
  const { clock, driver, feeder: only, want, status } = await stage();
  await want();
  const feeder = only();
  feeder.held = 1;
  driver.health = 'fails';
  await clock.advance(120_000);
  expect(status()).toMatchObject({ state: 'Unhealthy', restarts: 0 });
  feeder.held = 0;
  await clock.advance(11_000);
  expect(feeder.said).toContain('cut');
  expect(driver.starts.length).toBe(2);
  expect(status()?.last?.reason).toContain('health check failed: check ended with code 1');
});

it('waits without end for work when scaled in, and not beyond the deadline of a stop', async () => {
  const { clock, driver, feeder: only, manager, want, status } = await stage();
  await want();
  const feeder = only();
  feeder.held = 1;
  await want({ count: 0 }, 2);
  await clock.advance(24 * 3_600_000);
  expect(status()).toMatchObject({ state: 'Draining' });
  await clock.run(manager.stop({ deadlineMs: 1000 }));
  expect(driver.starts.length).toBe(1);
});

it('replaces an instance by a new one on request', async () => {
  const { clock, feeders, manager, want, status } = await stage();
  await want();
  const first = status()?.name ?? '';
  expect(manager.replace('reader', first, 'drain')).toBe(true);
  await clock.settle();
  await clock.advance(1000);
  expect(status()?.name).not.toBe(first);
  expect(feeders.length).toBe(2);
  expect(manager.replace('reader', first, 'drain')).toBe(false);
});

it('lists what cannot run as pending, with the reason', async () => {
  const { manager, want } = await stage();
  const missing = 'a container driver';
  await want({ source: { kind: 'pending', missing }, count: 2 });
  expect(manager.status('reader').map(({ state, reason }) => [state, reason])).toEqual([
    ['Pending', missing],
    ['Pending', missing],
  ]);
  expect(manager.report('reader')).toMatchObject({ wanted: 2, pending: 2, message: missing });
});

it('starts no process before those of a killed server are gone', async () => {
  const clock = new VirtualClock(new SeededRandom(5));
  const driver = new HandDriver(clock);
  const clearing: (() => void)[] = [];
  driver.survivors = () => new Promise((resolve) => clearing.push(() => resolve([])));
  const manager = new InstanceManager({
    drivers: { process: driver, endpoint: driver },
    makeFeeder: () => new HandFeeder(),
    clock,
    random: new SeededRandom(5),
    log: silentLog,
  });
  const starting = manager.start();
  await manager.apply(deployed({ source: { kind: 'endpoint', urls: ['http://127.0.0.1:1'] } }));
  await clock.advance(10_000);
  expect(driver.launches).toEqual([]);
  // Nobody may take a service for stopped because nothing of it is known yet.
  expect(manager.report('reader')).toBeUndefined();
  for (const cleared of clearing) cleared();
  await starting;
  await clock.settle();
  expect(driver.launches.length).toBe(1);
  await clock.run(manager.stop({ deadlineMs: 0 }));
});

describe('a copy that could not be started', () => {
  const problem = 'the folder /nowhere does not exist';
  const ending = { code: undefined, signal: undefined, problem };

  it('has no start, and nobody is told of one', async () => {
    const { clock, driver, events, want, status } = await stage();
    driver.failing = () => ending;
    await want();
    expect(status()).toMatchObject({ state: 'Pending', startedAt: 0, last: { startedAt: 0 } });
    expect(events.map(({ what }) => what)).toEqual(['pending']);
    driver.failing = () => undefined;
    await clock.advance(1000);
    expect(status()?.startedAt).toBeGreaterThan(0);
  });

  it('has no start while it waits for what runs it', async () => {
    const { clock, driver, want, status } = await stage();
    driver.trouble = 'no engine answers';
    await want();
    await clock.advance(20_000);
    expect(status()).toMatchObject({ state: 'Pending', startedAt: 0 });
  });
});

it('is not started any more when it has to leave before it could be', async () => {
  const { clock, driver, want } = await stage();
  let answer: () => void = () => undefined;
  driver.problem = () =>
    new Promise((resolve) => {
      answer = () => resolve(undefined);
    });
  await want();
  await want({ count: 0 }, 2);
  answer();
  await clock.settle();
  expect(driver.launches).toEqual([]);
});

it('still tells when it was ready while it waits to be started again', async () => {
  const { clock, driver, want, status } = await stage();
  await want();
  const { readyAt = 0, startedAt } = status() ?? {};
  expect(readyAt).toBeGreaterThan(0);
  driver.crash(1);
  await clock.settle();
  expect(status()).toMatchObject({ state: 'CrashLoop', readyAt, startedAt });
});

it('says of what its feeder wanted to end why, and puts it down to nobody else', async () => {
  const { clock, driver, want, feeder: only, status } = await stage();
  await want();
  only().order?.end?.('its request was canceled');
  await clock.settle();
  expect(status()?.reason).toMatch(/^was ended: its request was canceled, starts again in 1 s/);
  expect(only().said).toContain('died: the process was ended: its request was canceled');
  expect(driver.stops.length).toBeGreaterThan(0);
});
