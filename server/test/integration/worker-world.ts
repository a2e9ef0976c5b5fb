// A worker's surroundings, small enough to see through: a source of work written by hand, a model
// server on node:http, and a clock that may be real or virtual.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CallOutcome, PlatformError } from '@sluice/sdk/wire';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { WorkBodies } from '../../src/worker/body.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import type { ReportDesk } from '../../src/worker/report-desk.ts';
import type { WorkerSettings } from '../../src/worker/settings.ts';
import type {
  WorkCompletion,
  WorkDelivery,
  WorkEnd,
  WorkNews,
  WorkReturn,
  WorkSink,
  WorkSource,
  WorkWatch,
  WorkWatchRequest,
} from '../../src/worker/source.ts';
import { Worker } from '../../src/worker/worker.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';

export interface Work {
  readonly payload?: string;
  readonly id?: string;
  readonly path?: string;
  readonly contentType?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly body?: WorkDelivery['body'];
  readonly home?: 'sink' | 'record';
}

interface Waiting {
  readonly work: Work;
  readonly index: number;
  deliveries: number;
}

/** Rules of the real queues as far as a worker can see them: windows, leases, freed slots. */
export class HandSource implements WorkSource {
  readonly completions: WorkCompletion[] = [];
  readonly returns: WorkReturn[] = [];
  readonly freedIds: number[] = [];
  readonly progressTexts: string[] = [];
  readonly touched: number[] = [];
  /** By input index. */
  readonly checkpoints = new Map<number, Uint8Array>();
  readonly watches: WorkWatchRequest[] = [];
  readonly closes: string[] = [];
  /** Thrown by the next completions, one each. */
  readonly refusals: PlatformError[] = [];
  /** How often a message that came back is delivered again. */
  redeliveries = 0;
  readonly #leases = new Map<number, Waiting>();
  readonly #occupied = new Set<number>();
  readonly #waiting: Waiting[] = [];
  #sink: WorkSink | undefined;
  #window = 0;
  #paused = false;
  #nextId = 1;
  #listeners: (() => void)[] = [];

