// Where a worker gets its work, where its results go and what work says of itself under way: the
// small interfaces that the queues of the same process satisfy, and the SDK's client on another
// machine. The worker knows no more of queues than this.

import type { Tags, WorkNote } from '@sluice/sdk/wire';
import type { Home } from '../queue/message.ts';
import type { BodyPlace } from '../queue/terms.ts';

/** One message, leased to this worker. */
export interface WorkDelivery {
  /** The fencing token: completing with one that is no longer current is refused. */
  readonly deliveryId: number;
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly payload: Uint8Array;
  readonly contentType: string | undefined;
  /** The put's own path below the queue's address. */
  readonly path: string | undefined;
  /** How many deliveries this is, from 1. */
  readonly deliveries: number;
  /** Where the body lies when it is not the payload. */
  readonly body?: BodyPlace | undefined;
  /** Where its result stays; undefined: in the sink. */
  readonly home?: Home;
}

export interface WorkWatchRequest {
  /** `gid` is the name of the service, `uid` the name of the instance. */
  readonly by: { readonly gid: string; readonly uid: string };
  readonly kind: 'worker';
  readonly window: number;
  readonly from: number;
  readonly indexOnly: boolean;
  readonly autoCommit: boolean;
  readonly tags: Tags;
  readonly id: string | undefined;
  /** Deliveries still being worked on, after the watch before was lost. */
  readonly holding: readonly number[];
  /** The revision of the service that the worker follows, for the records; 0 = not known. */
  readonly revision: number;
}

/** Why the source closed a watch. */
export type WorkEnd = 'ended' | 'replaced' | 'deleted' | 'stopping' | 'recovering';

export interface WorkSink {
  deliver(delivery: WorkDelivery): void;
  /** The lease is gone: stop working on it. Its slot counts until `freed`. */
  voided(deliveryId: number, reason: string): void;
  /** Nothing more comes from this watch. */
  closed(reason: WorkEnd): void;
  /** Bytes handed over and not yet taken; a worker takes everything at once. */
  buffered(): number;
}

export interface WorkWatch {
  /** Which of `holding` are still this worker's. */
  readonly held: readonly number[];
  /** No further deliveries until `resume`. */
  pause(): void;
  resume(): void;
  /** `dead`: the instance is known to be gone, which counts; `drain`: a clean leave. */
  close(how: 'cut' | 'dead' | 'drain'): Promise<void>;
}

export interface WorkCompletion {
  readonly deliveryId: number;
  /** Empty or undefined with `succeeded`: nothing enters the sink. */
  readonly payload: Uint8Array | undefined;
  readonly contentType: string | undefined;
  readonly outcome: 'succeeded' | 'failed';
  /** The status that the model answered with, or a word of ours. */
  readonly code: string;
  readonly reason: string;
  /** Wall clock, 0 = unknown. */
  readonly firstOutputAt: number;
  /** Where a large result of home `record` lies; then the payload is empty. */
  readonly body?: Extract<BodyPlace, { kind: 'file' }>;
}

export interface WorkReturn {
  readonly deliveryId: number;
  /** Whether the delivery ended badly. */
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
  /** Earliest next delivery from now. */
  readonly delayMs: number;
  /** The model may still be at work on it: the slot stays taken until `freed`. Default false. */
  readonly occupies?: boolean;
}

export interface WorkSource {
  watch(queue: 'input', request: WorkWatchRequest, sink: WorkSink): Promise<WorkWatch>;
  /** Result and removal in one transition; throws `stale_delivery` when the lease is gone. */
  complete(request: WorkCompletion): Promise<number>;
  giveBack(queue: 'input', request: WorkReturn): Promise<void>;
  /** The model is known to be free of a voided lease. */
  freed(queue: 'input', deliveryId: number): void;
  /** The latest output of work under way, at most 4 KiB. */
  progress(deliveryId: number, text: string): Promise<void>;
  /** Work under way shows that it lives: its idle time begins anew. */
  touch?(queue: 'input', deliveryId: number): Promise<void>;
  /** Keeps a few bytes for the next delivery of the same request, instead of those before; durable
   * when it resolves. Throws `stale_delivery` when the lease is gone. */
  checkpoint?(deliveryId: number, data: Uint8Array): Promise<void>;
  /** The latest checkpoint of a request. */
  checkpointOf?(index: number): Promise<Uint8Array | undefined>;
}

/** Takes what running work says of itself, for whoever follows its request. */
export interface WorkNews {
  /** In order; `from` is the place of the first note: every byte of output and every other note
   * before it took one. Returns at once. */
  add(delivery: WorkDelivery, notes: readonly WorkNote[], from: number): void;
  /** Nothing more comes of this delivery; what is still on its way goes before its completion. */
  end(delivery: WorkDelivery): void;
}
