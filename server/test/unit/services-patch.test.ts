// Changing some fields of a file, whatever its spelling.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceFileError } from '../../src/services/parse.ts';
import { changedFile, withBlock } from '../../src/services/patch.ts';
import { unfold } from '../../src/services/unfold.ts';
import { parsed } from './services-files.ts';

const file = {
  'metadata.name': 'a',
  metadata: { instance: 1, type: 'Async', 'rpc.worker_threads': 4, foreign: { 'x.y': 1 } },
  containers: [{ image: 'm:1', env: [{ name: 'A', value: '1' }] }],
  labels: { 'a.b': 'x' },
  'cloud.computing.instance_type': 'small',
};

function set(places: Readonly<Record<string, string>>, from: object = file): unknown {
  return changedFile({ ...from }, { set: places });
}

describe('unfolding', () => {
  it('keeps everything and means the same', () => {
    expect(unfold(file)).toEqual({
      metadata: {
        name: 'a',
        instance: 1,
        type: 'Async',
        rpc: { worker_threads: 4 },
        foreign: { 'x.y': 1 },
      },
      containers: [{ image: 'm:1', env: [{ name: 'A', value: '1' }] }],
      labels: { 'a.b': 'x' },
      cloud: { computing: { instance_type: 'small' } },
    });
    expect(parsed(unfold(file)).complete).toEqual(parsed(file).complete);
  });
});

describe('merging', () => {
  it('goes field by field, replaces lists, and removes what is null', () => {
    const merge = {
      metadata: { 'rpc.keepalive': 5, foreign: null },
      containers: [{ image: 'm:2' }],
      queue: { sink: { max_length: 3 } },
    };
    expect(changedFile(file, { merge })).toMatchObject({
      metadata: { name: 'a', instance: 1, rpc: { worker_threads: 4, keepalive: 5 } },
      containers: [{ image: 'm:2' }],
      labels: { 'a.b': 'x' },
      queue: { sink: { max_length: 3 } },
    });
    expect(changedFile(file, { merge }).metadata).not.toHaveProperty('foreign');
  });

  it('takes text, and refuses what is misspelt or contradicts itself', () => {
    expect(changedFile(file, { merge: '{"labels": {"c": "d"}, /* new */}' })).toMatchObject({
      labels: { 'a.b': 'x', c: 'd' },
    });
    for (const merge of [
      { queue: { max_dilevery: 1 } },
      { 'queue.memory': 1, queue: { memory: 2 } },
    ]) {
      expect(() => changedFile(file, { merge })).toThrow(ServiceFileError);
    }
    for (const merge of ['{', 7, [], null]) {
      expect(() => changedFile(file, { merge })).toThrow(ServiceFileError);
    }
  });
});

describe('setting places', () => {
  it.each([
    ['metadata.rpc.worker_threads', '9', { metadata: { rpc: { worker_threads: 9 } } }],
    ['queue.source.auto_evict', 'true', { queue: { source: { auto_evict: true } } }],
    ['queue.max_idle', '90s', { queue: { max_idle: '90s' } }],
    ['containers[0].image', 'm:2', { containers: [{ image: 'm:2', env: [{ name: 'A' }] }] }],
    ['containers.0.image', 'm:2', { containers: [{ image: 'm:2' }] }],
    ['containers[0].env[0].value', '2', { containers: [{ env: [{ name: 'A', value: 2 }] }] }],
    [
      'containers[0].env[1]',
      '{"name":"B","value":"x"}',
      { containers: [{ env: [{}, { name: 'B' }] }] },
    ],
    ['labels.a.b', '1', { labels: { 'a.b': '1' } }],
    ['labels.version', 'true', { labels: { version: 'true' } }],
    ['token', '12345', { token: '12345' }],
    [
      'autoscaler.strategies.queue[avgbacklog]',
      '10',
      { autoscaler: { strategies: { 'queue[avgbacklog]': 10 } } },
    ],
    ['endpoint', '["http://a","http://b"]', { endpoint: ['http://a', 'http://b'] }],
    ['endpoint[0]', 'http://a', { endpoint: ['http://a'] }],
    [
      'metadata.eas.termination_grace_period',
      '5',
      { metadata: { eas: { termination_grace_period: 5 } } },
    ],
    [
      'cloud.computing.instance_type',
      'large',
      { cloud: { computing: { instance_type: 'large' } } },
    ],
    ['foreign.thing', '[1]', { foreign: { thing: [1] } }],
  ])('%s=%s', (place, text, expected) => {
    expect(set({ [place]: text })).toMatchObject(expected);
  });

  it('removes with null, items of lists too', () => {
    expect(set({ 'labels.a.b': 'null' })).toMatchObject({ labels: {} });
    expect(set({ 'containers[0].env[0]': 'null' })).toMatchObject({ containers: [{ env: [] }] });
    expect(set({ containers: 'null' })).not.toHaveProperty('containers');
  });

  it('refuses items beyond the end, and no place at all', () => {
    for (const place of ['containers[2].image', '', '.a', 'a..b', 'queue.']) {
      expect(() => set({ [place]: '1' })).toThrow(ServiceFileError);
    }
  });

  it('never throws anything else, whatever the places and texts', () => {
    const place = fc.string({
      unit: fc.constantFrom('a', '.', '[', ']', '0', 'metadata', 'labels'),
    });
    fc.assert(
      fc.property(fc.dictionary(place, fc.string()), (places) => {
        try {
          set(places);
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceFileError);
        }
      }),
    );
  });
});

describe('a block', () => {
  it('is replaced whole, with texts read as values', () => {
    const block = { min: '1', max: '3', 'strategies.qps': '10', timeZone: 'UTC' };
    const changed = withBlock({ ...file, autoscaler: { min: 0, max: 9 } }, 'autoscaler', block);
    expect(changed.autoscaler).toEqual({
      min: 1,
      max: 3,
      strategies: { qps: 10 },
      timeZone: 'UTC',
    });
    expect(withBlock(changed, 'autoscaler', undefined)).not.toHaveProperty('autoscaler');
  });
});
