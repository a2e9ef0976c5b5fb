// The sending half of a stream connection, the same on both sides. Operations that are ready in
// one turn of the event loop leave in one WebSocket message. Large payloads leave as parts, one
// transfer after the other, as far as the receiver's credit goes; small operations overtake them.

import { ByteWriter } from '../bytes.ts';
import { PlatformError } from '../errors.ts';
import { noBytes } from './fields.ts';
import { partBytesMax, streamMessageBytesMax, wholePayloadBytesMax } from './limits.ts';
import type { Abandon, Part } from './operations.ts';

/** A batch that has grown to this leaves at once, without waiting for the turn to end. */
const batchBytes = 64 * 1024;

/** So a batch below its limit and one more operation always fit one WebSocket message. */
const operationBytesMax = streamMessageBytesMax - batchBytes;

/** A part has no more than this beside its bytes. */
const partHeadBytes = 32;

const roomMin = 1024;

/** What an operation in line counts for beside its payload. */
const lineBytes = 1024;

export interface OutboxOptions<Operation> {
  readonly write: (writer: ByteWriter, operation: Operation | Part | Abandon) => void;
  /** Hands one WebSocket message to the socket. */
  readonly send: (bytes: Uint8Array) => void;
  /** Runs a function when the current turn of the event loop is over. */
  readonly defer: (run: () => void) => void;
}

interface Lined<Operation> {
  readonly operation: Operation;
  readonly payload: Uint8Array;
}

interface Transfer<Operation> extends Lined<Operation> {
  readonly number: number;
  at: number;
  parts: number;
}

export class Outbox<Operation extends { readonly kind: string }> {
  readonly #options: OutboxOptions<Operation>;
  readonly #writer = new ByteWriter(roomMin);
  readonly #lane: Lined<Operation>[] = [];
  #laneBytes = 0;
  #transfer: Transfer<Operation> | undefined;
  #transfers = 0;
  #credit = 0;
  #scheduled = false;
  #closed = false;

  constructor(options: OutboxOptions<Operation>) {
    this.#options = options;
  }

  /** Bytes that were given and not yet handed to the socket. */
  get buffered(): number {
    const transfer = this.#transfer;
    const left = transfer === undefined ? 0 : transfer.payload.length - transfer.at;
    return this.#writer.length + this.#laneBytes + left;
  }

  /** Sends an operation before everything that waits for a transfer. Throws when it cannot be
   * written: `too_large`, or `bad_request` for a number that is none. */
  urgent(operation: Operation): void {
    if (!this.#closed) this.#write(operation);
  }

  /**
   * Sends an operation behind all others that were given here. `payload` is what the operation
   * carries: when it is large it is sent in parts. The caller has checked that the operation can
   * be written, because that may happen later.
   */
  inOrder(operation: Operation, payload: Uint8Array = noBytes): void {
    if (this.#closed) return;
    if (this.#transfer !== undefined) {
      this.#lane.push({ operation, payload });
      this.#laneBytes += payload.length + lineBytes;
      return;
    }
    this.#begin(operation, payload);
  }

  /** Takes an operation back, also in the middle of its transfer; false when it has left. */
  withdraw(operation: Operation): boolean {
    const transfer = this.#transfer;
    if (transfer?.operation === operation) {
      this.#write({ kind: 'abandon', transfer: transfer.number });
      this.#transfer = undefined;
      this.#advance();
      return true;
    }
    const at = this.#lane.findIndex((lined) => lined.operation === operation);
    const lined = this.#lane[at];
    if (lined === undefined) return false;
    this.#lane.splice(at, 1);
    this.#laneBytes -= lined.payload.length + lineBytes;
    return true;
  }

  /** The receiver takes `bytes` more of parts. */
  granted(bytes: number): void {
    this.#credit += bytes;
    this.#advance();
  }

  /** Hands over what is ready now. */
  flush(): void {
    const length = this.#writer.length;
    if (length === 0 || this.#closed) return;
    // The next batch is probably about as large as this one.
    const next = Math.ceil(Math.min(length, batchBytes) * 1.25);
    this.#options.send(this.#writer.take(next, roomMin));
  }

  /** Forgets everything; nothing is sent any more. */
  close(): void {
    this.#closed = true;
    this.#lane.length = 0;
    this.#laneBytes = 0;
    this.#transfer = undefined;
  }

  #begin(operation: Operation, payload: Uint8Array): void {
    if (payload.length <= wholePayloadBytesMax) {
      this.#write(operation);
      return;
    }
    const number = ++this.#transfers;
    this.#write({ ...operation, payload: noBytes, transfer: number, size: payload.length });
    this.#transfer = { operation, payload, number, at: 0, parts: 0 };
    this.#advance();
  }

  /** Sends parts while there is credit, then whatever waited behind them. */
  #advance(): void {
    for (;;) {
      const transfer = this.#transfer;
      if (transfer === undefined) {
        const next = this.#lane.shift();
        if (next === undefined) return;
        this.#laneBytes -= next.payload.length + lineBytes;
        this.#begin(next.operation, next.payload);
      } else {
        const left = transfer.payload.length - transfer.at;
        const size = Math.min(left, partBytesMax, this.#credit);
        if (size === 0) return;
        this.#sendPart(transfer, size);
      }
    }
  }

  #sendPart(transfer: Transfer<Operation>, size: number): void {
    // Together with what announces it when both fit one message.
    if (this.#writer.length + partHeadBytes + size > streamMessageBytesMax) this.flush();
    const data = transfer.payload.subarray(transfer.at, transfer.at + size);
    this.#write({ kind: 'part', transfer: transfer.number, part: transfer.parts, data });
    this.#credit -= size;
    transfer.at += size;
    transfer.parts += 1;
    if (transfer.at === transfer.payload.length) this.#transfer = undefined;
  }

  #write(operation: Operation | Part | Abandon): void {
    const start = this.#writer.length;
    try {
      this.#options.write(this.#writer, operation);
    } catch (error) {
      this.#writer.cutBack(start);
      throw error;
    }
    const length = this.#writer.length;
    if (length - start > operationBytesMax && operation.kind !== 'part') {
      this.#writer.cutBack(start);
      throw new PlatformError(
        'too_large',
        `An operation of ${length - start} bytes beside its payload's parts is over the limit, ` +
          `${operationBytesMax}: it has too many or too long tags.`,
      );
    }
    if (length >= batchBytes) this.flush();
    else this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.defer(() => {
      this.#scheduled = false;
      this.flush();
    });
  }
}
