// What a server does with the copies that the one before it has left running, in the middle of an
// update above all.

import { describe, expect, it } from 'vitest';
import type { DeployedService } from '../../src/deployment/service.ts';
import type { EarlierLaunch } from '../../src/instances/options.ts';
import { deployed } from '../deployed.ts';
import { commandCheck, type Stage, stage } from './instances-world.ts';

const patient = { ...commandCheck, initialDelayMs: 1e9 };
const second = { revision: 2, sourceRevision: 2 };
const second2 = deployed({ count: 2, healthCheck: patient }, second);
const first2 = deployed({ count: 2, healthCheck: patient, window: 3 });

const earlier: EarlierLaunch = (service, number, sourceRevision) =>
  service === 'reader' && number === 1 && sourceRevision === 1 ? first2 : undefined;

/** A server that finds copies by their keys, and wants that. */
function found(
  keys: readonly string[],
  wanted: DeployedService,
  healthy: readonly string[] = ['1.1'],
): Promise<Stage> {
  return stage(
    { earlier },
    (driver) => {
      driver.left = keys.map((key, at) => driver.survivor(`reader-left${at}`, key));
      driver.healthOf = ({ key }) => (healthy.includes(key) ? 'passes' : 'fails');
    },
    wanted,
  );
}

const seen = ({ manager }: Stage) =>
  manager.status('reader').map(({ name, revision, state }) => [name, revision, state]);

describe('a server that was killed in the middle of an update', () => {
  it('goes on with it: old copies work until new ones are ready', async () => {
    const now = await found(['1.1', '1.1', '1.2'], second2);
    await now.clock.advance(1000);
    expect(now.driver.endedLeft).toEqual([]);
    expect(seen(now)).toEqual([
      ['reader-left0', 1, 'Running'],
      ['reader-left1', 1, 'Running'],
      ['reader-left2', 2, 'Starting'],
    ]);
    expect(now.manager.report('reader')?.rollout).toMatchObject({ state: 'rolling' });
    expect(now.events.find(({ kind }) => kind === 'rollout')?.text).toBe(
      'Update to revision 2 goes on: 2 instances are to be replaced',
    );
    // As they were declared, not as the new ones are.
    expect(now.feeder(0).order?.settings.window).toBe(3);
    now.driver.health = 'passes';
    now.driver.healthOf = () => 'passes';
    await now.clock.advance(5000);
    expect(seen(now).map(([, revision, state]) => [revision, state])).toEqual([
      [2, 'Running'],
      [2, 'Running'],
    ]);
  });

  it('takes it back when it fails', async () => {
    const now = await found(['1.1', '1.1'], second2);
    now.driver.failing = ({ key }) =>
      key === '1.2' ? { code: 1, signal: undefined, problem: undefined } : undefined;
    now.driver.crash(1);
    await now.clock.advance(10_000);
    expect(now.failures.map(({ sourceRevision }) => sourceRevision)).toEqual([2]);
    expect(
      seen(now)
        .slice(0, 2)
        .map(([, , state]) => state),
    ).toEqual(['Running', 'Running']);
  });

  it('lets an old copy go whose first check fails', async () => {
    const now = await found(['1.1'], second2, []);
    await now.clock.advance(1000);
    expect(seen(now).map(([, revision]) => revision)).toEqual([2, 2]);
  });
});

it('ends copies of launches that are not known any more, and of other services', async () => {
  const now = await found(['1.7', '9.1'], second2);
  expect(now.driver.endedLeft).toEqual(['reader-left0', 'reader-left1']);
});

it('does not go on with two copies under one name', async () => {
  const now = await stage(
    {},
    (driver) => {
      driver.left = [driver.survivor('reader-same', '1.2'), driver.survivor('reader-same', '1.2')];
    },
    second2,
  );
  expect(now.driver.endedLeft).toEqual(['reader-same']);
});

it('lists copies in the order in which they were started, however they were found', async () => {
  const now = await stage(
    {},
    (driver) => {
      const late = { ...driver.survivor('reader-late', '1.2'), startedAt: 9 };
      driver.left = [late, driver.survivor('reader-early', '1.2')];
    },
    second2,
  );
  const names = now.manager.status('reader').map(({ name }) => name);
  expect(names).toEqual(['reader-early', 'reader-late']);
});
