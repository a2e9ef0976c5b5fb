// A watch over the stream protocol. It lives through lost connections: the leases it holds are
// named when it is opened again, so that nothing is delivered twice that is still being worked on.

import { DeliveryQueue } from '../delivery-queue.ts';
import { PlatformError } from '../errors.ts';
import { checkIndex, checkWhole, labelsOf } from '../inputs.ts';
import { NumberTable } from '../number-table.ts';
import type { Delivery, Watch, WatchOptions } from '../queue-client.ts';
import { onAbort } from '../signals.ts';
import type { Deliver, OpenWatch, ServerOperation } from '../stream/operations.ts';
import { type DeliveryHome, StreamDelivery } from './delivery.ts';
import type { SessionWatch, StreamSession } from './session.ts';
import { errorOf } from './wire.ts';

/** How long to wait before a watch is opened again that the server had to close. */
const reopenMs = { first: 100, most: 2000 } as const;

export class StreamWatch implements Watch, SessionWatch {
  readonly number: number;
  readonly #session: StreamSession;
  readonly #channel: number;
  readonly #options: WatchOptions;
  readonly #queue: DeliveryQueue;
  readonly #home: DeliveryHome;
  /** Deliveries whose lease is ours, by fencing token. */
  readonly #held = new NumberTable<StreamDelivery>();
  /** What the last opening named. */
  #named: readonly number[] = [];
  #attempts = 0;
  #isOpen = false;
  #isPaused = false;
  #emptied: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(session: StreamSession, channel: number, options: WatchOptions) {
    this.#session = session;
    this.#channel = channel;
    this.#options = options;
    this.#home = { session, channel, settled: (delivery) => this.#settled(delivery) };
    this.number = session.number();
    this.#queue = new DeliveryQueue({
      full: () => this.#say('pause'),
      free: () => {
        if (!this.#isPaused) this.#say('resume');
      },
    });
    const { signal, window = 1, from = 0 } = options;
    checkWhole('A window', window, 1);
    checkIndex(from, -1);
    if (signal?.aborted) throw signal.reason;
    session.addWatch(this);
    if (signal !== undefined) this.#stopListening = onAbort(signal, () => void this.close());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  ready(): Promise<void> {
    return this.#queue.ready;
  }

  next(): Promise<Delivery | undefined> {
    return this.#queue.next();
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery> {
    return this.#queue.iterate(() => this.close());
  }

  pause(): void {
    this.#isPaused = true;
    this.#say('pause');
  }

  resume(): void {
    this.#isPaused = false;
    this.#say('resume');
  }

  async stop(): Promise<void> {
    this.pause();
    for (const delivery of this.#queue.drain()) {
      if (delivery.deliveryId !== 0) await delivery.giveBack();
    }
    if (this.#held.size > 0 && !this.#queue.isOver) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#queue.isOver) return;
    this.#queue.drain();
    this.#end(undefined);
    if (this.#session.isOver) return;
    const number = this.#session.number();
    const operation = { kind: 'unwatch', number, watch: this.number, how: 'drain' } as const;
    await this.#session
      .call({ operation, repeatable: false, options: undefined, take: () => undefined })
      // Without a connection there is no watch to close.
      .catch(() => undefined);
  }

  opening(): OpenWatch {
    const { window = 16, from = 0, indexOnly = false, autoCommit = false } = this.#options;
    const { tags, id = '' } = labelsOf(this.#options);
    this.#named = this.#held.entries().map(([deliveryId]) => deliveryId);
    this.#isOpen = true;
    return {
      kind: 'watch',
      number: this.number,
      channel: this.#channel,
      window,
      from,
      indexOnly,
      autoCommit,
      worker: this.#options.worker ?? false,
      tags,
      id,
      holding: this.#named,
      revision: 0,
    };
  }

  answered(answer: ServerOperation): void {
    if (answer.kind === 'watching') {
      this.#attempts = 0;
      const held = new Set(answer.held);
      for (const deliveryId of this.#named) {
        const isSettling = this.#held.get(deliveryId)?.isSettling ?? false;
        if (!held.has(deliveryId) && !isSettling)
          this.voided(deliveryId, 'it was given to another consumer');
      }
      if (this.#isPaused || this.#queue.isFull) this.#say('pause');
      this.#queue.open();
      return;
    }
    if (answer.kind !== 'error') return;
    this.#isOpen = false;
    const error = errorOf(answer);
    // Ended and empty: everything there ever was has been delivered.
    if (error.code === 'ended') this.#end(undefined);
    else if (error.retry) this.#reopen(error.retryAfterMs);
    else this.#end(error);
  }

  deliver(operation: Deliver, payload: Uint8Array): void {
    const delivery = new StreamDelivery(operation, payload, this.#home);
    if (delivery.deliveryId !== 0) this.#held.set(delivery.deliveryId, delivery);
    this.#queue.push(delivery);
  }

  voided(deliveryId: number, reason: string): void {
    const delivery = this.#held.get(deliveryId);
    if (delivery === undefined) return;
    delivery.void(reason);
    this.#queue.remove(delivery);
    this.#settled(delivery);
  }

  closed(reason: string): void {
    this.#isOpen = false;
    switch (reason) {
      case 'ended':
        this.#end(undefined);
        break;
      case 'replaced':
        this.#end(
          new PlatformError('conflict', 'Another consumer of the same group and user id watches.'),
        );
        break;
      case 'deleted':
        this.#end(new PlatformError('not_found', 'The service was deleted.'));
        break;
      default:
        // The server stops or recovers: what is held stays ours for a while.
        this.#reopen(undefined);
    }
  }

  lost(): void {
    this.#isOpen = false;
  }

  over(error: unknown): void {
    if (error === undefined) this.#queue.drain();
    this.#end(error);
  }

  #reopen(afterMs: number | undefined): void {
    const backoff = Math.min(reopenMs.most, reopenMs.first * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#session.later(afterMs ?? backoff, () => this.#session.openWatch(this));
  }

  #settled(delivery: StreamDelivery): void {
    this.#held.delete(delivery.deliveryId);
    if (this.#held.size === 0) this.#emptied?.();
  }

  #say(kind: 'pause' | 'resume'): void {
    if (!this.#queue.isOver) this.#session.say({ kind, watch: this.number });
  }

  #end(error: unknown): void {
    this.#stopListening?.();
    this.#session.removeWatch(this);
    for (const delivery of this.#held.values()) {
      delivery.void('the watch is over');
      this.#queue.remove(delivery);
    }
    this.#held.clear();
    this.#emptied?.();
    this.#queue.end(error);
  }
}
