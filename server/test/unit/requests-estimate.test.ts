// When a request may start: the arithmetic against what can be worked out exactly, and the reasons
// for saying nothing. How good the ranges are on whole loads: `requests-estimate-loads.test.ts`.

import { describe, expect, it, test } from 'vitest';
import { Arrivals, noOvertakers } from '../../src/requests/estimate/arrivals.ts';
import { Calls } from '../../src/requests/estimate/calls.ts';
import { Counts } from '../../src/requests/estimate/counts.ts';
import { estimateStart, forecastStart } from '../../src/requests/estimate/estimate.ts';
import { LifeTable } from '../../src/requests/estimate/life-table.ts';
import { Scores } from '../../src/requests/estimate/scores.ts';
import { ServiceTimes } from '../../src/requests/estimate/service-times.ts';
import type { ServerFacts } from '../../src/requests/wait-facts.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { type Differences, now, ready, waitFacts } from './requests-world.ts';

/** An even sample of random times with a mean of 1 s. */
const random = Array.from({ length: 384 }, (_, at) => -1000 * Math.log(1 - (at + 0.5) / 384));

function range(differences: Differences): readonly [number, number] {
  const estimate = estimateStart(waitFacts(differences));
  if (estimate.kind === 'none') throw new Error(estimate.reason);
  return [estimate.earliestMs, estimate.latestMs];
}

function none(differences: Differences): string {
  const estimate = estimateStart(waitFacts(differences));
  return estimate.kind === 'none' ? estimate.reason : '';
}

describe('the number that one slot works off', () => {
  it('is that of a Poisson process when service times are random', () => {
    const { counts } = new ServiceTimes(random);
    for (const ms of [500, 3000, 30_000]) {
      const sum = { first: 0, second: 0 };
      counts.add(sum, ms, 1);
      const mean = sum.first - 1;
      expect(Math.abs(mean - ms / 1000)).toBeLessThan(0.04 + ms / 500_000);
      expect((sum.second - sum.first ** 2) / mean).toBeCloseTo(1, 1);
    }
  });

  it('rises in steps when service times are always the same', () => {
    const counts = new Counts(new Float64Array(20).fill(1000), 1000, 0);
    for (const [ms, worked] of [
      [900, 0],
      [1100, 1],
      [4100, 4],
    ] as const) {
      const sum = { first: 0, second: 0 };
      counts.add(sum, ms, 1);
      expect(sum.first - 1).toBeCloseTo(worked, 5);
      expect(sum.second - sum.first ** 2).toBeCloseTo(0, 5);
    }
  });
});

describe('what is left of a call', () => {
  it('is that of those that took longer', () => {
    const times = new ServiceTimes([2000, 4000, 6000, 8000]);
    const [first, last] = times.left(5000, 2);
    expect(first?.lowMs).toBe(0);
    expect(first?.highMs).toBe(3000);
    expect(last?.highMs).toBeGreaterThan(3000);
  });

  it('does not depend on its age when service times are random', () => {
    const times = new ServiceTimes(random);
    const mean = (age: number) =>
      times.left(age, 24).reduce((sum, cell) => sum + (cell.lowMs + cell.highMs) / 48, 0);
    expect(mean(0)).toBeGreaterThan(900);
    expect(mean(0)).toBeLessThan(1200);
    expect(mean(2000)).toBeGreaterThan(850);
    expect(mean(2000)).toBeLessThan(1250);
  });

  it('is half a call on average when nothing is known of a call that always takes as long', () => {
    const cells = new ServiceTimes(Array(20).fill(1000)).leftOfAny(4);
    expect(cells.map(({ highMs }) => Math.round(highMs))).toEqual([250, 500, 750, 1000]);
  });
});

describe('the life table', () => {
  it('plays the example of the source', () => {
    const table = new LifeTable([
      { from: 0, to: 1000, ended: true },
      { from: 0, to: 2000, ended: false },
      { from: 0, to: 3000, ended: true },
    ]);
    expect(table.times(3)).toEqual([1000, 3000, 3000]);
  });

  it('is not misled by the short calls of a burst that end first', () => {
    const chance = new SeededRandom(1);
    const draws = Array.from({ length: 400 }, () => -1000 * Math.log(1 - chance.fraction()));
    // All began half a second ago: of the long ones nothing is known but that they are.
    const lives = draws.map((ms) => ({ from: 0, to: Math.min(ms, 500), ended: ms <= 500 }));
    const times = new LifeTable(lives).times(400);
    const middle = times[200] ?? 0;
    expect(times.filter((ms) => ms <= 500).length / 400).toBeCloseTo(0.39, 1);
    expect(middle).toBeGreaterThan(500);
  });
});

