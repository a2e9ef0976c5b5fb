// The rules of scaling, each played in virtual time: formula, windows, zero, trouble, cron, wait.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, firstMemory } from '../../src/autoscaler/decide.ts';
import type { Reading } from '../../src/autoscaler/observation.ts';
import { observationOf, policyOf, Scaler, strategy } from './autoscaler-world.ts';

describe('the formula', () => {
  test('2 instances with 23 waiting each and a threshold of 10 become 5', () => {
    const { count, reason } = new Scaler({}, 2).look({ backlog: 46 });
    expect(count).toBe(5);
    expect(reason).toBe('queue[avgbacklog] is 23, above 10: that takes 5');
  });

  test.each([
    [33, 3],
    [34, 4],
    [30, 3],
    [60, 6],
  ])('3 instances, threshold 10, %d waiting: %d', (backlog, expected) => {
    expect(new Scaler({}, 3).look({ backlog }).count).toBe(expected);
  });

  test('the strategy that wants most wins', () => {
    const strategies = [strategy('backlog-average', 10), strategy('qps', 5)];
    const { count, reason } = new Scaler({ strategies }, 2).look({
      backlog: 40,
      putsPerSecond: 40,
    });
    expect(count).toBe(8);
    expect(reason).toContain('qps is 20');
  });

  test('max bounds what is wanted, and says so', () => {
    const scaler = new Scaler({ max: 4 }, 2);
    expect(scaler.look({ backlog: 100 }).count).toBe(4);
    const { count, held } = scaler.look({ backlog: 100 });
    expect({ count, by: held?.by, wanted: held?.count }).toEqual({
      count: 4,
      by: 'max',
      wanted: 10,
    });
    expect(held?.text).toContain('max is 4');
  });

  test('bounds that were changed hold at once', () => {
    expect(new Scaler({ min: 3 }, 1).look().count).toBe(3);
    expect(new Scaler({ max: 3 }, 8).look({ leased: 8 }).count).toBe(3);
  });

  test('a backlog of the whole service multiplies the instances that are ready', () => {
    const scaler = new Scaler({ strategies: [strategy('backlog', 20)] }, 2);
    expect(scaler.look({ backlog: 60 }).count).toBe(6);
    const starting = { ready: 2, startingForMs: [0, 0, 0, 0] };
    expect(scaler.look({ backlog: 60, instances: starting }).count).toBe(6);
    expect(
      scaler.look({ backlog: 60, instances: { ready: 3, startingForMs: [0, 0, 0] } }).count,
    ).toBe(9);
  });

  test('without a strategy the number stays', () => {
    expect(new Scaler({ strategies: [], min: 1 }, 4).lookFor(900, { backlog: 500 }).count).toBe(4);
  });
});

describe('figures of instances', () => {
  const each = (sum: number, known: number, missing = 0): { readonly readings: Reading[] } => ({
    readings: [{ kind: 'each', sum, known, missing, why: 'no answer' }],
  });
  const strategies = [strategy('cpu', 60)];

  test('their average decides', () => {
    expect(new Scaler({ strategies }, 2).look(each(180, 2)).count).toBe(3);
    expect(new Scaler({ strategies }, 2).look(each(128, 2)).count).toBe(2);
  });

  test('those that start count as idle, so that a start is not answered by another', () => {
    const scaler = new Scaler({ strategies }, 3);
    expect(
      scaler.look({ ...each(180, 2), instances: { ready: 2, startingForMs: [0] } }).count,
    ).toBe(3);
  });

  test('one that is missing keeps those that there are, and says so', () => {
    const scaler = new Scaler({ strategies }, 4);
    const { count, held } = scaler.lookFor(600, each(9, 3, 1));
    expect({ count, by: held?.by }).toEqual({ count: 4, by: 'unknown' });
    expect(held?.text).toContain('cpu is not known of 1 of 4 instances (no answer)');
  });

  test('none at all keeps those that there are', () => {
    const scaler = new Scaler({ strategies }, 4);
    const { count, held } = scaler.lookFor(600, each(0, 0, 4));
    expect({ count, by: held?.by }).toEqual({ count: 4, by: undefined });
    const both = new Scaler({ strategies: [...strategies, strategy('qps', 5)] }, 4);
    const readings: Reading[] = [
      { kind: 'unknown', why: 'no answer' },
      { kind: 'shared', total: 100 },
    ];
    expect(both.look({ readings }).count).toBe(10);
  });
});

