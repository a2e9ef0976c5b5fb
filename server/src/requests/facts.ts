// Gathers the facts of waiting from what other parts show of a service: its queues, the consumers
// of its working group, its instances, and what was observed before.

import type { InstanceState } from '../deployment/instances.ts';
import type { Time } from '../kernel/clock.ts';
import type { ConsumerView, QueueView } from '../queue/view.ts';
import type { WaitObserver } from './estimate/observer.ts';
import type { QueueFacts, RequestFacts, ServerFacts, WaitFacts } from './wait-facts.ts';

/** An instance as its manager shows it: what is looked at of it. */
export interface InstanceSight {
  readonly name: string;
  readonly state: InstanceState;
  readonly reason: string;
  /** Wall clock; 0 = not yet. */
  readonly startedAt: number;
  readonly readyAt: number;
  /** An earlier server has started it: how long that took is not known. */
  readonly isTakenOver?: boolean;
  readonly nextStartAt: number;
  readonly window: number;
  readonly feed:
    | {
        /** The start of each by the wall clock. */
        readonly running: readonly { readonly startedAt: number }[];
        readonly abandoned: number;
        /** Why it gets nothing: `refused`, `full`, `check` or `leaving`. */
        readonly holds: readonly string[];
        readonly refusedUntil: number;
        readonly isWatching: boolean;
        readonly lost: string | undefined;
      }
    | undefined;
}

/** What a service looks like at one moment. */
export interface ServiceSight {
  /** Its name: that of the working group, too. */
  readonly service: string;
  readonly input: QueueView;
  readonly sink: QueueView;
  readonly sinkEvicts: boolean;
  /** Kept results and records leave no room for another (rule 12). */
  readonly resultsFull: boolean;
  /** Why nothing is delivered, to stand after "the service"; empty = it is. */
  readonly paused: string;
  readonly instances: readonly InstanceSight[];
  /** Instances that the autoscaler may start beyond those that are wanted; 0 without one. */
  readonly mayStart: number;
  /** Requests that an instance to come would work on at a time. */
  readonly window: number;
}

/** One request, as the rules know it. */
export type RequestSight = Omit<RequestFacts, 'isSuspect'> & { readonly index: number };

/** What all requests of a service have in common: gathered once for a list of them. */
export interface ServiceFacts {
  readonly at: Time;
  readonly queue: QueueFacts;
  readonly servers: readonly ServerFacts[];
  readonly runningMs: readonly number[];
  readonly suspects: ReadonlySet<number>;
  readonly mayStart: number;
  readonly window: number;
}

/** Tells the observer of instances that are ready, too. */
export function gatherService(
  sight: ServiceSight,
  observer: WaitObserver,
  now: Time,
): ServiceFacts {
  const { input, sink, instances } = sight;
  for (const { name, startedAt, readyAt, isTakenOver = false } of instances) {
    if (readyAt > 0 && !isTakenOver) observer.started(name, startedAt, readyAt);
  }
  const servers = serversOf(sight, now.wall);
  return {
    at: now,
    queue: {
      paused: sight.paused,
      sinkLength: sink.length,
      sinkReserved: sink.reserved,
      sinkCapacity: sink.capacity,
      sinkEvicts: sight.sinkEvicts,
      resultsFull: sight.resultsFull,
    },
    servers,
    runningMs: servers.flatMap((server) => (server.state === 'ready' ? server.runningMs : [])),
    suspects: new Set(input.suspects.filter(({ isHeld }) => !isHeld).map(({ index }) => index)),
    mayStart: sight.mayStart,
    window: sight.window,
  };
}

/** The facts of one request that waits. */
export function gatherWait(
  service: ServiceFacts,
  request: RequestSight,
  observer: WaitObserver,
): WaitFacts {
  const { at, queue, servers, runningMs, suspects, mayStart, window } = service;
  const { index, ...known } = request;
  return {
    now: at.wall,
    request: { ...known, isSuspect: suspects.has(index) },
    queue,
    servers,
    mayStart,
    window,
    observed: observer.facts(request.priority, runningMs, at.mono),
  };
}

/** Instances, and consumers of the working group that are none: clients and other machines. */
function serversOf({ service, input, instances }: ServiceSight, now: number): ServerFacts[] {
  const consumers = input.consumers.filter(({ gid }) => gid === service);
  const byName = new Map(consumers.map((consumer) => [consumer.uid, consumer]));
  const names = new Set(instances.map(({ name }) => name));
  return [
    ...instances.flatMap((one) => instanceFacts(one, byName.get(one.name), now) ?? []),
    ...consumers
      .filter(({ uid, status }) => !names.has(uid) && status === 'Running')
      .map(consumerFacts),
  ];
}

/** undefined: it is on its way out. */
function instanceFacts(
  instance: InstanceSight,
  consumer: ConsumerView | undefined,
  now: number,
): ServerFacts | undefined {
  const { state, reason, window, startedAt, nextStartAt } = instance;
  switch (state) {
    case 'Pending':
      return { state: 'pending', reason };
    case 'Pulling':
    case 'Starting':
      return { state: 'starting', window, forMs: startedAt === 0 ? 0 : now - startedAt };
    case 'Running':
    case 'Busy':
      return readyFacts(instance, consumer, now);
    case 'Unhealthy':
    case 'CrashLoop':
      return { state: 'unhealthy', reason, until: nextStartAt };
    case 'Draining':
    case 'Terminated':
      return undefined;
  }
}

function readyFacts(
  { state, reason, window, startedAt, feed }: InstanceSight,
  consumer: ConsumerView | undefined,
  now: number,
): ServerFacts | undefined {
  if (feed?.lost !== undefined) return { state: 'unhealthy', reason, until: 0 };
  // Its watch is about to be opened.
  if (feed === undefined || !feed.isWatching) {
    return { state: 'starting', window, forMs: startedAt === 0 ? 0 : now - startedAt };
  }
  if (feed.holds.includes('leaving')) return undefined;
  if (feed.refusedUntil > 0) return { state: 'refusing', window, until: feed.refusedUntil };
  const taken = feed.running.length + feed.abandoned;
  // One too busy for its check, or reserved for a suspect, has no slot that is free.
  const isHeld = state === 'Busy' || feed.holds.length > 0 || (consumer?.suspect ?? 0) > 0;
  return {
    state: 'ready',
    window,
    busy: isHeld ? Math.max(taken, window) : taken,
    runningMs: feed.running.map((call) => Math.max(0, now - call.startedAt)),
    isChoosy: false,
  };
}

function consumerFacts({ window, slots, autoCommit, tags }: ConsumerView): ServerFacts {
  return {
    state: 'ready',
    window: autoCommit ? Number.POSITIVE_INFINITY : window,
    busy: autoCommit ? 0 : window - slots,
    runningMs: [],
    isChoosy: tags.size > 0,
  };
}