describe('the calls that were seen', () => {
  it('are forgotten at once when calls begin to take twice as long', () => {
    const calls = new Calls();
    for (let at = 1; at <= 300; at += 1) calls.ended(1000 + (at % 10), at * 1000);
    expect(calls.times([], 300_000).meanMs).toBeCloseTo(1005, -1);
    for (let at = 1; at <= 25; at += 1) calls.ended(2000 + (at % 10), 300_000 + at * 2000);
    expect(calls.times([], 350_000).meanMs).toBeGreaterThan(1900);
  });

  it('are kept when chance alone makes the latest differ', () => {
    const calls = new Calls();
    const chance = new SeededRandom(2);
    let at = 0;
    for (let call = 0; call < 300; call += 1) {
      const ms = -1000 * Math.log(1 - chance.fraction());
      at += ms;
      calls.ended(ms, at);
      if (call % 20 === 0) calls.times([], at);
    }
    expect(calls.times([], at).count).toBe(300);
  });

  it('are bounded', () => {
    const calls = new Calls();
    for (let at = 1; at <= 5000; at += 1) calls.ended(1000, at * 1000);
    expect(calls.times([], 5_000_000).count).toBeLessThanOrEqual(384);
  });
});

describe('the range of a request', () => {
  // Drift and the doubt of a sample lengthen every range by some percent.
  it('is that of the first of random service times, which is known exactly', () => {
    const serviceTimes = new ServiceTimes(random);
    const [earliest, latest] = range({ servers: [ready(1)], observed: { serviceTimes } });
    expect(earliest).toBeGreaterThan(30);
    expect(earliest).toBeLessThan(110);
    expect(latest).toBeGreaterThan(2200);
    expect(latest).toBeLessThan(2800);
  });

  it('is that of the sum of many, which is nearly normal', () => {
    const serviceTimes = new ServiceTimes(random);
    const [earliest, latest] = range({
      servers: [ready(4)],
      request: { ahead: 399 },
      observed: { serviceTimes },
    });
    // 400 of 1 s on 4 slots: 100 s, give or take 5 s of chance and 7 s of doubt.
    const middle = (earliest + latest) / 2000;
    expect(middle).toBeGreaterThan(96);
    expect(middle).toBeLessThan(104);
    expect(latest - earliest).toBeGreaterThan(2 * 1.28 * 5000);
    expect(latest - earliest).toBeLessThan(2 * 1.28 * 12_000);
  });

  it('is short when calls always take as long and their age is known', () => {
    const [earliest, latest] = range({ servers: [ready(1, [4000])] });
    expect(earliest).toBeLessThanOrEqual(6000);
    expect(earliest).toBeGreaterThan(5000);
    expect(latest).toBeGreaterThanOrEqual(6000);
    expect(latest).toBeLessThan(7000);
  });

  it('begins when instances that start are ready', () => {
    const starting: ServerFacts = { state: 'starting', window: 1, forMs: 4000 };
    const startUpsMs = Array(8).fill(10_000);
    const [earliest, latest] = range({ servers: [starting], observed: { startUpsMs } });
    expect(earliest).toBeLessThanOrEqual(6000);
    expect(earliest).toBeGreaterThan(3000);
    expect(latest).toBeGreaterThanOrEqual(6000);
    expect(latest).toBeLessThan(9000);
  });

  it('is earlier with instances that the autoscaler may start, but not for the next', () => {
    const observed = { startUpsMs: [10_000, 12_000], serviceTimes: new ServiceTimes(random) };
    const alone = range({ request: { ahead: 100 }, observed });
    const scaled = range({ request: { ahead: 100 }, observed, mayStart: 9 });
    expect(scaled[0]).toBeLessThan(alone[0] / 2);
    expect(range({ observed, mayStart: 9 })).toEqual(range({ observed }));
  });

  it('is now when a slot is free', () => {
    const servers: ServerFacts[] = [
      { state: 'ready', window: 3, busy: 1, runningMs: [], isChoosy: false },
    ];
    expect(range({ servers, request: { ahead: 1 } })).toEqual([0, 250]);
    expect(range({ servers, request: { ahead: 2 } })[0]).toBeGreaterThanOrEqual(0);
    expect(range({ servers, request: { ahead: 2 } })[1]).toBeGreaterThan(250);
  });

  it('does not begin before a delay or a back-off is over', () => {
    expect(range({ request: { delayUntil: now + 60_000 } })[0]).toBe(60_000);
    expect(range({ request: { backoffUntil: now + 60_000 } })[1]).toBeGreaterThan(60_000);
    const behind = range({ request: { ahead: 50 } });
    expect(range({ request: { ahead: 50, delayUntil: now + 1000 } })[0]).toBe(behind[0]);
  });

  it('is later, and longer, when requests of higher priority come', () => {
    const request = { ahead: 20 };
    const alone = range({ request });
    const overtakers = { ...noOvertakers, perSecond: 0.05, seen: 15 };
    const overtaken = range({ request, observed: { overtakers } });
    expect(overtaken[0]).toBeGreaterThan(1.3 * alone[0]);
    expect(overtaken[1] - overtaken[0]).toBeGreaterThan(2 * (alone[1] - alone[0]));
  });

  it('is as long as earlier ones would have had to be', () => {
    const request = { ahead: 20 };
    const middle = forecastStart(waitFacts({ request }));
    if (typeof middle === 'string') throw new Error(middle);
    const [earliest, latest] = range({
      request,
      observed: { record: { earlier: 2, later: 3, isUseless: false } },
    });
    expect(earliest).toBe(Math.floor(middle.middleMs - 2 * (middle.middleMs - middle.earliestMs)));
    expect(latest).toBe(Math.ceil(middle.middleMs + 3 * (middle.latestMs - middle.middleMs)));
  });
});

