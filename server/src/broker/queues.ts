// What protocol handlers and workers may do with one service's queues. Everything here resolves
// after the turn it could have changed is durable; refusals are `PlatformError`s and change
// nothing.

import type { Tags } from '@sluice/sdk/wire';
import type { WatchEnd } from '../queue/decision.ts';
import type { Home, QueueName } from '../queue/message.ts';
import type { ConsumerKind } from '../queue/state.ts';
import type { BodyPlace } from '../queue/terms.ts';
import type { QueueView, SearchAnswer } from '../queue/view.ts';
import type { Requests } from './requests.ts';

export type { ConsumerView, GroupView, SuspectView } from '../queue/view.ts';
export type { ConsumerKind, QueueView, SearchAnswer, WatchEnd };

/** Who calls: the consumer identity of the EAS protocol. */
export interface Identity {
  readonly gid: string;
  readonly uid: string;
}

export interface PutRequest {
  readonly payload: Uint8Array;
  /** The caller's own request id; undefined: the server makes one. */
  readonly id: string | undefined;
  readonly tags: Tags;
  /** 0 to 2^31 - 1. */
  readonly priority: number;
  readonly by: Identity;
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  readonly home: Home;
  /** Wall clock, 0 = the queue's own setting. */
  readonly expiresAt: number;
  readonly owner: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** What else its submitter asked for; see queue/terms.ts. */
  readonly terms: string | undefined;
  /** 32 bits of a hash of a body that is not in the payload; else the payload's own is made. */
  readonly bodyHash?: number;
}

export interface PutAnswer {
  /** The index; of a repeated put the first one; 0 when a repeated result had none. */
  readonly index: number;
  /** Empty when it repeats a put by its idempotency key: the first one's id is not at hand. */
  readonly id: string;
  readonly repeated: boolean;
}

/** A message as it is handed to a reader. */
export interface Message {
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly priority: number;
  readonly payload: Uint8Array;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
  /** Wall clock. */
  readonly acceptedAt: number;
  /** Where the body lies when it is not the payload: too large for a message, or at an address. */
  readonly body?: BodyPlace | undefined;
}

export interface GetRequest {
  /** 0 = from the head; -1 = only what is put after the call; else the first index considered. */
  readonly from: number;
  /** 1 to 1,000; an answer also ends at 8 MiB, with at least one message. */
  readonly length: number;
  readonly timeoutMs: number;
  readonly autoDelete: boolean;
  /** All of these must be equal on the message. `id` is the tag `requestId`. */
  readonly tags: Tags;
  readonly id: string | undefined;
  readonly by: Identity;
}

/** Messages on their way out. With auto delete they are hidden until one of the two is called;
 * without, both do nothing. The caller must call exactly one. */
export interface Handout {
  readonly messages: readonly Message[];
  /** The socket took the whole answer: the messages are deleted durably. */
  taken(): void;
  /** The answer was cut: the messages are shown again with the same index. */
  cut(): void;
}

export interface Delivery extends Message {
  /** The fencing token. 0 with auto commit. */
  readonly deliveryId: number;
  /** How many deliveries this is, from 1. */
  readonly deliveries: number;
  /** Where its result stays; undefined: in the sink. */
  readonly home?: Home;
}

export interface WatchRequest {
  readonly by: Identity;
  readonly kind: ConsumerKind;
  /** 1 to 65,536; ignored with auto commit. */
  readonly window: number;
  readonly from: number;
  readonly indexOnly: boolean;
  readonly autoCommit: boolean;
  readonly tags: Tags;
  readonly id: string | undefined;
  /** Delivery ids a resuming consumer still works on; its other leases go back uncounted. */
  readonly holding: readonly number[];
  /** The revision of the service that the consumer follows, for the records; 0 = not known. */
  readonly revision?: number;
  /** It fetches bodies in files by its deliveries: only small ones come in their messages, and of
   * the kind `worker` none. Default: those that a message can carry come in it. */
  readonly fetches?: boolean;
}

/** The receiving end of a watch. */
export interface WatchSink {
  deliver(delivery: Delivery): void;
  /** A lease was taken away: stop working on it. The consumer's window counts it until `freed`
   * (stream, worker) or no longer (eas). */
  voided(deliveryId: number, reason: string): void;
  /** The watch is over; nothing more is called. */
  closed(reason: WatchEnd): void;
  /** Bytes handed over and not yet taken by the socket; nothing is sent above 1 MiB. */
  buffered(): number;
}

