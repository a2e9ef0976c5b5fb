// Dotted and nested spellings are equal everywhere, and no name is taken for another.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonc } from '../../src/config/jsonc.ts';
import { editDistance, nearest } from '../../src/services/near.ts';
import { checkService } from '../../src/services/parse.ts';
import { settle } from '../../src/services/spelling.ts';

describe('spelling', () => {
  it('reads dotted and nested names alike, however they are mixed', () => {
    fc.assert(
      fc.property(file, fc.infiniteStream(fc.boolean()), (nested, coins) => {
        const respelt = respell(nested, () => coins.next().value ?? false);
        expect(settle(respelt).problems).toEqual([]);
        expect(understood(respelt)).toEqual(understood(nested));
      }),
    );
  });

  it('merges what is said of one object in several spellings', () => {
    const mixed = settle({
      metadata: { 'rpc.worker_threads': 4, rpc: { keepalive: 5 } },
      'metadata.name': 'a',
      'metadata.rpc.worker_threads': 4,
    });
    expect(mixed.value).toEqual({
      metadata: { name: 'a', rpc: { worker_threads: 4, keepalive: 5 } },
    });
    expect(mixed.problems).toEqual([]);
  });

  it('refuses two values for one field', () => {
    const { problems } = settle({ 'queue.memory': 1, queue: { memory: 2 } });
    expect(problems.map(({ path }) => path)).toEqual(['queue.memory']);
    expect(settle({ queue: 3, 'queue.memory': 2 }).problems).toHaveLength(1);
  });

  it('takes names of labels as they are', () => {
    const file = parseJsonc('{"labels": {"a.b/c": "x", "__proto__": "y"}, "labels.d.e": "z"}');
    const labels = settle(file).value.labels;
    expect(Object.entries(labels ?? {})).toEqual([
      ['a.b/c', 'x'],
      ['__proto__', 'y'],
      ['d.e', 'z'],
    ]);
  });

  it('takes null for a field that is not given', () => {
    expect(settle({ token: null, queue: { memory: null } }).value).toEqual({ queue: {} });
  });

  it('names the field that was meant', () => {
    const suggestions = [
      [{ metadata: { worker_thread: 3 } }, 'metadata.rpc.worker_threads'],
      [{ metadata: { 'rpc.workerThreads': 3 } }, 'metadata.rpc.worker_threads'],
      [{ metdata: {} }, 'metadata'],
      [{ max_delivery: 3 }, 'queue.max_delivery'],
      [{ 'queue.max_dilevery': 3 }, 'queue.max_delivery'],
      [{ queue: { source: { max_payload_size: 3 } } }, 'queue.source.max_payload_size_kb'],
      [{ containers: [{ imgae: 'x' }] }, 'containers[0].image'],
      [{ endpoints: [] }, 'endpoint'],
      [{ metadata: { gpus: 1 } }, 'metadata.gpu'],
    ] as const;
    for (const [file, meant] of suggestions) {
      const messages = settle(file).problems.map(({ message }) => message);
      expect(messages).toEqual([`is unknown; did you mean ${meant}?`]);
    }
  });

  it('lists foreign names and takes them for nothing else', () => {
    const { unknown, problems } = settle({ metadata: { quota_id: 1 }, colour: 'red', 'x.y': 1 });
    expect(unknown).toEqual(['metadata.quota_id', 'colour', 'x.y']);
    expect(problems).toEqual([]);
  });

  it('lists known fields without effect once', () => {
    const { ignored } = settle({ cloud: { computing: {} }, 'cloud.networking.vpc_id': 'v' });
    expect(ignored).toEqual(['cloud']);
  });

  it('never throws and never lets a foreign name through', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(settle(value).value).not.toHaveProperty('__proto__.polluted');
        checkService(value, { strict: false, openAllowed: true });
      }),
    );
  });
});

describe('nearness', () => {
  it('counts changes and swaps', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('prot', 'port')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });

  it('leaves short names alone', () => {
    expect(nearest('cuda', ['cpu', 'gpu'])).toBeUndefined();
    expect(nearest('id', ['qos', 'cpu'])).toBeUndefined();
  });
});

const file = fc.record(
  {
    metadata: fc.record(
      {
        name: fc.constantFrom('a', 'b-2'),
        instance: fc.constant(0),
        rpc: fc.record({ worker_threads: fc.nat(9), keepalive: fc.nat(99) }, { requiredKeys: [] }),
        eas: fc.record({ termination_grace_period: fc.nat(99) }),
        cpu: fc.nat(4),
      },
      { requiredKeys: ['name'] },
    ),
    queue: fc.record(
      {
        memory: fc.integer({ min: 10, max: 9999 }),
        max_idle: fc.constantFrom('1m', '0', 0, '1h30m'),
        source: fc.record({ max_length: fc.integer({ min: 1, max: 9 }), dedup: fc.boolean() }),
        sink: fc.record({ memory_ratio: fc.constant(0.25), auto_evict: fc.boolean() }),
        record: fc.record({ retention: fc.constantFrom('1h', '2d') }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    ),
    request: fc.record({ path: fc.constantFrom('/', '/a/b') }),
    labels: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 3 }),
    token: fc.constantFrom('secret', 'other'),
  },
  { requiredKeys: ['metadata'] },
);

/** The same file with objects dissolved into dotted names wherever `isDotted` says so. */
function respell(value: object, isDotted: () => boolean): Record<string, unknown> {
  const entries = Object.entries(value).flatMap(([name, inner]) => {
    if (typeof inner !== 'object' || inner === null) return [[name, inner] as const];
    const respelt = name === 'labels' ? inner : respell(inner, isDotted);
    // An empty object can't be said with dots.
    if (Object.keys(respelt).length === 0 || !isDotted()) return [[name, respelt] as const];
    return Object.entries(respelt).map(([rest, leaf]) => [`${name}.${rest}`, leaf] as const);
  });
  return Object.fromEntries(entries);
}

function understood(input: unknown): unknown {
  const outcome = checkService(input, { strict: true, openAllowed: false });
  if (!outcome.ok) return new Set(outcome.problems.map(({ path }) => path));
  const { complete, spec } = outcome.service;
  return { complete, spec };
}
