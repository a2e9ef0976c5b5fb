// The `autoscaler` block in all its spellings.

import { describe, expect, it } from 'vitest';
import { base, mistakes, parsed } from './services-files.ts';

const policy = (autoscaler: object, instance?: number) =>
  parsed(base({ autoscaler }, instance)).spec.scaling;

const full = {
  min: 1,
  max: 5,
  strategies: [
    { metric: 'qps', label: 'qps', threshold: 10, service: undefined },
    { metric: 'backlog-average', label: 'queue[avgbacklog]', threshold: 20, service: undefined },
  ],
  scaleOutWindowMs: 5000,
  scaleInWindowMs: 60_000,
  zeroGraceMs: 30_000,
  activationCount: 2,
  cron: undefined,
};

const behavior = {
  scaleUp: { stabilizationWindowSeconds: 5 },
  scaleDown: { stabilizationWindowSeconds: 60 },
  onZero: { scaleDownGracePeriodSeconds: 30, scaleUpActivationReplicas: 2 },
};

describe('the autoscaler', () => {
  it('means the same in each of its forms', () => {
    const strategies = { qps: 10, 'queue[avgbacklog]': 20 };
    expect(policy({ min: 1, max: 5, strategies, behavior })).toEqual(full);
    const dotted = {
      min: 1,
      max: 5,
      'strategies.qps': 10,
      'strategies.queue[avgbacklog]': 20,
      'behavior.scaleUp.stabilizationWindowSeconds': 5,
      'behavior.scaleDown.stabilizationWindowSeconds': 60,
      'behavior.onZero.scaleDownGracePeriodSeconds': 30,
      'behavior.onZero': { scaleUpActivationReplicas: 2 },
    };
    expect(policy(dotted)).toEqual(full);
    const scaleStrategies = [
      { metricName: 'qps', threshold: 10 },
      { metricName: 'queue[avgbacklog]', threshold: 20 },
    ];
    expect(policy({ min: 1, max: 5, scaleStrategies, behavior })).toEqual(full);
  });

  it('has the windows of EAS when nothing is said', () => {
    expect(policy({ max: 3 })).toEqual({
      min: 0,
      max: 3,
      strategies: [],
      scaleOutWindowMs: 0,
      scaleInWindowMs: 300_000,
      zeroGraceMs: 600_000,
      activationCount: 1,
      cron: undefined,
    });
  });

  it('knows the metrics of EAS, its own, and those that instances show', () => {
    const strategies = {
      'queue[backlog]': 1,
      'queue[wait]': 2.5,
      qps1k: 1500,
      cpu: 60,
      'gpu[util]': 70,
      'metric[tokens_running]': 8,
    };
    const found = policy({ max: 3, strategies })?.strategies ?? [];
    expect(found.map(({ metric, threshold }) => [metric, threshold])).toEqual([
      ['backlog', 1],
      ['wait', 2.5],
      ['qps', 1.5],
      ['cpu', 60],
      ['gpu', 70],
      [{ name: 'tokens_running' }, 8],
    ]);
  });

  it('takes times of day, under the names of EAS too', () => {
    const cron = {
      jobs: [{ name: 'morning', schedule: '0 8 * * *', targetSize: 4 }],
      excludeDates: ['* * * 25 12 *'],
      timeZone: 'Asia/Shanghai',
    };
    const ours = { scaleJobs: cron.jobs, excludeDates: cron.excludeDates, timeZone: cron.timeZone };
    expect(policy({ max: 3, ...ours })?.cron).toEqual(cron);
    const theirs = {
      ScaleJobs: [{ Name: 'morning', Schedule: '0 8 * * *', TargetSize: 4 }],
      ExcludeDates: cron.excludeDates,
      TimeZone: cron.timeZone,
    };
    expect(policy({ max: 3, ...theirs })?.cron).toEqual(cron);
  });

  it.each([
    [{}, 'autoscaler.max: is required'],
    [{ min: 3, max: 2 }, 'autoscaler.max: has to be at least autoscaler.min'],
    [{ max: 3001 }, 'autoscaler.max: must be'],
    [{ max: 2, strategies: { 'gpu[utl]': 1 } }, 'is no metric; did you mean gpu[util]?'],
    [{ max: 2, strategies: { qsp: 1 } }, 'strategies.qsp: is no metric; there are'],
    [{ max: 2, strategies: { 'metric[a b]': 1 } }, 'is no metric; there are'],
    [{ max: 2, strategies: { qps: 0 } }, 'strategies.qps: must be a number above 0'],
    [{ max: 2, strategies: { qps: 'ten' } }, 'strategies.qps: must be a number above 0'],
    [
      { max: 2, strategies: { qps: 1 }, scaleStrategies: [{ metricName: 'qps', threshold: 2 }] },
      'qps is given twice',
    ],
    [{ max: 2, scaleStrategies: [{ metricName: 'qps' }] }, 'threshold: must be a number above 0'],
    [
      { max: 2, scaleStrategies: [{ metricName: 'qps', threshold: 1, service: 'a b' }] },
      'is no name of a service',
    ],
    [
      { max: 2, scaleStrategies: [{ metricName: 'queue[wait]', threshold: 1, service: 'b' }] },
      'autoscaler.scaleStrategies[0].service: queue[wait] is known of this service alone',
    ],
    [
      {
        max: 2,
        strategies: { qps: 1 },
        scaleStrategies: [{ metricName: 'qps', threshold: 2, service: 'a' }],
      },
      'qps is given twice',
    ],
    [
      { max: 2, behavior: { onZero: { scaleUpActivationReplicas: 3 } } },
      'more than autoscaler.max',
    ],
    [{ max: 2, behaviour: {} }, 'did you mean autoscaler.behavior?'],
    [{ max: 2, scaleJobs: [{ name: 'a', schedule: 'at noon', targetSize: 1 }] }, 'schedule: '],
    [{ max: 2, timeZone: 'Mars' }, 'autoscaler.timeZone: Mars is no time zone'],
    [{ max: 2, excludeDates: ['x'] }, 'autoscaler.excludeDates[0]: '],
  ])('is refused as %j', (autoscaler, text) => {
    expect(mistakes(base({ autoscaler })).join('\n')).toContain(text);
  });

  it('takes a strategy that names the service itself as one that names none', () => {
    const scaleStrategies = [
      { metricName: 'queue[wait]', threshold: 5, service: 'a' },
      { metricName: 'qps', threshold: 1, service: 'b' },
    ];
    expect(policy({ max: 3, scaleStrategies })?.strategies.map(({ service }) => service)).toEqual([
      undefined,
      'b',
    ]);
  });

  it('gives the number to begin with where none is declared', () => {
    const file = { metadata: { name: 'a', type: 'Async' }, containers: [{ command: 'x' }] };
    const scaled = parsed({ ...file, autoscaler: { min: 2, max: 4 } });
    expect(scaled.spec.instances.count).toBe(2);
    expect(scaled.warnings).toEqual([]);
    const { warnings } = parsed(base({ autoscaler: { min: 2, max: 4 } }, 9));
    expect(warnings.join()).toContain('it begins with 4');
  });

  it('counts the most that a time of day asks for against a fixed port', () => {
    const containers = [{ command: 'x', port: 8000 }];
    const scaleJobs = [{ name: 'a', schedule: '0 8 * * *', targetSize: 6 }];
    const file = base({ containers, autoscaler: { max: 1, scaleJobs } });
    expect(mistakes(file)[0]).toContain('but 6 are wanted');
  });

  it('has no effect where there is nothing to start, and says so', () => {
    for (const file of [{ endpoint: 'http://h:1' }, { containers: undefined }]) {
      const instance = 'endpoint' in file ? 1 : 0;
      const { spec, warnings } = parsed(base({ ...file, autoscaler: { max: 2 } }, instance));
      expect(spec.scaling).toBeUndefined();
      expect(warnings.join()).toContain('autoscaler: has no effect');
    }
  });
});
