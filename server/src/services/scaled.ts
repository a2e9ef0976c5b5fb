// The services that an autoscaler looks after, as it gets them.

import type { ScalingPolicy } from '../deployment/scaling.ts';
import { type Hosted, wantedCount } from './hosted.ts';

/** A service that an autoscaler looks after. */
export interface ScaledService {
  readonly name: string;
  readonly policy: ScalingPolicy;
  /** Instances that are wanted now. */
  readonly count: number;
  /** Requests that one instance works on at a time. */
  readonly window: number;
  /** What an instance is promised, in thousandths of a core; 0 = nothing is said. */
  readonly cpuMillis: number;
}

/** undefined: no autoscaler has a say, or the service is out of use. */
export function scaledService(hosted: Hosted): ScaledService | undefined {
  const { name, phase, parsed } = hosted;
  if (phase !== 'live' || parsed?.spec.scaling === undefined) return undefined;
  const { instances, scaling: policy } = parsed.spec;
  const { cpuMillis } = instances.resources;
  const count = wantedCount(hosted, parsed);
  return { name, policy, count, window: instances.window, cpuMillis };
}
