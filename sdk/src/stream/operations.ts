// The operations of the stream protocol as values: what travels between a client and a server once
// bytes are forgotten. Codes and field order are in client-codec.ts and server-codec.ts; the
// protocol as a whole is told in docs/protocol.md.

import type { Tags } from '../tags.ts';
import type * as requests from './request-operations.ts';
import type { Checkpoint, Follow, More, Progress, Recall, Told } from './request-operations.ts';

/** The queues of a service by their number on the wire. */
export const streamQueues = ['input', 'sink', 'inputRear', 'sinkRear'] as const;
export type StreamQueue = (typeof streamQueues)[number];

/** What an operation carries: `payload` whole with `transfer` 0; or, with a transfer number, `size`
 * bytes that follow as parts. */
export interface Body {
  readonly payload: Uint8Array;
  readonly transfer: number;
  readonly size: number;
}

/** What is told of a message besides its payload. */
export interface MessageHead {
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly priority: number;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
  /** Wall clock in milliseconds. */
  readonly acceptedAt: number;
}

/** A piece of the transfer that is under way; `part` counts from 0. */
export interface Part {
  readonly kind: 'part';
  readonly transfer: number;
  readonly part: number;
  readonly data: Uint8Array;
}

/** The sender gives a transfer up; the operation it belongs to never happened. */
export interface Abandon {
  readonly kind: 'abandon';
  readonly transfer: number;
}

/** The receiver of parts has taken `bytes` of them: as many more may be sent. */
export interface Credit {
  readonly kind: 'credit';
  readonly bytes: number;
}

export interface Hello {
  readonly kind: 'hello';
  readonly version: number;
  readonly token: string;
  readonly uid: string;
  /** Empty: `eas`. */
  readonly gid: string;
  /** The session of the connection that was lost, else empty. */
  readonly resume: string;
  /** How many bytes of parts the server may send before the first `credit`. */
  readonly credit: number;
  /** Name and version of the client, for the log. */
  readonly agent: string;
}

/** Names a queue for the connection; `number` is what later operations call `channel`. */
export interface Open {
  readonly kind: 'open';
  readonly number: number;
  readonly service: string;
  readonly queue: StreamQueue;
  /** Empty: those of the hello. */
  readonly gid: string;
  readonly uid: string;
}

interface Call {
  readonly number: number;
  readonly channel: number;
}

export interface Put extends Call, Body {
  readonly kind: 'put';
  /** Empty: the server makes one. */
  readonly id: string;
  readonly tags: Tags;
  readonly priority: number;
  readonly path: string | undefined;
  readonly contentType: string | undefined;
}

export interface Get extends Call {
  readonly kind: 'get';
  /** -1 = only what comes after the call. */
  readonly from: number;
  readonly length: number;
  readonly timeoutMs: number;
  readonly autoDelete: boolean;
  readonly tags: Tags;
  /** Empty: any. */
  readonly id: string;
}

/** Every message of a `get` with auto delete has arrived: they may be deleted. */
export interface Taken {
  readonly kind: 'taken';
  readonly number: number;
}

/** Nobody waits for the answer of `number` any more. */
export interface Cancel {
  readonly kind: 'cancel';
  readonly number: number;
}

export interface OpenWatch extends Call, requests.WatchWishes {
  readonly kind: 'watch';
  readonly window: number;
  readonly from: number;
  readonly indexOnly: boolean;
  readonly autoCommit: boolean;
  /** A slot whose lease was taken away stays occupied until `freed`. */
  readonly worker: boolean;
  readonly tags: Tags;
  readonly id: string;
  /** Delivery ids the client still works on. */
  readonly holding: readonly number[];
  /** The revision of the service that the client follows; 0 = it does not say. */
  readonly revision: number;
}

export interface CloseWatch {
  readonly kind: 'unwatch';
  readonly number: number;
  readonly watch: number;
  readonly how: 'cut' | 'drain' | 'dead';
}

/** Nothing more is delivered on the watch until `resume`. */
export interface Pause {
  readonly kind: 'pause' | 'resume';
  readonly watch: number;
}

/** Ends leases by their fencing tokens: done, without a result. */
export interface Commit extends Call {
  readonly kind: 'commit';
  readonly deliveryId: number;
  /** The call was sent before, on a connection that was lost. */
  readonly again: boolean;
}

export interface Complete extends Call, Body, requests.CompletionFacts {
  readonly kind: 'complete';
  readonly deliveryId: number;
  readonly again: boolean;
  readonly outcome: 'succeeded' | 'failed';
  readonly code: string;
  readonly reason: string;
  readonly contentType: string | undefined;
  /** Wall clock of the first byte of output; 0 = unknown. */
  readonly firstOutputAt: number;
}

export interface GiveBack extends Call {
  readonly kind: 'giveBack';
  readonly deliveryId: number;
  readonly again: boolean;
  /** Whether the delivery counts as one that ended badly. */
  readonly counted: boolean;
  /** The model may still be at work on it: the slot stays taken until `freed`. */
  readonly occupies: boolean;
  readonly code: string;
  readonly reason: string;
  readonly delayMs: number;
}

