// What a machine has, and how it is shared out among services.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resources } from '../../src/deployment/instances.ts';
import { visibleDevices } from '../../src/instances/host/accelerators.ts';
import { type Ask, allot } from '../../src/instances/host/allot.ts';
import {
  type ControlGroups,
  cpuLimitOf,
  measureCapacity,
  memoryLimitOf,
} from '../../src/instances/host/capacity.ts';
import { type Hold, Ledger } from '../../src/instances/host/ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';

const gb = 2 ** 30;

function need(cores: number, memoryGb = 0, gpus = 0): Resources {
  return { cpuMillis: cores * 1000, memoryBytes: memoryGb * gb, gpus };
}

function hold(service: string, resources: Resources, devices: readonly number[] = []): Hold {
  return { service, resources, devices };
}

function machine(cores: number, memoryGb = 64, gpus = 0) {
  const devices = Array.from({ length: gpus }, (_, index) => index);
  return { cpuMillis: cores * 1000, memoryBytes: memoryGb * gb, devices };
}

function ask(service: string, resources: Resources, more: Partial<Ask> = {}): Ask {
  return { service, resources, wants: 1, owed: 0, instances: 0, waitsSince: 0, ...more };
}

describe('what is missing', () => {
  it('is said with what is free and who holds the rest, the largest first', () => {
    const holds = [hold('B', need(2.5)), hold('A', need(2)), hold('A', need(2))];
    expect(new Ledger(machine(8), holds).explain(need(4))).toBe(
      'needs 4 cores, 1.5 of 8 are free; A holds 4, B 2.5',
    );
  });

  it('names every resource that is short', () => {
    const ledger = new Ledger(machine(2, 4, 1), [hold('A', need(2, 3.5, 1), [0])]);
    expect(ledger.explain(need(1, 1, 1))).toBe(
      'needs 1 core, 0 of 2 are free; A holds 2; ' +
        'needs 1 GB of memory, 512 MB of 4 GB are free; A holds 3.5 GB; ' +
        'needs 1 accelerator, 0 of 1 are free; A holds 1',
    );
  });

  it('is said of a machine that is too small too, with the way out', () => {
    expect(new Ledger(machine(2)).explain(need(4))).toContain(
      'needs 4 cores, this machine has 2; `--capacity`',
    );
    expect(new Ledger(machine(2)).explain(need(1, 1, 2))).toContain(
      'needs 2 accelerators, this machine has none',
    );
  });
});

