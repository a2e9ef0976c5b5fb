// The transitions of one service: the only way its state changes. An engine makes batches of them
// durable, atomically and in order, and knows their kinds and keys, never the rules behind them.
// Kinds and fields are written to disk and to the log: add, never change the meaning of one.

import type { MessageMeta, QueueName } from './message.ts';
import type { DeliveryOutcome, RequestRecord, RestCause } from './record.ts';

/**
 * What is remembered of one message in one group beyond the group's cursor. The newest mark of
 * (queue, group, index) replaces the one before; all marks of a message go when it leaves the
 * queue.
 */
export interface Mark {
  /** `committed`: done for this group while other groups still keep the message. */
  readonly state: 'leased' | 'returned' | 'committed';
  /** The fencing token of the lease, or of the last one. */
  readonly deliveryId: number;
  readonly uid: string;
  /** The revision of the service that the holder followed when it got it; 0 = not known. */
  readonly revision: number;
  /** Wall clock. */
  readonly firstDeliveredAt: number;
  readonly deliveredAt: number;
  /** How many deliveries so far, and how many of them ended badly. */
  readonly deliveries: number;
  readonly bad: number;
  /** How many instances died with it since it was last seen to be harmless. */
  readonly deaths: number;
  /** Of a returned message: wall clock before which it is not delivered; 0 = at once. */
  readonly notBefore: number;
  /** A lease that survives the loss of its connection for `resumeMs`. */
  readonly resumable: boolean;
  /** It holds a place in the sink (rule 3). */
  readonly place: boolean;
  /** The sink index that used the place; 0 = unused. */
  readonly placeIndex: number;
  readonly outcomes: readonly DeliveryOutcome[];
}

export interface NewMessage {
  readonly meta: MessageMeta;
  readonly payload: Uint8Array;
}

export type Transition =
  /** A new message at the tail of a queue. */
  | { readonly kind: 'put'; readonly queue: QueueName; readonly message: NewMessage }
  /** A lease begins. */
  | MarkTransition<'deliver'>
  /** A lease ended and the message waits again, or a waiting one changed its mark. */
  | MarkTransition<'return'>
  /** A lease changed and goes on: its place was used, it was touched or resumed. */
  | MarkTransition<'keep'>
  /** Done for one group; other groups still keep the message. */
  | MarkTransition<'commit'>
  /**
   * A message leaves its queue. Of the input: `record` says how the request came to rest. Of the
   * sink: `source` is the input index it answered (0 = none), and when and how it left is kept
   * beside that request's record.
   */
  | {
      readonly kind: 'remove';
      readonly queue: QueueName;
      readonly index: number;
      readonly cause: RestCause;
      readonly at: number;
      readonly source: number;
      readonly record: RequestRecord | undefined;
      readonly outbox: OutboxEntry | undefined;
    }
  /**
   * Rule 4: the input message leaves, its result enters the sink (or is stored with the record),
   * and the record is written, all or nothing.
   */
  | {
      readonly kind: 'complete';
      readonly index: number;
      readonly result: NewMessage | undefined;
      /** The result of home `record`, stored beside it. */
      readonly recordResult: Uint8Array | undefined;
      readonly record: RequestRecord;
      readonly outbox: OutboxEntry | undefined;
    }
  /**
   * Rule 10: a message leaves its queue for the rear queue of the same, payload and all (`rear` is
   * its new meta there; undefined = dropped), with a notice in the sink where one is due.
   */
  | {
      readonly kind: 'dead';
      readonly queue: 'input' | 'sink';
      readonly index: number;
      readonly rear: MessageMeta | undefined;
      readonly notice: NewMessage | undefined;
      readonly record: RequestRecord | undefined;
      readonly outbox: OutboxEntry | undefined;
    }
  /** A group begins or changes what is durable of it. */
  | {
      readonly kind: 'group';
      readonly queue: QueueName;
      readonly group: number;
      readonly gid: string;
      /** Messages below this index were never this group's. */
      readonly from: number;
      /** Wall clock of its last consumer or lease. */
      readonly usedAt: number;
      /** What `_index_=-1` was resolved to, by uid. */
      readonly resolved: ReadonlyMap<string, number>;
    }
  /** A group is gone with all its marks. */
  | { readonly kind: 'groupGone'; readonly queue: QueueName; readonly group: number }
  /** End of stream, or its undoing. */
  | { readonly kind: 'end'; readonly queue: QueueName; readonly ended: boolean }
  /** A new epoch; durable before the first delivery id of it is handed out. */
  | { readonly kind: 'epoch'; readonly epoch: number }
  /** Records (with their results and departures) of input indexes below `below` are forgotten. */
  | { readonly kind: 'trimRecords'; readonly below: number }
  /** The record of a request at rest is written anew, with what became known since. */
  | { readonly kind: 'record'; readonly record: RequestRecord }
  /** What an instance wants kept for the next delivery of an input message; the latest counts. It
   * goes when the message leaves the input. */
  | { readonly kind: 'checkpoint'; readonly index: number; readonly data: Uint8Array }
  /** A callback was delivered or given up. */
  | { readonly kind: 'outboxDone'; readonly index: number };

export type MarkKind = 'deliver' | 'return' | 'keep' | 'commit';

export interface MarkTransition<Kind extends MarkKind> {
  readonly kind: Kind;
  readonly queue: QueueName;
  readonly group: number;
  readonly index: number;
  readonly mark: Mark;
}

/** A callback to make, written with the completion that caused it; keyed by input index. */
export interface OutboxEntry {
  readonly index: number;
  readonly terms: string;
}

/**
 * What is durable of a service besides its rows. Sent with every append, so that indexes are never
 * reused even when all messages are gone.
 */
export interface ServiceState {
  readonly epoch: number;
  /** The last index given out, by queue number. */
  readonly lastIndexes: readonly [number, number, number, number];
  readonly ended: readonly [boolean, boolean, boolean, boolean];
  /** The last group number given out. */
  readonly lastGroup: number;
}
