// A request as its owner sees it: what was submitted, where it stands, why it waits, what became
// of it. Plain data; how it comes about is in the other files of this folder.

import type { Tags } from '@sluice/sdk/wire';
import type { Home } from '../queue/message.ts';
import type { DeliveryOutcome, RestCause, RestState } from '../queue/record.ts';
import type { BodyPlace, CallbackWish } from '../queue/terms.ts';

/** `delayed` and `backing off` are queued too: `why` tells. */
export type RequestState = 'queued' | 'running' | RestState;

/** Why a request waits, as a program reads it. */
export type WaitCode =
  | 'behind' // others come first
  | 'next' // it is first in line and about to be handed out
  | 'windows_full' // every instance works on as many as it may
  | 'no_instance' // the service has none, and nothing starts one
  | 'starting' // instances are starting
  | 'pending' // instances wait for room on the machine
  | 'sink_full' // results have no place
  | 'results_full' // the store of kept results is full
  | 'paused' // deliveries are held back: the service is stopping or updating
  | 'backing_off' // a delivery ended badly; it is tried again later
  | 'delayed' // its submitter asked for a delay
  | 'refused' // instances refuse work until a check passes or a time is over
  | 'unhealthy' // no instance is healthy
  | 'suspect'; // instances died with it: it waits for one that is empty

export interface WaitReason {
  readonly code: WaitCode;
  /** One sentence for a person. */
  readonly text: string;
  /** Wall clock until when it surely waits; 0 = unknown. */
  readonly until: number;
}

/** When it may start: the 10 % and 90 % points, in milliseconds from now; or why nothing is said. */
export type Estimate =
  | { readonly kind: 'range'; readonly earliestMs: number; readonly latestMs: number }
  | { readonly kind: 'none'; readonly reason: string };

/** What was seen of a cancel of running work. */
export interface CancelFacts {
  readonly requestedAt: number;
  /** Wall clock when the model was known to be free of it; undefined = unconfirmed. */
  readonly effectiveAt: number | undefined;
  /** Milliseconds the model may have worked on after the cancel; undefined while unconfirmed. */
  readonly wastedMs: number | undefined;
}

export interface RequestView {
  /** `{index}-{8 hex digits}`; see `ids.ts`. */
  readonly id: string;
  readonly index: number;
  /** The tag `requestId` of the EAS protocol. */
  readonly requestId: string;
  readonly service: string;
  readonly state: RequestState;
  readonly cause: RestCause | undefined;
  readonly why: WaitReason | undefined;
  /** Requests before it; undefined unless it is queued. */
  readonly position: number | undefined;
  readonly estimate: Estimate | undefined;
  /** Wall clocks; 0 = not yet, or never. */
  readonly acceptedAt: number;
  readonly firstDeliveredAt: number;
  readonly lastDeliveredAt: number;
  readonly firstOutputAt: number;
  readonly doneAt: number;
  /** Until when its result and record surely stay; 0 = as the service's bounds say. */
  readonly retainUntil: number;
  /** The instance that has or had it last; empty = none yet. */
  readonly instance: string;
  /** The revision of the service that it followed then; 0 = not known. */
  readonly revision: number;
  /** How many deliveries, and those that ended before the last. */
  readonly deliveries: number;
  readonly outcomes: readonly DeliveryOutcome[];
  /** The status the model answered with, or a word of the rules; empty = none. */
  readonly code: string;
  readonly reason: string;
  readonly sizeIn: number;
  readonly sizeOut: number;
  readonly priority: number;
  readonly tags: Tags;
  readonly owner: string | undefined;
  readonly path: string | undefined;
  readonly home: Home;
  readonly idempotencyKey: string | undefined;
  readonly delayUntil: number;
  readonly finishBy: number;
  readonly callback: CallbackWish | undefined;
  readonly cancel: CancelFacts | undefined;
  /** Of a request made from a dead one: the index that one had; 0 = none. */
  readonly redriveOf: number;
  /** Of a dead request: the index of the one that was made from it; 0 = none. */
  readonly redrivenAs: number;
  /** The latest progress text of running work. */
  readonly progress: string | undefined;
}

/** A request on its way in. */
export interface Submission {
  readonly payload: Uint8Array;
  readonly contentType: string | undefined;
  /** Below the service's address, with a leading slash. */
  readonly path: string | undefined;
  readonly owner: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly priority: number;
  readonly tags: Tags;
  /** Wall clock: expired, and never run, when it has not started by then; 0 = no such end. */
  readonly startBy: number;
  readonly finishBy: number;
  readonly delayUntil: number;
  readonly retainMs: number;
  readonly callback: CallbackWish | undefined;
  /** Then `payload` is empty. */
  readonly body: BodyPlace | undefined;
  /** 32 bits of a hash of a body that lies elsewhere; 0 = hash the payload. */
  readonly bodyHash: number;
  readonly trace: string | undefined;
}

export interface Submitted {
  readonly id: string;
  readonly index: number;
  readonly requestId: string;
  /** The answer to an earlier submission with the same idempotency key. */
  readonly repeated: boolean;
}

/** What can be had of a request's result. */
export type RequestResult =
  | { readonly kind: 'unfinished'; readonly view: RequestView }
  | {
      readonly kind: 'result';
      readonly view: RequestView;
      readonly payload: Uint8Array;
      readonly contentType: string | undefined;
      /** Set when the result lies in a file: then `payload` is empty. */
      readonly body: BodyPlace | undefined;
    }
  /** Succeeded with nothing to say. */
  | { readonly kind: 'empty'; readonly view: RequestView }
  /** Failed or dead without a result; canceled, expired, dropped. */
  | { readonly kind: 'none'; readonly view: RequestView }
  /** It left the sink: fetched, committed, deleted or evicted. */
  | {
      readonly kind: 'left';
      readonly view: RequestView;
      readonly cause: RestCause;
      readonly at: number;
    };

export interface ListFilter {
  readonly states: readonly RequestState[];
  readonly cause: RestCause | undefined;
  /** Tags that it must have. */
  readonly tags: Tags;
  /** `undefined`: everybody's. */
  readonly owner: { readonly name: string | undefined } | undefined;
  readonly requestId: string | undefined;
  /** Accepted at or after, before; wall clock, 0 = no bound. */
  readonly from: number;
  readonly to: number;
  /** Newest first; indexes below this one; 0 = from the newest. */
  readonly below: number;
  readonly limit: number;
}

export interface RequestPage {
  readonly requests: readonly RequestView[];
  /** `below` of the next page; 0 = there is none. */
  readonly next: number;
}

/** One message of the rear queue of the input. */
export interface DeadRequest {
  /** Its index in the rear queue. */
  readonly rearIndex: number;
  /** Its index in the input; the request's record has it too. */
  readonly index: number;
  readonly id: string;
  readonly requestId: string;
  readonly diedAt: number;
  readonly expiresAt: number;
  readonly code: string;
  readonly reason: string;
  readonly deliveries: number;
  readonly size: number;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
  readonly tags: Tags;
  readonly owner: string | undefined;
  readonly outcomes: readonly DeliveryOutcome[];
}

/** What a redriven request differs in; undefined = as it was. */
export interface RedriveEdit {
  readonly payload?: Uint8Array | undefined;
  /** Where another body lies; then `payload` is empty. */
  readonly body?: BodyPlace | undefined;
  readonly contentType: string | undefined;
  readonly tags: Tags | undefined;
  readonly priority: number | undefined;
  readonly path: string | undefined;
}
