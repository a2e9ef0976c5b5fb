// One client's side of the stream protocol over all its connections: it comes back when one is
// lost, sends again what may be repeated, opens its queues and watches anew. Nothing here knows
// what a call means.

import { PlatformError } from '../errors.ts';
import type { ClientPlatform, ClientTimer } from '../platform.ts';
import { onAbort } from '../signals.ts';
import type {
  ClientOperation,
  Deliver,
  Open,
  OpenWatch,
  ServerOperation,
  StreamQueue,
  Welcome,
} from '../stream/operations.ts';
import type { Follow, Told } from '../stream/request-operations.ts';
import { Pending, PendingCalls, type SessionCall } from './pending.ts';
import { errorOf, StreamWire } from './wire.ts';

export interface SessionOptions {
  /** `ws:` or `wss:`, with the path. */
  readonly url: string;
  readonly token: string;
  readonly uid: string;
  readonly gid: string;
  readonly agent: string;
  /** How long a call waits for its answer when it does not say. */
  readonly timeoutMs: number;
  readonly platform: ClientPlatform;
  /** Told of every change of the connection; must not throw. */
  readonly onConnection?: ((state: ConnectionState) => void) | undefined;
}

/** `open`: with a server that calls itself `agent`. `lost`: it comes back by itself; told again
 * for each attempt that failed. `over`: it was refused for good and will not come back. */
export type ConnectionState =
  | { readonly kind: 'open'; readonly agent: string }
  | { readonly kind: 'lost'; readonly error: unknown }
  | { readonly kind: 'over'; readonly error: unknown };

/** A watch as the session carries it from connection to connection. */
export interface SessionWatch {
  readonly number: number;
  /** The server has it, or was asked for it, on this connection. */
  readonly isOpen: boolean;
  /** What opens it, on this connection as on every later one. */
  opening(): OpenWatch | Follow;
  /** The answer to `opening`. */
  answered(answer: ServerOperation): void;
  deliver(operation: Deliver, payload: Uint8Array): void;
  /** Of one that follows a request. */
  told?(event: Told): void;
  voided(deliveryId: number, reason: string): void;
  closed(reason: string): void;
  /** The connection is lost; it will be opened again on the next one. */
  lost(): void;
  /** The session is over; without an error the client was closed. */
  over(error: unknown): void;
}

const sweepMs = 100;
const retryMs = { first: 50, most: 2000 } as const;