test.each<readonly [string, Differences]>([
  ['the service is being stopped', { queue: { paused: 'is being stopped' } }],
  ['it has to wait for an instance that holds nothing else', { request: { isSuspect: true } }],
  ['that depends on when results are fetched from the full sink', { queue: { sinkLength: 100 } }],
  [
    'that depends on when kept results expire and make room',
    { queue: { resultsFull: true }, request: { home: 'record' } },
  ],
  ['no instance works, and none is starting', { servers: [] }],
  [
    'no instance works, and none is starting',
    { servers: [{ state: 'refusing', window: 1, until: now + 1000 }] },
  ],
  [
    'it is not known yet how long an instance of this service takes to start',
    { servers: [{ state: 'starting', window: 1, forMs: 0 }] },
  ],
  [
    'only 7 calls have ended lately: too few to know how long they take',
    { observed: { serviceTimes: new ServiceTimes(Array(7).fill(1000)) } },
  ],
  [
    'some consumers take requests with certain tags only',
    { servers: [{ state: 'ready', window: 1, busy: 1, runningMs: [], isChoosy: true }] },
  ],
  [
    'many requests of higher priority are coming, and nobody knows how many more',
    { observed: { overtakers: { perSecond: 1, seen: 10, bunching: 4, isBurst: true } } },
  ],
  [
    'requests of higher priority come as fast as requests are worked off',
    { observed: { overtakers: { perSecond: 0.2, seen: 60, bunching: 1, isBurst: false } } },
  ],
  [
    'the estimates for this service were wrong too often lately',
    { observed: { record: { earlier: 4, later: 4, isUseless: true } } },
  ],
])('says nothing: %s', (reason, differences) => {
  expect(none(differences)).toBe(reason);
});

test('takes no longer for a request far behind', () => {
  const serviceTimes = new ServiceTimes(random);
  const servers = Array.from({ length: 8 }, (_, at) => ready(16, Array(16).fill(at * 100)));
  const cost = (ahead: number): number => {
    const facts = waitFacts({ servers, request: { ahead }, observed: { serviceTimes } });
    for (let round = 0; round < 300; round += 1) estimateStart(facts);
    let best = Number.POSITIVE_INFINITY;
    for (let batch = 0; batch < 10; batch += 1) {
      const { user } = process.cpuUsage();
      for (let round = 0; round < 200; round += 1) estimateStart(facts);
      best = Math.min(best, (process.cpuUsage().user - user) / 200);
    }
    return best;
  };
  // Measured: 10 us. A busy machine may take several times that.
  expect(cost(100_000)).toBeLessThan(100);
});

