// Calls that wait for their answer, and the limits of the server on how many and how large they
// may be. What does not fit waits in order.

import { PlatformError } from '../errors.ts';
import { NumberTable } from '../number-table.ts';
import type { CallOptions } from '../queue-client.ts';
import type { ClientOperation, Fetched, ServerOperation } from '../stream/operations.ts';

export type NumberedOperation = ClientOperation & { readonly number: number };

/** A call as whoever makes it describes it. */
export interface SessionCall<Answer> {
  readonly operation: NumberedOperation;
  readonly payload?: Uint8Array | undefined;
  /** Whether it may be sent again when its answer was lost with the connection. */
  readonly repeatable: boolean;
  /** Of a poll: how long the server may wait, before the deadline begins to run. */
  readonly waitMs?: number | undefined;
  readonly options: CallOptions | undefined;
  /** What the answer means; `messages` are those of a get. Given the operation so that calls which
   * every message makes need no function of their own. */
  readonly take: (
    answer: ServerOperation,
    messages: readonly Fetched[],
    operation: NumberedOperation,
  ) => Answer;
  /** Of a call that ends a lease. */
  readonly lease?: EndingLease | undefined;
}

/** Whom a call that ends a lease concerns beside its caller; told of its end before the caller. */
export interface EndingLease {
  ended(): void;
  failed(error: unknown): void;
}

const noMessages: readonly Fetched[] = [];

/** Calls that wait to be sent, most. */
const waitingMax = 1_000_000;

/** A call on its way. One object for everything, since each message has at least one. */
export class Pending {
  /** Replaced when it is sent again. */
  operation: NumberedOperation;
  readonly payload: Uint8Array | undefined;
  /** Monotonic clock. */
  readonly deadline: number;
  /** Whether it may be sent again when its answer was lost. */
  readonly repeatable: boolean;
  sent = false;
  /** The caller has given up; only the answer is awaited, to keep the count. */
  forgotten = false;
  /** Of a get: what has come so far. */
  messages: Fetched[] | undefined = undefined;
  /** Of a call with a signal. */
  stopListening: (() => void) | undefined = undefined;
  readonly #take: SessionCall<unknown>['take'];
  readonly #lease: EndingLease | undefined;
  readonly #resolve: (answer: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    call: SessionCall<unknown>,
    deadline: number,
    resolve: (answer: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.operation = call.operation;
    this.payload = call.payload;
    this.deadline = deadline;
    this.repeatable = call.repeatable;
    this.#take = call.take;
    this.#lease = call.lease;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get size(): number {
    return this.payload === undefined ? 0 : this.payload.length;
  }

  settle(answer: ServerOperation): void {
    this.stopListening?.();
    const taken = this.#take(answer, this.messages ?? noMessages, this.operation);
    this.#lease?.ended();
    this.#resolve(taken);
  }

  reject(error: unknown): void {
    this.stopListening?.();
    this.#lease?.failed(error);
    this.#reject(error);
  }
}

export class PendingCalls {
  /** Sent and not answered, by number. */
  readonly sent: NumberTable<Pending> = new NumberTable();
  #waiting: Pending[] = [];
  #next = 0;
  #bytes = 0;
  operationsMax = 0;
  bytesMax = 0;

  get size(): number {
    return this.sent.size + this.#waiting.length - this.#next;
  }

  /** Throws `rate_limited` when far too many wait. */
  add(pending: Pending): void {
    if (this.#waiting.length - this.#next >= waitingMax) {
      throw new PlatformError('rate_limited', `${waitingMax} calls wait for the server already.`);
    }
    this.#waiting.push(pending);
  }

  /** Whether `pending` may be sent at once, before all that wait (there are none). */
  fits(size: number): boolean {
    if (this.#waiting.length > this.#next || this.sent.size >= this.operationsMax) return false;
    return this.sent.size === 0 || this.#bytes + size <= this.bytesMax;
  }

  /** The next that fits now, counted as sent. */
  take(): Pending | undefined {
    const pending = this.#waiting[this.#next];
    if (pending === undefined || this.sent.size >= this.operationsMax) return undefined;
    if (this.sent.size > 0 && this.#bytes + pending.size > this.bytesMax) return undefined;
    this.#next += 1;
    if (this.#next === this.#waiting.length || this.#next > 4096) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    this.count(pending);
    return pending;
  }

  /** Counts a call as sent. */
  count(pending: Pending): void {
    pending.sent = true;
    this.#bytes += pending.size;
    this.sent.set(pending.operation.number, pending);
  }

  /** The call is over; answers it when it was under way. */
  over(number: number): Pending | undefined {
    const pending = this.sent.get(number);
    if (pending === undefined) return undefined;
    this.sent.delete(number);
    this.#bytes -= pending.size;
    return pending;
  }

  /** Takes a call that was not sent out of the queue. */
  withdraw(pending: Pending): void {
    const at = this.#waiting.indexOf(pending, this.#next);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /**
   * The connection is lost: what may be repeated waits again, before all others and in order.
   * Answers the rest, whose outcome nobody knows.
   */
  lost(): Pending[] {
    const unknown: Pending[] = [];
    const again: Pending[] = [];
    for (const [, pending] of this.sent.entries()) {
      pending.messages = undefined;
      if (pending.forgotten) continue;
      pending.sent = false;
      if (pending.repeatable) again.push(pending);
      else unknown.push(pending);
    }
    this.sent.clear();
    this.#bytes = 0;
    for (const pending of again) {
      const { operation } = pending;
      if ('again' in operation) pending.operation = { ...operation, again: true };
    }
    this.#waiting = [...again, ...this.#waiting.slice(this.#next)];
    this.#next = 0;
    return unknown;
  }

  /** Empties everything; answers all calls that somebody waits for. */
  drain(): Pending[] {
    const sent = this.sent.entries().map(([, pending]) => pending);
    const all = [...sent, ...this.#waiting.slice(this.#next)];
    this.sent.clear();
    this.#waiting = [];
    this.#next = 0;
    this.#bytes = 0;
    return all.filter((pending) => !pending.forgotten);
  }

  /** Those that somebody waits for, sent or not, whose deadline has passed. */
  late(now: number): Pending[] {
    const late: Pending[] = [];
    for (const pending of this.sent.values()) {
      if (pending.deadline <= now && !pending.forgotten) late.push(pending);
    }
    for (let at = this.#next; at < this.#waiting.length; at++) {
      const pending = this.#waiting[at];
      if (pending !== undefined && pending.deadline <= now) late.push(pending);
    }
    return late;
  }
}
