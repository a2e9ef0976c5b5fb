// Which instances start and which leave, for every kind of source.

import { describe, expect, it } from 'vitest';
import type { InstanceSource } from '../../src/deployment/instances.ts';
import type { DeployedService } from '../../src/deployment/service.ts';
import type { Copy } from '../../src/instances/copy.ts';
import { plan } from '../../src/instances/plan.ts';
import { deployed } from '../deployed.ts';

function wanted(source: InstanceSource, count: number, sourceRevision = 1): DeployedService {
  return deployed({ source, count }, { revision: sourceRevision, sourceRevision });
}

function process(port = 0): InstanceSource {
  return { kind: 'process', form: 'command', text: 'x', port, env: {}, workDir: undefined };
}

function copy(name: string, more: Partial<Copy> = {}): Copy {
  return { name, key: '1.1', url: undefined, isReady: true, isLeaving: false, held: 0, ...more };
}

describe('processes', () => {
  it('are started until there are as many as wanted', () => {
    expect(plan(wanted(process(), 3), [copy('a')]).start.length).toBe(2);
    expect(plan(wanted(process(), 1), [copy('a', { isLeaving: true })]).start.length).toBe(1);
    expect(plan(wanted(process(), 1), [copy('a')])).toMatchObject({ start: [], leave: [] });
  });

  it('that are least worth leave first: not ready, then idle, then young', () => {
    const copies = [
      ...[copy('busy', { held: 2 }), copy('old'), copy('young')],
      ...[copy('starting', { isReady: false }), copy('less-busy', { held: 1 })],
    ];
    const leaving = [4, 3, 2, 1, 0].map((count) => plan(wanted(process(), count), copies).leave);
    expect(leaving[4]).toEqual(['starting', 'young', 'old', 'less-busy', 'busy']);
    expect(leaving.map(({ length }) => length)).toEqual([1, 2, 3, 4, 5]);
  });

  it('of the old revision stay while the new ones do not get ready', () => {
    const copies = [copy('old-1'), copy('old-2'), copy('new', { key: '1.2', isReady: false })];
    expect(plan(wanted(process(), 2, 2), copies)).toMatchObject({ start: [], leave: [] });
  });

  it('all leave when none is wanted, old and new', () => {
    const copies = [copy('old'), copy('new', { key: '1.2' })];
    expect(plan(wanted(process(), 0, 2), copies).leave).toEqual(['new', 'old']);
  });
});

describe('a fixed port', () => {
  it('is held by one process, and the plan says so', () => {
    expect(plan(wanted(process(8000), 3), [])).toMatchObject({
      start: [undefined],
      limit: expect.stringContaining('port 8000'),
    });
    expect(plan(wanted(process(8000), 1), []).limit).toBeUndefined();
  });

  it('passes on only when the old process is gone', () => {
    const target = wanted(process(8000), 1, 2);
    expect(plan(target, [copy('old')])).toMatchObject({ start: [], leave: ['old'] });
    expect(plan(target, [copy('old', { isLeaving: true })])).toMatchObject({
      start: [],
      leave: [],
    });
    expect(plan(target, []).start).toEqual([undefined]);
  });
});

describe('what nothing here can run', () => {
  it('replaces nothing, so that what there is goes on', () => {
    const missing = { kind: 'pending', missing: 'no processors here' } as const;
    expect(plan(wanted(missing, 2, 2), [copy('a'), copy('b')])).toEqual({
      start: [],
      leave: [],
      limit: 'no processors here',
    });
    expect(plan(wanted(missing, 0, 2), [copy('a')]).leave).toEqual(['a']);
    expect(plan(wanted(missing, 1), [copy('another', { key: '7.1' })]).leave).toEqual(['another']);
  });
});

describe('endpoints', () => {
  const source = { kind: 'endpoint', urls: ['http://a', 'http://b', 'http://a'] } as const;

  it('take the place of processes when they are ready, one by one', () => {
    const old = [copy('a', { key: '1.0' }), copy('b', { key: '1.0', held: 1 })];
    const at = (url: string, isReady: boolean) => copy(url, { url: `http://${url}`, isReady });
    expect(plan(wanted(source, 2), old)).toMatchObject({
      start: ['http://a', 'http://b'],
      leave: [],
    });
    expect(plan(wanted(source, 2), [...old, at('a', false), at('b', false)]).leave).toEqual([]);
    expect(plan(wanted(source, 2), [...old, at('a', true), at('b', false)]).leave).toEqual(['a']);
    expect(plan(wanted(source, 2), [...old, at('a', true), at('b', true)]).leave).toEqual([
      'a',
      'b',
    ]);
  });

  it('have one instance each', () => {
    expect(plan(wanted(source, 3), []).start).toEqual(['http://a', 'http://b']);
    expect(plan(wanted(source, 1), []).start).toEqual(['http://a']);
    expect(plan(wanted(source, 0), [copy('1', { url: 'http://a' })])).toMatchObject({
      start: [],
      leave: ['1'],
    });
  });

  it('stay over an update and never get two windows', () => {
    const copies = [
      copy('1', { url: 'http://a' }),
      copy('2', { url: 'http://b', isLeaving: true }),
      copy('3', { url: 'http://c' }),
    ];
    expect(plan(wanted(source, 3, 2), copies)).toMatchObject({ start: [], leave: ['3'] });
  });
});

it('queues alone have no instances', () => {
  const without = plan(wanted({ kind: 'none' }, 0), [copy('a')]);
  expect(without).toEqual({ start: [], leave: ['a'], limit: undefined });
});