describe('the scale-out window', () => {
  test('lets more be started only when they were wanted for the whole of it', () => {
    const scaler = new Scaler({ scaleOutWindowMs: 30_000 }, 1);
    expect(scaler.lookFor(25, { backlog: 50 }).held?.by).toBe('out-window');
    scaler.pass(5);
    expect(scaler.look({ backlog: 50 }).count).toBe(5);
  });

  test('begins anew when the metric falls back within it', () => {
    const scaler = new Scaler({ scaleOutWindowMs: 30_000 }, 1);
    scaler.lookFor(20, { backlog: 50 });
    scaler.pass(5);
    scaler.look({ backlog: 10 });
    expect(scaler.lookFor(25, { backlog: 50 }).count).toBe(1);
    scaler.pass(10);
    expect(scaler.look({ backlog: 50 }).count).toBe(5);
  });

  test('starts as many as were wanted all the time, not the most', () => {
    const scaler = new Scaler({ scaleOutWindowMs: 10_000 }, 1);
    scaler.lookFor(10, { backlog: 30 });
    expect(scaler.count).toBe(3);
  });
});

describe('the scale-in window', () => {
  test('takes instances away only when fewer were wanted for the whole of it', () => {
    const scaler = new Scaler({ min: 1 }, 5);
    const { count, held } = scaler.lookFor(295, { backlog: 10 });
    expect({ count, by: held?.by, wanted: held?.count }).toEqual({
      count: 5,
      by: 'in-window',
      wanted: 1,
    });
    scaler.pass(10);
    expect(scaler.look({ backlog: 10 }).count).toBe(1);
  });

  test('goes down to the most that were wanted in it', () => {
    const scaler = new Scaler({ min: 1 }, 8);
    scaler.lookFor(100, { backlog: 80 });
    scaler.pass(5);
    scaler.lookFor(100, { backlog: 40 });
    scaler.pass(5);
    expect(scaler.lookFor(210, { backlog: 5 }).count).toBe(4);
  });

  test('holds for all instances that have requests', () => {
    const scaler = new Scaler({ min: 1 }, 5);
    expect(scaler.lookFor(310, { leased: 3 }).count).toBe(3);
    const { count, held } = scaler.lookFor(900, { leased: 3 });
    expect({ count, by: held?.by }).toEqual({ count: 3, by: 'working' });
    expect(held?.text).toContain('3 of 3 hold requests');
  });

  test('lets work that is spread thinly be finished by fewer, one at a time', () => {
    const scaler = new Scaler({ min: 1 }, 4);
    const spread = { window: 8, leased: 4 };
    expect(scaler.lookFor(310, spread).held?.by).toBe('working');
    expect(scaler.lookFor(280, spread).count).toBe(4);
    scaler.pass(15);
    expect(scaler.look(spread).count).toBe(3);
    expect(scaler.lookFor(200, spread).count).toBe(3);
    expect(scaler.lookFor(1300, spread).count).toBe(1);
  });
});

