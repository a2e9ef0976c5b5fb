// Every load with every scaler: the rows of the table in docs/autoscaling.md.

import type { ScalingMetric, ScalingPolicy } from '../../src/deployment/scaling.ts';
import type { Load } from './loads.ts';
import { hpa, ours } from './scalers.ts';
import { type Model, type Outcome, World } from './world.ts';

export const model: Model = { serviceS: 3, startUpS: 30, window: 1 };

/** No request should wait longer. */
export const targetS = 10;

export const max = 50;

/** So many waiting requests an instance works off within the target. */
export const backlogThreshold: number = (targetS * model.window) / model.serviceS;

export interface Contender {
  readonly name: string;
  readonly run: (load: Load) => Outcome;
}

export function policyOf(
  metric: ScalingMetric,
  threshold: number,
  more: Partial<ScalingPolicy> = {},
): ScalingPolicy {
  return {
    min: 1,
    max,
    strategies: [{ metric, label: String(metric), threshold, service: undefined }],
    scaleOutWindowMs: 0,
    scaleInWindowMs: 300_000,
    zeroGraceMs: 600_000,
    activationCount: 1,
    cron: undefined,
    ...more,
  };
}

/** How far apart they are is the question, so all have the same bounds, target and windows. */
export const contenders: readonly Contender[] = [
  {
    name: 'HPA formula, waiting requests',
    run: (load) =>
      new World(load, model, hpa({ min: 1, max, threshold: backlogThreshold }), 1).run(targetS),
  },
  contender('Sluice, queue[avgbacklog]', policyOf('backlog-average', backlogThreshold)),
  contender('Sluice, queue[wait]', policyOf('wait', targetS)),
  contender('Sluice, queue[wait], min 0', policyOf('wait', targetS, { min: 0 })),
];

function contender(name: string, policy: ScalingPolicy): Contender {
  return {
    name,
    run: (load) => new World(load, model, ours(policy, model), policy.min).run(targetS),
  };
}

/** What became of one load: the formula, and ours by metric. */
export interface Pair {
  readonly formula: Outcome;
  readonly average: Outcome;
  readonly wait: Outcome;
  /** As `wait`, with a least number of 0. */
  readonly zero: Outcome;
}

export function outcomes(load: Load): Pair {
  const [formula, average, wait, zero] = contenders.map(({ run }) => run(load));
  if (!formula || !average || !wait || !zero) throw new Error('four contenders are compared');
  return { formula, average, wait, zero };
}