export class StreamSession {
  readonly #options: SessionOptions;
  readonly #platform: ClientPlatform;
  readonly #calls = new PendingCalls();
  readonly #channels = new Map<number, Open>();
  readonly #watches = new Map<number, SessionWatch>();
  readonly #timers = new Set<ClientTimer>();
  readonly #over = new AbortController();
  #wire: StreamWire | undefined;
  #session = '';
  #lastNumber = 0;
  #isLeaving = false;
  #retryAfterMs = 0;
  #attempts = 0;
  #isSweeping = false;
  #isOver = false;
  #trouble: unknown;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#platform = options.platform;
  }

  get platform(): ClientPlatform {
    return this.#platform;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Connects for the first time; a refusal is final. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#end(error);
      throw error;
    }
  }

  /** A number for an operation, a channel or a watch. */
  number(): number {
    return ++this.#lastNumber;
  }

  /** Names a queue on this and every later connection; resolves when the server knows it. */
  async openChannel(service: string, queue: StreamQueue): Promise<number> {
    const number = this.number();
    const operation: Open = { kind: 'open', number, service, queue, gid: '', uid: '' };
    await this.call({ operation, repeatable: true, options: undefined, take: () => undefined });
    this.#channels.set(number, operation);
    return number;
  }

  call<Answer>(call: SessionCall<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { options } = call;
      const signal = options?.signal;
      const patienceMs = (options?.timeoutMs ?? this.#options.timeoutMs) + (call.waitMs ?? 0);
      const deadline = this.#platform.clock.now().mono + patienceMs;
      // It is resolved with what `take` of this same call answers.
      const settle = resolve as (answer: unknown) => void;
      const pending = new Pending(call, deadline, settle, reject);
      if (this.#isOver || signal?.aborted) {
        pending.reject(this.#isOver ? closedError(this.#trouble) : signal?.reason);
        return;
      }
      if (signal !== undefined) {
        pending.stopListening = onAbort(signal, () => this.#giveUp(pending, signal.reason));
      }
      this.#send(pending);
      this.#sweep();
    });
  }

  /** Says something that has no answer; forgotten when there is no connection. */
  say(operation: ClientOperation): void {
    this.#wire?.say(operation);
  }

  addWatch(watch: SessionWatch): void {
    if (this.isOver) throw closedError(this.#trouble);
    this.#watches.set(watch.number, watch);
    this.openWatch(watch);
  }

  /** Opens a watch on the connection there is; does nothing while there is none. */
  openWatch(watch: SessionWatch): void {
    if (this.#wire === undefined || this.#isLeaving || watch.isOpen) return;
    if (this.#watches.has(watch.number)) this.#wire.say(watch.opening());
  }

  removeWatch(watch: SessionWatch): void {
    this.#watches.delete(watch.number);
  }

  /** Runs `run` after a while, unless the session is over by then. */
  later(delayMs: number, run: () => void): void {
    const timer = this.#platform.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }

  /** Leaves: leases go back, calls that wait are refused. Resolves when the server has let go. */
  async close(): Promise<void> {
    if (this.isOver) return;
    const wire = this.#wire;
    this.#end(undefined);
    await wire?.leave();
  }

  async #connect(): Promise<void> {
    const { url, token, uid, gid, agent } = this.#options;
    const resume = this.#session;
    const wire = new StreamWire(
      { url, token, uid, gid, agent, resume, platform: this.#platform },
      {
        operation: (operation, payload) => this.#received(operation, payload),
        lost: (error) => this.#lost(error),
      },
    );
    const welcome = await wire.open(this.#over.signal);
    this.#begin(wire, welcome);
  }

  #begin(wire: StreamWire, welcome: Welcome): void {
    this.#wire = wire;
    this.#session = welcome.session;
    this.#attempts = 0;
    this.#isLeaving = false;
    this.#retryAfterMs = 0;
    this.#calls.operationsMax = welcome.operationsMax;
    this.#calls.bytesMax = welcome.bytesMax;
    for (const channel of this.#channels.values()) wire.say(channel);
    for (const watch of this.#watches.values()) this.openWatch(watch);
    this.#pump();
    this.#options.onConnection?.({ kind: 'open', agent: welcome.agent });
  }

  #lost(error: PlatformError): void {
    this.#wire = undefined;
    if (this.isOver) return;
    this.#trouble = error;
    for (const watch of this.#watches.values()) watch.lost();
    const text = `The connection was lost before the answer came: ${error.message}`;
    for (const pending of this.#calls.lost()) {
      pending.reject(new PlatformError('outcome_unknown', text, { cause: error }));
    }
    this.#failed(error);
  }

  #failed(error: unknown): void {
    if (isFinal(error)) {
      this.#end(error);
      return;
    }
    this.#reconnect();
    this.#options.onConnection?.({ kind: 'lost', error });
  }

  #reconnect(): void {
    const { first, most } = retryMs;
    const longest = Math.min(most, first * 2 ** this.#attempts);
    const waitMs = this.#retryAfterMs + this.#platform.random.fraction() * longest;
    this.#attempts += 1;
    this.later(waitMs, () => {
      this.#connect().catch((error: unknown) => {
        this.#trouble = error;
        if (!this.isOver) this.#failed(error);
      });
    });
  }

  #received(operation: ServerOperation, payload: Uint8Array): void {
    switch (operation.kind) {
      case 'deliver':
        this.#watches.get(operation.watch)?.deliver(operation, payload);
        break;
      case 'voided':
        this.#watches.get(operation.watch)?.voided(operation.deliveryId, operation.reason);
        break;
      case 'closed':
        this.#watches.get(operation.watch)?.closed(operation.reason);
        break;
      case 'message': {
        const pending = this.#calls.sent.get(operation.number);
        if (pending === undefined) break;
        pending.messages ??= [];
        pending.messages.push({ ...operation, payload });
        break;
      }
      case 'event':
        this.#watches.get(operation.number)?.told?.(operation);
        break;
      case 'goodbye':
        this.#isLeaving = true;
        this.#retryAfterMs = operation.retryAfterMs;
        break;
      case 'putDone':
      case 'done':
      case 'error':
      case 'watching':
      case 'completed':
      case 'counted':
      case 'found':
      case 'described':
        this.#answered(operation);
        break;
      case 'welcome':
      case 'part':
      case 'abandon':
      case 'credit':
        break;
    }
  }

  #answered(answer: Extract<ServerOperation, { readonly number: number }>): void {
    const pending = this.#calls.over(answer.number);
    if (pending === undefined) {
      this.#watches.get(answer.number)?.answered(answer);
      return;
    }
    if (answer.kind === 'error') {
      this.#wire?.withdraw(pending.operation);
      if (!pending.forgotten) pending.reject(errorOf(answer));
    } else if (!pending.forgotten) {
      pending.settle(answer);
    }
    this.#pump();
  }

  #send(pending: Pending): void {
    if (this.#wire !== undefined && this.#calls.fits(pending.size)) {
      this.#calls.count(pending);
      this.#transmit(pending);
    } else {
      this.#calls.add(pending);
    }
  }

  /** Sends what waits, as far as the server's limits go. */
  #pump(): void {
    if (this.#wire === undefined) return;
    for (;;) {
      const pending = this.#calls.take();
      if (pending === undefined) return;
      this.#transmit(pending);
    }
  }

  #transmit(pending: Pending): void {
    const { operation, payload } = pending;
    try {
      if (payload === undefined) this.#wire?.say(operation);
      else this.#wire?.sayInOrder(operation, payload);
    } catch (error) {
      this.#calls.over(operation.number);
      pending.reject(error);
    }
  }

  /** The caller does not wait any longer. */
  #giveUp(pending: Pending, reason: unknown): void {
    if (!pending.sent) {
      this.#calls.withdraw(pending);
    } else {
      const { operation } = pending;
      pending.forgotten = true;
      if (this.#wire?.withdraw(operation)) this.#calls.over(operation.number);
      if (operation.kind === 'get') {
        this.#wire?.say({ kind: 'cancel', number: operation.number });
        this.#calls.over(operation.number);
      }
    }
    pending.reject(reason);
    this.#pump();
  }

  /** One timer for the deadlines of all calls, only while there are any. */
  #sweep(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.later(sweepMs, () => {
      this.#isSweeping = false;
      for (const pending of this.#calls.late(this.#platform.clock.now().mono)) {
        this.#giveUp(pending, this.#lateError(pending));
      }
      if (this.#calls.size > 0) this.#sweep();
    });
  }

  #lateError(pending: Pending): PlatformError {
    const { kind } = pending.operation;
    const cause = this.#trouble;
    if (pending.sent && this.#wire !== undefined) {
      return new PlatformError('timeout', `No answer to ${kind} in time.`);
    }
    const why = cause instanceof Error ? `: ${cause.message}` : '.';
    return new PlatformError('unavailable', `There was no connection for ${kind} in time${why}`, {
      cause,
    });
  }

  #end(error: unknown): void {
    if (this.isOver) return;
    this.#trouble = error;
    this.#isOver = true;
    this.#over.abort();
    this.#wire = undefined;
    for (const timer of this.#timers) timer.cancel();
    for (const pending of this.#calls.drain()) pending.reject(closedError(error));
    // A client that is closed ends its loops; only calls are refused.
    for (const watch of [...this.#watches.values()]) watch.over(error);
    this.#watches.clear();
    if (error !== undefined) this.#options.onConnection?.({ kind: 'over', error });
  }
}

/** What no later connection can heal. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof PlatformError &&
    (error.code === 'bad_request' || error.code === 'unauthorized')
  );
}

function closedError(cause: unknown): unknown {
  return cause ?? new PlatformError('unavailable', 'The client is closed.');
}
