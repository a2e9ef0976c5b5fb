// The consumers of a group that can take something, the one that is next first: with most free
// slots, then the least recently served. A heap in which everyone knows its place, so that one of
// thousands is found and moved in a few steps.

import type { Consumer } from './state.ts';

/** What a consumer carries for the heap; nobody else changes it. */
export interface OpenPlace {
  /** -1 while it is not in the heap. */
  at: number;
  /** Its free slots and `servedAt` when it was last put in order. */
  free: number;
  servedAt: number;
}

/** The place of a consumer that is in no heap. */
export function createOpenPlace(): OpenPlace {
  return { at: -1, free: 0, servedAt: 0 };
}

export class OpenConsumers {
  readonly #heap: Consumer[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Who is next, unless something else speaks against it. */
  get first(): Consumer | undefined {
    return this.#heap[0];
  }

  /** All of them, in no order. */
  [Symbol.iterator](): Iterator<Consumer> {
    return this.#heap.values();
  }

  /** To be called after every change of its free slots or of `servedAt`; with 0 it is taken out. */
  note(consumer: Consumer, free: number): void {
    const { open } = consumer;
    if (free <= 0) {
      this.#delete(consumer);
      return;
    }
    open.free = free;
    open.servedAt = consumer.servedAt;
    if (open.at < 0) {
      open.at = this.#heap.length;
      this.#heap.push(consumer);
    }
    this.#settle(consumer);
  }

  #delete(consumer: Consumer): void {
    const { at } = consumer.open;
    if (at < 0) return;
    consumer.open.at = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === consumer) return;
    this.#put(last, at);
    this.#settle(last);
  }

  /** Moves it up or down to where it belongs. */
  #settle(consumer: Consumer): void {
    let { at } = consumer.open;
    while (at > 0) {
      const above = this.#heap[(at - 1) >>> 1];
      if (above === undefined || !comesFirst(consumer, above)) break;
      this.#put(above, at);
      at = (at - 1) >>> 1;
    }
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && comesFirst(right, left);
      const below = isRight ? right : left;
      if (below === undefined || below === consumer || !comesFirst(below, consumer)) break;
      const next = isRight ? 2 * at + 2 : 2 * at + 1;
      this.#put(below, at);
      at = next;
    }
    this.#put(consumer, at);
  }

  #put(consumer: Consumer, at: number): void {
    this.#heap[at] = consumer;
    consumer.open.at = at;
  }
}

/** The order of both, as they were last noted; equals go by their numbers. */
export function comesFirst(left: Consumer, right: Consumer): boolean {
  const a = left.open;
  const b = right.open;
  if (a.free !== b.free) return a.free > b.free;
  if (a.servedAt !== b.servedAt) return a.servedAt < b.servedAt;
  return left.number < right.number;
}
