// Taking a service out of use and into use again: nothing that runs is cut short, nothing in its
// queues is lost, and a crash at any place leaves what the next start finishes.

import { beforeEach, describe, expect, it } from 'vitest';
import type { RuntimeReport } from '../../src/deployment/service.ts';
import { lookMs } from '../../src/services/halting.ts';
import type { Registry } from '../../src/services/registry.ts';
import { World } from './services-world.ts';

const model = (command: string, more: object = {}): object => ({
  metadata: { name: 'a', type: 'Async', instance: 1 },
  containers: [{ command }],
  ...more,
});

const idle: RuntimeReport = {
  revision: 1,
  wanted: 0,
  running: 0,
  pending: 0,
  waiting: 0,
  failed: 0,
  leaving: 0,
  rollout: { state: 'done' },
  message: '',
};

let world: World;
let registry: Registry;

beforeEach(async () => {
  world = new World();
  registry = await world.boot();
});

const wanted = () => world.runtime.wanted.get('a');
const launches = () => [wanted()?.revision, wanted()?.sourceRevision];
const events = () => world.events.map(({ what }) => what);

/** Time goes on until nothing is left to look at. */
async function pass(ms: number): Promise<void> {
  await world.clock.advance(ms);
}

describe('stopping', () => {
  it('lets instances and others finish, then closes the queues', async () => {
    await registry.apply(model('one'));
    world.runtime.reports.set('a', { ...idle, leaving: 1 });
    await registry.halt('a', { now: false });
    expect(wanted()?.instances.count).toBe(0);
    expect(world.queues.held.has('a')).toBe(true);
    expect(registry.get('a')).toMatchObject({
      status: 'Stopping',
      message: '1 instance is ending',
    });
    expect(registry.find('a')?.stopped).toBeUndefined();
    world.queues.figures = { length: 7, leased: 2, firstIndex: 3, lastIndex: 9 };
    world.runtime.reports.set('a', idle);
    await pass(10 * lookMs);
    expect(registry.get('a')?.message).toContain('outside of the instances');
    world.queues.figures = { ...world.queues.figures, leased: 0 };
    await pass(lookMs);
    expect(registry.get('a')).toMatchObject({
      status: 'Stopped',
      message: 'start it with: sluice start a',
      instances: { wanted: 0 },
    });
    expect(registry.find('a')?.stopped).toBe('service a is stopped; start it with: sluice start a');
    expect(world.queues.byName.has('a')).toBe(false);
    expect(registry.resting('a')?.view('input')).toMatchObject({
      isClosed: true,
      length: 7,
      firstIndex: 3,
      lastIndex: 9,
      capacity: 230_399,
    });
    expect(events()).toEqual(['created', 'stopping', 'stopped']);
  });

  it('waits for nobody with now, and for others no longer than drain_timeout', async () => {
    await registry.apply(model('one'));
    world.runtime.reports.set('a', idle);
    world.queues.figures = { length: 1, leased: 1, firstIndex: 1, lastIndex: 1 };
    await registry.halt('a', { now: false });
    await pass(10_000);
    expect(registry.get('a')?.status).toBe('Stopping');
    await registry.halt('a', { now: true });
    expect(world.runtime.hurried.has('a')).toBe(true);
    await pass(lookMs);
    expect(registry.get('a')?.status).toBe('Stopped');
    await registry.resume('a');
    await registry.modify('a', { set: { 'metadata.drain_timeout': '30s' } });
    await registry.halt('a', { now: false });
    await pass(29_000);
    expect(registry.get('a')?.status).toBe('Stopping');
    await pass(2000);
    expect(registry.get('a')?.status).toBe('Stopped');
  });

  it('is undone by a start, before and after it is done', async () => {
    await registry.apply(model('one'));
    world.runtime.reports.set('a', { ...idle, leaving: 1 });
    await registry.halt('a', { now: false });
    await registry.resume('a');
    expect(world.queues.held.has('a')).toBe(false);
    expect(wanted()?.instances.count).toBe(1);
    world.runtime.reports.set('a', { ...idle, wanted: 1, pending: 1 });
    await pass(1000);
    expect(registry.get('a')?.status).toBe('Starting');
    world.runtime.reports.set('a', idle);
    await registry.halt('a', { now: false });
    await pass(1000);
    expect(registry.get('a')?.status).toBe('Stopped');
    await registry.halt('a', { now: false });
    await registry.resume('a');
    await registry.resume('a');
    expect(world.queues.byName.has('a')).toBe(true);
    expect(registry.resting('a')).toBeUndefined();
    expect(wanted()?.instances.count).toBe(1);
  });

  it('stays over restarts, and changes wait for the start', async () => {
    await registry.apply(model('one'));
    world.queues.figures = { length: 7, leased: 0, firstIndex: 3, lastIndex: 9 };
    world.runtime.reports.set('a', idle);
    await registry.halt('a', { now: false });
    await pass(lookMs);
    registry = await world.boot();
    expect(registry.get('a')?.status).toBe('Stopped');
    expect(world.queues.byName.has('a')).toBe(false);
    expect(registry.resting('a')?.view('input').length).toBe(7);
    expect(wanted()?.instances.count).toBe(0);
    const outcome = await registry.modify('a', { set: { 'queue.max_delivery': '2' } });
    expect(outcome).toMatchObject({ change: 'updated', revision: 2 });
    expect(outcome.warnings.join()).toContain('until then this changes nothing');
    expect(await registry.apply(registry.get('a')?.file)).toMatchObject({ change: 'unchanged' });
    expect(world.queues.byName.has('a')).toBe(false);
    await registry.resume('a');
    expect(world.queues.byName.get('a')?.settings.deliveryMax).toBe(2);
    expect(launches()).toEqual([2, 1]);
  });

  it('goes on after a crash in the middle, when it is known what is left', async () => {
    await registry.apply(model('one'));
    world.runtime.reports.set('a', { ...idle, leaving: 1 });
    await registry.halt('a', { now: false });
    registry = await world.boot();
    expect(registry.get('a')?.status).toBe('Stopping');
    await pass(10 * lookMs);
    expect(world.queues.held.has('a')).toBe(true);
    expect(wanted()?.instances.count).toBe(0);
    expect(registry.get('a')?.status).toBe('Stopping');
    world.runtime.reports.set('a', idle);
    await pass(lookMs);
    expect(registry.get('a')?.status).toBe('Stopped');
  });

  it('has not happened when the wish was not durable', async () => {
    await registry.apply(model('one'));
    world.disk.failing = () => true;
    await expect(registry.halt('a', { now: false })).rejects.toThrow('the disk is gone');
    expect(registry.get('a')?.status).toBe('Starting');
    expect(world.queues.held.has('a')).toBe(false);
    expect(wanted()?.instances.count).toBe(1);
  });

  it('is tried again when the queues do not close or the end can not be saved', async () => {
    await registry.apply(model('one'));
    world.queues.figures = { length: 7, leased: 0, firstIndex: 3, lastIndex: 9 };
    world.runtime.reports.set('a', idle);
    await registry.halt('a', { now: false });
    world.queues.failing = true;
    await pass(10 * lookMs);
    expect(registry.get('a')?.status).toBe('Stopping');
    world.queues.failing = false;
    world.disk.failing = () => true;
    await pass(10 * lookMs);
    expect(registry.get('a')?.status).toBe('Stopping');
    world.disk.failing = undefined;
    await pass(lookMs);
    expect(registry.get('a')?.status).toBe('Stopped');
    expect(registry.resting('a')?.view('input').length).toBe(7);
  });

  it('that can not be undone leaves the service stopped', async () => {
    await registry.apply(model('one'));
    world.runtime.reports.set('a', idle);
    await registry.halt('a', { now: false });
    await pass(lookMs);
    world.queues.failing = true;
    await expect(registry.resume('a')).rejects.toThrow('no queues today');
    expect(registry.get('a')?.status).toBe('Stopped');
    registry = await world.boot();
    expect(registry.get('a')?.status).toBe('Stopped');
  });

  it('does not keep a service from being deleted', async () => {
    for (const isDone of [false, true]) {
      await registry.apply(model('one'));
      world.runtime.reports.set('a', isDone ? idle : { ...idle, leaving: 1 });
      await registry.halt('a', { now: false });
      await pass(lookMs);
      await registry.delete('a');
      expect(registry.get('a')).toBeUndefined();
      await expect(registry.halt('a', { now: true })).rejects.toMatchObject({ code: 'not_found' });
    }
    expect((await world.disk.definitions()).map(({ name }) => name)).toEqual(['.registry']);
  });
});
