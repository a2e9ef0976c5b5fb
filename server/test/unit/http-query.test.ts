// Addresses, queries and durations of the EAS protocol.

import { PlatformError } from '@sluice/sdk/wire';
import { describe, expect, it } from 'vitest';
import { parseEasPath, parseRootPath, pathOf, queryOf } from '../../src/http/eas/address.ts';
import { formatGoDuration, parseGoDuration } from '../../src/http/eas/duration.ts';
import { waitOf } from '../../src/http/eas/get.ts';
import { operationOf } from '../../src/http/eas/handler.ts';
import {
  durationOf,
  filterId,
  flagOf,
  indexesOf,
  integerOf,
  parsePriority,
  parseQuery,
} from '../../src/http/eas/query.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PlatformError) return error.code;
    throw error;
  }
  return 'none';
}

describe('addresses', () => {
  it('names the input queue by the service alone, also with dots and a slash behind', () => {
    const input = { service: 'group.name', queue: 'input', path: undefined };
    expect(parseEasPath('/api/predict/group.name')).toEqual(input);
    expect(parseEasPath('/api/predict/group.name/')).toEqual(input);
    expect(parseEasPath('/api/predict/group%2Ename')).toEqual(input);
  });

  it('names the sink by /sink, and request paths by everything else', () => {
    const at = (path: string) => parseEasPath(`/api/predict/s${path}`);
    expect(at('/sink')).toEqual({ service: 's', queue: 'sink', path: undefined });
    expect(at('/sink/')).toEqual({ service: 's', queue: 'sink', path: undefined });
    expect(at('/sink/v1/x')).toEqual({ service: 's', queue: 'sink', path: '/v1/x' });
    expect(at('/sinks')).toEqual({ service: 's', queue: 'input', path: '/sinks' });
    expect(at('/v1/chat%20it')).toEqual({ service: 's', queue: 'input', path: '/v1/chat%20it' });
    expect(at('/v1/')).toEqual({ service: 's', queue: 'input', path: '/v1/' });
  });

  it('has the queues of a root address at / and /sink', () => {
    expect(parseRootPath('s', '/')).toEqual({ service: 's', queue: 'input', path: undefined });
    expect(parseRootPath('s', '/sink')).toEqual({ service: 's', queue: 'sink', path: undefined });
    expect(parseRootPath('s', '/a/b')).toEqual({ service: 's', queue: 'input', path: '/a/b' });
  });

  it.each(['/..', '/a/../b', '/%2e%2E/b', '/./a', '/a%2fb', '/a%5Cb', '/a\\b', '//host/x'])(
    'refuses the request path %s, which could mean another place',
    (path) => {
      expect(codeOf(() => parseEasPath(`/api/predict/s${path}`))).toBe('bad_request');
    },
  );

  it.each(['/%zz', '/%ff', '/é', '/a%00'])('refuses the malformed request path %s', (path) => {
    expect(codeOf(() => parseEasPath(`/api/predict/s${path}`))).toBe('bad_request');
  });

  it('finds no service in an empty name', () => {
    expect(codeOf(() => parseEasPath('/api/predict/'))).toBe('not_found');
  });

  it('takes path and query from origin form and from absolute form', () => {
    expect(pathOf('/a/b?c=d?e')).toBe('/a/b');
    expect(queryOf('/a/b?c=d?e')).toBe('c=d?e');
    expect(pathOf('http://host:1/a?b')).toBe('/a');
    expect(pathOf('http://host')).toBe('/');
    expect(queryOf('/a')).toBe('');
  });
});

