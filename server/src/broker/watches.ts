// Open watches of one service: carries durable deliveries to their sinks, in order for each
// consumer, and holds back while a connection is full.

import { PlatformError } from '@sluice/sdk/wire';
import type { GiveBackCommand } from '../queue/decide-lease.ts';
import type { Effect } from '../queue/decision.ts';
import type { QueueName, StoredMessage } from '../queue/message.ts';
import type { BodyPlace } from '../queue/terms.ts';
import { type Carriage, type CarriedBodies, placeOf } from './carried-bodies.ts';
import type { Loader } from './loader.ts';
import type { Delivery, WatchEnd, WatchRequest, WatchSink } from './queues.ts';

/** Nothing is sent to a connection that has this much waiting. */
export const bufferedMax: number = 2 ** 20;

/** A message on its way to a consumer. */
export type DeliverEffect = Extract<Effect, { kind: 'deliver' }>;

/** What a consumer is told. */
export type ForConsumers = Extract<Effect, { readonly consumer: number }>;

interface Outgoing {
  readonly effect: DeliverEffect;
  message: StoredMessage | undefined;
  isReady: boolean;
  /** What becomes of its body is settled: `body` says where it lies apart from the message. */
  carried: 'not yet' | 'on its way' | 'done';
  body: BodyPlace | undefined;
}

export interface OpenWatch {
  readonly consumer: number;
  readonly queue: QueueName;
  readonly indexOnly: boolean;
  /** undefined: it fetches bodies in files itself. */
  readonly carriage: Carriage | undefined;
  readonly sink: WatchSink;
  /** The sink has been handed to its owner and may be called. */
  isOpen: boolean;
  isFull: boolean;
  isPausedByOwner: boolean;
  /** Its queue has ended: it closes after what is outgoing. */
  isEnding: boolean;
  readonly outgoing: Outgoing[];
}

export interface WatchEvents {
  /** The consumer must get nothing more, or may get more again. */
  pause(consumer: number, paused: boolean): void;
  /** Whether a lease has not ended, also in a turn that is not durable yet. */
  isCurrent(deliveryId: number): boolean;
  /** A message is on its way under lease. */
  leased(queue: QueueName, message: StoredMessage): void;
  /** A message can't be sent: the disk no longer has what was stored. */
  damaged(effect: DeliverEffect, reason: string): void;
  /** The service closed the watch. */
  ended(consumer: number, reason: WatchEnd): void;
}

export class Watches {
  readonly #open = new Map<number, OpenWatch>();
  readonly #loader: Loader;
  readonly #bodies: CarriedBodies;
  readonly #events: WatchEvents;
  /** Nothing more of the input is handed out. */
  #isHeld = false;

  constructor(loader: Loader, bodies: CarriedBodies, events: WatchEvents) {
    this.#loader = loader;
    this.#bodies = bodies;
    this.#events = events;
  }

  add(
    consumer: number,
    queue: QueueName,
    options: Pick<OpenWatch, 'indexOnly' | 'carriage' | 'sink'>,
  ): OpenWatch {
    const watch: OpenWatch = {
      consumer,
      queue,
      indexOnly: options.indexOnly,
      carriage: options.carriage,
      sink: options.sink,
      isOpen: false,
      isFull: false,
      isPausedByOwner: false,
      isEnding: false,
      outgoing: [],
    };
    this.#open.set(consumer, watch);
    if (this.#holds(watch)) this.#events.pause(consumer, true);
    return watch;
  }

  /** Hands nothing more of the input to anybody, or goes on; leases stay. */
  hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    for (const watch of this.#open.values()) {
      const isElsePaused = watch.isFull || watch.isPausedByOwner;
      if (watch.queue === 'input' && !isElsePaused) this.#events.pause(watch.consumer, isHeld);
    }
  }

  /** Throws while the input is held, unless the consumer comes back to what it works on. */
  check(queue: QueueName, { holding }: Pick<WatchRequest, 'holding'>, service: string): void {
    if (!this.#isHeld || queue !== 'input' || holding.length > 0) return;
    throw new PlatformError('unavailable', `service ${service} is being stopped`);
  }

  #holds(watch: OpenWatch): boolean {
    return this.#isHeld && watch.queue === 'input';
  }

  /** Its owner is ready to be called. */
  open(watch: OpenWatch): void {
    watch.isOpen = true;
    this.#flush(watch);
  }

  has(consumer: number): boolean {
    return this.#open.has(consumer);
  }

  /** Its owner is gone; answers the leases whose messages were never handed over. */
  remove(watch: OpenWatch): readonly number[] {
    this.#open.delete(watch.consumer);
    const unsent = watch.outgoing.splice(0);
    return unsent.map(({ effect }) => effect.deliveryId).filter((id) => id !== 0);
  }

  handle(effect: ForConsumers, message: StoredMessage | undefined): void {
    const watch = this.#open.get(effect.consumer);
    if (watch === undefined) return;
    switch (effect.kind) {
      case 'deliver':
        this.#deliver(watch, effect, message);
        return;
      case 'voided':
        this.#drop(watch, effect.deliveryId);
        watch.sink.voided(effect.deliveryId, effect.reason);
        return;
      case 'closed':
        if (effect.reason !== 'ended') this.#close(watch, effect.reason);
        else {
          watch.isEnding = true;
          this.#flush(watch);
        }
        return;
    }
  }

