// The receiving half of transfers: joins the parts of a large payload. At most one transfer is
// under way in each direction, so at most one payload is in memory that is not yet a message.

import { PlatformError } from '../errors.ts';
import type { Abandon, Body, Part } from './operations.ts';

interface Assembly<Operation> {
  /** undefined: refused; its parts are passed over. */
  operation: Operation | undefined;
  readonly transfer: number;
  readonly size: number;
  /** undefined until there is a part of several. */
  payload: Uint8Array | undefined;
  filled: number;
  parts: number;
}

export class Assembler<Operation extends Body> {
  readonly #grant: (bytes: number) => void;
  readonly #creditBytes: number;
  #allowed: number;
  #owed = 0;
  #current: Assembly<Operation> | undefined;

  /** `creditBytes` is what the peer was told; `grant` tells it how much more it may send. */
  constructor(creditBytes: number, grant: (bytes: number) => void) {
    this.#creditBytes = creditBytes;
    this.#allowed = creditBytes;
    this.#grant = grant;
  }

  /** Begins the transfer that an operation announces. The caller has checked its size. */
  begin(operation: Operation): void {
    this.#open(operation, operation);
  }

  /** The operation was refused: its parts will be passed over. */
  refuse(announced: Body): void {
    this.#open(undefined, announced);
  }

  /** The payload of the transfer and its operation once the last part has come. A payload that
   * came in one part is a view on the message that brought it. */
  part(part: Part): { readonly operation: Operation; readonly payload: Uint8Array } | undefined {
    const current = this.#current;
    const { data, transfer } = part;
    if (current === undefined || current.transfer !== transfer || current.parts !== part.part) {
      throw new PlatformError(
        'bad_request',
        `Part ${part.part} of transfer ${transfer} is out of order.`,
      );
    }
    if (data.length > this.#allowed || data.length > current.size - current.filled) {
      throw new PlatformError(
        'bad_request',
        `Transfer ${transfer} is over its size or its credit.`,
      );
    }
    if (current.operation !== undefined) place(current, data);
    current.filled += data.length;
    current.parts += 1;
    this.#took(data.length);
    if (current.filled < current.size) return undefined;
    this.#current = undefined;
    const { operation, payload } = current;
    return operation === undefined || payload === undefined ? undefined : { operation, payload };
  }

  /** The sender gave up; answers the operation that will never be whole. */
  abandon(abandon: Abandon): Operation | undefined {
    const current = this.#current;
    if (current?.transfer !== abandon.transfer) return undefined;
    this.#current = undefined;
    return current.operation;
  }

  /** Passes over what is left of the transfer of `operation`; false when it is not under way. */
  drop(operation: Operation): boolean {
    if (this.#current === undefined || this.#current.operation !== operation) return false;
    this.#current.operation = undefined;
    return true;
  }

  #open(operation: Operation | undefined, announced: Body): void {
    if (this.#current !== undefined) {
      throw new PlatformError('bad_request', 'A transfer begins before the last one has ended.');
    }
    const { transfer, size } = announced;
    if (size === 0) throw new PlatformError('bad_request', 'A transfer has no bytes.');
    this.#current = { operation, transfer, size, payload: undefined, filled: 0, parts: 0 };
  }

  /** Gives credit back in few, large steps. */
  #took(bytes: number): void {
    this.#allowed -= bytes;
    this.#owed += bytes;
    if (this.#owed * 2 < this.#creditBytes) return;
    this.#allowed += this.#owed;
    const owed = this.#owed;
    this.#owed = 0;
    this.#grant(owed);
  }
}

function place(assembly: Assembly<unknown>, data: Uint8Array): void {
  if (data.length === assembly.size) {
    assembly.payload = data;
    return;
  }
  assembly.payload ??= new Uint8Array(assembly.size);
  assembly.payload.set(data, assembly.filled);
}