describe('queries', () => {
  it('takes names between underscores as reserved and all others as tags', () => {
    const query = parseQuery('_index_=3&color=red&requestId=r1&_unknown_=x&_=7&a_=1&_b=2');
    expect([...query.tags]).toEqual([
      ['color', 'red'],
      ['a_', '1'],
      ['_b', '2'],
    ]);
    expect(query.id).toBe('r1');
    expect([...query.reserved.keys()]).toEqual(['_index_', '_unknown_', '_']);
  });

  it('reads form encoding: + is a space, the rest UTF-8 in percent', () => {
    const query = parseQuery('k=a+b%26c%3Dd%2F%C3%A9%E6%BC%A2%2B%25&leer+zeichen=');
    expect(query.tags.get('k')).toBe('a b&c=d/é漢+%');
    expect(query.tags.get('leer zeichen')).toBe('');
  });

  it('counts the first of a repeated name, and holds __proto__ for a name like any other', () => {
    const query = parseQuery('a=1&a=2&__proto__=x&constructor=y');
    expect(query.tags.get('a')).toBe('1');
    expect(query.reserved.get('__proto__')).toBe('x');
    expect(query.tags.get('constructor')).toBe('y');
  });

  it('refuses percent signs that encode nothing', () => {
    expect(codeOf(() => parseQuery('a=100%'))).toBe('bad_request');
    expect(codeOf(() => parseQuery('a=%ff'))).toBe('bad_request');
  });

  it('reads truth values', () => {
    const query = parseQuery('_a_=true&_b_=false&_c_=True&_d_=1&_e_&_f_=yes');
    const flags = ['_a_', '_b_', '_c_', '_d_', '_e_'].map((name) => flagOf(query, name, false));
    expect(flags).toEqual([true, false, true, true, true]);
    expect(flagOf(query, '_absent_', true)).toBe(true);
    expect(codeOf(() => flagOf(query, '_f_', false))).toBe('bad_request');
  });

  it('reads whole numbers, -1 also as Go may write it, and caps what no index reaches', () => {
    const query = parseQuery(
      '_a_=12&_b_=-1&_c_=18446744073709551615&_d_=99999999999999999999&_e_=1.5&_f_=-2&_g_=',
    );
    expect(integerOf(query, '_a_', 0)).toBe(12);
    expect(integerOf(query, '_b_', -1)).toBe(-1);
    expect(integerOf(query, '_c_', -1)).toBe(-1);
    expect(integerOf(query, '_d_', 0)).toBe(Number.MAX_SAFE_INTEGER);
    expect(integerOf(query, '_g_', 0)).toBeUndefined();
    expect(codeOf(() => integerOf(query, '_b_', 0))).toBe('bad_request');
    expect(codeOf(() => integerOf(query, '_e_', 0))).toBe('bad_request');
    expect(codeOf(() => integerOf(query, '_f_', -1))).toBe('bad_request');
  });

  it('reads lists of indexes, 0 and empty ones included', () => {
    const query = parseQuery('_a_=1,2,%203&_b_=0&_c_=&_d_=1;2');
    expect(indexesOf(query, '_a_')).toEqual([1, 2, 3]);
    expect(indexesOf(query, '_b_')).toEqual([0]);
    expect(indexesOf(query, '_c_')).toEqual([]);
    expect(indexesOf(query, '_absent_')).toBeUndefined();
    expect(codeOf(() => indexesOf(query, '_d_'))).toBe('bad_request');
  });

  it('reads priorities from 0 to 2^31 - 1', () => {
    expect(parsePriority('0')).toBe(0);
    expect(parsePriority('2147483647')).toBe(2147483647);
    for (const text of ['-1', '2147483648', '1.5', 'high']) {
      expect(codeOf(() => parsePriority(text))).toBe('bad_request');
    }
  });

  it('refuses an empty request id as a filter, because it would match everything', () => {
    expect(codeOf(() => filterId(parseQuery('requestId=')))).toBe('bad_request');
    expect(filterId(parseQuery(''))).toBeUndefined();
  });
});

describe('durations', () => {
  it.each([
    ['0s', 0],
    ['0', 0],
    ['5s', 5000],
    ['700ms', 700],
    ['1m0s', 60_000],
    ['1h0m0s', 3_600_000],
    ['1.5s', 1500],
    ['2h45m', 9_900_000],
    ['.5s', 500],
    ['3µs', 0.003],
    ['3μs', 0.003],
    ['3us', 0.003],
    ['1000000ns', 1],
    ['5', 5000],
    ['0.25', 250],
    ['-5s', -5000],
  ])('reads %s as Go does', (text, ms) => {
    expect(parseGoDuration(text)).toBeCloseTo(ms, 9);
  });

  it.each(['', 's', '5 s', '5x', '1m s', '5s!', '--5s', '1e3', 'soon', '.', '.s'])(
    'takes %j for no duration',
    (text) => {
      expect(parseGoDuration(text)).toBeUndefined();
    },
  );

  it('waits not at all for a negative duration and refuses what it cannot read', () => {
    expect(durationOf(parseQuery('_timeout_=-5s'), '_timeout_')).toBe(0);
    expect(durationOf(parseQuery(''), '_timeout_')).toBe(0);
    expect(codeOf(() => durationOf(parseQuery('_timeout_=soon'), '_timeout_'))).toBe('bad_request');
  });

  it.each([
    [0, '0s'],
    [850, '850ms'],
    [1000, '1s'],
    [62_500, '1m2.5s'],
    [3_600_000, '1h0m0s'],
    [3_723_004, '1h2m3.004s'],
  ])('writes %i ms as Go does', (ms, text) => {
    expect(formatGoDuration(ms)).toBe(text);
    expect(parseGoDuration(text)).toBe(ms);
  });

  it('answers a poll 250 ms early, or a tenth of a short one', () => {
    expect(waitOf(5000)).toBe(4750);
    expect(waitOf(1000)).toBe(900);
    expect(waitOf(0)).toBe(0);
  });
});

it('finds the operation by method and reserved parameters', () => {
  const of = (method: string, query: string) => operationOf(method, parseQuery(query));
  expect(of('POST', '')).toBe('put');
  expect(of('POST', 'tag=_eos_')).toBe('put');
  expect(of('POST', '_eos_=true')).toBe('end');
  expect(of('POST', '_eos_=false')).toBe('put');
  expect(of('GET', '')).toBe('get');
  expect(of('GET', '_index_=0&_timeout_=5s')).toBe('get');
  expect(of('GET', '_attrs_=true')).toBe('attributes');
  expect(of('GET', '_count_=true')).toBe('count');
  expect(of('GET', '_search_=true&_index_=4')).toBe('search');
  expect(of('GET', '_watch_=true')).toBe('watch');
  expect(of('PUT', '_indexes_=1')).toBe('commit');
  expect(of('PUT', '_indexes_=1&_delete_=true')).toBe('commit');
  expect(of('PUT', '_indexes_=1&_negative_=true')).toBe('negative');
  expect(of('DELETE', '_indexes_=1')).toBe('delete');
  expect(of('DELETE', '_index_=4&_trunc_=true')).toBe('truncate');
  expect(codeOf(() => of('PATCH', ''))).toBe('not_allowed');
});
