// The stream protocol as a worker needs it: it takes leases on the input queue of one service and
// settles them by their fencing tokens, also on a later connection than the one that brought them.
// Sluice's own workers on other machines are built on it; programs that consume use `connect`.

import { PlatformError } from '../errors.ts';
import type { CallOptions } from '../queue-client.ts';
import { readTerms, type WorkerReport, type WorkTerms, writeReport } from '../stream/membership.ts';
import type { WorkNote } from '../stream/notes.ts';
import type { ServerOperation } from '../stream/operations.ts';
import type { ApartBody } from '../stream/request-operations.ts';
import type { Tags } from '../tags.ts';
import type { NumberedOperation } from './pending.ts';
import type { StreamSession } from './session.ts';
import { WorkWatch } from './work-watch.ts';

/** A message under lease to the worker. */
export interface LeasedMessage {
  /** The fencing token. */
  readonly deliveryId: number;
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly payload: Uint8Array;
  readonly contentType: string | undefined;
  readonly path: string | undefined;
  /** How many deliveries of the message there were, this one included. */
  readonly deliveries: number;
  /** Where the body is when it is not the payload: it is fetched by the delivery id. */
  readonly apart?: ApartBody;
  /** A result larger than the sink takes may be brought up by itself. */
  readonly largeResult?: boolean;
}

export interface WorkRequest {
  readonly window: number;
  readonly from: number;
  readonly indexOnly: boolean;
  readonly autoCommit: boolean;
  readonly tags: Tags;
  readonly id: string | undefined;
  /** Fencing tokens of what is still being worked on. */
  readonly holding: readonly number[];
  /** The revision of the service that the worker follows, for the records. Default 0, not known. */
  readonly revision?: number;
  /** It fetches bodies that are not in their messages. Default: what is larger than a message may
   * be is not delivered here. */
  readonly fetches?: boolean;
}

/** Why a watch is over; `recovering` also stands for a lost connection. */
export type WorkEnd = 'ended' | 'replaced' | 'deleted' | 'stopping' | 'recovering';

/** The receiving end of a worker's watch. */
export interface WorkReceiver {
  deliver(message: LeasedMessage): void;
  /** The lease is gone; its slot counts until `freed`. */
  voided(deliveryId: number, reason: string): void;
  closed(reason: WorkEnd): void;
}

export interface LeaseWatch {
  /** Which of `holding` are still this worker's. */
  readonly held: readonly number[];
  pause(): void;
  resume(): void;
  /** `drain`: leases go back uncounted; `dead`: the instance is known to be gone. */
  close(how: 'cut' | 'drain' | 'dead'): Promise<void>;
}

export interface WorkCompletion {
  readonly deliveryId: number;
  /** Empty or undefined with `succeeded`: there is no result. */
  readonly payload: Uint8Array | undefined;
  readonly contentType: string | undefined;
  readonly outcome: 'succeeded' | 'failed';
  readonly code: string;
  readonly reason: string;
  /** Wall clock, 0 = unknown. */
  readonly firstOutputAt: number;
  /** The name of a result that was brought up by itself; then the payload is empty. */
  readonly kept?: string;
}

export interface WorkReturn {
  readonly deliveryId: number;
  readonly counted: boolean;
  readonly code: string;
  readonly reason: string;
  readonly delayMs: number;
  /** The model may still be at work on it. Default false. */
  readonly occupies?: boolean;
}

const noBytes = new Uint8Array(0);
const freedMax = 1024;

/** Leases of one service's input queue. Calls wait through lost connections, to their deadline. */
export class WorkClient {
  readonly #session: StreamSession;
  readonly #channel: number;
  /** Freed of late: what was said on a connection that was lost is said again on the next one,
   * or the server would count these slots for ever. */
  readonly #freed = new Set<number>();

  constructor(session: StreamSession, channel: number) {
    this.#session = session;
    this.#channel = channel;
  }