  get leased(): readonly number[] {
    return [...this.#leases.keys()];
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  put(...works: readonly Work[]): void {
    for (const work of works) {
      this.#waiting.push({ work, index: this.#nextId++, deliveries: 0 });
    }
    this.#deliver();
  }

  async watch(_queue: 'input', request: WorkWatchRequest, sink: WorkSink): Promise<WorkWatch> {
    this.watches.push(request);
    const held = request.holding.filter((id) => this.#leases.has(id));
    this.#sink = sink;
    this.#window = request.window;
    this.#paused = false;
    await Promise.resolve();
    queueMicrotask(() => this.#deliver());
    this.#changed();
    return {
      held,
      pause: () => {
        this.#paused = true;
        this.#changed();
      },
      resume: () => {
        this.#paused = false;
        this.#deliver();
        this.#changed();
      },
      close: async (how) => {
        this.closes.push(how);
        this.#sink = undefined;
        this.#changed();
      },
    };
  }

  async complete(request: WorkCompletion): Promise<number> {
    await Promise.resolve();
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.#end(request.deliveryId);
    this.completions.push(request);
    this.#changed();
    this.#deliver();
    return this.completions.length;
  }

  async giveBack(_queue: 'input', request: WorkReturn): Promise<void> {
    await Promise.resolve();
    const lease = this.#end(request.deliveryId);
    this.returns.push(request);
    if (this.redeliveries > 0) {
      this.redeliveries -= 1;
      this.#waiting.unshift(lease);
    }
    this.#changed();
    this.#deliver();
  }

  freed(_queue: 'input', deliveryId: number): void {
    this.freedIds.push(deliveryId);
    this.#occupied.delete(deliveryId);
    this.#changed();
    this.#deliver();
  }

  async progress(_deliveryId: number, text: string): Promise<void> {
    this.progressTexts.push(text);
    this.#changed();
  }

  async touch(_queue: 'input', deliveryId: number): Promise<void> {
    this.touched.push(deliveryId);
    this.#changed();
  }

  async checkpoint(deliveryId: number, data: Uint8Array): Promise<void> {
    const lease = this.#leases.get(deliveryId);
    if (lease === undefined) throw new PlatformError('stale_delivery', 'no such lease');
    this.checkpoints.set(lease.index, data);
    this.#changed();
  }

  async checkpointOf(index: number): Promise<Uint8Array | undefined> {
    return this.checkpoints.get(index);
  }

  /** Takes a lease away, as a cancel or `max_idle` would. */
  void(deliveryId: number, reason = 'canceled'): void {
    this.#leases.delete(deliveryId);
    this.#occupied.add(deliveryId);
    this.#sink?.voided(deliveryId, reason);
  }

  /** Closes the watch from the queue's side. */
  end(reason: WorkEnd): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(reason);
  }

  forgetLeases(): void {
    this.#leases.clear();
  }

  /** Resolves once `fact` holds; looked at after every change. */
  async until(fact: (source: HandSource) => boolean): Promise<void> {
    while (!fact(this)) await new Promise<void>((resolve) => this.#listeners.push(resolve));
  }

  #end(deliveryId: number): Waiting {
    const lease = this.#leases.get(deliveryId);
    if (lease === undefined) throw new PlatformError('stale_delivery', 'no such lease');
    this.#leases.delete(deliveryId);
    return lease;
  }

  #deliver(): void {
    while (this.#sink !== undefined && !this.#paused) {
      if (this.#leases.size + this.#occupied.size >= this.#window) return;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.deliveries += 1;
      const deliveryId = this.#nextId++;
      this.#leases.set(deliveryId, next);
      this.#sink.deliver(deliveryOf(next, deliveryId));
      this.#changed();
    }
  }

  #changed(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

function deliveryOf({ work, index, deliveries }: Waiting, deliveryId: number): WorkDelivery {
  return {
    deliveryId,
    index,
    id: work.id ?? `request-${index}`,
    tags: new Map(Object.entries(work.tags ?? {})),
    payload: Buffer.from(work.payload ?? 'question'),
    contentType: work.contentType,
    path: work.path,
    deliveries,
    body: work.body,
    home: work.home ?? 'sink',
  };
}

/** A model server whose answers the test writes. */
export interface Model {
  readonly origin: string;
  readonly port: number;
  readonly seen: readonly SeenRequest[];
  /** Requests that have come and are not answered. */
  readonly open: () => number;
  readonly most: () => number;
  readonly connections: () => number;
  cutIdle(): void;
  close(): Promise<void>;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void;

export async function startModel(answer: Answer): Promise<Model> {
  const seen: SeenRequest[] = [];
  let open = 0;
  let most = 0;
  let connections = 0;
  const server = createServer(async (request, response) => {
    open += 1;
    most = Math.max(most, open);
    response.once('close', () => {
      open -= 1;
    });
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(pieces).toString() };
    seen.push(one);
    answer(one, response);
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an object with a port.
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    seen,
    open: () => open,
    most: () => most,
    connections: () => connections,
    cutIdle: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Resolves once `fact` holds; looked at in every turn of the event loop. */
export async function until(fact: () => boolean): Promise<void> {
  while (!fact()) await new Promise<void>((resolve) => systemClock.defer(resolve));
}

export const plainSettings: WorkerSettings = {
  window: 1,
  keepaliveMs: 600_000,
  request: { path: '/', paths: [], method: 'POST', contentType: 'application/octet-stream' },
  retryStatuses: [],
  releaseAfterMs: 30_000,
};

export interface WorldOptions {
  readonly origin: string;
  readonly settings?: Partial<WorkerSettings>;
  readonly clock?: Clock;
  readonly basePath?: string;
  readonly answerBytesMax?: number;
  readonly cutGraceMs?: number;
  readonly leftBehind?: number;
  readonly news?: WorkNews;
  readonly reports?: ReportDesk;
  readonly end?: (reason: string) => void;
  readonly bodies?: WorkBodies;
}

export interface WorkerWorld {
  readonly worker: Worker;
  readonly source: HandSource;
  readonly outcomes: readonly CallOutcome[];
  /** Resolves when the worker is gone with everything it had open. */
  close(): Promise<void>;
}

export function startWorker(options: WorldOptions): WorkerWorld {
  const source = new HandSource();
  const outcomes: CallOutcome[] = [];
  const clock = options.clock ?? systemClock;
  const worker = new Worker({
    service: 'reader',
    instance: 'reader-1',
    source,
    model: new HttpModelClient({ origin: options.origin, clock }),
    basePath: options.basePath ?? '/',
    settings: { ...plainSettings, ...options.settings },
    answerBytesMax: () => options.answerBytesMax ?? 8192,
    cutGraceMs: options.cutGraceMs ?? 0,
    leftBehind: options.leftBehind ?? 0,
    news: options.news,
    reports: options.reports,
    end: options.end,
    bodies: options.bodies,
    clock,
    random: new SeededRandom(1),
    log: silentLog,
    observe: ({ outcome }) => outcomes.push(outcome),
  });
  worker.start();
  const now = new AbortController();
  return {
    worker,
    source,
    outcomes,
    close: () => {
      now.abort();
      return worker.drain(now.signal);
    },
  };
}
