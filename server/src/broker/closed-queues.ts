// The queues of a service that is out of use: they can be looked at, as far as it is known what is
// in them, and refuse everything else with the reason.

import { PlatformError } from '@sluice/sdk/wire';
import type { QueueName } from '../queue/message.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import type { QueueCounters, Queues, QueueView } from './queues.ts';
import type { Requests } from './requests.ts';

export interface ClosedOptions {
  readonly service: string;
  /** What callers are told. */
  readonly reason: string;
  readonly settings: ServiceSettings;
  /** What each queue holds; one that is left out holds nothing, as far as is known. */
  readonly resting: Readonly<Record<string, Resting>>;
}

export interface Resting {
  readonly length: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
}

const nothing: Resting = { length: 0, firstIndex: 0, lastIndex: 0 };

const noCounts: QueueCounters = {
  put: 0,
  refused: 0,
  repeated: 0,
  delivered: 0,
  completed: 0,
  returned: 0,
  dead: 0,
  evicted: 0,
  expired: 0,
  stale: 0,
};

/** Stands in for the queues until they are opened. */
export function closedQueues(options: ClosedOptions): Queues {
  const { service, reason } = options;
  const refuse = (): Promise<never> =>
    Promise.reject(new PlatformError('unavailable', reason, { retryAfterMs: 5000 }));
  return {
    service,
    put: refuse,
    get: refuse,
    count: refuse,
    search: refuse,
    view: (queue) => viewOf(queue, options),
    payloadBytesMax: (queue) => sideOf(queue, options.settings).payloadBytesMax,
    counters: () => ({ ...noCounts }),
    commit: refuse,
    negative: refuse,
    delete: refuse,
    truncate: refuse,
    end: refuse,
    reopen: refuse,
    watch: refuse,
    complete: refuse,
    commitDelivery: refuse,
    giveBack: refuse,
    freed: () => undefined,
    touch: refuse,
    progress: refuse,
    leaseOf: () => undefined,
    checkpoint: refuse,
    checkpointOf: refuse,
    requests: closedRequests(refuse),
  };
}

function closedRequests(refuse: () => Promise<never>): Requests {
  return {
    find: refuse,
    live: refuse,
    withId: refuse,
    records: refuse,
    lastIndex: () => 0,
    firstLive: () => Number.POSITIVE_INFINITY,
    resultOf: refuse,
    inSink: refuse,
    departureOf: refuse,
    resultRoom: () => ({ isFull: false }),
    cancel: refuse,
    deadWithin: refuse,
    lastDead: () => 0,
    dead: refuse,
    redrive: refuse,
    follow: () => () => undefined,
    whenOutbox: () => () => undefined,
    outbox: refuse,
    outboxDone: refuse,
  };
}

function viewOf(name: QueueName, { settings, resting }: ClosedOptions): QueueView {
  const { length, firstIndex, lastIndex } = resting[name] ?? nothing;
  const { capacity, payloadBytesMax } = sideOf(name, settings);
  const isRear = name === 'inputRear' || name === 'sinkRear';
  return {
    name,
    isClosed: true,
    ended: false,
    payloadBytesMax,
    capacity: isRear ? Math.max(1, Math.floor(capacity / 10)) : capacity,
    length,
    waiting: length,
    backingOff: 0,
    leased: 0,
    reserved: 0,
    firstIndex,
    lastIndex,
    consumers: [],
    groups: [],
    suspects: [],
    leftBehind: new Map(),
  };
}

function sideOf(name: QueueName, settings: ServiceSettings): ServiceSettings['source'] {
  return name === 'sink' || name === 'sinkRear' ? settings.sink : settings.source;
}
