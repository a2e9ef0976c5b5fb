// The facts that say why a request waits and when it may start: plain data about one request, its
// service's queues, what serves them, and what was observed of that. Gathered in `facts.ts`.

import type { Home } from '../queue/message.ts';
import type { Overtakers } from './estimate/arrivals.ts';
import type { ServiceTimes } from './estimate/service-times.ts';

/** One request that waits. */
export interface RequestFacts {
  /** Messages that are handed out before it, as far as is known now. */
  readonly ahead: number;
  /** Messages before it in the order of delivery that wait for a time of their own: some of them
   * may come back in time. */
  readonly backingOffBefore: number;
  readonly home: Home;
  readonly priority: number;
  /** Wall clock until when its submitter wants it delayed; 0 = not. */
  readonly delayUntil: number;
  /** Wall clock of its next delivery, after one that ended badly; 0 = it does not back off. */
  readonly backoffUntil: number;
  /** Instances died with it: it may only go to one that holds nothing. */
  readonly isSuspect: boolean;
}

/** What the queues of a service hold back. */
export interface QueueFacts {
  /** Why nothing is delivered, to stand after "the service": `is being stopped`; empty = it is. */
  readonly paused: string;
  /** Messages of the sink, those hidden by a get included. */
  readonly sinkLength: number;
  /** Places in the sink kept for requests that run. */
  readonly sinkReserved: number;
  readonly sinkCapacity: number;
  /** A full sink evicts results that nobody fetched. */
  readonly sinkEvicts: boolean;
  /** Kept results and records leave no room for another (rule 12). */
  readonly resultsFull: boolean;
}

/** What one instance, or another consumer of the working group, can take. */
export type ServerFacts =
  /** It takes requests as its slots come free. */
  | {
      readonly state: 'ready';
      /** Most requests at a time; Infinity = it takes them without end. */
      readonly window: number;
      /** Slots that are taken. */
      readonly busy: number;
      /** For how long requests of it run, in ms, as far as that is known: at most `busy`. */
      readonly runningMs: readonly number[];
      /** It takes only requests with certain tags, or from an index on. */
      readonly isChoosy: boolean;
    }
  /** It will be ready once it has started; `forMs`: how long it has been starting. */
  | { readonly state: 'starting'; readonly window: number; readonly forMs: number }
  /** It said no; it is asked again at `until` (wall clock, 0 = unknown). */
  | { readonly state: 'refusing'; readonly window: number; readonly until: number }
  /** It waits for room on the machine, or for something that is missing: `reason`. */
  | { readonly state: 'pending'; readonly reason: string }
  /** Its checks fail, or it ended by itself: `reason`. Started again at `until`, 0 = unknown. */
  | { readonly state: 'unhealthy'; readonly reason: string; readonly until: number };

/** What is known from before. */
export interface ObservedFacts {
  /** How long requests hold a slot. */
  readonly serviceTimes: ServiceTimes;
  /** How long the latest instances took to become ready, in ms. */
  readonly startUpsMs: readonly number[];
  readonly overtakers: Overtakers;
  readonly record: TrackRecord;
}

/** How the latest ranges of the same service did. */
export interface TrackRecord {
  /** Factors, 1 and up, by which the two sides of a range have to be longer to hold. */
  readonly earlier: number;
  readonly later: number;
  /** No factor would do. */
  readonly isUseless: boolean;
}

export interface WaitFacts {
  /** Wall clock. */
  readonly now: number;
  readonly request: RequestFacts;
  readonly queue: QueueFacts;
  readonly servers: readonly ServerFacts[];
  /** Instances that the autoscaler may start beyond those there are, and the window of each. */
  readonly mayStart: number;
  readonly window: number;
  readonly observed: ObservedFacts;
}
