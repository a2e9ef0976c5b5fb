// Facts of waiting for tests: a service at work as usual, and what differs from that.

import { noOvertakers } from '../../src/requests/estimate/arrivals.ts';
import { ServiceTimes } from '../../src/requests/estimate/service-times.ts';
import type {
  ObservedFacts,
  QueueFacts,
  RequestFacts,
  ServerFacts,
  WaitFacts,
} from '../../src/requests/wait-facts.ts';

export const now = Date.UTC(2026, 0, 1);

/** Every slot of it is taken. */
export function ready(window: number, runningMs: readonly number[] = []): ServerFacts {
  return { state: 'ready', window, busy: window, runningMs, isChoosy: false };
}

export interface Differences {
  readonly request?: Partial<RequestFacts>;
  readonly queue?: Partial<QueueFacts>;
  readonly observed?: Partial<ObservedFacts>;
  readonly servers?: readonly ServerFacts[];
  readonly mayStart?: number;
}

/** One instance of window 1 that is at work on a call of 10 s; a request is first in line. */
export function waitFacts(differences: Differences = {}): WaitFacts {
  return {
    now,
    request: {
      ahead: 0,
      backingOffBefore: 0,
      home: 'sink',
      priority: 0,
      delayUntil: 0,
      backoffUntil: 0,
      isSuspect: false,
      ...differences.request,
    },
    queue: {
      paused: '',
      sinkLength: 0,
      sinkReserved: 1,
      sinkCapacity: 100,
      sinkEvicts: false,
      resultsFull: false,
      ...differences.queue,
    },
    servers: differences.servers ?? [ready(1)],
    mayStart: differences.mayStart ?? 0,
    window: 1,
    observed: {
      serviceTimes: new ServiceTimes(Array(20).fill(10_000)),
      startUpsMs: [],
      overtakers: noOvertakers,
      record: { earlier: 1, later: 1, isUseless: false },
      ...differences.observed,
    },
  };
}
