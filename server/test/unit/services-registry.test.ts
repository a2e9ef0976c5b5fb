// The life of services: create, change, delete, and all of it again after a restart or a crash.

import { beforeEach, describe, expect, it } from 'vitest';
import { servicesMax } from '../../src/services/declarations.ts';
import type { Registry } from '../../src/services/registry.ts';
import { World } from './services-world.ts';

const queuesOnly = (name: string, more: object = {}): object => ({
  metadata: { name, instance: 0, type: 'Async' },
  ...more,
});

const endpoint = (name: string, more: object = {}): object => ({
  metadata: { name, type: 'Async' },
  endpoint: 'http://127.0.0.1:9000',
  ...more,
});

let world: World;
let registry: Registry;

beforeEach(async () => {
  world = new World();
  registry = await world.boot();
});

describe('create and apply', () => {
  it('opens queues, tells the instances and answers where and how to call', async () => {
    const outcome = await registry.apply(endpoint('a'));
    expect(outcome).toMatchObject({
      change: 'created',
      name: 'a',
      revision: 1,
      path: '/api/predict/a',
      warnings: [],
    });
    expect(outcome.token).toMatch(/^[0-9a-f]{48}$/);
    expect(world.queues.byName.get('a')).toMatchObject({ number: 1 });
    expect(world.runtime.wanted.get('a')).toMatchObject({ number: 1, revision: 1 });
  });

  it('refuses to create what exists', async () => {
    await registry.create(queuesOnly('a'));
    await expect(registry.create(queuesOnly('a'))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('does nothing when the file means the same, however it is spelt', async () => {
    await registry.apply(endpoint('a', { queue: { max_idle: '90s' } }));
    const same = {
      'metadata.name': 'a',
      metadata: { instance: 1, 'rpc.worker_threads': 5, qos: 'BestEffort' },
      endpoint: 'http://127.0.0.1:9000',
      'queue.max_idle': '1m30s',
      request: { path: '/' },
    };
    const outcome = await registry.apply(same);
    expect(outcome).toMatchObject({ change: 'unchanged', revision: 1, changes: [] });
    expect(outcome.warnings).toContain('accepted without effect here: metadata.qos');
    registry = await world.boot();
    expect(registry.get('a')).toMatchObject({ file: same, warnings: outcome.warnings });
  });

  it('changes queues live and says what changed', async () => {
    await registry.apply(endpoint('a'));
    const outcome = await registry.apply(endpoint('a', { queue: { max_delivery: 2 } }));
    expect(outcome).toMatchObject({
      change: 'updated',
      revision: 2,
      changes: [{ path: 'queue.max_delivery', before: 5, after: 2 }],
      rollsOut: false,
    });
    expect(world.queues.byName.get('a')?.settings.deliveryMax).toBe(2);
    expect(world.runtime.wanted.get('a')).toMatchObject({ revision: 2, sourceRevision: 1 });
  });

  it('marks a new source of instances, so that only then they are replaced', async () => {
    await registry.apply(endpoint('a'));
    await registry.apply(endpoint('a', { 'metadata.rpc.worker_threads': 9 }));
    expect(world.runtime.wanted.get('a')?.sourceRevision).toBe(1);
    await registry.apply(endpoint('a', { endpoint: 'http://127.0.0.1:9001' }));
    expect(world.runtime.wanted.get('a')).toMatchObject({ revision: 3, sourceRevision: 3 });
  });

  it('keeps a short history', async () => {
    for (let threads = 1; threads <= 30; threads++) {
      await registry.apply(endpoint('a', { 'metadata.rpc.worker_threads': threads }));
    }
    const history = registry.get('a')?.history ?? [];
    expect(history).toHaveLength(20);
    expect(history.at(-1)).toMatchObject({
      revision: 30,
      changed: ['metadata.rpc.worker_threads'],
    });
  });

  it('refuses a file whose name is not that of the address', async () => {
    await expect(registry.apply(queuesOnly('a'), { name: 'b' })).rejects.toMatchObject({
      code: 'bad_request',
      mistakes: ['metadata.name: is a, but the address says b'],
    });
  });

  it('changes nothing when the file has mistakes', async () => {
    await registry.apply(queuesOnly('a'));
    await expect(registry.apply(queuesOnly('a', { queue: { memory: -1 } }))).rejects.toThrow(
      'service.json has 1 mistake',
    );
    expect(registry.get('a')).toMatchObject({ revision: 1, settings: { deliveryMax: 5 } });
  });

  it('handles many at a time, those of one service in order', async () => {
    const files = Array.from({ length: 40 }, (_, at) =>
      queuesOnly(`s${at % 4}`, { queue: { max_delivery: at } }),
    );
    await Promise.all(files.map((file) => registry.apply(file)));
    expect(registry.list().map(({ name, revision }) => [name, revision])).toEqual([
      ['s0', 10],
      ['s1', 10],
      ['s2', 10],
      ['s3', 10],
    ]);
    expect(registry.list().map(({ settings }) => settings?.deliveryMax)).toEqual([36, 37, 38, 39]);
    expect(new Set(registry.list().map(({ number }) => number)).size).toBe(4);
  });
});

describe('the number of services', () => {
  it('is limited', async () => {
    const names = Array.from({ length: servicesMax }, (_, at) => `s${at}`);
    for (const name of names) await registry.create(queuesOnly(name));
    await expect(registry.create(queuesOnly('more'))).rejects.toThrow('the most there can be');
    expect(await registry.apply(queuesOnly('s5'))).toMatchObject({ change: 'unchanged' });
  });
});

describe('failures of others', () => {
  it('creates nothing before its number is durably taken', async () => {
    world.disk.failing = (_, number) => number === 0;
    await expect(registry.create(queuesOnly('a'))).rejects.toThrow('the disk is gone');
    expect(registry.get('a')).toBeUndefined();
    expect(world.queues.byName.size).toBe(0);
    expect(await world.disk.definitions()).toEqual([]);
  });

  it('takes a creation back when the queues do not open', async () => {
    world.queues.failing = true;
    await expect(registry.create(queuesOnly('a'))).rejects.toThrow('no queues today');
    expect(registry.get('a')).toBeUndefined();
    world.queues.failing = false;
    expect(await registry.create(queuesOnly('a'))).toMatchObject({ change: 'created' });
    expect(registry.get('a')?.number).toBe(2);
  });

  it('takes an update back when the queues refuse it', async () => {
    await registry.apply(queuesOnly('a'));
    world.queues.failing = true;
    const changed = queuesOnly('a', { queue: { max_delivery: 1 } });
    await expect(registry.apply(changed)).rejects.toThrow('no queues today');
    expect(registry.get('a')).toMatchObject({ revision: 1, settings: { deliveryMax: 5 } });
    const next = await world.boot();
    expect(next.get('a')).toMatchObject({ revision: 1, settings: { deliveryMax: 5 } });
  });

  it('keeps queues working when instances can not be run, and tries again', async () => {
    world.runtime.failing = true;
    await registry.apply(endpoint('a'));
    expect(registry.get('a')).toMatchObject({
      status: 'Failed',
      message: "its instances can't be run: no processes today",
    });
    expect(registry.find('a')?.stopped).toBeUndefined();
    world.runtime.failing = false;
    expect(await registry.apply(endpoint('a'))).toMatchObject({ change: 'unchanged' });
    expect(registry.get('a')?.status).toBe('Starting');
  });

  it('lets the others serve when one does not open after a restart', async () => {
    await registry.apply(queuesOnly('a'));
    await registry.apply(queuesOnly('b'));
    registry = await world.boot({ closed: 'a' });
    expect(registry.list().map(({ status }) => status)).toEqual(['Failed', 'Running']);
    expect(registry.find('a')?.stopped).toContain('its queues did not open: no queues today');
    world.queues.closed = undefined;
    expect(await registry.apply(queuesOnly('a'))).toMatchObject({ change: 'unchanged' });
    expect(registry.find('a')?.stopped).toBeUndefined();
  });
});

describe('restart', () => {
  it('brings services back as they were, tokens included', async () => {
    await registry.apply(endpoint('a', { queue: { max_delivery: 2 } }));
    await registry.addToken('a', 'reader', ['read']);
    const before = registry.get('a');
    const entry = registry.find('a');
    registry = await world.boot();
    expect(registry.get('a')).toEqual(before);
    expect(registry.find('a')).toEqual(entry);
    expect(world.queues.byName.get('a')?.settings.deliveryMax).toBe(2);
    expect(world.runtime.wanted.get('a')).toMatchObject({ number: 1, revision: 1 });
  });

  it('never gives a number out twice', async () => {
    await registry.apply(queuesOnly('a'));
    await registry.apply(queuesOnly('b'));
    await registry.delete('b');
    registry = await world.boot();
    await registry.apply(queuesOnly('b'));
    expect(registry.get('b')?.number).toBe(3);
  });

  it('shows a service whose stored file no longer passes, and takes a corrected one', async () => {
    await registry.apply(queuesOnly('a'));
    const [row] = (await world.disk.definitions()).filter(({ name }) => name === 'a');
    const broken = row?.definition.replace('"instance":0', '"instance":-1') ?? '';
    await world.disk.saveDefinition({ number: 1, name: 'a', definition: broken });
    registry = await world.boot();
    expect(registry.get('a')).toMatchObject({ status: 'Failed' });
    expect(registry.get('a')?.message).toContain('no longer accepted: metadata.instance');
    expect(registry.find('a')?.stopped).toContain('not open');
    expect(await registry.apply(queuesOnly('a'))).toMatchObject({ change: 'updated' });
    expect(registry.get('a')).toMatchObject({ status: 'Running', number: 1 });
  });

  it.each([
    ['no text', ''],
    ['half of it', '{"format":1,"state":"li'],
    ['another shape', '{"format":1,"state":"live"}'],
    ['no format', '{"state":"live"}'],
  ])(
    'serves the others when a definition is damaged (%s), until it is applied anew',
    async (_, text) => {
      await registry.apply(queuesOnly('a'));
      await registry.apply(queuesOnly('b'));
      await world.disk.saveDefinition({ number: 1, name: 'a', definition: text });
      registry = await world.boot();
      expect(registry.get('b')).toMatchObject({ status: 'Running' });
      expect(registry.get('a')).toMatchObject({ status: 'Failed', number: 1 });
      expect(registry.get('a')?.message).toContain('damaged: apply its file again, or delete it');
      expect(registry.find('a')).toMatchObject({ open: false });
      expect(registry.find('a')?.stopped).toContain('not open');
      // Nothing is made of what nobody knows.
      for (const change of [
        registry.rotateToken('a'),
        registry.modify('a', { set: { 'queue.max_delivery': '3' } }),
        registry.halt('a', { now: false }),
      ]) {
        await expect(change).rejects.toThrow('apply its file again, or delete it');
      }
      const rows = await world.disk.definitions();
      expect(rows.find(({ number }) => number === 1)?.definition).toBe(text);
      await registry.apply(queuesOnly('a'));
      expect(registry.get('a')).toMatchObject({ status: 'Running', number: 1 });
      expect(world.queues.byName.get('a')).toMatchObject({ number: 1 });
      registry = await world.boot();
      expect(registry.get('a')).toMatchObject({ status: 'Running', number: 1 });
    },
  );

  it('deletes a service whose definition is damaged', async () => {
    await world.disk.saveDefinition({ number: 1, name: 'a', definition: '{' });
    registry = await world.boot();
    await registry.delete('a');
    expect(await world.disk.definitions()).toEqual([]);
  });

  it('refuses to start on definitions of a newer format', async () => {
    const definition = JSON.stringify({ format: 3, state: 'live' });
    await world.disk.saveDefinition({ number: 1, name: 'a', definition });
    await expect(world.boot()).rejects.toThrow('used by a newer one');
  });
});

describe('delete', () => {
  it('takes instances, then queues, then the definition', async () => {
    await registry.apply(endpoint('a'));
    await registry.delete('a');
    expect(world.runtime.removed).toEqual(['a']);
    expect(world.queues.byName.size).toBe(0);
    expect((await world.disk.definitions()).map(({ name }) => name)).toEqual(['.registry']);
    expect(registry.get('a')).toBeUndefined();
    expect(registry.find('a')).toBeUndefined();
    await expect(registry.delete('a')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('lets nobody in while it goes on, and keeps the name taken', async () => {
    await registry.apply(endpoint('a'));
    let release = (): void => undefined;
    world.runtime.gate = new Promise((resolve) => {
      release = resolve;
    });
    const deleting = registry.delete('a');
    await settled();
    expect(registry.get('a')?.status).toBe('Deleting');
    expect(registry.find('a')?.stopped).toBe('service a is being deleted');
    const again = registry.create(endpoint('a'));
    release();
    await deleting;
    expect(await again).toMatchObject({ change: 'created' });
    expect(registry.get('a')?.number).toBe(2);
  });

  it('is finished by the next start, wherever the process was cut', async () => {
    const cuts: readonly ((world: World) => void)[] = [
      ({ runtime }) => {
        runtime.failing = true;
      },
      ({ queues }) => {
        queues.failing = true;
      },
      ({ disk }) => {
        disk.failing = (call) => call === 'drop';
      },
    ];
    for (const cut of cuts) {
      world = new World();
      registry = await world.boot();
      await registry.apply(endpoint('a'));
      await registry.apply(endpoint('b'));
      cut(world);
      await expect(registry.delete('a')).rejects.toThrow();
      expect(registry.get('a')?.message).toContain('deletion failed, repeat it');
      registry = await world.boot();
      await registry.stop();
      expect(registry.list().map(({ name }) => name)).toEqual(['b']);
      expect(world.runtime.removed).toEqual(['a']);
      expect(world.queues.byName.has('a')).toBe(false);
    }
  });

  it('can be repeated after a failure', async () => {
    await registry.apply(endpoint('a'));
    world.disk.failing = (call) => call === 'drop';
    await expect(registry.delete('a')).rejects.toThrow('the disk is gone');
    await expect(registry.apply(endpoint('a'))).rejects.toMatchObject({ code: 'conflict' });
    world.disk.failing = undefined;
    await registry.delete('a');
    expect(registry.list()).toEqual([]);
  });

  it('has not happened when the wish was not durable', async () => {
    await registry.apply(endpoint('a'));
    world.disk.failing = (call) => call === 'save';
    await expect(registry.delete('a')).rejects.toThrow('the disk is gone');
    expect(registry.get('a')?.status).toBe('Starting');
    expect(registry.find('a')?.stopped).toBeUndefined();
  });

  it('clears what a creation left that could neither go on nor be undone', async () => {
    world.queues.failing = true;
    world.disk.failing = (call) => call === 'drop';
    await expect(registry.create(endpoint('a'))).rejects.toThrow('no queues today');
    world.queues.failing = false;
    await registry.create(endpoint('a', { queue: { max_delivery: 9 } }));
    registry = await world.boot();
    expect(registry.get('a')).toMatchObject({ number: 2, settings: { deliveryMax: 9 } });
    expect((await world.disk.definitions()).map(({ number }) => number)).toEqual([0, 2]);
  });
});

describe('stop', () => {
  it('waits for what is under way and refuses what comes later', async () => {
    const applied = registry.apply(queuesOnly('a'));
    await settled();
    await registry.stop();
    await expect(applied).resolves.toMatchObject({ change: 'created' });
    await expect(registry.apply(queuesOnly('b'))).rejects.toMatchObject({ code: 'unavailable' });
    await registry.stop();
  });
});

/** All that can go on without anything from outside has gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
