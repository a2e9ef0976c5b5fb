// What a decision changes. Durable changes are transitions that still lack what only the stored
// message knows (id, tags ...): `seal` adds it, from the message's meta, before they go to the
// engine. Passing changes live in memory only and are gone after a restart.

import { noBytes, type Tags } from '@sluice/sdk/wire';
import type { MessageMeta, QueueName } from './message.ts';
import type { Filter } from './messages.ts';
import type { DeliveryOutcome, RequestRecord, RestCause, RestState } from './record.ts';
import type { ServiceSettings } from './settings.ts';
import type { ConsumerKind, Due } from './state.ts';
import { readTerms } from './terms.ts';
import type { MarkKind, MarkTransition, OutboxEntry, Transition } from './transition.ts';

/** How a request came to rest; its record without what its message knows. */
export interface Closing {
  readonly state: RestState;
  readonly cause: RestCause;
  readonly firstDeliveredAt: number;
  readonly lastDeliveredAt: number;
  readonly firstOutputAt: number;
  readonly doneAt: number;
  readonly deliveries: number;
  readonly outcomes: readonly DeliveryOutcome[];
  readonly uid: string;
  readonly revision: number;
  readonly sizeOut: number;
  readonly resultIndex: number;
  readonly code: string;
  readonly reason: string;
  readonly retainUntil: number;
  readonly contentType: string | undefined;
  readonly after: string | undefined;
}

/** A message made from another one: a result, a notice, a dead message. */
export interface Derived {
  /** A dead message keeps its path, type and priority; a result has its own type. */
  readonly role: 'result' | 'notice' | 'rear';
  readonly index: number;
  readonly size: number;
  readonly acceptedAt: number;
  readonly expiresAt: number;
  readonly source: number;
  readonly contentType: string | undefined;
  /** Added to the tags of the message it is made from. */
  readonly tags: Tags;
}

export interface RemoveChange {
  readonly kind: 'remove';
  readonly queue: QueueName;
  readonly index: number;
  readonly cause: RestCause;
  readonly at: number;
  readonly source: number;
  readonly closing: Closing | undefined;
}

export interface CompleteChange {
  readonly kind: 'complete';
  readonly index: number;
  readonly result: Derived | undefined;
  readonly payload: Uint8Array;
  readonly recordResult: Uint8Array | undefined;
  readonly closing: Closing;
}

export interface DeadChange {
  readonly kind: 'dead';
  readonly queue: 'input' | 'sink';
  readonly index: number;
  readonly rear: Derived | undefined;
  readonly notice: Derived | undefined;
  readonly closing: Closing | undefined;
}

/** The changes that need the meta of the message they take away. */
export type Unsealed = RemoveChange | CompleteChange | DeadChange;

export type Durable =
  | Exclude<Transition, { kind: 'remove' | 'complete' | 'dead' } | MarkTransition<MarkKind>>
  | DeliverChange
  | ReturnChange
  | MarkTransition<'keep'>
  | MarkTransition<'commit'>
  | Unsealed;

export interface DeliverChange extends MarkTransition<'deliver'> {
  readonly gid: string;
  readonly consumer: number;
}

export interface ReturnChange extends MarkTransition<'return'> {
  readonly gid: string;
  /** Monotonic end of the back-off; 0 = none. */
  readonly backoffUntil: number;
  readonly avoid: string;
  /** The model may still be at work: the slot stays taken until it is known to be free. */
  readonly occupies: boolean;
}

export interface Attach {
  readonly kind: 'attach';
  readonly queue: QueueName;
  readonly gid: string;
  readonly uid: string;
  readonly number: number;
  readonly consumerKind: ConsumerKind;
  readonly window: number;
  readonly autoCommit: boolean;
  readonly indexOnly: boolean;
  readonly filter: Filter | undefined;
  readonly tags: Tags;
  readonly id: string | undefined;
  readonly from: number;
  readonly revision: number;
  readonly takeovers: readonly number[];
}

export type Passing =
  | Attach
  | { readonly kind: 'lost'; readonly consumer: number; readonly resumeAt: number }
  | { readonly kind: 'left'; readonly consumer: number }
  | { readonly kind: 'leaving'; readonly consumer: number }
  | { readonly kind: 'pause'; readonly consumer: number; readonly paused: boolean }
  /** A consumer is reserved for a suspect; 0: no consumer is any more. */
  | {
      readonly kind: 'claim';
      readonly queue: QueueName;
      readonly gid: string;
      readonly index: number;
      readonly consumer: number;
    }
  /** Nothing was found for a consumer, or for all of its group that share the group's cursors. */
  | { readonly kind: 'dry'; readonly consumer: number }
  /** A consumer was sent a message that needs no commit. */
  | { readonly kind: 'served'; readonly consumer: number; readonly index: number }
  | {
      readonly kind: 'advance';
      readonly queue: QueueName;
      readonly gid: string;
      /** undefined: the group's own cursors. */
      readonly consumer: number | undefined;
      readonly cursors: readonly (readonly [priority: number, next: number])[];
    }
  | {
      readonly kind: 'hide';
      readonly queue: QueueName;
      readonly index: number;
      readonly hidden: boolean;
    }
  /** Whoever asked for the end of work wants to know when the model is free of it. */
  | { readonly kind: 'await'; readonly deliveryId: number; readonly index: number }
  | { readonly kind: 'unawait'; readonly deliveryId: number }
  /** A lease was taken away by removing its message: the slot stays taken until it is free. */
  | { readonly kind: 'occupy'; readonly consumer: number; readonly deliveryId: number }
  | { readonly kind: 'free'; readonly consumer: number; readonly deliveryId: number }
  /** The idle time of a lease begins anew. */
  | { readonly kind: 'touch'; readonly deliveryId: number; readonly idleAt: number }
  /** A delivery has kept a checkpoint: it got somewhere. */
  | { readonly kind: 'kept'; readonly deliveryId: number }
  /** What was not over yet is looked at again. */
  | { readonly kind: 'lookAgain'; readonly due: Due; readonly at: number }
  | {
      readonly kind: 'ready';
      readonly queue: QueueName;
      readonly gid: string;
      readonly index: number;
    }
  | { readonly kind: 'settings'; readonly settings: ServiceSettings }
  | {
      readonly kind: 'count';
      readonly queue: QueueName;
      readonly what: 'refused' | 'repeated' | 'stale';
    }
  /** A due entry was looked at and taken off. */
  | { readonly kind: 'takeDue' }
  | { readonly kind: 'takeExpiry'; readonly queue: QueueName }
  | { readonly kind: 'forgetIds'; readonly wall: number };

