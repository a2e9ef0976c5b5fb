// Deliveries between the connection and the loop that takes them, for both protocols: bounded by
// asking for a pause, ended once, with or without an error.

import type { Delivery } from './queue-client.ts';

/** Above one of these the sender is asked to pause, below half of both to go on. */
const limits = { count: 1024, bytes: 16 * 2 ** 20 } as const;

interface Waiter {
  resolve(delivery: Delivery | undefined): void;
  reject(error: unknown): void;
}

export interface DeliveryFlow {
  /** There is too much; ask for a pause. */
  full(): void;
  /** There is room again. */
  free(): void;
}

export class DeliveryQueue {
  /** Resolves when the watch has been opened; rejects when it is refused. */
  readonly ready: Promise<void>;
  readonly #flow: DeliveryFlow;
  readonly #deliveries: Delivery[] = [];
  readonly #waiters: Waiter[] = [];
  #bytes = 0;
  #isFull = false;
  #isOver = false;
  #error: unknown;
  #opened: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(flow: DeliveryFlow) {
    this.#flow = flow;
    this.ready = new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
    });
    // Whoever does not ask for it hears of a refusal from the loop.
    this.ready.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  open(): void {
    this.#opened?.resolve();
  }

  push(delivery: Delivery): void {
    if (this.#isOver) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve(delivery);
      return;
    }
    this.#deliveries.push(delivery);
    this.#bytes += delivery.payload.length;
    const tooMuch = this.#deliveries.length > limits.count || this.#bytes > limits.bytes;
    if (!tooMuch || this.#isFull) return;
    this.#isFull = true;
    this.#flow.full();
  }

  /** The next delivery; undefined when it is over. Throws the error it ended with, once. */
  next(): Promise<Delivery | undefined> {
    return this.#next(itself);
  }

  iterate(close: () => Promise<void>): AsyncIterator<Delivery> {
    return {
      next: () => this.#next(resultOf),
      return: async () => {
        await close();
        return { done: true, value: undefined };
      },
    };
  }

  /** Takes a delivery out that nobody has taken yet. */
  remove(delivery: Delivery): void {
    const at = this.#deliveries.indexOf(delivery);
    if (at < 0) return;
    this.#deliveries.splice(at, 1);
    this.#took(delivery);
  }

  /** Takes all of them out. */
  drain(): Delivery[] {
    this.#bytes = 0;
    return this.#deliveries.splice(0);
  }

  /** Nothing more comes. What has come can still be taken when there is no error. */
  end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    if (error === undefined) this.#opened?.resolve();
    else this.#opened?.reject(error);
    const [first, ...others] = this.#waiters.splice(0);
    if (first === undefined) return;
    this.#error = undefined;
    if (error === undefined) first.resolve(undefined);
    else first.reject(error);
    for (const waiter of others) waiter.resolve(undefined);
  }

  /** The next delivery as `wrap` makes it, in one promise: a loop asks once for each message. */
  #next<Result>(wrap: (delivery: Delivery | undefined) => Result): Promise<Result> {
    const delivery = this.#deliveries.shift();
    if (delivery !== undefined) {
      this.#took(delivery);
      return Promise.resolve(wrap(delivery));
    }
    if (!this.#isOver) {
      return new Promise((resolve, reject) => {
        this.#waiters.push({ resolve: (come) => resolve(wrap(come)), reject });
      });
    }
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve(wrap(undefined)) : Promise.reject(error);
  }

  #took(delivery: Delivery): void {
    this.#bytes -= delivery.payload.length;
    if (!this.#isFull) return;
    if (this.#deliveries.length * 2 > limits.count || this.#bytes * 2 > limits.bytes) return;
    this.#isFull = false;
    this.#flow.free();
  }
}

function itself(delivery: Delivery | undefined): Delivery | undefined {
  return delivery;
}

function resultOf(value: Delivery | undefined): IteratorResult<Delivery, undefined> {
  return value === undefined ? { done: true, value } : { done: false, value };
}