export interface Watch {
  readonly by: Identity;
  /** Delivery ids of the resumed leases that are still this consumer's. */
  readonly held: readonly number[];
  /** Call when `buffered()` has fallen after it had been above 1 MiB. */
  drained(): void;
  /** Send nothing more until `resume`; held messages stay. */
  pause(): void;
  resume(): void;
  /** `cut`: the connection is lost or closed by the client (rule 9 says what counts).
   * `dead`: the instance is known to be dead. `drain`: a clean leave; leases go back uncounted. */
  close(how: 'cut' | 'dead' | 'drain'): Promise<void>;
}

export interface CompleteRequest {
  readonly deliveryId: number;
  /** undefined or zero bytes with outcome `succeeded`: nothing enters the sink. */
  readonly payload: Uint8Array | undefined;
  readonly contentType: string | undefined;
  readonly outcome: 'succeeded' | 'failed';
  /** Of a failure: kept as tags `lastCode` and `lastReason` of the result. */
  readonly code: string;
  readonly reason: string;
  /** Wall clock of the first byte of output, 0 = unknown. */
  readonly firstOutputAt: number;
  /** Where a large result of home `record` lies; then the payload is empty. */
  readonly body?: Extract<BodyPlace, { kind: 'file' }> | undefined;
}

export interface GiveBackRequest {
  readonly deliveryId: number;
  /** Whether the delivery ended badly (rule 9). */
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
  /** Earliest next delivery from now; 0 = at once. */
  readonly delayMs: number;
  /** The model may still be at work on it: the slot stays taken until `freed`. Default false. */
  readonly occupies?: boolean;
}

/** Counters since the start of the process, for metrics. */
export interface QueueCounters {
  readonly put: number;
  readonly refused: number;
  readonly repeated: number;
  readonly delivered: number;
  readonly completed: number;
  readonly returned: number;
  readonly dead: number;
  readonly evicted: number;
  readonly expired: number;
  /** Completions refused because their delivery id was no longer current. */
  readonly stale: number;
}

export interface Queues {
  readonly service: string;
  readonly requests: Requests;

  put(queue: QueueName, request: PutRequest): Promise<PutAnswer>;
  /** Waits up to `timeoutMs` for `length` messages; a cancelled signal rejects, holding nothing. */
  get(queue: QueueName, request: GetRequest, signal: AbortSignal | undefined): Promise<Handout>;
  count(
    queue: QueueName,
    filter: {
      readonly tags: Tags;
      readonly id: string | undefined;
      readonly priority: number | undefined;
    },
  ): Promise<number>;
  /** undefined: no such message. */
  search(queue: QueueName, index: number, by: Identity): Promise<SearchAnswer | undefined>;
  /** From memory, at once. */
  view(queue: QueueName): QueueView;
  /** The same number as in the view, without building one: every put asks for it. */
  payloadBytesMax(queue: QueueName): number;
  counters(queue: QueueName): QueueCounters;

  /** Rule 6. Unknown and never delivered indexes are passed over. */
  commit(queue: QueueName, indexes: readonly number[], by: Identity): Promise<void>;
  negative(
    queue: QueueName,
    indexes: readonly number[],
    by: Identity,
    code: string,
    reason: string,
  ): Promise<void>;
  delete(queue: QueueName, indexes: readonly number[]): Promise<void>;
  /** Removes every message with an index below `below`. */
  truncate(queue: QueueName, below: number): Promise<void>;
  end(queue: QueueName, force: boolean): Promise<void>;
  reopen(queue: QueueName): Promise<void>;

  watch(queue: QueueName, request: WatchRequest, sink: WatchSink): Promise<Watch>;

  /** Rule 4; of the input queue. Throws `stale_delivery` when the token is no longer current.
   * Answers the sink index of the result, 0 = none. */
  complete(request: CompleteRequest): Promise<number>;
  /** By fencing token, on any queue: done with it, without a result. */
  commitDelivery(queue: QueueName, deliveryId: number): Promise<unknown>;
  giveBack(queue: QueueName, request: GiveBackRequest): Promise<void>;
  /** The model is known to be free of a voided lease. */
  freed(queue: QueueName, deliveryId: number): void;
  /** Starts the idle time of a lease anew. */
  touch(queue: QueueName, deliveryId: number): Promise<void>;
  /** Progress of running work: latest text (at most 4 KiB) is kept in memory beside the lease. */
  progress(deliveryId: number, text: string): Promise<void>;
  /** Keeps what an instance wants to have at the next delivery of the same message; the latest
   * counts. At most `checkpointBytesMax`. Throws `stale_delivery`. */
  checkpoint(deliveryId: number, data: Uint8Array): Promise<void>;
  /** Which delivery of which message of the input a token stands for, as long as it is current. */
  leaseOf(deliveryId: number): { readonly index: number; readonly deliveries: number } | undefined;
  /** The latest checkpoint of an input index. */
  checkpointOf(index: number): Promise<Uint8Array | undefined>;
}
