// The table of what a change of each field does is whole, and the registry goes by it.

import { expect, it } from 'vitest';
import { effectOf, effects, exceptions, rollsOut } from '../../src/services/effects.ts';
import { fieldTree, placesBelow } from '../../src/services/fields-tree.ts';
import { World } from './services-world.ts';

const places = [...placesBelow(fieldTree)]
  .filter(([, { kind }]) => kind !== 'ignored' && kind !== 'object')
  .map(([place]) => place);

it('has an entry for every field that has an effect, and none for others', () => {
  expect(places.filter((place) => effectOf(place) === undefined)).toEqual([]);
  const known = new Set([...placesBelow(fieldTree)].map(([place]) => place));
  const named = effects.flatMap(({ fields }) => fields).filter((field) => !field.includes('['));
  expect(named.filter((field) => !known.has(field))).toEqual([]);
});

it('replaces instances for what they are started with, and for nothing else', () => {
  const launching = places.filter((place) => rollsOut([place]));
  expect(launching.sort()).toEqual([
    'containers',
    'endpoint',
    'metadata.cpu',
    'metadata.gpu',
    'metadata.memory',
    'metadata.rpc.batching',
    'metadata.rpc.max_batch_size',
    'metadata.rpc.max_batch_timeout',
    'metadata.shm_size',
    'model_checksum',
    'model_config',
    'model_entry',
    'model_path',
    'processor',
    'processor_entry',
    'processor_path',
    'storage',
  ]);
  expect(rollsOut(['containers[0].env[3].value'])).toBe(true);
  expect(rollsOut(['containers[0].health_check.path'])).toBe(false);
  expect(rollsOut(['queue.memory', 'storage[0].local.path'])).toBe(true);
});

it('names what a change of the queues does not reach, once for each reason', () => {
  expect(exceptions(['queue.source.expire', 'queue.max_delivery', 'queue.sink.expire'])).toEqual([
    'queue.source.expire, queue.sink.expire: what waits already keeps the time it was given',
  ]);
});

const file = {
  metadata: { name: 'a', type: 'Async', instance: 1 },
  containers: [{ image: 'model:1', port: 8000 }],
};

it.each([
  ['containers[0].image', 'model:2', true],
  ['containers[0].env', '[{"name":"A","value":"1"}]', true],
  ['metadata.cpu', '2', true],
  ['storage', '[{"mount_path":"/m","local":{"path":"/srv"}}]', true],
  ['metadata.instance', '3', false],
  ['metadata.rpc.worker_threads', '9', false],
  ['metadata.rpc.keepalive', '1000', false],
  ['metadata.drain_timeout', '1m', false],
  ['containers[0].health_check', '{"path":"/ready"}', false],
  ['health_check', '{"path":"/ready"}', false],
  ['dockerAuth', Buffer.from('user:secret').toString('base64'), false],
  ['queue.max_delivery', '9', false],
  ['autoscaler', '{"max":3}', false],
])('a change of %s to %s: new instances %s', async (place, text, isLaunch) => {
  const world = new World();
  const registry = await world.boot();
  await registry.apply(file);
  const outcome = await registry.modify('a', { set: { [place]: text } });
  expect(outcome).toMatchObject({ change: 'updated', rollsOut: isLaunch });
  expect(world.runtime.wanted.get('a')?.sourceRevision).toBe(isLaunch ? 2 : 1);
});
