// Watches of one connection. The queues count windows and keep leases; here deliveries become
// operations, and the life of the connection becomes the life of its watches.

import {
  type ApartBody,
  type CloseWatch,
  type DeliveryFacts,
  noBytes,
  type OpenWatch,
  PlatformError,
} from '@sluice/sdk/wire';
import type { Delivery, Watch, WatchEnd, WatchSink } from '../../broker/queues.ts';
import type { Log } from '../../kernel/log.ts';
import { shownOf } from '../body-place.ts';
import { filterOf, type Place } from './calls.ts';
import { streamLimitText } from './limits.ts';
import type { Link } from './link.ts';

type Closing = CloseWatch['how'];

const elsewhere =
  'its body is not in the message, and its worker is too old to fetch it: update that';
/** Another consumer may be able to take it sooner; this one never is. */
const elsewhereMs = 5_000;

interface Entry {
  readonly number: number;
  /** There once the queues have opened it. */
  watch: Watch | undefined;
  /** How to close it as soon as it is open. */
  closing: { readonly how: Closing; readonly closed: () => void } | undefined;
  paused: boolean;
}

export class Watches {
  readonly #link: Link;
  readonly #log: Log;
  readonly #entries = new Map<number, Entry>();
  #leaving = false;

  constructor(link: Link, log: Log) {
    this.#link = link;
    this.#log = log;
    link.onRoom(() => {
      for (const entry of this.#entries.values()) entry.watch?.drained();
    });
  }

  open({ link, channel, queues, workers }: Place, call: OpenWatch): void {
    if (this.#entries.has(call.number)) {
      throw new PlatformError('bad_request', `number ${call.number} is in use`);
    }
    if (this.#entries.size >= link.limits.watchesMax) {
      const limit = streamLimitText(link.limits, 'watchesMax');
      throw new PlatformError('rate_limited', `too many watches on this connection: ${limit}`);
    }
    const { number, window, from, indexOnly, autoCommit, holding, revision } = call;
    const { fetches = false } = call;
    if (!autoCommit && (window < 1 || window > 65_536)) {
      throw new PlatformError('bad_request', 'a window is from 1 to 65536');
    }
    const entry: Entry = { number, watch: undefined, closing: undefined, paused: this.#leaving };
    this.#entries.set(number, entry);
    const { tags, id } = filterOf(call);
    const kind = call.worker ? 'worker' : 'stream';
    const request = {
      by: channel.by,
      kind,
      window,
      from,
      indexOnly,
      autoCommit,
      tags,
      id,
      holding,
      revision,
      fetches,
    } as const;
    const sink = this.#sink(entry, call, queues.service);
    const isOldWorker = !fetches && workers?.joined.speaks(link) === true;
    const deliver = isOldWorker ? this.#onlyWhole(sink, { channel, queues }) : sink.deliver;
    queues.watch(channel.queue, request, { ...sink, deliver }).then(
      (watch) => this.#opened(entry, watch, call),
      (error: unknown) => {
        this.#entries.delete(number);
        entry.closing?.closed();
        link.fail(call, error);
      },
    );
  }

  /** Closes one watch as the client asks; resolves when its leases are settled. */
  close(call: CloseWatch): Promise<void> {
    const entry = this.#entries.get(call.watch);
    return entry === undefined ? Promise.resolve() : this.#close(entry, call.how);
  }

  /** Closes all of them. */
  async closeAll(how: Closing): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#close(entry, how)));
  }

  pause(number: number): void {
    const entry = this.#entries.get(number);
    if (entry === undefined) return;
    entry.paused = true;
    entry.watch?.pause();
  }

  resume(number: number): void {
    const entry = this.#entries.get(number);
    if (entry === undefined || this.#leaving) return;
    entry.paused = false;
    entry.watch?.resume();
  }

  /** Nothing more is delivered on this connection; what is held may be finished. */
  pauseAll(): void {
    this.#leaving = true;
    for (const number of this.#entries.keys()) this.pause(number);
  }

  /** A worker that does not fetch bodies would work on what stands for one: it goes back. */
  #onlyWhole(
    sink: WatchSink,
    { channel, queues }: Pick<Place, 'channel' | 'queues'>,
  ): WatchSink['deliver'] {
    return (delivery) => {
      const { deliveryId, body } = delivery;
      if (body === undefined || deliveryId === 0) {
        sink.deliver(delivery);
        return;
      }
      const how = {
        counted: false,
        code: 'BodyElsewhere',
        reason: elsewhere,
        delayMs: elsewhereMs,
      };
      queues.giveBack(channel.queue, { deliveryId, ...how }).catch((error: unknown) => {
        this.#log.debug({ deliveryId, error }, 'a delivery without its body was not given back');
      });
    };
  }

  #sink(entry: Entry, { indexOnly, fetches = false }: OpenWatch, service: string): WatchSink {
    const link = this.#link;
    const { number } = entry;
    return {
      deliver: (delivery) => {
        const shown = shownOf(delivery, service);
        const facts = fetches ? factsOf(delivery) : undefined;
        const isApart = indexOnly || facts?.apart !== undefined;
        sendDelivery(link, number, shown, facts, isApart ? noBytes : shown.payload);
      },
      voided: (deliveryId, reason) =>
        link.sayInOrder({ kind: 'voided', watch: number, deliveryId, reason }),
      closed: (reason: WatchEnd) => {
        this.#entries.delete(number);
        link.sayInOrder({ kind: 'closed', watch: number, reason });
      },
      buffered: () => link.buffered(),
    };
  }

  #opened(entry: Entry, watch: Watch, call: OpenWatch): void {
    entry.watch = watch;
    if (entry.paused) watch.pause();
    const { closing } = entry;
    if (closing !== undefined) {
      this.#link.done(call);
      void this.#closeOpen(entry, watch, closing.how).then(closing.closed);
      return;
    }
    this.#link.answer(call, { kind: 'watching', number: call.number, held: watch.held });
  }