export interface Touch extends Call {
  readonly kind: 'touch';
  readonly deliveryId: number;
}

/** The model is known to be free of a lease that was taken away; has no answer. */
export interface Freed {
  readonly kind: 'freed';
  readonly channel: number;
  readonly deliveryId: number;
}

/** A worker says how it is; `membership.ts` names the facts. The answer is `described`: what the
 * service wants of its workers. */
export interface Report extends Call {
  readonly kind: 'report';
  readonly facts: Tags;
}

export interface ByIndexes extends Call {
  readonly kind: 'commitIndexes' | 'delete';
  readonly indexes: readonly number[];
}

export interface Negative extends Call {
  readonly kind: 'negative';
  readonly indexes: readonly number[];
  readonly code: string;
  readonly reason: string;
}

/** `search`: where `index` stands. `truncate`: removes every message below `index`. */
export interface AtIndex extends Call {
  readonly kind: 'search' | 'truncate';
  readonly index: number;
}

export interface Count extends Call {
  readonly kind: 'count';
  readonly tags: Tags;
  readonly id: string;
  readonly priority: number | undefined;
}

export interface Attributes extends Call {
  readonly kind: 'attributes';
}

export interface End extends Call {
  readonly kind: 'end';
  readonly force: boolean;
}

export interface Ping {
  readonly kind: 'ping';
  readonly number: number;
}

/** The client leaves: its leases go back uncounted, then the server closes. */
export interface Leave {
  readonly kind: 'leave';
}

export type ClientOperation =
  | Hello
  | Open
  | Put
  | Get
  | Taken
  | Cancel
  | OpenWatch
  | CloseWatch
  | Pause
  | Commit
  | Complete
  | GiveBack
  | Touch
  | Progress
  | Checkpoint
  | Recall
  | Follow
  | More
  | Freed
  | Report
  | ByIndexes
  | Negative
  | AtIndex
  | Count
  | Attributes
  | End
  | Ping
  | Leave
  | Part
  | Abandon
  | Credit;

export interface Welcome {
  readonly kind: 'welcome';
  readonly version: number;
  /** To be named in the hello of the next connection. */
  readonly session: string;
  /** Most operations without an answer. */
  readonly operationsMax: number;
  /** Most payload bytes in operations without an answer; one operation alone may have more. */
  readonly bytesMax: number;
  readonly watchesMax: number;
  /** How many bytes of parts the client may send before the first `credit`. */
  readonly credit: number;
  readonly agent: string;
}

/** The call happened; nothing more to tell. */
export interface Done {
  readonly kind: 'done';
  readonly number: number;
}

/** The call did not happen. Number 0: about the connection, which is closed next. */
export interface Failed {
  readonly kind: 'error';
  readonly number: number;
  readonly code: string;
  readonly text: string;
  /** When to come back; 0 = no hint. */
  readonly retryAfterMs: number;
}

export interface PutDone {
  readonly kind: 'putDone';
  readonly number: number;
  readonly index: number;
  /** Empty when the client chose the id. */
  readonly id: string;
  readonly repeated: boolean;
}

/** One message of the answer to a `get`; `done` ends the answer. */
export interface Fetched extends MessageHead, Body {
  readonly kind: 'message';
  readonly number: number;
}

export interface Deliver extends MessageHead, Body, requests.DeliveryFacts {
  readonly kind: 'deliver';
  readonly watch: number;
  /** The fencing token; 0 with auto commit. */
  readonly deliveryId: number;
  readonly deliveries: number;
}

/** The watch is open; `held` are those of `holding` that are still this consumer's. */
export interface Watching {
  readonly kind: 'watching';
  readonly number: number;
  readonly held: readonly number[];
}

/** The lease was taken away. */
export interface Voided {
  readonly kind: 'voided';
  readonly watch: number;
  readonly deliveryId: number;
  readonly reason: string;
}

/** The watch is over: `ended`, `replaced`, `deleted`, `stopping` or `recovering`. */
export interface Closed {
  readonly kind: 'closed';
  readonly watch: number;
  readonly reason: string;
}

/** Of a `complete`: the index of the result in the sink, 0 = none. Of a `count`: how many. */
export interface Answered {
  readonly kind: 'completed' | 'counted';
  readonly number: number;
  readonly value: number;
}

export interface Found {
  readonly kind: 'found';
  readonly number: number;
  readonly consumerId: string;
  readonly isPending: boolean;
  readonly waitCount: number;
}

export interface Described {
  readonly kind: 'described';
  readonly number: number;
  readonly attributes: Tags;
}

/** The server is about to stop: begin nothing new here, finish, come back after `retryAfterMs`. */
export interface Goodbye {
  readonly kind: 'goodbye';
  readonly reason: string;
  readonly retryAfterMs: number;
}

export type ServerOperation =
  | Welcome
  | Done
  | Failed
  | PutDone
  | Fetched
  | Deliver
  | Watching
  | Voided
  | Closed
  | Answered
  | Found
  | Described
  | Told
  | Goodbye
  | Part
  | Abandon
  | Credit;
