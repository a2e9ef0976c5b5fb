// The scalers that are compared: ours, and the algorithm that Kubernetes documents for its
// horizontal pod autoscaler, with its defaults.

import { decide, firstMemory, type Memory } from '../../src/autoscaler/decide.ts';
import { nothingGathered, Observer } from '../../src/autoscaler/observer.ts';
import type { InstanceFacts } from '../../src/autoscaler/ports.ts';
import type { ScalingPolicy } from '../../src/deployment/scaling.ts';
import type { Model, SimInstance, SimScaler, SimView } from './world.ts';

/** A wall clock that begins somewhere: seconds of the simulation are added. */
const beganAt = 1_700_000_000_000;

export function ours(policy: ScalingPolicy, model: Model): SimScaler {
  const observer = new Observer();
  let memory: Memory = firstMemory(0);
  return {
    periodS: 5,
    wakes: true,
    served: (seconds) => observer.served(seconds * 1000),
    decide(view) {
      const now = { mono: view.atS * 1000, wall: beganAt + view.atS * 1000 };
      const leased = view.instances.reduce((sum, { running }) => sum + running.length, 0);
      const look = {
        service: { name: 's', policy, count: view.count, window: model.window },
        queue: { waiting: view.waiting, backingOff: 0, leased, puts: view.puts },
        instances: view.instances.map(factsOf),
        gathered: nothingGathered,
        other: () => undefined,
      };
      const decision = decide(policy, observer.look(look, now), memory, now);
      memory = decision.memory;
      return decision.count;
    },
  };
}

function factsOf({ name, startedAt, readyAt, isLeaving, running }: SimInstance): InstanceFacts {
  return {
    name,
    state: isLeaving ? 'Draining' : readyAt === undefined ? 'Starting' : 'Running',
    reason: '',
    url: '',
    startedAt: beganAt + startedAt * 1000,
    readyAt: readyAt === undefined ? 0 : beganAt + readyAt * 1000,
    feed: {
      running: running.map((begun) => ({ startedAt: beganAt + begun * 1000 })),
      abandoned: 0,
    },
  };
}

export interface HpaOptions {
  readonly min: number;
  readonly max: number;
  /** Waiting requests for each instance. */
  readonly threshold: number;
  readonly scaleDownWindowS?: number;
}

/**
 * Every 15 s ceil(total / threshold); nothing within 10 %; down only to the largest figure of the
 * last 300 s; up by 4 or by 100 % in 15 s, whichever is more. It cannot leave 0.
 */
export function hpa({ min, max, threshold, scaleDownWindowS = 300 }: HpaOptions): SimScaler {
  const lately: { readonly atS: number; readonly count: number }[] = [];
  return {
    periodS: 15,
    wakes: false,
    decide({ atS, count, waiting }: SimView) {
      const ratio = waiting / (threshold * Math.max(1, count));
      const near = Math.abs(ratio - 1) <= 0.1;
      const wanted = near ? count : Math.ceil(waiting / threshold);
      lately.push({ atS, count: Math.min(max, Math.max(min, wanted)) });
      while ((lately[0]?.atS ?? atS) < atS - scaleDownWindowS) lately.shift();
      const steady = Math.max(...lately.map((one) => one.count));
      if (steady < count) return steady;
      const highest = Math.max(count + 4, count * 2);
      return Math.max(count, Math.min(wanted, highest, max));
    },
  };
}
