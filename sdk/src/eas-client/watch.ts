// A watch over the EAS protocol. It comes back whenever its connection is lost, with the same user
// id: the server then sends again what was not committed, and what is still being worked on here
// is not handed out a second time.

import type { Frame } from '../data-frame.ts';
import { DeliveryQueue } from '../delivery-queue.ts';
import { PlatformError } from '../errors.ts';
import { labelsOf } from '../inputs.ts';
import type { ClientTimer } from '../platform.ts';
import type { Delivery, QueueClient, Watch, WatchOptions } from '../queue-client.ts';
import { onAbort } from '../signals.ts';
import { EasDelivery } from './delivery.ts';
import { type FrameSource, openFrames } from './frames.ts';
import { addLabels, addressOf, type EasHttp } from './http.ts';

/** The server's close code for a watch whose user id watches elsewhere. */
const replacedCode = 4001;

const retryMs = { first: 100, most: 5000 } as const;

export interface EasWatchOptions {
  readonly http: EasHttp;
  /** The address of the queue. */
  readonly url: string;
  readonly isRear: boolean;
  readonly queue: QueueClient;
  readonly sink: QueueClient | undefined;
  readonly watch: WatchOptions;
}

export class EasWatch implements Watch {
  readonly #options: EasWatchOptions;
  readonly #queue: DeliveryQueue;
  /** Handed out or waiting to be, and not settled; by index. */
  readonly #held = new Map<number, EasDelivery>();
  readonly #over = new AbortController();
  #source: FrameSource | undefined;
  #timer: ClientTimer | undefined;
  #attempts = 0;
  #isPaused = false;
  #isStopping = false;
  #emptied: (() => void) | undefined;
  readonly #stops: (() => void)[] = [];

  constructor(options: EasWatchOptions) {
    this.#options = options;
    this.#queue = new DeliveryQueue({
      full: () => this.#source?.pause(),
      free: () => {
        if (!this.#isPaused) this.#source?.resume();
      },
    });
    const { signal, worker } = options.watch;
    if (signal?.aborted) throw signal.reason;
    if (worker) {
      throw new PlatformError('not_allowed', 'A worker watch needs the stream protocol.');
    }
    options.http.over.throwIfAborted();
    for (const each of [signal, options.http.over]) {
      if (each !== undefined) this.#stops.push(onAbort(each, () => void this.close()));
    }
    this.#connect();
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
    this.#source?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#queue.isFull) this.#source?.resume();
  }

  async stop(): Promise<void> {
    // What arrives from now on is not handed out; it goes back when the watch closes.
    this.#isStopping = true;
    for (const delivery of this.#queue.drain()) this.#held.delete(delivery.index);
    if (this.#held.size > 0 && !this.#queue.isOver) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    await this.close();
  }

  close(): Promise<void> {
    this.#queue.drain();
    this.#end(undefined);
    return Promise.resolve();
  }

  #connect(): void {
    const { http, url, isRear, watch } = this.#options;
    const { window = 16, from = 0, indexOnly = false, autoCommit = false } = watch;
    const query = new URLSearchParams({
      _watch_: 'true',
      _index_: String(from),
      _window_: String(window),
      _index_only_: String(indexOnly),
      _auto_commit_: String(autoCommit),
    });
    addLabels(query, labelsOf(watch));
    const request = {
      url: addressOf(url, undefined, query),
      headers: { ...http.headers(isRear), Accept: 'application/vnd.google.protobuf' },
      platform: http.platform,
      signal: this.#over.signal,
    };
    const events = {
      frame: (frame: Frame) => this.#deliver(frame),
      closed: (code: number, reason: string) => this.#closed(code, reason),
    };
    openFrames(request, events).then(
      (source) => this.#opened(source),
      (error: unknown) => this.#refused(error),
    );
  }

  #opened(source: FrameSource): void {
    if (this.#queue.isOver) {
      source.close();
      return;
    }
    this.#source = source;
    this.#attempts = 0;
    if (this.#isPaused || this.#queue.isFull) source.pause();
    this.#queue.open();
  }

  #deliver(frame: Frame): void {
    // Index 0 only carries a text.
    if (frame.index === 0 || this.#isStopping) return;
    // What is held here was sent again after a reconnect, unless it is just being given back.
    const held = this.#held.get(frame.index);
    if (held !== undefined && !held.isReturning) return;
    const { queue, sink, watch } = this.#options;
    const autoCommit = watch.autoCommit ?? false;
    const delivery = new EasDelivery(frame, {
      queue,
      sink,
      autoCommit,
      settled: (settled) => this.#settled(settled),
    });
    if (!autoCommit) this.#held.set(delivery.index, delivery);
    this.#queue.push(delivery);
  }

  #closed(code: number, reason: string): void {
    this.#source = undefined;
    if (this.#queue.isOver) return;
    if (code === replacedCode) {
      this.#end(new PlatformError('conflict', reason));
      return;
    }
    this.#reconnect(undefined);
  }

  #refused(error: unknown): void {
    if (this.#queue.isOver) return;
    if (!(error instanceof PlatformError)) this.#end(error);
    // Ended and empty: everything there ever was has been delivered.
    else if (error.code === 'ended') this.#end(undefined);
    else if (error.retry) this.#reconnect(error.retryAfterMs);
    else this.#end(error);
  }

  #reconnect(afterMs: number | undefined): void {
    const { clock, random } = this.#options.http.platform;
    const longest = Math.min(retryMs.most, retryMs.first * 2 ** this.#attempts);
    this.#attempts += 1;
    const waitMs = afterMs ?? longest * (0.5 + random.fraction() / 2);
    this.#timer = clock.after(waitMs, () => this.#connect());
  }

  #settled(delivery: EasDelivery): void {
    if (this.#held.get(delivery.index) === delivery) this.#held.delete(delivery.index);
    if (this.#held.size === 0) this.#emptied?.();
  }

  #end(error: unknown): void {
    if (this.#queue.isOver) return;
    this.#queue.end(error);
    for (const stop of this.#stops) stop();
    this.#timer?.cancel();
    this.#over.abort();
    this.#source?.close();
    this.#source = undefined;
    for (const delivery of this.#held.values()) delivery.void('The watch is over.');
    this.#held.clear();
    this.#emptied?.();
  }
}
