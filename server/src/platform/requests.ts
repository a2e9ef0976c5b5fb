// The desk of requests among the other parts: where it finds the queues of a service, and what it
// tells of a request that waits.

import { PlatformError } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import type { Queues } from '../broker/queues.ts';
import type { Known } from '../broker/requests.ts';
import type { InstanceManager } from '../instances/manager.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Durable } from '../queue/change.ts';
import { type CallbackWish, readTerms } from '../queue/terms.ts';
import { RequestDesk } from '../requests/desk.ts';
import { estimateStart } from '../requests/estimate/estimate.ts';
import { learnFrom } from '../requests/estimate/learning.ts';
import { WaitObserver } from '../requests/estimate/observer.ts';
import { teach } from '../requests/estimate/teaching.ts';
import type { NotedRequest } from '../requests/events/event-book.ts';
import {
  gatherService,
  gatherWait,
  type RequestSight,
  type ServiceFacts,
} from '../requests/facts.ts';
import type { Telling } from '../requests/view.ts';
import { whyWaits } from '../requests/why.ts';
import type { Registry } from '../services/registry.ts';

export interface RequestParts {
  readonly registry: Registry;
  readonly broker: Broker;
  readonly instances: InstanceManager;
  /** The queues of a service; throws `not_found` or `unavailable`. */
  readonly find: (service: string) => Queues;
  /** Wall clock of the first output of an attempt; 0 = none yet. */
  readonly firstOutputOf: (request: NotedRequest) => number;
  /** The latest progress text of a delivery. */
  readonly progressOf: (service: string, deliveryId: number) => string | undefined;
  /** Rejects when a body may not be fetched from this address. */
  readonly checkAddress: (service: string, url: string) => Promise<void>;
  /** How long callbacks are tried. */
  readonly callbackMs: number;
  /** Rejects when a request may not ask for this callback. */
  readonly checkCallback: (service: string, wish: CallbackWish) => Promise<void>;
  readonly clock: Clock;
}

export interface Requests {
  readonly desk: RequestDesk;
  /** What a turn of a service's queues changed is durable. */
  turned(service: string, changes: readonly Durable[]): void;
  /** The service is gone. */
  deleted(service: string): void;
}

/** What is known of a service as a whole is gathered once for requests that are looked at together:
 * it may be this old, in milliseconds. */
const factsMs = 100;

export function createRequests(parts: RequestParts): Requests {
  const waits = new Waits(parts);
  const desk = new RequestDesk({
    find: parts.find,
    tell: (service, live) => waits.tell(service, live),
    callbackMs: parts.callbackMs,
    retentionMs: (service) => parts.registry.get(service)?.settings?.recordRetentionMs ?? 0,
    checkCallback: parts.checkCallback,
    checkAddress: parts.checkAddress,
    linesOf: (service, instance) => latestLines(parts.instances, service, instance),
    clock: parts.clock,
  });
  return {
    desk,
    turned: (service, changes) => teach(waits.observer(service), changes, parts.clock.now().mono),
    deleted: (service) => waits.deleted(service),
  };
}

/** Lines of an instance that are shown with a dead request. */
const latestLinesMax = 20;

/** The latest lines that an instance wrote; none of one that is no process or container of ours. */
async function latestLines(
  instances: Pick<InstanceManager, 'logs'>,
  service: string,
  instance: string,
): Promise<readonly string[]> {
  const request = { tail: latestLinesMax, follow: false, signal: undefined };
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of await instances.logs(service, instance, request)) pieces.push(piece);
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'not_found') return [];
    throw error;
  }
  const text = Buffer.concat(pieces).toString('utf8').trimEnd();
  return text === '' ? [] : text.split('\n');
}

class Waits {
  readonly #parts: RequestParts;
  readonly #observers = new Map<string, WaitObserver>();
  readonly #facts = new Map<string, ServiceFacts>();

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  observer(service: string): WaitObserver {
    const known = this.#observers.get(service);
    if (known !== undefined) return known;
    const made = new WaitObserver();
    this.#observers.set(service, made);
    return made;
  }

  deleted(service: string): void {
    this.#observers.delete(service);
    this.#facts.delete(service);
  }

  tell(service: string, { meta, standing }: Extract<Known, { kind: 'live' }>): Telling {
    const { mark, isRunning, isDelayed, position, backingOffBefore, backoffMs } = standing;
    if (isRunning) {
      const { progressOf, firstOutputOf } = this.#parts;
      const { deliveryId = 0, deliveries: attempt = 0 } = mark ?? {};
      const firstOutputAt = firstOutputOf({ service, index: meta.index, attempt });
      const progress = progressOf(service, deliveryId);
      return { why: undefined, estimate: undefined, firstOutputAt, progress };
    }
    const general = this.#service(service);
    const { wall } = general.at;
    const { delayUntil } = readTerms(meta.terms);
    const sight: RequestSight = {
      index: meta.index,
      ahead: position,
      backingOffBefore,
      home: meta.home,
      priority: meta.priority,
      delayUntil: isDelayed ? delayUntil : 0,
      backoffUntil: backoffMs > 0 && !isDelayed ? wall + backoffMs : 0,
    };
    const observer = this.observer(service);
    const facts = gatherWait(general, sight, observer);
    const { find, clock } = this.#parts;
    learnFrom(facts, meta.index, { observer, requests: find(service).requests, clock });
    return {
      why: whyWaits(facts),
      estimate: estimateStart(facts),
      firstOutputAt: 0,
      progress: undefined,
    };
  }

  #service(service: string): ServiceFacts {
    const { clock, find, registry, instances } = this.#parts;
    const now = clock.now();
    const known = this.#facts.get(service);
    if (known !== undefined && now.mono - known.at.mono < factsMs) return known;
    const queues = find(service);
    const view = registry.get(service);
    const { autoscaler, declared, settings, status } = view ?? {};
    const wanted = view?.instances.wanted ?? 0;
    const facts = gatherService(
      {
        service,
        input: queues.view('input'),
        sink: queues.view('sink'),
        sinkEvicts: settings?.sink.autoEvict ?? false,
        resultsFull: queues.requests.resultRoom().isFull,
        paused: status === 'Stopping' ? 'is being stopped' : '',
        instances: instances.status(service),
        mayStart: autoscaler === undefined ? 0 : Math.max(0, autoscaler.max - wanted),
        window: declared?.window ?? 1,
      },
      this.observer(service),
      now,
    );
    this.#facts.set(service, facts);
    return facts;
  }
}