describe('to zero and back', () => {
  test('goes to 0 only after the grace, whatever the window is', () => {
    const scaler = new Scaler({ scaleInWindowMs: 10_000, zeroGraceMs: 60_000 }, 3);
    expect(scaler.lookFor(55).count).toBe(1);
    expect(scaler.look().held).toMatchObject({ by: 'grace', count: 0 });
    scaler.pass(5);
    const { count, reason } = scaler.look();
    expect({ count, reason }).toEqual({
      count: 0,
      reason: 'nothing has come, waited or run for 60 s',
    });
    const long = new Scaler({ scaleInWindowMs: 3_600_000, zeroGraceMs: 60_000 }, 3);
    expect(long.lookFor(60).count).toBe(0);
  });

  test.each([
    ['a request that waits', { backlog: 1 }],
    ['a request that is worked on', { leased: 1 }],
    ['a put, even if it has been served already', { puts: 1 }],
  ])('the grace begins anew with %s', (_, seen) => {
    const scaler = new Scaler({ zeroGraceMs: 60_000 }, 1);
    scaler.lookFor(50);
    scaler.look(seen);
    const { puts = 0 } = { puts: 0, ...seen };
    expect(scaler.lookFor(55, { puts }).count).toBe(1);
    scaler.pass(5);
    expect(scaler.look({ puts }).count).toBe(0);
  });

  test('never goes below min', () => {
    expect(new Scaler({ min: 1 }, 1).lookFor(7200).count).toBe(1);
  });

  test('any backlog starts instances at once, whatever the window is', () => {
    const scaler = new Scaler({ scaleOutWindowMs: 600_000, activationCount: 2 }, 0);
    const { count, reason } = scaler.look({ backlog: 1 });
    expect({ count, reason }).toEqual({
      count: 2,
      reason: 'a request waits and there are no instances',
    });
    expect(new Scaler({}, 0).look({ backlog: 65 }).count).toBe(7);
  });

  test('stays at 0 while nothing waits', () => {
    expect(new Scaler({}, 0).lookFor(600, { putsPerSecond: 3 }).count).toBe(0);
  });

  test('comes from 0 when another service calls', () => {
    const strategies = [strategy('backlog-average', 10, 'upstream')];
    const readings: Reading[] = [{ kind: 'shared', total: 25 }];
    expect(new Scaler({ strategies }, 0).look({ readings }).count).toBe(3);
  });

  test('a figure of an instance that wants more keeps an idle service from 0', () => {
    const strategies = [strategy('cpu', 50)];
    const busy: Reading[] = [{ kind: 'each', sum: 90, known: 1, missing: 0, why: '' }];
    const scaler = new Scaler({ strategies, max: 1, zeroGraceMs: 10_000 }, 1);
    expect(scaler.lookFor(60, { readings: busy }).count).toBe(1);
    const idle: Reading[] = [{ kind: 'each', sum: 1, known: 1, missing: 0, why: '' }];
    expect(scaler.lookFor(60, { readings: idle }).count).toBe(0);
  });
});

describe('trouble', () => {
  test('none is added while new ones crash, and it is said why', () => {
    const instances = { ready: 1, crashing: 2, trouble: 'ended with code 3' };
    const { count, held } = new Scaler({}, 3).look({ backlog: 90, instances });
    expect({ count, by: held?.by, wanted: held?.count }).toEqual({
      count: 3,
      by: 'crashing',
      wanted: 9,
    });
    expect(held?.text).toContain('2 of 3 crash before they are ready: ended with code 3');
  });

  test('none is added while others wait for room, and it is said what is missing', () => {
    const instances = { ready: 2, pending: 1, trouble: '2 of 4 GB are free' };
    const { count, held } = new Scaler({}, 3).look({ backlog: 90, instances });
    expect({ count, by: held?.by }).toEqual({ count: 3, by: 'pending' });
    expect(held?.text).toContain('2 of 4 GB are free');
  });
});

describe('cron jobs', () => {
  const cron = {
    jobs: [
      { name: 'day', schedule: '0 8 * * *', targetSize: 4 },
      { name: 'night', schedule: '0 20 * * *', targetSize: 0 },
    ],
    excludeDates: ['* * * * * 0'],
    timeZone: 'UTC',
  };

  test('the job whose time came last takes the place of min', () => {
    const scaler = new Scaler({ min: 1, cron }, 1);
    const { count, reason } = scaler.look();
    expect({ count, reason }).toEqual({
      count: 4,
      reason: 'the cron job day (0 8 * * *) wants 4',
    });
    expect(scaler.look({ backlog: 90 }).count).toBe(9);
    scaler.wall = Date.parse('2026-03-04T20:00:00Z');
    expect(scaler.lookFor(900).count).toBe(0);
  });

  test('without strategies the job decides alone', () => {
    const scaler = new Scaler({ strategies: [], cron }, 7);
    expect(scaler.look({ backlog: 900 }).count).toBe(4);
    scaler.wall = Date.parse('2026-03-04T20:00:00Z');
    expect(scaler.look().count).toBe(0);
  });

  test('a target above max lifts it', () => {
    const scaler = new Scaler({ max: 2, cron }, 1);
    expect(scaler.look({ backlog: 900 }).count).toBe(4);
  });

  test('nothing takes place on a day that is excluded', () => {
    const scaler = new Scaler({ min: 1, cron }, 1);
    // A Sunday morning: the night of Saturday goes on.
    scaler.wall = Date.parse('2026-03-08T10:00:00Z');
    expect(scaler.look().count).toBe(1);
  });
});