describe('the machine', () => {
  it('gives each instance accelerators of its own', () => {
    const ledger = new Ledger(machine(8, 64, 4), [hold('A', need(0, 0, 1), [1])]);
    expect(ledger.take('B', need(0, 0, 2))).toEqual([0, 2]);
    expect(ledger.take('C', need(0, 0, 2))).toBeUndefined();
    expect(ledger.take('C', need(0, 0, 1))).toEqual([3]);
  });

  it('counts only what is declared', () => {
    const ledger = new Ledger(machine(1), [hold('A', need(1))]);
    expect(ledger.take('B', need(0))).toEqual([]);
  });

  it('gives first to who has fewer instances, then to who waited longer', () => {
    const asks = [
      ask('many', need(1), { wants: 9, instances: 2, waitsSince: 1 }),
      ask('late', need(1), { wants: 2, waitsSince: 9 }),
      ask('early', need(1), { wants: 2, waitsSince: 5 }),
    ];
    const given = allot(new Ledger(machine(5)), asks);
    const granted = (name: string) => given.get(name)?.granted.length;
    expect([granted('early'), granted('late'), granted('many')]).toEqual([2, 2, 1]);
    expect(given.get('early')?.shortage).toBeUndefined();
    expect(given.get('many')?.shortage).toContain('needs 1 core, 0 of 5 are free');
  });

  it('keeps what is free for the first that does not fit, so that it is never overtaken', () => {
    const holds = [hold('old', need(5))];
    const asks = [
      ask('large', need(4), { waitsSince: 1 }),
      ask('small', need(1), { waitsSince: 2 }),
    ];
    const given = allot(new Ledger(machine(8), holds), asks);
    expect(given.get('small')).toMatchObject({
      granted: [],
      shortage: 'needs 1 core; what is free is kept for large, which came first',
    });
  });

  it('keeps nothing for what it can never hold', () => {
    const asks = [ask('huge', need(9), { waitsSince: 1 }), ask('small', need(1))];
    const given = allot(new Ledger(machine(8)), asks);
    expect(given.get('huge')).toMatchObject({ granted: [], isTooLarge: true });
    expect(given.get('small')?.granted.length).toBe(1);
  });

  it('gives back first to who made room for a new instance of its own', () => {
    const asks = [
      ask('newcomer', need(4), { waitsSince: 1 }),
      ask('updated', need(4), { owed: 1, instances: 1, waitsSince: 2 }),
    ];
    const given = allot(new Ledger(machine(4)), asks);
    expect(given.get('updated')?.granted.length).toBe(1);
    expect(given.get('newcomer')?.granted).toEqual([]);
  });

  it('is never given away twice, and nobody is refused without a reason', () => {
    const resources = fc.record({
      cpuMillis: fc.nat({ max: 3000 }),
      memoryBytes: fc.nat({ max: 8 }),
      gpus: fc.nat({ max: 2 }),
    });
    const asks = fc.array(fc.record({ resources, wants: fc.nat(5), instances: fc.nat(3) }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(asks, (drawn) => {
        const capacity = { cpuMillis: 6000, memoryBytes: 16, devices: [0, 1, 2] };
        const all = drawn.map((one, at) => ask(`s${at}`, one.resources, one));
        const given = allot(new Ledger(capacity), all);
        const used = { cpuMillis: 0, memoryBytes: 0 };
        const devices: number[] = [];
        for (const { service, resources: each, wants } of all) {
          const { granted = [], shortage } = given.get(service) ?? {};
          expect(granted.length).toBeLessThanOrEqual(wants);
          expect(shortage === undefined).toBe(granted.length === wants);
          used.cpuMillis += each.cpuMillis * granted.length;
          used.memoryBytes += each.memoryBytes * granted.length;
          for (const one of granted) {
            expect(one.length).toBe(each.gpus);
            devices.push(...one);
          }
        }
        expect(used.cpuMillis).toBeLessThanOrEqual(6000);
        expect(used.memoryBytes).toBeLessThanOrEqual(16);
        expect(new Set(devices).size).toBe(devices.length);
      }),
    );
  });
});

describe('what a machine has', () => {
  /** A system with those files, in one control group. */
  function groups(own: string, files: Readonly<Record<string, string>>): ControlGroups {
    return { own, read: (path) => files[path] };
  }

  it('is bounded by the control groups around the server, of both versions', () => {
    const files = {
      '/cpu.max': 'max 100000\n',
      '/box/cpu.max': '150000 100000\n',
      '/box/in/cpu.max': 'max 100000\n',
      '/box/memory.max': '1073741824\n',
      '/box/in/memory.max': 'max\n',
    };
    const second = groups('0::/box/in\n', files);
    expect([cpuLimitOf(second), memoryLimitOf(second)]).toEqual([1500, gb]);
    const first = groups('4:cpu,cpuacct:/box\n5:memory:/box\n1:name=systemd:/\n', {
      '/cpu/box/cpu.cfs_quota_us': '200000\n',
      '/cpu/box/cpu.cfs_period_us': '100000\n',
      '/cpu/cpu.cfs_quota_us': '-1\n',
      '/memory/box/memory.limit_in_bytes': '2147483648\n',
    });
    expect([cpuLimitOf(first), memoryLimitOf(first)]).toEqual([2000, 2 * gb]);
    const none = groups('0::/\n', {});
    expect([cpuLimitOf(none), memoryLimitOf(none)]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it('is measured where nothing is said, and believed where something is', async () => {
    const controlGroups = groups('0::/\n', { '/cpu.max': '50000 100000', '/memory.max': '4096' });
    const accelerators = async () => [0, 1];
    const options = { environment: {}, clock: systemClock, controlGroups, accelerators };
    expect(await measureCapacity({ ...options, given: {} })).toEqual({
      cpuMillis: 500,
      memoryBytes: 4096,
      devices: [0, 1],
    });
    const given = { cpuMillis: 9000, memoryBytes: 1, gpus: 3 };
    expect(await measureCapacity({ ...options, given })).toEqual({
      cpuMillis: 9000,
      memoryBytes: 1,
      devices: [0, 1, 2],
    });
  });

  it('has no accelerators without the tool that lists them', async () => {
    const environment = { PATH: '/no/such/folder' };
    const measured = await measureCapacity({ given: {}, environment, clock: systemClock });
    expect(measured.devices).toEqual([]);
    expect(measured.cpuMillis).toBeGreaterThan(0);
    expect(measured.memoryBytes).toBeGreaterThan(2 ** 20);
  });

  it('has only those accelerators that the server itself may see', () => {
    const listing = '0, GPU-aaaa1111\n1, GPU-bbbb2222\n2, GPU-cccc3333\n';
    expect(visibleDevices(listing, undefined)).toEqual([0, 1, 2]);
    expect(visibleDevices(listing, '2,0')).toEqual([2, 0]);
    expect(visibleDevices(listing, 'GPU-bbbb')).toEqual([1]);
    expect(visibleDevices(listing, '0,7,1')).toEqual([0]);
    expect(visibleDevices(listing, '')).toEqual([]);
  });
});