  #close(entry: Entry, how: Closing): Promise<void> {
    const { watch } = entry;
    if (watch !== undefined) return this.#closeOpen(entry, watch, how);
    return new Promise((resolve) => {
      const before = entry.closing;
      entry.closing = {
        how: before?.how ?? how,
        closed: () => {
          before?.closed();
          resolve();
        },
      };
    });
  }

  async #closeOpen(entry: Entry, watch: Watch, how: Closing): Promise<void> {
    this.#entries.delete(entry.number);
    try {
      await watch.close(how);
    } catch (error) {
      // The leases end by themselves then: with the queues, or when their time is over.
      this.#log.warn({ err: error }, 'closing a watch failed');
    }
  }
}

/** What a consumer is told that fetches bodies. */
function factsOf({ body, home }: Delivery): DeliveryFacts {
  const apart: ApartBody | undefined =
    body?.kind === 'file' ? { kind: 'file', size: body.size } : body;
  return {
    ...(apart === undefined ? {} : { apart }),
    ...(home === 'record' ? { largeResult: true } : {}),
  };
}

function sendDelivery(
  link: Link,
  watch: number,
  delivery: Delivery,
  facts: DeliveryFacts | undefined,
  payload: Uint8Array,
): void {
  const operation = {
    kind: 'deliver',
    watch,
    deliveryId: delivery.deliveryId,
    deliveries: delivery.deliveries,
    index: delivery.index,
    id: delivery.id,
    tags: delivery.tags,
    priority: delivery.priority,
    contentType: delivery.contentType,
    path: delivery.path,
    acceptedAt: delivery.acceptedAt,
    payload,
    transfer: 0,
    size: payload.length,
  } as const;
  link.sayInOrder(facts === undefined ? operation : { ...operation, ...facts }, payload);
}