describe('the wait', () => {
  const strategies = [strategy('wait', 10)];
  const serviceTime = { meanMs: 5000, squaredVariation: 0 };

  test('is worked out from the service time, and starts what keeps it below the target', () => {
    const { count, wishes } = new Scaler({ strategies, max: 50 }, 2).look({
      backlog: 20,
      leased: 2,
      serviceTime,
      startUpMs: 2000,
    });
    expect(wishes[0]?.value).toBeCloseTo(52.5);
    // Each of the new ones takes one after 2 s and 1.6 more in the 8 s that are left.
    expect(count).toBe(9);
    expect(wishes[0]?.text).toContain('queue[wait] is 52.5 s, wanted are at most 10 s');
  });

  test('instances that were decided on and cannot be seen yet count as starting', () => {
    const scaler = new Scaler({ strategies, max: 50 }, 2);
    const seen = { backlog: 20, leased: 2, serviceTime, startUpMs: 2000 };
    const { count } = scaler.look(seen);
    expect(scaler.look({ ...seen, instances: { ready: 2 } }).count).toBe(count);
  });

  test('a steady load keeps its instances while nothing waits', () => {
    const scaler = new Scaler({ strategies }, 4);
    const seen = { putsPerSecond: 0.5, leased: 3, serviceTime, startUpMs: 20_000 };
    expect(scaler.lookFor(900, seen).count).toBe(4);
  });

  test('says nothing before a request has been worked on', () => {
    const { count, held } = new Scaler({ strategies }, 1).look({ backlog: 5, leased: 1 });
    expect({ count, held }).toEqual({ count: 1, held: undefined });
  });
});

test('the count stays in its bounds and never falls below the work, whatever is seen', () => {
  const seen = fc.record({
    backlog: fc.integer({ min: 0, max: 500 }),
    leased: fc.integer({ min: 0, max: 10 }),
    puts: fc.integer({ min: 0, max: 3 }),
    putsPerSecond: fc.double({ min: 0, max: 50, noNaN: true }),
    crashing: fc.integer({ min: 0, max: 1 }),
    pass: fc.integer({ min: 1, max: 400 }),
  });
  const metrics = fc.constantFrom('backlog-average', 'backlog', 'qps', 'wait');
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 60 }), metrics, (looks, metric) => {
      const policy = policyOf({ strategies: [strategy(metric, 7)], scaleInWindowMs: 60_000 });
      let memory = firstMemory(0);
      let count = 0;
      let mono = 0;
      for (const { pass, crashing, ...rest } of looks) {
        mono += pass * 1000;
        const leased = Math.min(rest.leased, count);
        const observation = observationOf(policy, {
          ...rest,
          leased,
          count,
          serviceTime: { meanMs: 3000, squaredVariation: 1 },
          instances: { crashing: Math.min(crashing, count) },
        });
        const decision = decide(policy, observation, memory, { mono, wall: mono });
        expect(decision.count).toBeGreaterThanOrEqual(Math.max(policy.min, leased));
        expect(decision.count).toBeLessThanOrEqual(policy.max);
        if (decision.count !== count) expect(decision.reason).not.toBe('');
        if (rest.backlog > 0) expect(decision.count).toBeGreaterThan(0);
        if (crashing > 0 && count > 0) expect(decision.count).toBeLessThanOrEqual(count);
        ({ count, memory } = decision);
      }
    }),
  );
});
