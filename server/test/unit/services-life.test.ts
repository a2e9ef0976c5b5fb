// What a service goes through after its declaration: changes, revisions and the way back, scaling,
// and all of that again after a restart or a crash.

import { beforeEach, describe, expect, it } from 'vitest';
import type { RuntimeReport } from '../../src/deployment/service.ts';
import { decodeDefinition } from '../../src/services/definition.ts';
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

describe('a change', () => {
  it('lays a file over the declared one, or sets single places', async () => {
    await registry.apply(model('one'));
    const outcome = await registry.modify('a', {
      merge: { queue: { max_delivery: 2 } },
      set: { 'metadata.instance': '3' },
    });
    expect(outcome).toMatchObject({ change: 'updated', revision: 2, rollsOut: false });
    expect(outcome.changes).toEqual([
      { path: 'metadata.instance', before: 1, after: 3 },
      { path: 'queue.max_delivery', before: 5, after: 2 },
    ]);
    expect(wanted()).toMatchObject({ sourceRevision: 1, instances: { count: 3 } });
    expect(world.queues.byName.get('a')?.settings.deliveryMax).toBe(2);
  });

  it('is shown and changes nothing in a dry run', async () => {
    await registry.apply(model('one'));
    const before = await world.disk.definitions();
    const outcomes = [
      await registry.apply(model('two'), { dryRun: true }),
      await registry.modify('a', { set: { 'metadata.instance': '0' } }, { dryRun: true }),
      await registry.create({ metadata: { name: 'b', instance: 0 } }, { dryRun: true }),
    ];
    expect(outcomes.map(({ change, revision, rollsOut }) => [change, revision, rollsOut])).toEqual([
      ['updated', 2, true],
      ['updated', 2, false],
      ['created', 1, false],
    ]);
    expect(outcomes[2]).toMatchObject({ token: '' });
    expect(outcomes[0]?.changes).toEqual([
      { path: 'containers[0].command', before: 'one', after: 'two' },
    ]);
    expect(await world.disk.definitions()).toEqual(before);
    expect(registry.get('a')).toMatchObject({ revision: 1 });
    expect(launches()).toEqual([1, 1]);
    expect(registry.get('b')).toBeUndefined();
  });

  it('shows values as they were written, and no secret', async () => {
    await registry.apply(model('one', { queue: { max_idle: '90s' }, token: 'zebra' }));
    const file = model('one', { queue: { max_idle: '2m' }, token: 'tiger' });
    const { changes } = await registry.apply(file);
    expect(changes).toEqual([
      { path: 'queue.max_idle', before: '90s', after: '2m' },
      { path: 'token', before: '***', after: '***' },
    ]);
    const created = await registry.apply({ metadata: { name: 'b', instance: 0 }, token: 'lion' });
    expect(created.changes).toEqual([
      { path: 'metadata.instance', before: null, after: 0 },
      { path: 'metadata.name', before: null, after: 'b' },
      { path: 'token', before: null, after: '***' },
    ]);
  });

  it('says what it can not reach', async () => {
    await registry.apply(model('one'));
    const { warnings } = await registry.modify('a', { set: { 'queue.source.expire': '5s' } });
    expect(warnings).toEqual([
      'queue.source.expire: what waits already keeps the time it was given',
    ]);
  });

  it('of a misspelt place is refused with what was meant', async () => {
    await registry.apply(model('one'));
    const set = { 'queue.max_dilevery': '3' };
    await expect(registry.modify('a', { set })).rejects.toMatchObject({
      mistakes: ['queue.max_dilevery: is unknown; did you mean queue.max_delivery?'],
    });
    await expect(registry.modify('b', {})).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('revisions', () => {
  it('keep their files, the oldest not for ever', async () => {
    for (let at = 1; at <= 22; at += 1) await registry.apply(model(`run ${at}`));
    const revisions = registry.revisions('a');
    expect(revisions.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 3),
    );
    expect(revisions[0]).toMatchObject({ file: model('run 3'), current: false, text: 'applied' });
    expect(revisions.at(-1)).toMatchObject({ file: model('run 22'), current: true });
    registry = await world.boot();
    expect(registry.revisions('a')).toEqual(revisions);
  });

  it('tell what an earlier launch was, with the latest settings it had', async () => {
    await registry.apply(model('one'));
    await registry.modify('a', { set: { 'metadata.rpc.worker_threads': '3' } });
    await registry.apply(model('two'));
    registry = await world.boot();
    expect(registry.launched('a', 1, 1)).toMatchObject({
      number: 1,
      revision: 2,
      sourceRevision: 1,
      instances: { window: 3, source: { text: 'one' } },
    });
    expect(registry.launched('a', 1, 3)).toEqual(wanted());
    expect([registry.launched('a', 1, 7), registry.launched('a', 2, 1)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('lose the files of the oldest when all together are too long', async () => {
    for (let at = 1; at <= 6; at += 1) {
      await registry.apply(model(`run ${at}`, { labels: { text: `${at}`.repeat(1024) } }));
      await registry.modify('a', { merge: { foreign: 'x'.repeat(200_000) } });
    }
    const kept = registry.revisions('a').map(({ file }) => file !== undefined);
    expect(kept).toContain(false);
    expect(kept.slice(-2)).toEqual([true, true]);
    const [oldest] = registry.revisions('a');
    await expect(registry.switchRevision('a', oldest?.revision ?? 0)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('can be switched back to, with the launch that they had', async () => {
    await registry.apply(model('one'));
    await registry.apply(model('two', { queue: { max_delivery: 2 } }));
    const plan = await registry.switchRevision('a', 1, { dryRun: true });
    expect(plan).toMatchObject({ change: 'updated', revision: 3, rollsOut: true });
    expect(launches()).toEqual([2, 2]);
    await registry.switchRevision('a', 1);
    expect(launches()).toEqual([3, 1]);
    expect(registry.get('a')).toMatchObject({ file: model('one'), settings: { deliveryMax: 5 } });
    expect(registry.revisions('a').at(-1)).toMatchObject({ text: 'switched back to revision 1' });
    expect(await registry.switchRevision('a', 1)).toMatchObject({ change: 'unchanged' });
    await expect(registry.switchRevision('a', 9)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('do not bring an old token back', async () => {
    await registry.apply(model('one', { token: 'leaked' }));
    await registry.apply(model('two', { token: 'fresh' }));
    expect(await registry.switchRevision('a', 1)).toMatchObject({ token: 'fresh' });
    expect(registry.find('a')?.tokens).toMatchObject([{ secret: 'fresh' }]);
  });
});

describe('a launch that never gets ready', () => {
  it('is given up for the latest that did, and nothing else of the service changes', async () => {
    await registry.apply(model('one'));
    await registry.proven('a', 1, 1);
    await registry.apply(model('two', { health_check: { path: '/two' } }));
    await registry.modify('a', { set: { 'queue.max_delivery': '2', 'metadata.instance': '4' } });
    expect(launches()).toEqual([3, 2]);
    await registry.rollBack('a', 1, 2, 'no such file');
    expect(launches()).toEqual([4, 1]);
    expect(wanted()?.instances).toMatchObject({
      count: 4,
      source: { text: 'one' },
      healthCheck: { probe: { kind: 'tcp' } },
    });
    expect(registry.get('a')).toMatchObject({ settings: { deliveryMax: 2 } });
    const [, two, three, four] = registry.revisions('a');
    expect(two?.text).toBe('applied; failed: no such file');
    expect(three?.text).toBe('modified; failed: no such file');
    expect(four?.text).toBe('rolled back to revision 1: no such file');
    world.runtime.reports.set('a', { ...idle, revision: 4, wanted: 4, running: 4 });
    expect(registry.get('a')).toMatchObject({
      status: 'Running',
      message: 'rolled back to revision 1: no such file',
    });
    expect(events()).toContain('rolled-back');
  });

  it('is kept when there is none to go back to, and tried again when applied again', async () => {
    await registry.apply(model('one'));
    await registry.apply(model('two'));
    await registry.rollBack('a', 1, 2, 'no such file');
    expect(launches()).toEqual([2, 2]);
    await registry.apply(model('three'));
    await registry.switchRevision('a', 2);
    expect(launches()).toEqual([4, 4]);
  });

  it('has not failed if it only was late: it is one to go back to like any other', async () => {
    await registry.apply(model('slow'));
    await registry.rollBack('a', 1, 1, 'none was ready in time');
    await registry.proven('a', 1, 1);
    expect(registry.revisions('a').map(({ text }) => text)).toEqual(['created']);
    await registry.apply(model('broken'));
    registry = await world.boot();
    await registry.rollBack('a', 1, 2, 'no such file');
    expect(launches()).toEqual([3, 1]);
  });

  it('stays given up when the last of its instances is ready after it was taken back', async () => {
    await registry.apply(model('one'));
    await registry.proven('a', 1, 1);
    await registry.apply(model('two'));
    await registry.rollBack('a', 1, 2, 'none was ready in time');
    await registry.proven('a', 1, 2);
    expect(registry.revisions('a')[1]?.text).toBe('applied; failed: none was ready in time');
  });

  it('is not one that worked before, nor of another service of that name', async () => {
    await registry.apply(model('one'));
    await registry.proven('a', 1, 1);
    await registry.apply(model('two'));
    await registry.rollBack('a', 7, 2, 'no such file');
    await registry.rollBack('a', 1, 1, 'no such file');
    await registry.proven('a', 1, 2);
    registry = await world.boot();
    await registry.rollBack('a', 1, 2, 'the machine has a bad day');
    expect(launches()).toEqual([2, 2]);
    await registry.rollBack('b', 1, 2, 'no such service');
  });

  it('is noted before anything is done about it, so that a crash does no harm', async () => {
    await registry.apply(model('one'));
    await registry.proven('a', 1, 1);
    await registry.apply(model('two'));
    let saves = 0;
    world.disk.failing = () => {
      saves += 1;
      return saves === 2;
    };
    await registry.rollBack('a', 1, 2, 'no such file');
    registry = await world.boot();
    expect(launches()).toEqual([2, 2]);
    await registry.rollBack('a', 1, 2, 'no such file');
    expect(launches()).toEqual([3, 1]);
  });
});

describe('scaling', () => {
  const scaled = (more: object = {}): object =>
    model('one', { autoscaler: { min: 1, max: 5, strategies: { qps: 2 } }, ...more });

  it('is durable, makes no revision and starts nothing anew', async () => {
    await registry.apply(scaled());
    expect(registry.scaled()).toMatchObject([{ name: 'a', count: 1, policy: { max: 5 } }]);
    await registry.scale('a', 4, 'backlog');
    expect(wanted()).toMatchObject({ revision: 1, sourceRevision: 1, instances: { count: 4 } });
    registry = await world.boot();
    expect(wanted()).toMatchObject({ revision: 1, instances: { count: 4 } });
    await registry.modify('a', { set: { 'queue.max_delivery': '2' } });
    expect(wanted()?.instances.count).toBe(4);
    expect(registry.get('a')).toMatchObject({ instances: { wanted: 4 } });
  });

  it('gives way to a number that the user declares, and ends with the autoscaler', async () => {
    await registry.apply(scaled());
    await registry.scale('a', 4, 'backlog');
    await registry.modify('a', { set: { 'metadata.instance': '2' } });
    expect(wanted()?.instances.count).toBe(2);
    await registry.scale('a', 5, 'backlog');
    await registry.setAutoscaler('a', undefined);
    expect(wanted()?.instances.count).toBe(2);
    expect(registry.scaled()).toEqual([]);
    await expect(registry.scale('a', 1, 'late')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is declared in any spelling', async () => {
    await registry.apply(model('one'));
    await registry.setAutoscaler('a', { 'strategies.qps': '10', min: 0, max: '3' });
    expect(registry.get('a')?.autoscaler).toMatchObject({
      min: 0,
      max: 3,
      strategies: [{ metric: 'qps', threshold: 10, service: 'a', value: null }],
      wanted: 1,
    });
  });
});

describe('a definition of the first format', () => {
  // As the first version wrote it, to the letter.
  const text =
    '{"format":1,"state":"live","file":{"metadata":{"name":"a","instance":0}},"warnings":[],' +
    '"tokens":{"main":{"kind":"secret","secret":"s"},"further":[]},"revision":3,' +
    '"sourceRevision":2,"createdAt":1,"updatedAt":2,"history":[' +
    '{"revision":1,"at":1,"changed":[]},' +
    '{"revision":2,"at":2,"changed":["containers[0].command"]},' +
    '{"revision":3,"at":3,"changed":["queue.max_delivery"]}]}';

  it('is read, and written anew with the next change', async () => {
    await world.disk.saveDefinition({ number: 1, name: 'a', definition: text });
    registry = await world.boot();
    expect(registry.get('a')).toMatchObject({ revision: 3, token: 's', status: 'Running' });
    expect(
      registry
        .revisions('a')
        .map(({ sourceRevision, file }) => [sourceRevision, file === undefined]),
    ).toEqual([
      [1, true],
      [2, true],
      [2, false],
    ]);
    await registry.modify('a', { set: { 'queue.max_delivery': '2' } });
    const [row] = (await world.disk.definitions()).filter(({ name }) => name === 'a');
    expect(row?.definition).toMatch(/^\{"format":2,/);
    await registry.switchRevision('a', 3);
    expect(registry.get('a')).toMatchObject({ settings: { deliveryMax: 5 } });
  });

  it('is damaged when it is cut or bent', () => {
    expect(decodeDefinition('a', text.replace('"history":[', '"history":[7,'))).toBeUndefined();
    expect(decodeDefinition('a', text.replace('"sourceRevision":2', '"sourceRevision":"2"'))).toBe(
      undefined,
    );
    expect(decodeDefinition('a', text.slice(0, -9))).toBeUndefined();
  });
});
