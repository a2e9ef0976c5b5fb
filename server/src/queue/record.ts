// What is remembered of a request after it came to rest: one record for every message of the
// input queue, keyed by its index there (rule 14).

import type { Tags } from '@sluice/sdk/wire';
import type { Home } from './message.ts';

/** How a request came to rest. */
export type RestState = 'succeeded' | 'failed' | 'dead' | 'dropped' | 'expired' | 'canceled';

/** Why exactly; one word for the record, the console and the counters. */
export type RestCause =
  | 'completed'
  | 'committed'
  | 'handedOut'
  | 'modelAnswer'
  | 'tooLarge'
  | 'deliveries'
  | 'evicted'
  | 'deleted'
  | 'truncated'
  | 'forceEnded'
  | 'expired'
  | 'canceled'
  | 'poison'
  /** Its finish deadline was over. */
  | 'deadline'
  /** A dead message was put anew. */
  | 'redriven';

/** One delivery that has ended, as the record lists it. */
export interface DeliveryOutcome {
  readonly deliveryId: number;
  /** The consumer's user id: for Sluice's own workers the name of the instance. */
  readonly uid: string;
  /** The revision of the service that the consumer followed; 0 = not known. */
  readonly revision: number;
  /** Wall clock. */
  readonly deliveredAt: number;
  readonly endedAt: number;
  readonly counted: boolean;
  /** A status code or a word such as `Shutdown`; empty when there was none. */
  readonly code: string;
  readonly reason: string;
}

export interface RequestRecord {
  readonly index: number;
  readonly id: string;
  readonly callerId: boolean;
  readonly bodyHash: number;
  readonly owner: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly state: RestState;
  readonly cause: RestCause;
  /** Wall clock; 0 = never happened. */
  readonly acceptedAt: number;
  readonly firstDeliveredAt: number;
  readonly lastDeliveredAt: number;
  readonly firstOutputAt: number;
  readonly doneAt: number;
  /** How many deliveries there were; `outcomes` lists the latest 16 that ended before the last. */
  readonly deliveries: number;
  readonly outcomes: readonly DeliveryOutcome[];
  /** Of the last delivery. */
  readonly uid: string;
  readonly revision: number;
  readonly sizeIn: number;
  readonly sizeOut: number;
  readonly priority: number;
  readonly tags: Tags;
  readonly home: Home;
  /** The request path. */
  readonly path: string | undefined;
  /** What its submitter asked for; see terms.ts. */
  readonly terms: string | undefined;
  /** Of a request made from a dead one: the index that one had; 0 = none. */
  readonly source: number;
  /** Of a result of home `record`. */
  readonly contentType: string | undefined;
  /** The index of the result in the sink; 0 = none there. */
  readonly resultIndex: number;
  readonly code: string;
  readonly reason: string;
  /** Until when a result of home `record` or a callback keeps the record alive; wall clock. */
  readonly retainUntil: number;
  /** What was noted at its end and after it; see afterwards.ts. */
  readonly after: string | undefined;
}
