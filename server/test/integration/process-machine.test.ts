// What processes get of the machine, and what they are seen to use of it.

import { afterEach, expect, it } from 'vitest';
import type { Usage } from '../../src/instances/driver.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  ask,
  type ProcessWorld,
  processSource,
  processWorld,
  type WorldOptions,
  wantedService,
} from './process-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function world(options: WorldOptions = {}): Promise<ProcessWorld> {
  const made = await processWorld(options);
  closers.push(() => made.close());
  await made.manager.start();
  return made;
}

const gb = 2 ** 30;
const machine = { cpuMillis: 4000, memoryBytes: 8 * gb, devices: [0, 2, 5] };

/** The variables of accelerators that each ready instance sees. */
async function seen({ manager, sources }: ProcessWorld): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for (const { name } of manager.status('reader').filter(({ state }) => state === 'Running')) {
    const source = sources.get(name);
    if (source === undefined) throw new Error(`${name} is not fed`);
    const { CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER } = JSON.parse(
      await ask(source, 'environment'),
    );
    all.push([CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER]);
  }
  return all;
}

it('gives each process accelerators of its own, whatever its environment says', async () => {
  const made = await world({ capacity: machine });
  const source = processSource({ env: { CUDA_VISIBLE_DEVICES: '7' } });
  const resources = { cpuMillis: 0, memoryBytes: 0, gpus: 1 };
  await made.manager.apply(wantedService({ source, resources, count: 4 }));
  await made.ready(3);
  expect([...(await seen(made))].sort()).toEqual([
    ['0', 'PCI_BUS_ID'],
    ['2', 'PCI_BUS_ID'],
    ['5', 'PCI_BUS_ID'],
  ]);
  const pending = made.manager.status('reader').filter(({ state }) => state === 'Pending');
  expect(pending.map(({ reason }) => reason)).toEqual([
    'needs 1 accelerator, 0 of 3 are free; reader holds 3',
  ]);
});

it('leaves a process alone whose service declares no accelerators', async () => {
  const made = await world({ capacity: machine });
  const source = processSource({ env: { CUDA_VISIBLE_DEVICES: '7' } });
  await made.manager.apply(wantedService({ source }));
  await made.ready(1);
  expect(await seen(made)).toEqual([['7', undefined]]);
});

it('replaces an instance in its own room where the machine holds no second one', async () => {
  const { manager, ready, until } = await world({ capacity: machine });
  const resources = { cpuMillis: 3000, memoryBytes: gb, gpus: 3 };
  await manager.apply(wantedService({ resources }));
  await ready(1);
  const before = manager.status('reader')[0]?.name;
  const revisions = { revision: 2, sourceRevision: 2 };
  await manager.apply(wantedService({ resources }, revisions));
  let most = 0;
  await until((all) => {
    most = Math.max(most, all.filter(({ pid }) => pid !== undefined).length);
    return all.length === 1 && all[0]?.name !== before && all[0]?.state === 'Running';
  });
  expect(most).toBe(1);
  expect(manager.report('reader')?.rollout).toEqual({ state: 'done' });
});

it('sees what a process and all it has started use', async () => {
  const { manager, ready } = await world();
  const text = `while :; do :; done & ${processSource().text}`;
  const source = processSource({ form: 'script', text });
  await manager.apply(wantedService({ source }));
  await ready(1);
  let usage: Usage | undefined;
  while (usage === undefined || usage.cpuCores < 0.2) {
    await new Promise<void>((resolve) => systemClock.after(250, resolve));
    usage = [...(await manager.usage('reader')).values()][0];
  }
  expect(usage.cpuCores).toBeLessThan(3);
  // A Node of its own and a shell.
  expect(usage.memoryBytes).toBeGreaterThan(20 * 2 ** 20);
  expect(usage.memoryBytes).toBeLessThan(4 * gb);
});
