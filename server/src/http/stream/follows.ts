// Requests that are followed over one connection: their events go out in order, no more of them at
// a time than the client has room for. Those of others are not there at all.

import { type Follow, PlatformError, type RequestEvent, type WorkNote } from '@sluice/sdk/wire';
import type { RequestView } from '../../requests/request.ts';
import { checkNeed, isPublicId, onlyOwner } from '../requests/visibility.ts';
import type { Place } from './calls.ts';
import { streamLimitText } from './limits.ts';
import type { Link } from './link.ts';

/** What the stream protocol needs of requests. */
export interface StreamRequests {
  /** Running work says something; `from` is the place of its first note. */
  add(request: NotedDelivery, notes: readonly WorkNote[], from: number): void;
  /** Nothing more comes of a delivery. */
  end(request: NotedDelivery): void;
  /** undefined: requests cannot be followed here. */
  readonly followed?: FollowedRequests | undefined;
}

export interface NotedDelivery {
  readonly service: string;
  readonly index: number;
  /** How many deliveries this is, from 1. */
  readonly attempt: number;
}

export interface FollowedRequests {
  view(service: string, id: string): Promise<RequestView | undefined>;
  follow(
    service: string,
    id: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncIterable<RequestEvent>;
}

interface Running {
  readonly call: Follow;
  readonly abort: AbortController;
  /** Events that may still be sent. */
  room: number;
  /** Waits for room. */
  wake: (() => void) | undefined;
}

/** Events on their way, most; whatever the client would have. */
const windowMax = 64;

export class Follows {
  readonly #link: Link;
  readonly #running = new Map<number, Running>();

  constructor(link: Link) {
    this.#link = link;
  }

  /** Throws what refuses the call. */
  begin({ channel, queues, requests }: Place, call: Follow): void {
    const { limits } = this.#link;
    const followed = requests?.followed;
    if (followed === undefined || channel.queue !== 'input') {
      throw new PlatformError('not_allowed', 'requests are followed on the input queue only');
    }
    if (this.#running.size >= limits.watchesMax) {
      const text = `too many requests are followed: ${streamLimitText(limits, 'watchesMax')}`;
      throw new PlatformError('rate_limited', text);
    }
    if (this.#running.has(call.number)) {
      throw new PlatformError('bad_request', `number ${call.number} is in use`);
    }
    const { grant } = channel;
    checkNeed(grant, 'read');
    const room = Math.min(Math.max(1, call.window), windowMax);
    const running: Running = { call, abort: new AbortController(), room, wake: undefined };
    this.#running.set(call.number, running);
    this.#run(running, queues.service, followed, onlyOwner(grant)).then(
      () => {
        if (this.#finish(running)) this.#link.done(call);
      },
      (error: unknown) => {
        if (this.#finish(running)) this.#link.fail(call, error);
      },
    );
  }

  /** The client has taken so many. */
  more(number: number, events: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    running.room = Math.min(windowMax, running.room + events);
    running.wake?.();
  }

  cancel(number: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return;
    this.#finish(running);
    this.#link.drop(running.call);
  }

  /** The connection is lost. */
  close(): void {
    for (const number of [...this.#running.keys()]) this.cancel(number);
  }

  async #run(
    running: Running,
    service: string,
    followed: FollowedRequests,
    only: { readonly name: string | undefined } | undefined,
  ): Promise<void> {
    const { call, abort } = running;
    const { number, id, after } = call;
    const view = isPublicId(id) ? await followed.view(service, id) : undefined;
    if (view === undefined || (only !== undefined && only.name !== view.owner)) {
      throw new PlatformError('not_found', `service ${service} has no such request`);
    }
    const events = followed.follow(service, id, after === '' ? undefined : after, abort.signal);
    for await (const { event, id: at, data } of events) {
      while (running.room === 0 && !abort.signal.aborted) await this.#roomOf(running);
      if (abort.signal.aborted) return;
      running.room -= 1;
      this.#link.say({ kind: 'event', number, id: at, event, data: JSON.stringify(data) });
    }
  }

  #roomOf(running: Running): Promise<void> {
    return new Promise((resolve) => {
      running.wake = () => {
        running.wake = undefined;
        resolve();
      };
    });
  }

  /** Forgets it; false when it was over already. */
  #finish(running: Running): boolean {
    if (this.#running.get(running.call.number) !== running) return false;
    this.#running.delete(running.call.number);
    running.abort.abort();
    running.wake?.();
    return true;
  }
}

/** Nothing more is said of a delivery that is about to be settled. */
export function endNotes({ queues, requests }: Place, deliveryId: number): void {
  const lease = requests === undefined ? undefined : queues.leaseOf(deliveryId);
  if (lease === undefined) return;
  const { index, deliveries } = lease;
  requests?.end({ service: queues.service, index, attempt: deliveries });
}
