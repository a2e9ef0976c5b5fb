// What a client can do with one queue, whichever protocol carries it. The two implementations are
// in stream-client/ and eas-client/.

import type { Tags } from './tags.ts';

/** Text is sent as UTF-8. */
export type Payload = Uint8Array | string;

export type TagsInput = Tags | Readonly<Record<string, string>>;

export interface CallOptions {
  /** Gives the call up; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the answer; default: the client's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

export interface PutOptions extends CallOptions {
  /** The request id. A put to the input queue gets one from the client when it has none, so that
   * it can be repeated after a lost connection without becoming two messages. */
  readonly id?: string | undefined;
  readonly tags?: TagsInput | undefined;
  /** 0 to 2^31 - 1; higher goes first. */
  readonly priority?: number | undefined;
  /** Path below the model server's own, for this request. */
  readonly path?: string | undefined;
  readonly contentType?: string | undefined;
}

export interface PutItem extends PutOptions {
  readonly payload: Payload;
}

export interface PutAnswer {
  readonly index: number;
  readonly id: string;
  /** The message had been put before; `index` is the first one's. */
  readonly repeated: boolean;
}

export interface Filter {
  /** All of these must be equal on the message. */
  readonly tags?: TagsInput | undefined;
  /** The request id. */
  readonly id?: string | undefined;
}

export interface GetOptions extends CallOptions, Filter {
  /** The first index to consider; 0 = from the head, -1 = only what is put after the call. */
  readonly from?: number | undefined;
  /** Most messages of the answer, 1 to 1,000; default 1. */
  readonly length?: number | undefined;
  /** How long to wait until there are `length` messages; default 0. */
  readonly waitMs?: number | undefined;
  /** Delete what is returned; default true. */
  readonly autoDelete?: boolean | undefined;
}

export interface CountOptions extends CallOptions, Filter {
  readonly priority?: number | undefined;
}

export interface WatchOptions extends Filter {
  /** Most deliveries that are not settled yet; default 16. */
  readonly window?: number | undefined;
  /** The first index to consider; 0 = from the head, -1 = only what is put after the first call. */
  readonly from?: number | undefined;
  /** Without payloads. */
  readonly indexOnly?: boolean | undefined;
  /** Each message is committed as soon as it is sent: at most once, and the fastest. */
  readonly autoCommit?: boolean | undefined;
  /** A slot whose lease was taken away stays occupied until `freed()`, because the model may still
   * work on it. Such leases end with the connection. Stream protocol only. */
  readonly worker?: boolean | undefined;
  /** Closes the watch. */
  readonly signal?: AbortSignal | undefined;
}

export interface Message {
  readonly index: number;
  readonly id: string;
  /** Without the request id. */
  readonly tags: Tags;
  readonly payload: Uint8Array;
  /** The EAS protocol does not tell these four: 0 and undefined there. */
  readonly priority: number;
  readonly acceptedAt: number;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
}

export interface CompleteOptions extends CallOptions {
  /** Default `succeeded`. */
  readonly outcome?: 'succeeded' | 'failed' | undefined;
  /** Of a failure: the result's tags `lastCode` and `lastReason`. */
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  readonly contentType?: string | undefined;
  /** Wall clock of the first byte of output in milliseconds. */
  readonly firstOutputAt?: number | undefined;
}

export interface NegativeOptions extends CallOptions {
  /** Capital words, one dot allowed, or digits; at most 20 characters. `Shutdown`: the consumer is
   * about to leave; not counted. */
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
}

export interface GiveBackOptions extends NegativeOptions {
  /** Whether the delivery counts as one that ended badly; default false. */
  readonly counted?: boolean | undefined;
  /** Earliest next delivery from now; default at once. */
  readonly delayMs?: number | undefined;
}

/** One message in the hands of a consumer, to be settled once by one of the first four. */
export interface Delivery extends Message {
  /** The fencing token; 0 where the protocol has none (EAS) or needs none (auto commit). */
  readonly deliveryId: number;
  /** How many deliveries of this message there were, this one included; 0 = not known (EAS). */
  readonly deliveries: number;
  /** Aborted when the lease was taken away: stop working, settling will be refused. */
  readonly signal: AbortSignal;
  /** Done, without a result. */
  commit(options?: CallOptions): Promise<void>;
  /**
   * Done, with a result: message, result and record change together. Answers the index of the
   * result in the sink, 0 when there is none. Over EAS it is a put to the sink and then a commit.
   */
  complete(payload?: Payload, options?: CompleteOptions): Promise<number>;
  /** It could not be done: deliver it again, and count that. */
  negative(options?: NegativeOptions): Promise<void>;
  /** It was not begun: deliver it again; stream protocol only. */
  giveBack(options?: GiveBackOptions): Promise<void>;
  /** Tells how far the work is; stream protocol only. */
  progress(text: string, options?: CallOptions): Promise<void>;
  /** Starts the idle time of the lease anew; stream protocol only. */
  touch(options?: CallOptions): Promise<void>;
  /** The model is free of a lease that was taken away; of a watch with `worker` only. */
  freed(): void;
}

/**
 * A subscription. Iterating over it hands out deliveries; leaving the loop closes it, and what is
 * held goes back. It reconnects by itself and ends when the queue does; it throws when the server
 * refuses it for good.
 */
export interface Watch extends AsyncIterable<Delivery> {
  /** Resolves when the server has opened it for the first time. */
  ready(): Promise<void>;
  /** The next delivery; undefined when the watch is over. */
  next(): Promise<Delivery | undefined>;
  /** Nothing more is delivered until `resume`; what is held stays. */
  pause(): void;
  resume(): void;
  /** Takes nothing more, waits until everything handed out is settled, closes. */
  stop(): Promise<void>;
  /** Closes at once; what is held goes back uncounted. */
  close(): Promise<void>;
}

export interface SearchAnswer {
  /** `<gid>.<uid>` of the consumer that holds it; empty when none does. */
  readonly consumerId: string;
  readonly isPending: boolean;
  /** Messages that would be delivered before it. */
  readonly waitCount: number;
}

export type QueueKind = 'input' | 'sink' | 'inputRear' | 'sinkRear';

export interface QueueClient {
  readonly service: string;
  readonly queue: QueueKind;
  /** Resolves when the message is durable. */
  put(payload: Payload, options?: PutOptions): Promise<PutAnswer>;
  /** Puts many with a bounded number under way; answers in order. The first failure rejects, and
   * nothing more is put then. */
  putMany(
    items: Iterable<PutItem> | AsyncIterable<PutItem>,
    options?: CallOptions & { readonly concurrency?: number },
  ): Promise<PutAnswer[]>;
  get(options?: GetOptions): Promise<Message[]>;
  watch(options?: WatchOptions): Watch;
  /** By index, for this client's group. Unknown indexes are passed over. */
  commit(indexes: number | readonly number[], options?: CallOptions): Promise<void>;
  negative(indexes: number | readonly number[], options?: NegativeOptions): Promise<void>;
  /** Where a message stands for this client's group; undefined = no such message. */
  search(index: number, options?: CallOptions): Promise<SearchAnswer | undefined>;
  count(options?: CountOptions): Promise<number>;
  /** Every attribute by its EAS name, such as `stream.length`. */
  attributes(options?: CallOptions): Promise<Tags>;
  delete(indexes: number | readonly number[], options?: CallOptions): Promise<void>;
  /** Removes every message with an index below `below`. */
  truncate(below: number, options?: CallOptions): Promise<void>;
  /** Ends the stream: no more puts. `force` drops what waits. */
  end(options?: CallOptions & { readonly force?: boolean }): Promise<void>;
}
