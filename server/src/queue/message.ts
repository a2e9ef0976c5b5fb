// What a message is, and how it is named: by the number of its queue and by its index there.

import type { Tags } from '@sluice/sdk/wire';

/** The four queues of a service. The number is part of every key an engine writes: it never
 * changes. */
export const queueNumbers = { input: 0, sink: 1, inputRear: 2, sinkRear: 3 } as const;
export type QueueName = keyof typeof queueNumbers;
export const queueNames = ['input', 'sink', 'inputRear', 'sinkRear'] as const;

/** Where a request's result stays (rule 12). */
export type Home = 'sink' | 'record';

/** Everything about a message but its payload: what an engine keeps and gives back. */
export interface MessageMeta {
  readonly index: number;
  /** The request id: identity across input and sink, shown on the wire as the tag `requestId`. */
  readonly id: string;
  /** Whether the caller chose `id` (only such puts are looked at for repetition). */
  readonly callerId: boolean;
  readonly tags: Tags;
  readonly priority: number;
  /** Bytes of the payload. */
  readonly size: number;
  /** 32 bits of a hash of the payload, for rule 15. */
  readonly bodyHash: number;
  /** Wall clock. */
  readonly acceptedAt: number;
  /** Wall clock, 0 = never. */
  readonly expiresAt: number;
  readonly home: Home;
  /** The request path below the queue's address, for the call to the model. */
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  /** Whose request it is: the token's name. */
  readonly owner: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Where a finished request is to be reported, as the request API checked it. */
  readonly terms: string | undefined;
  /** Of a result: the input index it answers. Of a dead message: the index it had. 0 = neither. */
  readonly source: number;
}

/** A message with its payload, as an engine hands it out. */
export interface StoredMessage {
  readonly meta: MessageMeta;
  readonly payload: Uint8Array;
}
