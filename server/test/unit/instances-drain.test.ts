// How instances leave: they finish what they have, as long as that may take, unless somebody says
// otherwise.

import { expect, it } from 'vitest';
import type { Survivor } from '../../src/instances/driver.ts';
import { InstanceManager } from '../../src/instances/manager.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { deployed } from '../deployed.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HandDriver, HandFeeder, stage } from './instances-world.ts';

const graceful = { terminationGraceMs: 30_000 };

it('asks an instance to end only when its last request has, however long that takes', async () => {
  const { clock, driver, feeder, want, status } = await stage();
  await want(graceful);
  feeder().held = 2;
  await want({ ...graceful, count: 0 }, 2);
  await clock.advance(48 * 3_600_000);
  expect(status()).toMatchObject({ state: 'Draining', isLeaving: true });
  expect(status()?.reason).toBe('finishes 2 requests, takes nothing more');
  expect(driver.stops).toEqual([]);
  feeder().finish();
  await clock.advance(10);
  expect(driver.stops.map(({ graceMs }) => graceMs)).toEqual([30_000]);
  expect(status()).toBeUndefined();
});

it('gives back what still runs when the longest time for draining is over', async () => {
  const { clock, driver, feeder, events, want } = await stage();
  await want(graceful);
  feeder().held = 1;
  await want({ ...graceful, count: 0, drainTimeoutMs: 60_000 }, 2);
  await clock.advance(59_000);
  expect([feeder().said.at(-1), driver.stops.length]).toEqual(['drain', 0]);
  await clock.advance(2000);
  expect([feeder().said.at(-1), driver.stops.length]).toEqual(['cut', 1]);
  expect(events.map(({ what }) => what)).toEqual([
    ...['started', 'ready', 'draining', 'drain-timeout', 'gone'],
  ]);
});

it('gives back at once and asks to end at once when it is forced', async () => {
  const { driver, feeder, manager, clock, want, status } = await stage();
  await want(graceful);
  feeder().held = 1;
  manager.replace('reader', status()?.name ?? '', 'now');
  await clock.settle();
  expect(feeder().said.slice(1)).toEqual(['cut']);
  expect(driver.stops.map(({ graceMs }) => graceMs)).toEqual([30_000]);
});

it('hurries those that leave, told in the same moment or before, and no others', async () => {
  const { driver, feeder, manager, clock, want } = await stage();
  await want({ ...graceful, count: 2 });
  feeder(0).held = 1;
  feeder(1).held = 1;
  manager.hurry('reader');
  await clock.settle();
  expect(driver.stops).toEqual([]);
  const applied = want({ ...graceful, count: 1 }, 2);
  manager.hurry('reader');
  await applied;
  expect(driver.stops.length).toBe(1);
  expect([feeder(0), feeder(1)].map(({ said }) => said.includes('cut'))).toContain(false);
});

it('counts for what it holds when it dies while it drains', async () => {
  const { driver, feeder, clock, want, status } = await stage();
  await want();
  feeder().held = 1;
  await want({ count: 0 }, 2);
  driver.crash(9);
  await clock.settle();
  expect(feeder().said.at(-1)).toBe('died: the process ended with code 9');
  expect(status()).toBeUndefined();
});

it('lets idle instances go first and keeps the one at work', async () => {
  const { clock, manager, feeder, want } = await stage();
  await want({ count: 3 });
  feeder(1).held = 1;
  await want({ count: 1 }, 2);
  await clock.settle();
  expect(manager.status('reader').map(({ feed }) => feed?.running.length)).toEqual([1]);
});

it('ends a copy of an earlier server that is not wanted by the time it could go on', async () => {
  const ends: string[] = [];
  const survivor: Survivor = {
    service: 'reader',
    number: 1,
    instance: 'reader-left1',
    key: '1.1',
    revision: 1,
    startedAt: 1,
    devices: [],
    adopt: async () => {
      throw new Error('not now');
    },
    end: async () => void ends.push('ended'),
  };
  const clock = new VirtualClock(new SeededRandom(6));
  const driver = new HandDriver(clock);
  driver.trouble = 'no engine answers';
  const manager = new InstanceManager({
    drivers: { process: driver, endpoint: driver },
    makeFeeder: () => new HandFeeder(),
    clock,
    random: new SeededRandom(6),
    log: silentLog,
  });
  let asked = 0;
  driver.survivors = async () => (asked++ === 0 ? [survivor] : []);
  await manager.apply(deployed());
  await clock.run(manager.start());
  await clock.settle();
  expect(manager.status('reader')).toMatchObject([{ name: 'reader-left1', state: 'Pending' }]);
  await manager.apply(deployed({ count: 0 }, { revision: 2 }));
  await clock.advance(10_000);
  expect([ends, driver.launches.length]).toEqual([['ended'], 0]);
  await clock.run(manager.stop({ deadlineMs: 0 }));
});