describe('the scores of earlier ranges', () => {
  const forecast = { earliestMs: 1000, middleMs: 2000, latestMs: 4000 };

  function played(starts: readonly number[]): Scores {
    const scores = new Scores();
    starts.forEach((ms, index) => {
      scores.follow(index, forecast, index * 10_000);
      scores.delivered(index, index * 10_000 + ms);
    });
    return scores;
  }

  it('change nothing while they are few or good', () => {
    const good = { earlier: 1, later: 1, isUseless: false };
    expect(played([9000, 9000, 9000]).record(0)).toEqual(good);
    expect(played(Array(20).fill(3000)).record(0)).toEqual(good);
  });

  it('lengthen the side that was too short', () => {
    // 3 s too late where the range leaves 2 s.
    const late = played([...Array(10).fill(2500), ...Array(10).fill(7000)]).record(0);
    expect(late.later).toBeCloseTo(2.5);
    expect(late.earlier).toBe(1);
    const early = played([...Array(10).fill(2500), ...Array(10).fill(500)]).record(0);
    expect(early.earlier).toBeCloseTo(1.5);
  });

  it('let nothing be said when no length would do, until new ones are better', () => {
    const bad = played(Array(12).fill(20_000));
    expect(bad.record(0).isUseless).toBe(true);
    for (let index = 100; index < 164; index += 1) {
      bad.follow(index, forecast, index * 10_000);
      bad.delivered(index, index * 10_000 + 2500);
    }
    expect(bad.record(0).isUseless).toBe(false);
  });

  it('count a request that is late already', () => {
    const scores = played(Array(9).fill(2500));
    scores.follow(50, forecast, 500_000);
    expect(scores.record(503_000).later).toBe(1);
    expect(scores.record(508_000).later).toBeCloseTo(3);
    scores.left(50);
    expect(scores.record(508_000).later).toBe(1);
  });

  it('follow few of those that come together', () => {
    const scores = new Scores();
    for (let index = 0; index < 100; index += 1) scores.follow(index, forecast, index);
    for (let index = 0; index < 100; index += 1) scores.delivered(index, 2500);
    // One: the next would be followed an eighth of a second later.
    expect(scores.hasRoom(124)).toBe(false);
    expect(scores.hasRoom(125)).toBe(true);
  });
});

describe('arrivals of higher priority', () => {
  it('are counted above each priority', () => {
    const arrivals = new Arrivals();
    for (let at = 0; at < 100; at += 1) arrivals.add(at % 4, at * 1000);
    expect(arrivals.above(3, 100_000)).toMatchObject({ perSecond: 0, seen: 0 });
    expect(arrivals.above(1, 100_000).perSecond).toBeCloseTo(0.5, 1);
    expect(arrivals.above(-1, 100_000)).toMatchObject({ seen: 100, isBurst: false });
  });

  it('are forgotten after five minutes', () => {
    const arrivals = new Arrivals();
    for (let at = 0; at < 100; at += 1) arrivals.add(1, at * 1000);
    arrivals.add(0, 500_000);
    expect(arrivals.above(0, 500_000).seen).toBe(0);
  });

  it('come in bunches, or in a burst just now', () => {
    const arrivals = new Arrivals();
    for (let at = 0; at < 200; at += 20) arrivals.add(0, at * 1000);
    for (let at = 0; at < 30; at += 1) arrivals.add(1, 200_000 + at * 100);
    const { bunching, isBurst } = arrivals.above(0, 203_000);
    expect(bunching).toBeGreaterThan(10);
    expect(isBurst).toBe(true);
    expect(arrivals.above(0, 230_000).isBurst).toBe(false);
  });

  it('of many priorities are kept in bounds', () => {
    const arrivals = new Arrivals();
    for (let at = 0; at < 1000; at += 1) arrivals.add(at, 1000);
    expect(arrivals.above(-1, 2000).seen).toBe(1000);
    expect(arrivals.above(15, 2000).seen).toBe(0);
  });
});