  /** Begins to take leases. Over when the connection is lost: then open another one that names
   * what is held. Rejects when the server refuses it. */
  watch(_queue: 'input', request: WorkRequest, receiver: WorkReceiver): Promise<LeaseWatch> {
    const watch = new WorkWatch(this.#session, this.#channel, request, receiver);
    return watch.open(() => {
      for (const deliveryId of this.#freed) this.#sayFreed(deliveryId);
    });
  }

  /** Answers the index of the result, 0 = none; throws `stale_delivery` when the lease is gone. */
  complete(completion: WorkCompletion): Promise<number> {
    const { payload = noBytes, ...what } = completion;
    const body = { payload, transfer: 0, size: payload.length };
    const head = { kind: 'complete', number: this.#session.number() } as const;
    const operation = { ...head, channel: this.#channel, again: false, ...what, ...body } as const;
    const take = (answer: ServerOperation): number =>
      answer.kind === 'completed' ? answer.value : 0;
    const options = undefined;
    return this.#session.call({ operation, payload, repeatable: true, options, take });
  }

  giveBack(_queue: 'input', how: WorkReturn): Promise<void> {
    const { occupies = false, ...rest } = how;
    const delayMs = Math.ceil(how.delayMs);
    const head = { kind: 'giveBack', number: this.#session.number() } as const;
    const what = { ...rest, occupies, delayMs, again: false };
    return this.#say({ ...head, channel: this.#channel, ...what });
  }

  /** The model is known to be free of a lease that was taken away. */
  freed(_queue: 'input', deliveryId: number): void {
    this.#freed.add(deliveryId);
    this.#sayFreed(deliveryId);
    if (this.#freed.size <= freedMax) return;
    for (const oldest of this.#freed) {
      this.#freed.delete(oldest);
      return;
    }
  }

  progress(deliveryId: number, text: string): Promise<void> {
    return this.#progress(deliveryId, text, 0, []);
  }

  /** Says what running work streams and reports; `from` is the place of the first note. Calls come
   * to the server in the order in which they are made, before a later completion. */
  tell(deliveryId: number, from: number, notes: readonly WorkNote[]): Promise<void> {
    return this.#progress(deliveryId, '', from, notes);
  }

  /** Shows that the work goes on: its idle time begins anew. */
  touch(_queue: 'input', deliveryId: number): Promise<void> {
    const head = { kind: 'touch', number: this.#session.number() } as const;
    return this.#say({ ...head, channel: this.#channel, deliveryId });
  }

  /** Keeps a few bytes for the next delivery of the request. Durable when it resolves; throws
   * `stale_delivery` when the lease is gone. */
  checkpoint(deliveryId: number, data: Uint8Array): Promise<void> {
    const head = { kind: 'checkpoint', number: this.#session.number() } as const;
    const body = { payload: data, transfer: 0, size: data.length };
    const operation = { ...head, channel: this.#channel, deliveryId, ...body };
    const how = { repeatable: true, options: undefined, take: () => undefined };
    return this.#session.call({ operation, payload: data, ...how });
  }

  /** The latest checkpoint of the request with an index of the input. */
  checkpointOf(index: number): Promise<Uint8Array | undefined> {
    const head = { kind: 'recall', number: this.#session.number() } as const;
    return this.#session.call({
      operation: { ...head, channel: this.#channel, index },
      repeatable: true,
      options: undefined,
      take: (_answer, messages) => messages[0]?.payload,
    });
  }

  /** Says how the instance is, and answers what the service wants of it. Throws `not_allowed` when
   * the server knows of no workers on other machines. */
  report(report: WorkerReport, options?: CallOptions): Promise<WorkTerms> {
    const session = this.#session;
    const facts = writeReport(report);
    const channel = this.#channel;
    const answered = session.call({
      operation: { kind: 'report', number: session.number(), channel, facts },
      repeatable: true,
      options,
      take: (answer) => (answer.kind === 'described' ? answer.attributes : undefined),
    });
    // A server passes over what it does not know, but it answers in order here.
    const passedOver = session.call({
      operation: { kind: 'ping', number: session.number() },
      repeatable: true,
      options,
      take: () => undefined,
    });
    return Promise.race([answered, passedOver]).then((terms) => {
      if (terms !== undefined) return readTerms(terms);
      const text = 'The server is too old: it knows of no workers on other machines.';
      throw new PlatformError('not_allowed', text);
    });
  }

  /** Leaves: leases go back uncounted. Resolves when the server has let go. */
  close(): Promise<void> {
    return this.#session.close();
  }

  #progress(
    deliveryId: number,
    text: string,
    from: number,
    notes: readonly WorkNote[],
  ): Promise<void> {
    const head = { kind: 'progress', number: this.#session.number() } as const;
    return this.#say({ ...head, channel: this.#channel, deliveryId, text, from, notes });
  }

  #sayFreed(deliveryId: number): void {
    this.#session.say({ kind: 'freed', channel: this.#channel, deliveryId });
  }

  #say(operation: NumberedOperation): Promise<void> {
    const call = { operation, repeatable: true, options: undefined, take: () => undefined };
    return this.#session.call(call);
  }
}
