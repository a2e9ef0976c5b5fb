// The sending side of one stream connection and the count of what is under way on it. Every call
// begins with `begin` and ends with exactly one answer, so that the limits hold.

import {
  noBytes,
  Outbox,
  PlatformError,
  type ServerOperation,
  serverCodec,
} from '@sluice/sdk/wire';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Connection } from '../connection.ts';
import { type StreamLimits, streamLimitText } from './limits.ts';

/** A call as its answer needs it: its number and what it counts for among the bytes under way. */
export interface Numbered {
  readonly number: number;
  /** Of its payload. */
  readonly size?: number;
  readonly indexes?: readonly number[];
  readonly holding?: readonly number[];
}

/** What a number takes while its list is worked on. */
const numberBytes = 8;

export class Link {
  readonly limits: StreamLimits;
  readonly #connection: Connection;
  readonly #log: Log;
  readonly #outbox: Outbox<ServerOperation>;
  #underWay = 0;
  #bytesUnderWay = 0;
  #closed = false;
  /** Somebody saw too much buffered and wants to hear when there is room. */
  #stalled = false;
  readonly #roomListeners = new Set<() => void>();

  constructor(options: {
    readonly connection: Connection;
    readonly clock: Clock;
    readonly log: Log;
    readonly limits: StreamLimits;
  }) {
    this.limits = options.limits;
    this.#connection = options.connection;
    this.#log = options.log;
    this.#outbox = new Outbox<ServerOperation>({
      write: serverCodec.write,
      send: (bytes) => this.#hand(bytes),
      defer: (run) => options.clock.defer(run),
    });
    this.#connection.onDrain(() => this.#room());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that the socket has not taken yet. */
  buffered(): number {
    const bytes = this.#outbox.buffered + this.#connection.buffered();
    if (bytes > this.limits.bufferedBytes) this.#stalled = true;
    return bytes;
  }

  /** Calls `listener` each time there is room again after there was none. */
  onRoom(listener: () => void): void {
    this.#roomListeners.add(listener);
  }

  offRoom(listener: () => void): void {
    this.#roomListeners.delete(listener);
  }

  /** The client takes `bytes` more of parts. */
  granted(bytes: number): void {
    this.#outbox.granted(bytes);
    this.#room();
  }

  /** Throws `rate_limited` when the client has too much under way; nothing is counted then. */
  begin(call: Numbered): void {
    const { limits } = this;
    const bytes = bytesOf(call);
    if (this.#underWay >= limits.operationsMax) throw overLimit(limits, 'operationsMax');
    if (this.#underWay > 0 && this.#bytesUnderWay + bytes > limits.bytesMax) {
      throw overLimit(limits, 'bytesMax');
    }
    this.#underWay += 1;
    this.#bytesUnderWay += bytes;
  }

  /** The call is over without an answer: the client does not wait for one. */
  drop(call: Numbered): void {
    this.#underWay -= 1;
    this.#bytesUnderWay -= bytesOf(call);
  }

  /** Ends a call with its answer. */
  answer(call: Numbered, operation: ServerOperation): void {
    this.drop(call);
    if (this.#closed) return;
    try {
      this.#outbox.urgent(operation);
    } catch (error) {
      // Too large for one message, as the attributes of very many consumers may be.
      this.refuse(call.number, error);
    }
  }

  done(call: Numbered): void {
    this.answer(call, { kind: 'done', number: call.number });
  }

  /** Ends a call with a refusal. */
  fail(call: Numbered, error: unknown): void {
    this.drop(call);
    this.refuse(call.number, error);
  }

  /** Answers a call that never began. Number 0: about the whole connection. */
  refuse(number: number, error: unknown): void {
    if (this.#closed) return;
    const known = error instanceof PlatformError ? error : undefined;
    if (known === undefined) this.#log.error({ err: error }, 'stream operation failed');
    this.#outbox.urgent({
      kind: 'error',
      number,
      code: known?.code ?? 'internal',
      text: known?.message ?? 'internal error, see the log of the server',
      retryAfterMs: Math.ceil(known?.retryAfterMs ?? 0),
    });
  }

  /** Says something that is no answer, at once. */
  say(operation: ServerOperation): void {
    if (!this.#closed) this.#outbox.urgent(operation);
  }

  /** Says something behind everything else that was said in order. */
  sayInOrder(operation: ServerOperation, payload: Uint8Array = noBytes): void {
    if (!this.#closed) this.#outbox.inOrder(operation, payload);
  }

  /** Sends what is ready and closes. Safe to call twice. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#outbox.flush();
    this.lost();
    this.#connection.close(code, reason.slice(0, 100));
  }

  /** The connection is gone. */
  lost(): void {
    this.#closed = true;
    this.#outbox.close();
    this.#stalled = true;
    this.#room();
  }

  #hand(bytes: Uint8Array): void {
    this.#connection.send(bytes);
    if (this.#connection.buffered() <= this.limits.unreadBytesMax) return;
    // Everything bulky waits for the socket to drain: so these are answers nobody reads.
    this.#log.warn({ buffered: this.#connection.buffered() }, 'stream client does not read');
    this.close(4429, `answers are not read: ${streamLimitText(this.limits, 'unreadBytesMax')}`);
  }

  #room(): void {
    if (!this.#stalled || (!this.#closed && this.#tooMuch())) return;
    this.#stalled = false;
    for (const listener of [...this.#roomListeners]) listener();
  }

  #tooMuch(): boolean {
    return this.#outbox.buffered + this.#connection.buffered() > this.limits.bufferedBytes;
  }
}

function bytesOf({ size = 0, indexes, holding }: Numbered): number {
  return size + numberBytes * ((indexes?.length ?? 0) + (holding?.length ?? 0));
}

function overLimit(limits: StreamLimits, name: 'operationsMax' | 'bytesMax'): PlatformError {
  const text = `too much is under way on this connection: ${streamLimitText(limits, name)}`;
  return new PlatformError('rate_limited', text, { retryAfterMs: 100 });
}
