// Every limit that an operator may set: its bounds, the refusal of what is beyond them, and that a
// server keeps to what was set.

import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { limitDescriptions, limitMistakes, limitsOf } from '../../src/http/limit-table.ts';
import { defaultEdgeLimits } from '../../src/http/limits.ts';
import { defaultStreamLimits } from '../../src/http/stream/limits.ts';

function wanted(...limit: readonly string[]) {
  return loadConfig({ flags: { limit }, environment: { HOME: '/home/x' }, file: undefined }).limits;
}

describe.each(limitDescriptions)('$name', ({ name, fallback, least, most }) => {
  // Two of them have to keep a distance from another one.
  const apart: Readonly<Record<string, readonly string[]>> = {
    'http.headersMs': ['http.requestMs=86400000'],
    'http.requestMs': ['http.headersMs=100'],
    'http.pingMs': ['http.silenceMs=86400000'],
    'http.silenceMs': ['http.pingMs=100'],
  };
  const mistakes = (value: number) =>
    limitMistakes(wanted(...(apart[name] ?? []), `${name}=${value}`));

  it('has a default within its bounds', () => {
    expect(fallback).toBeGreaterThanOrEqual(least);
    expect(fallback).toBeLessThanOrEqual(most);
  });

  it('takes its bounds and what lies between, and nothing beyond', () => {
    for (const value of [least, least + 1, most - 1, most]) expect(mistakes(value)).toEqual([]);
    const beyond = [most + 1, ...(least > 0 ? [least - 1, 0] : [])];
    for (const value of beyond) {
      expect(mistakes(value)).toContain(`limit: ${name} is from ${least} to ${most}, not ${value}`);
    }
  });

  it('reaches the protocol that it limits', () => {
    const [group, key] = name.split('.') as ['http' | 'stream' | 'bodies' | 'models', string];
    const limits = limitsOf(wanted(`${name}=${least + 1}`));
    const own = { [key]: least + 1 };
    expect(limits).toEqual({
      edge: group === 'http' ? own : {},
      stream: group === 'stream' ? own : {},
      bodies: group === 'bodies' ? own : {},
      models: group === 'models' ? own : {},
    });
  });
});

it('leaves only limits without a setting that the protocol or the server itself fixes', () => {
  const settable = new Set(limitDescriptions.map(({ name }) => name));
  const all = [
    ...Object.keys(defaultEdgeLimits).map((key) => `http.${key}`),
    ...Object.keys(defaultStreamLimits).map((key) => `stream.${key}`),
  ];
  expect(all.filter((name) => !settable.has(name)).sort()).toEqual([
    'http.bindRetryMs',
    'http.stopMs',
    'http.streamMessageBytesMax',
    'stream.nameBytesMax',
    'stream.progressBytesMax',
  ]);
});

it('refuses names that are none, and pairs that contradict one another', () => {
  expect(limitMistakes(wanted('http.everything=1', 'queue.length=5'))).toEqual([
    'limit: there is no limit http.everything; docs/settings.md lists them',
    'limit: there is no limit queue.length; docs/settings.md lists them',
  ]);
  expect(limitMistakes(wanted('http.headersMs=2000', 'http.requestMs=1000'))).toEqual([
    'limit: http.headersMs is over http.requestMs',
  ]);
  expect(limitMistakes(wanted('http.pingMs=45000'))).toEqual([
    'limit: http.pingMs is not below http.silenceMs',
  ]);
});

it.each([
  'http.pollsMax',
  'http.pollsMax=',
  'http.pollsMax=-1',
  'http.pollsMax=1.5',
  'http.pollsMax=1e3',
  'http.pollsMax=NaN',
  'http.pollsMax=9999999999999999',
  'pollsMax=5',
  '__proto__.x=1',
  'http.pollsMax = 5',
])('refuses the text %s', (text) => {
  expect(() => wanted(text)).toThrow('is no NAME=NUMBER such as http.connectionsMax=50000');
});