export type Change = Durable | Passing;

const durableKinds: ReadonlySet<string> = new Set<Durable['kind']>([
  'put',
  'deliver',
  'return',
  'keep',
  'commit',
  'remove',
  'complete',
  'dead',
  'group',
  'groupGone',
  'end',
  'epoch',
  'trimRecords',
  'record',
  'checkpoint',
  'outboxDone',
]);

/** Whether a change is written; all others are passing. */
export function isDurable(change: Change): change is Durable {
  return durableKinds.has(change.kind);
}

/** Whether a change takes a message away, and so needs its meta before it is written. */
export function isUnsealed(change: Durable): change is Unsealed {
  return change.kind === 'remove' || change.kind === 'complete' || change.kind === 'dead';
}

/** Turns a change that takes a message away into the transition that is written, with what the
 * `meta` of that message says. */
export function seal(change: Unsealed, meta: MessageMeta): Transition {
  if (change.kind === 'complete') {
    const { kind, index, result, payload, recordResult, closing } = change;
    const message = result === undefined ? undefined : { meta: derive(meta, result), payload };
    const record = recordOf(meta, closing);
    return { kind, index, result: message, recordResult, record, outbox: outboxOf(meta) };
  }
  const record = change.closing === undefined ? undefined : recordOf(meta, change.closing);
  const outbox = record === undefined ? undefined : outboxOf(meta);
  if (change.kind === 'remove') {
    const { kind, queue, index, cause, at, source } = change;
    return { kind, queue, index, cause, at, source, record, outbox };
  }
  const { kind, queue, index, rear, notice } = change;
  return {
    kind,
    queue,
    index,
    rear: rear === undefined ? undefined : derive(meta, rear),
    notice: notice === undefined ? undefined : { meta: derive(meta, notice), payload: noBytes },
    record,
    outbox,
  };
}

/** Rule 4: whoever asked to be told is, in the same transition. */
function outboxOf(meta: MessageMeta): OutboxEntry | undefined {
  if (meta.terms === undefined || readTerms(meta.terms).callback === undefined) return undefined;
  return { index: meta.index, terms: meta.terms };
}

function derive(from: MessageMeta, derived: Derived): MessageMeta {
  const isRear = derived.role === 'rear';
  const tags = derived.tags.size === 0 ? from.tags : new Map([...from.tags, ...derived.tags]);
  return {
    index: derived.index,
    id: from.id,
    callerId: from.callerId,
    tags,
    priority: isRear ? from.priority : 0,
    size: derived.size,
    bodyHash: from.bodyHash,
    acceptedAt: derived.acceptedAt,
    expiresAt: derived.expiresAt,
    home: isRear ? from.home : 'sink',
    path: isRear ? from.path : undefined,
    contentType: isRear ? from.contentType : derived.contentType,
    owner: from.owner,
    idempotencyKey: undefined,
    // A dead message may be put anew, and its payload may lie elsewhere.
    terms: isRear ? from.terms : undefined,
    source: derived.source,
  };
}

function recordOf(meta: MessageMeta, closing: Closing): RequestRecord {
  return {
    index: meta.index,
    id: meta.id,
    callerId: meta.callerId,
    bodyHash: meta.bodyHash,
    owner: meta.owner,
    idempotencyKey: meta.idempotencyKey,
    state: closing.state,
    cause: closing.cause,
    acceptedAt: meta.acceptedAt,
    firstDeliveredAt: closing.firstDeliveredAt,
    lastDeliveredAt: closing.lastDeliveredAt,
    firstOutputAt: closing.firstOutputAt,
    doneAt: closing.doneAt,
    deliveries: closing.deliveries,
    outcomes: closing.outcomes,
    uid: closing.uid,
    revision: closing.revision,
    sizeIn: meta.size,
    sizeOut: closing.sizeOut,
    priority: meta.priority,
    tags: meta.tags,
    home: meta.home,
    path: meta.path,
    terms: meta.terms,
    source: meta.source,
    contentType: closing.contentType,
    resultIndex: closing.resultIndex,
    code: closing.code,
    reason: closing.reason,
    retainUntil: closing.retainUntil,
    after: closing.after,
  };
}
