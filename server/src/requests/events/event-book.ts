// What running requests have said, by service and index: kept in memory while they run and for a
// while after, bounded for each request and in all. A new attempt takes the place of the one
// before, so that two never mix. What nobody reports costs nothing.

import type { WorkNote } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { Attempt } from './attempt.ts';

export interface EventLimits {
  /** Output and log lines of one request; of more the oldest goes. */
  readonly requestBytesMax: number;
  /** Of all requests; of more the logs of those that have come to rest go, then the oldest. */
  readonly totalBytesMax: number;
  /** Requests that are kept a log of. */
  readonly requestsMax: number;
  /** How long a log stays after its last attempt has ended. */
  readonly keptMs: number;
}

export const defaultEventLimits: EventLimits = {
  requestBytesMax: 256 * 1024,
  totalBytesMax: 128 * 2 ** 20,
  requestsMax: 20_000,
  keptMs: 300_000,
};

/** What a log counts for beside what is in it. */
const logBytes = 512;

/** The events of all requests that have any; one for a server. */
export class EventBook {
  readonly #clock: Clock;
  readonly #limits: EventLimits;
  readonly #services = new Map<string, Map<number, RequestLog>>();
  /** Those with something in them, the longest untouched first. */
  readonly #open = new Set<RequestLog>();
  /** Of attempts that have ended, in that order. */
  readonly #ended = new Set<RequestLog>();
  #bytes = 0;
  #sweeping: Timer | undefined;

  constructor(clock: Clock, limits: Partial<EventLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...defaultEventLimits, ...limits };
  }

  /** What all logs take of memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Logs there are, of whoever speaks or reads. */
  get size(): number {
    return [...this.#services.values()].reduce((sum, logs) => sum + logs.size, 0);
  }

  /**
   * Running work says something. `from` is the place of the first note: a row may come twice, and
   * one that is missing leaves a gap. What an earlier attempt than the latest says is passed over.
   */
  add(request: NotedRequest, notes: readonly WorkNote[], from: number): void {
    const log = this.#log(request);
    const known = log.attempt?.number ?? 0;
    if (request.attempt < known) return;
    const before = log.bytes;
    if (log.attempt === undefined || request.attempt > known) {
      log.attempt = new Attempt(request.attempt, this.#limits.requestBytesMax);
    }
    const { attempt } = log;
    attempt.add(notes, from);
    if (attempt.firstOutputAt === 0 && !attempt.hasHole && notes.some(isOutput)) {
      attempt.firstOutputAt = this.#clock.now().wall;
    }
    this.#bytes += log.bytes - before;
    this.#ended.delete(log);
    this.#open.delete(log);
    this.#open.add(log);
    log.wake();
    this.#shrink();
  }

  /** Wall clock of the first output of an attempt; 0 = there was none, or it is not known. */
  firstOutputAt({ service, index, attempt }: NotedRequest): number {
    const known = this.#services.get(service)?.get(index)?.attempt;
    return known?.number === attempt ? known.firstOutputAt : 0;
  }

  /** Nothing more comes of an attempt. */
  end({ service, index, attempt }: NotedRequest): void {
    const log = this.#services.get(service)?.get(index);
    if (log?.attempt === undefined || log.attempt.number > attempt) return;
    if (!this.#open.delete(log)) return;
    log.endedAt = this.#clock.now().mono;
    this.#ended.add(log);
    this.#sweepLater();
  }

  /** A service is gone, with all its requests. */
  deleted(service: string): void {
    for (const log of this.#services.get(service)?.values() ?? []) this.#drop(log);
  }

  /** The log of a request, to be read as it grows; `leave` it when done. */
  enter(service: string, index: number): RequestLog {
    const log = this.#log({ service, index });
    log.readers += 1;
    return log;
  }

  leave(log: RequestLog): void {
    log.readers -= 1;
    if (log.attempt === undefined) this.#forget(log);
  }

  /** Nothing is held any more that would keep a process alive. */
  stop(): void {
    this.#sweeping?.cancel();
    this.#sweeping = undefined;
  }

  #log({ service, index }: { readonly service: string; readonly index: number }): RequestLog {
    let logs = this.#services.get(service);
    if (logs === undefined) {
      logs = new Map();
      this.#services.set(service, logs);
    }
    let log = logs.get(index);
    if (log === undefined) {
      log = new RequestLog(service, index);
      logs.set(index, log);
    }
    return log;
  }

  #shrink(): void {
    const { totalBytesMax, requestsMax } = this.#limits;
    const isOver = (): boolean =>
      this.#bytes > totalBytesMax || this.#open.size + this.#ended.size > requestsMax;
    for (const log of this.#ended) {
      if (!isOver()) return;
      this.#drop(log);
    }
    // One that still runs begins anew with its next note: with a gap before it.
    for (const log of this.#open) {
      if (!isOver()) return;
      this.#drop(log);
    }
  }

  #sweepLater(): void {
    const { keptMs } = this.#limits;
    this.#sweeping ??= this.#clock.after(keptMs, () => {
      this.#sweeping = undefined;
      const { mono } = this.#clock.now();
      for (const log of this.#ended) {
        if (log.endedAt + keptMs > mono) break;
        this.#drop(log);
      }
      if (this.#ended.size > 0) this.#sweepLater();
    });
  }

  #drop(log: RequestLog): void {
    this.#bytes -= log.bytes;
    this.#open.delete(log);
    this.#ended.delete(log);
    log.attempt = undefined;
    log.wake();
    this.#forget(log);
  }

  #forget(log: RequestLog): void {
    if (log.readers > 0 || log.attempt !== undefined) return;
    const logs = this.#services.get(log.service);
    if (logs?.get(log.index) === log) logs.delete(log.index);
    if (logs?.size === 0) this.#services.delete(log.service);
  }
}

function isOutput({ kind }: WorkNote): boolean {
  return kind === 'output';
}

/** Which delivery of which request. */
export interface NotedRequest {
  readonly service: string;
  readonly index: number;
  /** How many deliveries this is, from 1. */
  readonly attempt: number;
}

/** The log of one request; only the book changes it. */
export class RequestLog {
  readonly service: string;
  readonly index: number;
  attempt: Attempt | undefined;
  readers = 0;
  /** Monotonic clock. */
  endedAt = 0;
  readonly #waiting = new Set<() => void>();

  constructor(service: string, index: number) {
    this.service = service;
    this.index = index;
  }

  get bytes(): number {
    return this.attempt === undefined ? 0 : this.attempt.bytes + logBytes;
  }

  wake(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const each of waiting) each();
  }

  /** Calls `woken` once, when something changes; answers how to take that back. */
  onChange(woken: () => void): () => void {
    this.#waiting.add(woken);
    return () => this.#waiting.delete(woken);
  }
}
