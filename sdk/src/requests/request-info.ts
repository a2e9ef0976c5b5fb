// The JSON of the request API: what the server answers, what a client sends. The server's schemas
// are held to these types. Times are RFC 3339 in UTC; null = not yet, never, or not known.

import type { Problem } from '../admin-types.ts';

/** The last six are rest: nothing changes a request any more once it is there. */
export const requestStates = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'dead',
  'dropped',
  'expired',
  'canceled',
] as const;

export type RequestStateName = (typeof requestStates)[number];

/** How exactly a request came to rest. */
export const requestCauses = [
  'completed',
  'committed',
  'handedOut',
  'modelAnswer',
  'tooLarge',
  'deliveries',
  'evicted',
  'deleted',
  'truncated',
  'forceEnded',
  'expired',
  'canceled',
  'poison',
  'deadline',
  'redriven',
] as const;

export type RequestCauseName = (typeof requestCauses)[number];

/** Why a request waits, for a program. */
export const waitCodes = [
  'behind',
  'next',
  'windows_full',
  'no_instance',
  'starting',
  'pending',
  'sink_full',
  'results_full',
  'paused',
  'backing_off',
  'delayed',
  'refused',
  'unhealthy',
  'suspect',
] as const;

export type WaitCodeName = (typeof waitCodes)[number];

export interface WaitInfo {
  readonly code: WaitCodeName;
  /** One sentence for a person. */
  readonly text: string;
  /** Until then it waits for sure. */
  readonly until: string | null;
}

/** When it may start, from the moment of the answer: 8 of 10 requests start within the range. */
export type EstimateInfo =
  | { readonly kind: 'range'; readonly earliestMs: number; readonly latestMs: number }
  | { readonly kind: 'none'; readonly reason: string };

/** What was seen of a cancel of running work. */
export interface CancelInfo {
  readonly requestedAt: string;
  /** When the model was known to be free of it. */
  readonly effectiveAt: string | null;
  /** Nobody saw the model let go of it: it may still work. */
  readonly unconfirmed: boolean;
  /** How long the model may have worked on after the cancel. */
  readonly wastedMs: number | null;
}

/** One delivery of a request to an instance that has ended. */
export interface DeliveryInfo {
  readonly deliveryId: number;
  readonly instance: string;
  /** The revision that the instance followed when it began to take work; null = not known. */
  readonly revision: number | null;
  readonly deliveredAt: string;
  readonly endedAt: string;
  /** Whether it counts towards the deliveries after which a request is dead. */
  readonly counted: boolean;
  /** A status or a word such as `Shutdown`; empty = none. */
  readonly code: string;
  readonly reason: string;
}

/** Below the address of the server. */
export interface RequestLinks {
  readonly status: string;
  readonly result: string;
  readonly events: string;
  readonly cancel: string;
}

export interface RequestInfo {
  /** What the addresses of the request end with. */
  readonly id: string;
  readonly service: string;
  /** Its index in the service's input queue, and the tag `requestId` there. */
  readonly index: number;
  readonly requestId: string;
  readonly state: RequestStateName;
  /** null = it is not at rest. */
  readonly cause: RequestCauseName | null;
  /** null unless it is queued. */
  readonly why: WaitInfo | null;
  /** How many requests are handed out before it, as far as is known now: those before it in line,
   * but for those that are delayed or back off. null unless it is queued. */
  readonly position: number | null;
  readonly estimate: EstimateInfo | null;
  readonly acceptedAt: string;
  readonly firstDeliveredAt: string | null;
  readonly lastDeliveredAt: string | null;
  /** The first output of its model; while it runs that of the attempt under way. */
  readonly firstOutputAt: string | null;
  readonly doneAt: string | null;
  /** Until when its result and record surely stay; null = as the bounds of the service say. */
  readonly retainUntil: string | null;
  readonly delayUntil: string | null;
  readonly finishBy: string | null;
  /** The instance that has it, or had it last; empty = none yet. */
  readonly instance: string;
  /** The revision that it followed when it began to take work; null = not known. */
  readonly revision: number | null;
  readonly deliveries: number;
  /** The latest deliveries that ended before the last one. */
  readonly outcomes: readonly DeliveryInfo[];
  /** The status that the model answered with, or a word of Sluice; empty = none. */
  readonly code: string;
  readonly reason: string;
  readonly sizeIn: number;
  readonly sizeOut: number;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  /** The name of the token that submitted it. */
  readonly owner: string | null;
  readonly path: string | null;
  /** Where its result lies: `sink` for requests put through a queue protocol. */
  readonly home: 'sink' | 'record';
  readonly idempotencyKey: string | null;
  readonly callback: { readonly url: string; readonly events: readonly string[] } | null;
  readonly cancel: CancelInfo | null;
  /** The index of the dead request that it was made from. */
  readonly redriveOf: number | null;
  /** Of a dead request: the index of the one that was made from it. */
  readonly redrivenAs: number | null;
  /** The latest that the running model told or streamed. */
  readonly progress: string | null;
  readonly links: RequestLinks;
}

