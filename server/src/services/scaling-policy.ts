// The `autoscaler` block → the policy that the scaler acts on.

import type {
  CronScaling,
  ScalingMetric,
  ScalingPolicy,
  ScalingStrategy,
} from '../deployment/scaling.ts';
import { checkSchedule, checkTimeZone } from '../deployment/schedule.ts';
import type { AutoscalerFile } from './file.ts';
import { nameProblem } from './name.ts';
import { nearest } from './near.ts';
import type { Problem } from './spelling.ts';

/** Metrics by the names of EAS, and one of our own. */
const plainMetrics: Readonly<Record<string, ScalingMetric>> = {
  'queue[avgbacklog]': 'backlog-average',
  'queue[backlog]': 'backlog',
  'queue[wait]': 'wait',
  qps: 'qps',
  qps1k: 'qps',
  cpu: 'cpu',
  'gpu[util]': 'gpu',
  gpu: 'gpu',
};

const ownMetric = /^metric\[([A-Za-z_:][A-Za-z0-9_:]*)\]$/;

/** The policy of the block of the service `name`; mistakes go to `problems`. */
export function scalingPolicy(
  name: string,
  file: AutoscalerFile,
  problems: Problem[],
): ScalingPolicy {
  const { min, behavior } = file;
  const max = Math.max(file.max, min);
  if (file.max < min) {
    problems.push({ path: 'autoscaler.max', message: 'has to be at least autoscaler.min' });
  }
  const { scaleUpActivationReplicas: activationCount } = behavior.onZero;
  if (activationCount > max) {
    problems.push({
      path: 'autoscaler.behavior.onZero.scaleUpActivationReplicas',
      message: `is ${activationCount}, more than autoscaler.max`,
    });
  }
  return {
    min,
    max,
    strategies: strategiesOf(name, file, problems),
    scaleOutWindowMs: windowMs(behavior.scaleUp.stabilizationWindowSeconds),
    scaleInWindowMs: windowMs(behavior.scaleDown.stabilizationWindowSeconds),
    zeroGraceMs: windowMs(behavior.onZero.scaleDownGracePeriodSeconds),
    activationCount,
    cron: cronOf(file, problems),
  };
}

/** The most instances that the policy can ask for. */
export function mostWanted({ max, cron }: ScalingPolicy): number {
  return Math.max(max, ...(cron?.jobs ?? []).map(({ targetSize }) => targetSize));
}

const windowMs = (seconds: number): number => Math.round(seconds * 1000);

function strategiesOf(
  name: string,
  file: AutoscalerFile,
  problems: Problem[],
): readonly ScalingStrategy[] {
  const found: ScalingStrategy[] = [];
  const add = (path: string, label: string, threshold: number, whose: string): void => {
    const service = whose === name ? undefined : whose;
    const metric = metricOf(label);
    if (metric === undefined) {
      problems.push({ path, message: unknownMetric(label) });
      return;
    }
    if (found.some((other) => other.label === label && other.service === service)) {
      problems.push({ path, message: `${label} is given twice` });
    }
    const scale = label === 'qps1k' ? 1000 : 1;
    found.push({ metric, label, threshold: threshold / scale, service });
  };
  for (const [label, threshold] of Object.entries(file.strategies)) {
    add(`autoscaler.strategies.${label}`, label, threshold, name);
  }
  for (const [at, strategy] of file.scaleStrategies.entries()) {
    const { metricName, threshold, service = name } = strategy;
    const path = `autoscaler.scaleStrategies[${at}]`;
    if (strategy.service !== undefined && nameProblem(service) !== undefined) {
      problems.push({ path: `${path}.service`, message: 'is no name of a service' });
    }
    if (metricName === 'queue[wait]' && service !== name) {
      const message =
        'queue[wait] is known of this service alone; of others take queue[avgbacklog]';
      problems.push({ path: `${path}.service`, message });
    }
    add(`${path}.metricName`, metricName, threshold, service);
  }
  return found;
}

function metricOf(label: string): ScalingMetric | undefined {
  if (Object.hasOwn(plainMetrics, label)) return plainMetrics[label];
  const name = ownMetric.exec(label)?.[1];
  return name === undefined ? undefined : { name };
}

function unknownMetric(label: string): string {
  const meant = nearest(label, Object.keys(plainMetrics));
  if (meant !== undefined) return `is no metric; did you mean ${meant}?`;
  return `is no metric; there are ${Object.keys(plainMetrics).join(', ')} and metric[NAME]`;
}

function cronOf(file: AutoscalerFile, problems: Problem[]): CronScaling | undefined {
  const { scaleJobs: jobs, excludeDates, timeZone } = file;
  const tell = (path: string, problem: string | undefined): void => {
    if (problem !== undefined) problems.push({ path: `autoscaler.${path}`, message: problem });
  };
  tell('timeZone', checkTimeZone(timeZone));
  for (const [at, { name, schedule }] of jobs.entries()) {
    tell(`scaleJobs[${at}].schedule`, checkSchedule(schedule));
    const isTwin = jobs.findIndex((job) => job.name === name) < at;
    if (isTwin) tell(`scaleJobs[${at}].name`, `${name} is the name of another job`);
  }
  for (const [at, schedule] of excludeDates.entries()) {
    tell(`excludeDates[${at}]`, checkSchedule(schedule));
  }
  return jobs.length === 0 ? undefined : { jobs, excludeDates, timeZone };
}
