// Meters and the reader of metrics: what they remember, forget and pass over.

import { describe, expect, it } from 'vitest';
import { Durations, Rate } from '../../src/autoscaler/meters.ts';
import { sumsOf } from '../../src/autoscaler/metrics-text.ts';
import { nothingGathered, Observer } from '../../src/autoscaler/observer.ts';
import type { InstanceFacts } from '../../src/autoscaler/ports.ts';
import { StartUps } from '../../src/deployment/start-ups.ts';
import { policyOf } from './autoscaler-world.ts';

describe('the rate of puts', () => {
  it('is that of the last minute', () => {
    const rate = new Rate();
    for (let at = 0; at <= 300_000; at += 5000) rate.note(at, at < 200_000 ? 0 : at / 1000 - 200);
    expect(rate.perSecond(300_000, 100)).toBeCloseTo(1);
    expect(rate.perSecond(330_000, 100)).toBeLessThan(0.7);
  });

  it('is not taken from a single moment', () => {
    const rate = new Rate();
    rate.note(0, 0);
    expect(rate.perSecond(10, 30)).toBe(2);
  });

  it('begins anew with a counter that has', () => {
    const rate = new Rate();
    rate.note(0, 1000);
    rate.note(30_000, 5);
    expect(rate.perSecond(30_000, 5)).toBe(0);
    rate.note(50_000, 45);
    expect(rate.perSecond(50_000, 45)).toBeCloseTo(2);
  });
});

describe('the time that requests take', () => {
  it('is the mean of the latest, with how much they vary', () => {
    const durations = new Durations();
    for (let at = 0; at < 500; at += 1) durations.add(99_999);
    for (let at = 0; at < 200; at += 1) durations.add(at % 2 === 0 ? 1000 : 3000);
    const time = durations.serviceTime(0);
    expect(time?.meanMs).toBeCloseTo(2000);
    expect(time?.squaredVariation).toBeCloseTo(0.25);
  });

  it('is at least that of the longest under way while none has ended', () => {
    expect(new Durations().serviceTime(0)).toBeUndefined();
    expect(new Durations().serviceTime(7000)?.meanMs).toBe(7000);
  });
});

it('counts each start of an instance once, and only the latest', () => {
  const starts = new StartUps();
  expect(starts.meanMs).toBeUndefined();
  starts.note('a', 1000, 91_000);
  for (let at = 1; at <= 8; at += 1) {
    starts.note(`b-${at}`, 1000, 11_000);
    starts.note(`b-${at}`, 1000, 11_000);
  }
  expect(starts.meanMs).toBe(10_000);
});

describe('metrics in the form of Prometheus', () => {
  const text = [
    '# HELP queue_size how many wait',
    '# TYPE queue_size gauge',
    'queue_size{model="a b",path="} \\" {"} 3',
    'queue_size{model="c"} 4.5 1700000000000',
    'queue_size_max 100',
    'plain 1e3',
    'plain\t2',
    'nothing NaN',
    'broken{',
    'broken{a="1"}',
    'endless +Inf',
    '',
  ].join('\n');

  it('are summed over their labels', () => {
    const names = new Set(['queue_size', 'plain', 'nothing', 'broken', 'endless', 'absent']);
    expect([...sumsOf(text, names)]).toEqual([
      ['queue_size', 7.5],
      ['plain', 1002],
    ]);
  });

  it('may end lines as Windows does', () => {
    expect(sumsOf('a 1\r\na 2\r\n', new Set(['a'])).get('a')).toBe(3);
  });
});

it('how long an instance of an earlier server took to start is not counted', () => {
  const facts = { state: 'Running', reason: '', url: '', feed: undefined } as const;
  const queue = { waiting: 0, backingOff: 0, leased: 0, puts: 0 };
  const observer = new Observer();
  const look = (instances: readonly InstanceFacts[]) =>
    observer.look(
      {
        service: { name: 'a', count: 1, window: 1, policy: policyOf() },
        queue,
        instances,
        gathered: nothingGathered,
        other: () => undefined,
      },
      { wall: 9_000_000, mono: 1 },
    ).startUpMs;
  const old = { ...facts, name: 'old', startedAt: 1, readyAt: 8_000_000, isTakenOver: true };
  expect(look([old])).toBeUndefined();
  expect(look([old, { ...facts, name: 'own', startedAt: 5000, readyAt: 7000 }])).toBe(2000);
});
