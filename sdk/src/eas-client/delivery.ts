// Messages and deliveries over the EAS protocol. There are no fencing tokens: a delivery is settled
// by its index, for the group of the client.

import type { Frame } from '../data-frame.ts';
import { PlatformError } from '../errors.ts';
import { bytesOf } from '../inputs.ts';
import type {
  CallOptions,
  CompleteOptions,
  Delivery,
  GiveBackOptions,
  Message,
  NegativeOptions,
  Payload,
  QueueClient,
} from '../queue-client.ts';
import { requestIdTag, type Tags } from '../tags.ts';

export interface EasDeliveryHome {
  readonly queue: QueueClient;
  /** Where results go; undefined on queues that have none. */
  readonly sink: QueueClient | undefined;
  readonly autoCommit: boolean;
  settled(delivery: EasDelivery): void;
}

/** A frame as a message: the request id apart from the tags. */
export function messageOf(frame: Frame): Message {
  const tags = new Map(frame.tags);
  const id = tags.get(requestIdTag) ?? '';
  tags.delete(requestIdTag);
  return {
    index: frame.index,
    id,
    tags,
    payload: frame.data,
    priority: 0,
    acceptedAt: 0,
    contentType: undefined,
    path: undefined,
  };
}

export class EasDelivery implements Delivery {
  readonly index: number;
  readonly id: string;
  readonly tags: Tags;
  readonly payload: Uint8Array;
  readonly priority = 0;
  readonly acceptedAt = 0;
  readonly contentType: undefined;
  readonly path: undefined;
  readonly deliveryId = 0;
  readonly deliveries = 0;
  /** It is being given back: the server may deliver it again before it has answered. */
  isReturning = false;
  readonly #home: EasDeliveryHome;
  readonly #controller = new AbortController();

  constructor(frame: Frame, home: EasDeliveryHome) {
    const { index, id, tags, payload } = messageOf(frame);
    this.index = index;
    this.id = id;
    this.tags = tags;
    this.payload = payload;
    this.#home = home;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async commit(options?: CallOptions): Promise<void> {
    if (this.#home.autoCommit) return;
    await this.#home.queue.commit(this.index, options);
    this.#home.settled(this);
  }

  async complete(payload: Payload = '', options: CompleteOptions = {}): Promise<number> {
    const { sink } = this.#home;
    if (sink === undefined) throw notAllowed('A message of this queue has no result');
    const bytes = bytesOf(payload);
    const failed = options.outcome === 'failed';
    let index = 0;
    if (failed || bytes.length > 0) {
      const tags = new Map(this.tags);
      if (failed) {
        tags.set('lastCode', options.code ?? '');
        if (options.reason) tags.set('lastReason', options.reason);
      }
      const { contentType, signal, timeoutMs } = options;
      const put = { id: this.id, tags, contentType, signal, timeoutMs };
      index = (await sink.put(bytes, put)).index;
    }
    await this.commit(options);
    return index;
  }

  async negative(options: NegativeOptions = {}): Promise<void> {
    this.isReturning = true;
    try {
      await this.#home.queue.negative(this.index, options);
      this.#home.settled(this);
    } finally {
      this.isReturning = false;
    }
  }

  giveBack(options: GiveBackOptions = {}): Promise<void> {
    if (options.counted && !options.delayMs) return this.negative(options);
    return Promise.reject(notAllowed('Giving a message back uncounted'));
  }

  progress(): Promise<void> {
    return Promise.reject(notAllowed('Telling progress'));
  }

  touch(): Promise<void> {
    return Promise.reject(notAllowed('Touching a lease'));
  }

  freed(): void {
    // A plain consumer's slot is free as soon as its lease is gone.
  }

  /** The watch is over. */
  void(reason: string): void {
    this.#controller.abort(new PlatformError('stale_delivery', reason));
  }
}

function notAllowed(what: string): PlatformError {
  return new PlatformError('not_allowed', `${what} needs the stream protocol.`);
}
