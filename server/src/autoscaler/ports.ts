// What the scaler needs of the other parts. The composition root connects them; the shapes are
// theirs, as far as the scaler looks.

import type { InstanceState } from '../deployment/instances.ts';
import type { ScalingPolicy } from '../deployment/scaling.ts';
import type { RecordEvent } from '../kernel/events.ts';

/** A service that is to be scaled. */
export interface ScaledService {
  readonly name: string;
  readonly policy: ScalingPolicy;
  /** Instances that are wanted now. */
  readonly count: number;
  /** Requests that one instance works on at a time. */
  readonly window: number;
}

/** The input queue of a service. */
export interface QueueFacts {
  readonly waiting: number;
  readonly backingOff: number;
  readonly leased: number;
  /** Messages accepted since the start of the process. */
  readonly puts: number;
}

/** One instance. */
export interface InstanceFacts {
  readonly name: string;
  readonly state: InstanceState;
  readonly reason: string;
  /** Where it is reached; empty while unknown. */
  readonly url: string;
  /** Wall clock; 0 = not yet. Of its newest run, also when that has ended. */
  readonly startedAt: number;
  readonly readyAt: number;
  /** An earlier server has started it. */
  readonly isTakenOver?: boolean;
  readonly feed:
    | {
        /** Requests that its model has; the start of each by the wall clock. */
        readonly running: readonly { readonly startedAt: number }[];
        /** Slots of abandoned calls that it may still work on. */
        readonly abandoned: number;
      }
    | undefined;
}

/** What an instance uses. */
export interface Usage {
  /** 1 = one core. */
  readonly cpuCores: number;
}

export interface ScalerPorts {
  /** Services with a policy that are neither stopped nor being deleted. */
  services(): readonly ScaledService[];
  /** undefined: it has no open queues. */
  queue(service: string): QueueFacts | undefined;
  instances(service: string): readonly InstanceFacts[];
  /** What each ready instance uses of the machine, by its name, as far as that is known. */
  usage(service: string): Promise<ReadonlyMap<string, Usage>>;
  /** How busy the accelerators of each instance are, 0 to 100, as far as that is known. */
  gpuPercent(service: string): Promise<ReadonlyMap<string, number>>;
  /** What an instance is promised, in thousandths of a core; 0 = nothing is said. */
  cpuMillis(service: string): number;
  /** Resolves when the new number is durable and instances follow. */
  scale(service: string, count: number, reason: string): Promise<void>;
  /** Calls `fire` once, when the next message comes into the input queue of the service; the answer
   * takes the wish back. undefined: it has no open queues. */
  whenInputComes(service: string, fire: () => void): (() => void) | undefined;
  readonly record: RecordEvent;
}
