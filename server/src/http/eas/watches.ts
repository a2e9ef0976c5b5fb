// Watches over any connection: what the broker delivers is encoded and handed to the socket, and
// whichever side ends first ends the other. The two transports are in watch.ts.

import { PlatformError } from '@sluice/sdk/wire';
import type { Delivery, Watch, WatchEnd, WatchSink } from '../../broker/queues.ts';
import type { Log } from '../../kernel/log.ts';
import type { Connection } from '../connection.ts';
import { type EdgeLimits, limitText } from '../limits.ts';

/** Above this much in the socket's buffer the broker delivers nothing more. */
const bufferedBytesMax = 2 ** 20;

const closings: Readonly<Record<WatchEnd, { readonly code: number; readonly reason: string }>> = {
  ended: { code: 1000, reason: 'end of stream' },
  replaced: { code: 4001, reason: 'replaced by a newer connection of the same user' },
  deleted: { code: 1001, reason: 'the service was deleted' },
  stopping: { code: 1001, reason: 'server is stopping' },
  recovering: { code: 1012, reason: 'the queue is recovering' },
};

/** All watches of an edge. */
export class Watches {
  readonly #limits: EdgeLimits;
  readonly #log: Log;
  readonly #feeds = new Set<WatchFeed>();
  #paused = false;
  #draining = false;

  constructor(limits: EdgeLimits, log: Log) {
    this.#limits = limits;
    this.#log = log;
  }

  /** A place for one more watch; 503 when there is none. */
  open(encode: (delivery: Delivery) => Uint8Array): WatchFeed {
    if (this.#paused || this.#draining) {
      throw new PlatformError('unavailable', 'server is stopping', { retryAfterMs: 1000 });
    }
    if (this.#feeds.size >= this.#limits.watchesMax) {
      const text = `too many watches: ${limitText(this.#limits, 'watchesMax')}`;
      throw new PlatformError('unavailable', text, { retryAfterMs: 5000 });
    }
    const feed: WatchFeed = new WatchFeed(encode, this.#log, () => this.#feeds.delete(feed));
    this.#feeds.add(feed);
    return feed;
  }

  /** Delivers nothing more to anyone; what is held may still be committed. */
  pause(): void {
    this.#paused = true;
    for (const feed of this.#feeds) feed.pause();
  }

  /** Leaves every watch cleanly: what was held goes back uncounted. */
  drain(): void {
    this.#draining = true;
    for (const feed of this.#feeds) feed.leave();
  }
}

/**
 * The receiving end of one watch. The broker may deliver before the connection stands, because a
 * refusal must come before the handshake is answered: so the first deliveries wait here.
 */
export class WatchFeed implements WatchSink {
  readonly #encode: (delivery: Delivery) => Uint8Array;
  readonly #log: Log;
  readonly #forget: () => void;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #connection: Connection | undefined;
  #watch: Watch | undefined;
  /** Why the broker ended it. */
  #end: WatchEnd | undefined;
  #over = false;
  #choked = false;
  /** What the server asked for while the watch was still being made. */
  #leaving = false;
  #paused = false;

  constructor(encode: (delivery: Delivery) => Uint8Array, log: Log, forget: () => void) {
    this.#encode = encode;
    this.#log = log;
    this.#forget = forget;
  }

  deliver(delivery: Delivery): void {
    const bytes = this.#encode(delivery);
    if (this.#connection !== undefined) {
      this.#connection.send(bytes);
      return;
    }
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
  }

  /** The EAS protocol has no word for a lease that was taken away. */
  voided(): void {}

  closed(reason: WatchEnd): void {
    this.#end = reason;
    this.#finish();
  }

  buffered(): number {
    const bytes = this.#connection?.buffered() ?? this.#earlyBytes;
    if (bytes > bufferedBytesMax) this.#choked = true;
    return bytes;
  }

  /** The watch stands and so does its connection: they belong together from now on. */
  attach(watch: Watch, connection: Connection): void {
    this.#watch = watch;
    this.#connection = connection;
    connection.onDrain(() => this.#drained());
    connection.onClose(() => this.#finish());
    for (const bytes of this.#early) connection.send(bytes);
    this.#early = [];
    this.#earlyBytes = 0;
    if (this.#end !== undefined) this.#close(connection, this.#end);
    else if (this.#leaving) this.leave();
    else if (this.#paused) watch.pause();
    else if (this.#choked) this.#drained();
  }

  /** The watch stands, but its client is gone. */
  abandon(watch: Watch): void {
    this.#watch = watch;
    this.#finish();
  }

  /** There is no watch: it was refused. */
  refused(): void {
    this.#over = true;
    this.#forget();
  }

  pause(): void {
    this.#paused = true;
    this.#watch?.pause();
  }

  /** Leaves because the server stops. */
  leave(): void {
    if (this.#over) return;
    if (this.#watch === undefined) {
      this.#leaving = true;
      return;
    }
    this.#end ??= 'stopping';
    this.#release('drain');
    this.#finish();
  }

  #finish(): void {
    if (this.#connection !== undefined && this.#end !== undefined) {
      this.#close(this.#connection, this.#end);
    }
    if (this.#over) return;
    this.#over = true;
    this.#forget();
    if (this.#end === undefined) this.#release('cut');
  }

  #close(connection: Connection, end: WatchEnd): void {
    connection.close(closings[end].code, closings[end].reason);
  }

  #release(how: 'cut' | 'drain'): void {
    this.#watch?.close(how).catch((error: unknown) => {
      this.#log.warn({ err: error }, 'watch did not close');
    });
  }

  #drained(): void {
    if (!this.#choked || this.#over) return;
    this.#choked = false;
    this.#watch?.drained();
  }
}
