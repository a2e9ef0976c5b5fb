// One service whose scaler is asked again and again in virtual time: what a test does not say is
// quiet and well.

import { type Decision, decide, firstMemory, type Memory } from '../../src/autoscaler/decide.ts';
import type { InstanceCounts, Observation } from '../../src/autoscaler/observation.ts';
import type { ScalingMetric, ScalingPolicy } from '../../src/deployment/scaling.ts';

const labels: Readonly<Record<string, string>> = {
  'backlog-average': 'queue[avgbacklog]',
  backlog: 'queue[backlog]',
  wait: 'queue[wait]',
  gpu: 'gpu[util]',
};

export function strategy(
  metric: ScalingMetric,
  threshold: number,
  service?: string,
): ScalingPolicy['strategies'][number] {
  const name = typeof metric === 'string' ? metric : `metric[${metric.name}]`;
  return { metric, label: labels[name] ?? name, threshold, service };
}

export function policyOf(more: Partial<ScalingPolicy> = {}): ScalingPolicy {
  return {
    min: 0,
    max: 10,
    strategies: [strategy('backlog-average', 10)],
    scaleOutWindowMs: 0,
    scaleInWindowMs: 300_000,
    zeroGraceMs: 600_000,
    activationCount: 1,
    cron: undefined,
    ...more,
  };
}

export type Seen = Partial<Omit<Observation, 'instances'>> & {
  readonly instances?: Partial<InstanceCounts>;
};

/** The instances are ready and the readings are those of the queue, unless it is said. */
export function observationOf(policy: ScalingPolicy, seen: Seen): Observation {
  const { count = 1, backlog = 0, leased = 0, putsPerSecond = 0, instances, ...rest } = seen;
  const queue = { backlog, putsPerSecond };
  return {
    count,
    window: 1,
    backlog,
    leased,
    puts: 0,
    putsPerSecond,
    serviceTime: undefined,
    startUpMs: undefined,
    readings: policy.strategies.map(({ metric }) => {
      switch (metric) {
        case 'backlog-average':
          return { kind: 'shared', total: queue.backlog };
        case 'qps':
          return { kind: 'shared', total: queue.putsPerSecond };
        case 'backlog':
          return { kind: 'whole', total: queue.backlog };
        case 'wait':
          return { kind: 'wait' };
        default:
          return { kind: 'unknown', why: 'nobody measures it' };
      }
    }),
    ...rest,
    instances: {
      ready: count,
      startingForMs: [],
      working: Math.min(count, leased),
      crashing: 0,
      pending: 0,
      trouble: '',
      ...instances,
    },
  };
}

/** A scaler with its memory. Its decisions are followed at once unless the next look says else. */
export class Scaler {
  readonly #policy: ScalingPolicy;
  #memory: Memory | undefined;
  #count: number;
  now = 0;
  wall: number = Date.parse('2026-03-04T10:00:00Z');

  constructor(policy: Partial<ScalingPolicy> = {}, count = 1) {
    this.#policy = policyOf(policy);
    this.#count = count;
  }

  get count(): number {
    return this.#count;
  }

  look(seen: Seen = {}): Decision {
    const observation = observationOf(this.#policy, { count: this.#count, ...seen });
    this.#memory ??= firstMemory(this.now);
    const time = { mono: this.now, wall: this.wall };
    const decision = decide(this.#policy, observation, this.#memory, time);
    this.#memory = decision.memory;
    this.#count = decision.count;
    return decision;
  }

  /** Looks every 5 s for so long; the last decision. */
  lookFor(seconds: number, seen: Seen = {}): Decision {
    let last = this.look(seen);
    for (let passed = 5; passed <= seconds; passed += 5) {
      this.pass(5);
      last = this.look(seen);
    }
    return last;
  }

  pass(seconds: number): void {
    this.now += seconds * 1000;
    this.wall += seconds * 1000;
  }
}