export interface RequestList {
  /** The newest first. */
  readonly requests: readonly RequestInfo[];
  /** `cursor` of the next page; null = this is the last one. */
  readonly next: string | null;
}

/** The answer when a request has no result to give: why, and the request itself. */
export interface ResultProblem extends Problem {
  readonly request: RequestInfo;
}

/** One line of a batch: the body in one of three forms; all else as the headers of a submission. */
export interface BatchLine {
  /** Any JSON; sent to the model as it is. */
  readonly body?: unknown;
  readonly text?: string;
  readonly base64?: string;
  readonly contentType?: string;
  readonly path?: string;
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  /** Durations such as `30s`, `10m` or `24h`. */
  readonly startWithin?: string;
  readonly finishWithin?: string;
  readonly delay?: string;
  readonly retention?: string;
  readonly callback?: string;
}

/** What became of one line of a batch, lines counted from 1. */
export type BatchOutcome =
  | { readonly line: number; readonly request: RequestInfo; readonly repeated: boolean }
  | { readonly line: number; readonly problem: Problem };

/** A request out of deliveries, as it lies in the rear queue of the input. */
export interface DeadInfo {
  /** Its index in the rear queue, by which it is addressed. */
  readonly rearIndex: number;
  readonly index: number;
  readonly id: string;
  readonly requestId: string;
  readonly diedAt: string;
  readonly expiresAt: string | null;
  readonly code: string;
  readonly reason: string;
  readonly deliveries: number;
  readonly size: number;
  readonly contentType: string | null;
  readonly path: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly owner: string | null;
  readonly outcomes: readonly DeliveryInfo[];
}

export interface DeadList {
  /** The newest first. */
  readonly dead: readonly DeadInfo[];
  readonly next: string | null;
}

/** One dead request, looked at closely. */
export interface DeadDescription extends DeadInfo {
  /** What its last instance wrote latest, as far as that is kept. */
  readonly log: readonly string[];
}

/** One line of an export: the request with its body, as text when it is UTF-8. A body that is too
 * large for a line, or was given by its address, lies at `bodyAt`: a path below the address of the
 * server, or that address. */
export type DeadExport = DeadInfo &
  ({ readonly text: string } | { readonly base64: string } | { readonly bodyAt: string });

/** Which of the dead are put again; all of them when nothing is said. */
export interface RedriveWish {
  /** Rear indexes. */
  readonly indexes?: readonly number[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly code?: string;
  readonly perSecond?: number;
}

/** One line of the answer to a redrive of many; the last one has the sums. */
export type RedriveStep =
  | { readonly kind: 'redriven'; readonly rearIndex: number; readonly request: RequestInfo }
  | { readonly kind: 'failed'; readonly rearIndex: number; readonly problem: Problem }
  | { readonly kind: 'done'; readonly redriven: number; readonly failed: number };

/** One event of a request, by its name; see `RequestEvent` for its data. */
export interface RequestEventData {
  /** It changed its state, or what it waits for. */
  readonly state: {
    readonly state: RequestStateName;
    readonly why?: WaitInfo;
    readonly position?: number;
    readonly instance?: string;
  };
  /** A piece of what the model streams. */
  readonly output: { readonly text: string } | { readonly base64: string };
  /** What the instance reports. */
  readonly progress: {
    readonly percent?: number;
    readonly stage?: string;
    readonly preview?: string;
    readonly log?: string;
  };
  /** A new attempt begins: what was output before counts no more. */
  readonly reset: { readonly attempt: number };
  /** So many bytes of output are left out here: they were over the bound of what is kept. */
  readonly gap: { readonly bytes: number };
  /** It is at rest; the last event. */
  readonly done: {
    readonly state: RequestStateName;
    readonly cause: RequestCauseName | null;
    readonly code: string;
  };
}

export type RequestEventName = keyof RequestEventData;

/** An event, told apart by `event`; `id` is what `Last-Event-ID` goes on after. */
export type RequestEvent = {
  readonly [Name in RequestEventName]: { readonly event: Name; readonly id: string } & {
    readonly data: RequestEventData[Name];
  };
}[RequestEventName];

/** A large result that was brought up by itself; the completion of its delivery names it. */
export interface KeptResultInfo {
  readonly name: string;
  readonly size: number;
}