  closeAll(reason: WatchEnd): void {
    for (const watch of [...this.#open.values()]) this.#close(watch, reason);
  }

  drained(watch: OpenWatch): void {
    if (watch.sink.buffered() > bufferedMax) return;
    this.#flush(watch);
  }

  setPaused(watch: OpenWatch, paused: boolean): void {
    if (watch.isPausedByOwner === paused) return;
    watch.isPausedByOwner = paused;
    if (!watch.isFull && !this.#holds(watch)) this.#events.pause(watch.consumer, paused);
  }

  #close(watch: OpenWatch, reason: WatchEnd): void {
    if (!this.#open.delete(watch.consumer)) return;
    this.#events.ended(watch.consumer, reason);
    watch.sink.closed(reason);
  }

  /** A lease that was taken away before its message was sent is not sent at all. */
  #drop(watch: OpenWatch, deliveryId: number): void {
    const at = watch.outgoing.findIndex((one) => one.effect.deliveryId === deliveryId);
    if (at >= 0) watch.outgoing.splice(at, 1);
  }

  #deliver(watch: OpenWatch, effect: DeliverEffect, message: StoredMessage | undefined): void {
    const atHand = message ?? this.#loader.atHand(effect.queue, effect.index);
    const outgoing: Outgoing = {
      effect,
      message: atHand,
      isReady: atHand !== undefined,
      carried: 'not yet',
      body: undefined,
    };
    watch.outgoing.push(outgoing);
    if (effect.deliveryId === 0) this.#bodies.keep(atHand);
    if (outgoing.isReady) {
      this.#flush(watch);
      return;
    }
    this.#loader.one(effect.queue, effect.index).then(
      (loaded) => {
        outgoing.message = loaded;
        outgoing.isReady = true;
        if (effect.deliveryId === 0) this.#bodies.keep(loaded);
        this.#flush(watch);
      },
      (error: unknown) => {
        if (!(error instanceof PlatformError && error.code === 'damaged')) {
          this.#close(watch, 'recovering');
          return;
        }
        // The others need not suffer from one that can't be sent.
        watch.outgoing.splice(watch.outgoing.indexOf(outgoing), 1);
        this.#events.damaged(effect, error.message);
        this.#flush(watch);
      },
    );
  }

  #flush(watch: OpenWatch): void {
    if (!watch.isOpen || !this.#open.has(watch.consumer)) return;
    while (watch.outgoing[0]?.isReady === true) {
      if (watch.sink.buffered() > bufferedMax) {
        this.#setFull(watch, true);
        return;
      }
      if (!this.#carry(watch, watch.outgoing[0])) return;
      const outgoing = watch.outgoing.shift();
      if (outgoing?.message === undefined) continue;
      const { deliveryId } = outgoing.effect;
      if (deliveryId !== 0) {
        if (!this.#events.isCurrent(deliveryId)) continue;
        this.#events.leased(watch.queue, outgoing.message);
      }
      watch.sink.deliver(deliveryOf(outgoing, outgoing.message, watch.indexOnly));
      if (!this.#open.has(watch.consumer)) return;
    }
    this.#setFull(watch, watch.sink.buffered() > bufferedMax);
    if (watch.isEnding && watch.outgoing.length === 0) this.#close(watch, 'ended');
  }

  /** Brings the body of the next one along, one at a time for each watch; false: it takes a while,
   * and the rest waits. */
  #carry(watch: OpenWatch, next: Outgoing): boolean {
    const { message } = next;
    if (message === undefined || next.carried === 'done') return true;
    if (next.carried === 'on its way') return false;
    next.carried = 'done';
    const place = placeOf(message);
    if (place === undefined || watch.carriage === undefined || watch.indexOnly) {
      next.body = place;
      return true;
    }
    const carried = this.#bodies.carry(message, watch.carriage);
    if (!(carried instanceof Promise)) {
      next.body = carried.body;
      return true;
    }
    next.carried = 'on its way';
    void carried.then((brought) => {
      Object.assign(next, { ...brought, carried: 'done' });
      this.#flush(watch);
    });
    return false;
  }

  #setFull(watch: OpenWatch, isFull: boolean): void {
    if (watch.isFull === isFull) return;
    watch.isFull = isFull;
    if (!watch.isPausedByOwner && !this.#holds(watch)) {
      this.#events.pause(watch.consumer, isFull);
    }
  }
}

/** What was never handed over cannot have ended badly. */
export function unsent(queue: QueueName, deliveryId: number): GiveBackCommand {
  const cause = { counted: false, code: '', reason: 'never sent', delayMs: 0 };
  return { kind: 'giveBack', queue, deliveryId, ...cause };
}

const nothing = new Uint8Array(0);

function deliveryOf(
  { effect, body }: Pick<Outgoing, 'effect' | 'body'>,
  { meta, payload }: StoredMessage,
  indexOnly: boolean,
): Delivery {
  return {
    index: meta.index,
    id: meta.id,
    tags: meta.tags,
    priority: meta.priority,
    payload: indexOnly ? nothing : payload,
    contentType: meta.contentType,
    path: meta.path,
    acceptedAt: meta.acceptedAt,
    deliveryId: effect.deliveryId,
    deliveries: effect.deliveries,
    body,
    home: meta.home,
  };
}
