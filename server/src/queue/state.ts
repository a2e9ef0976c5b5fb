// The state of one service: its four queues, ruled together. Only apply.ts and restore.ts change
// it; everything that decides reads it.

import { NumberTable } from '@sluice/sdk/wire';
import type { HashKey } from './hash.ts';
import { TimeHeap } from './heap.ts';
import { Lanes } from './lanes.ts';
import { type QueueName, queueNames } from './message.ts';
import { type Filter, Messages } from './messages.ts';
import { Offers } from './offers.ts';
import { OpenConsumers, type OpenPlace } from './open-consumers.ts';
import { RangeSet } from './range-set.ts';
import { Ranked } from './ranked.ts';
import { RecentIds } from './recent-ids.ts';
import { RecordBook, type RecordLimits } from './record-book.ts';
import type { ServiceSettings } from './settings.ts';
import { Suspects } from './suspects.ts';
import type { ServiceState as DurableState, Mark } from './transition.ts';

/** eas: leases end with the connection, slots of taken leases are free at once.
 * stream: leases survive the connection for `resumeMs`.
 * stream and worker: a slot whose lease was taken stays occupied until `freed`, or until the
 * consumer says anything about that delivery, or leaves. */
export type ConsumerKind = 'eas' | 'stream' | 'worker';

/** One message in one group, held or come back. */
export interface Entry {
  readonly index: number;
  readonly priority: number;
  mark: Mark;
  /** Who holds it; undefined when it waits. */
  consumer: Consumer | undefined;
  /** Monotonic: when the lease ends for idleness; Infinity = never. */
  idleAt: number;
  /** Monotonic: until when it backs off; 0 = it does not. */
  backoffUntil: number;
  /** Who gave it back last: not first choice for the next delivery. */
  avoid: string;
  /** The lease was there before the last start: its end does not count. */
  recovered: boolean;
  /** The delivery that kept a checkpoint last; 0 = none has since the start. */
  keptBy: number;
}

export interface Consumer {
  readonly number: number;
  readonly group: Group;
  readonly uid: string;
  kind: ConsumerKind;
  window: number;
  autoCommit: boolean;
  indexOnly: boolean;
  filter: Filter | undefined;
  /** What the filter was made of, for views and for checking rows. */
  tags: ReadonlyMap<string, string>;
  id: string | undefined;
  from: number;
  /** The revision of the service that it follows; 0 = it did not say. */
  revision: number;
  connected: boolean;
  paused: boolean;
  /** It said `Shutdown`: nothing more until it comes again. */
  leaving: boolean;
  /** It holds a suspect, and so nothing else. */
  isAlone: boolean;
  /** Monotonic: since when its connection is lost. */
  lostAt: number;
  /** Deliveries under lease, by delivery id. */
  readonly held: NumberTable<Entry>;
  /** Slots whose lease was taken away while the model may still work. */
  readonly occupied: Set<number>;
  /** Own cursors by priority, of a consumer with a filter or a start; else the group's serve. */
  cursors: Map<number, number> | undefined;
  /** The queue's version at which nothing was found for it. */
  dryAt: number;
  /** Order of service, for fairness. */
  servedAt: number;
  lastIndex: number;
  /** Where it stands among those of its group that can take something. */
  readonly open: OpenPlace;
  /** Monotonic times of the last takeovers. */
  takeovers: readonly number[];
}

export interface Group {
  readonly number: number;
  readonly gid: string;
  readonly from: number;
  readonly resolved: Map<string, number>;
  readonly cursors: Map<number, number>;
  readonly entries: NumberTable<Entry>;
  readonly ahead: RangeSet;
  readonly offers: Offers;
  /** Messages that came back and may only go to a consumer that holds nothing. */
  readonly suspects: Suspects;
  /** Messages that wait for a time of their own: delayed, or after a delivery that ended badly. */
  readonly backingOff: Ranked;
  readonly consumers: Map<string, Consumer>;
  /** Those of them that are connected and not full. */
  readonly open: OpenConsumers;
  /** Monotonic: when it last had a consumer or lease. */
  usedAt: number;
  /** The queue's version at which nothing was found for consumers without cursors of their own. */
  dryAt: number;
  leased: number;
  delivered: number;
}

export interface Counters {
  put: number;
  refused: number;
  repeated: number;
  delivered: number;
  completed: number;
  returned: number;
  dead: number;
  evicted: number;
  expired: number;
  stale: number;
}

export interface QueueState {
  readonly name: QueueName;
  readonly messages: Messages;
  readonly lanes: Lanes;
  readonly groups: Map<string, Group>;
  /** By wall clock. */
  readonly expiries: TimeHeap<number>;
  readonly counters: Counters;
  lastIndex: number;
  ended: boolean;
  hidden: number;
  /** Messages under lease to any group. */
  leased: number;
  /** Messages whose result has home `record`. */
  recordHomes: number;
  /** Rises with everything that may make a message deliverable. */
  version: number;
}

/** Something to look at when its time (monotonic) has come. */
export type Due =
  | { readonly kind: 'idle'; readonly deliveryId: number }
  | {
      readonly kind: 'backoff';
      readonly queue: QueueName;
      readonly gid: string;
      readonly index: number;
    }
  | { readonly kind: 'resume'; readonly queue: QueueName; readonly consumer: number }
  | { readonly kind: 'group'; readonly queue: QueueName; readonly gid: string };

export interface LeasePlace {
  readonly queue: QueueState;
  readonly group: Group;
  readonly entry: Entry;
}

export interface State {
  readonly service: string;
  readonly key: HashKey;
  settings: ServiceSettings;
  epoch: number;
  /** Deliveries of this epoch so far. */
  deliveries: number;
  readonly queues: Readonly<Record<QueueName, QueueState>>;
  /** Places in the sink that are held and not used yet. */
  reserved: number;
  readonly leases: NumberTable<LeasePlace>;
  readonly consumers: Map<number, { readonly queue: QueueState; readonly consumer: Consumer }>;
  /** Ids that callers chose, from their acceptance on. */
  readonly accepted: RecentIds;
  /** Idempotency keys, with what they were first used for. */
  readonly keys: RecentIds;
  /** Ids of requests that came to rest, with their results. */
  readonly rested: RecentIds;
  readonly records: RecordBook;
  readonly dues: TimeHeap<Due>;
  /** Calls of requests that were taken away and whose end is to be noted: the input index by
   * delivery id. */
  readonly awaited: Map<number, number>;
  /** Calls that instances may still be at work on since an earlier run, by uid; never changes. */
  readonly leftBehind: Map<string, number>;
  lastGroup: number;
  lastConsumer: number;
  served: number;
}

/** The state of a service that has nothing yet. */
export function createState(service: string, settings: ServiceSettings, key: HashKey): State {
  return {
    service,
    key,
    settings,
    epoch: 0,
    deliveries: 0,
    queues: {
      input: createQueue('input'),
      sink: createQueue('sink'),
      inputRear: createQueue('inputRear'),
      sinkRear: createQueue('sinkRear'),
    },
    reserved: 0,
    leases: new NumberTable(),
    consumers: new Map(),
    accepted: new RecentIds(),
    keys: new RecentIds(),
    rested: new RecentIds(),
    records: new RecordBook(),
    dues: new TimeHeap(),
    awaited: new Map(),
    leftBehind: new Map(),
    lastGroup: 0,
    lastConsumer: 0,
    served: 0,
  };
}

function createQueue(name: QueueName): QueueState {
  return {
    name,
    messages: new Messages(),
    lanes: new Lanes(),
    groups: new Map(),
    expiries: new TimeHeap(),
    counters: {
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
    },
    lastIndex: 0,
    ended: false,
    hidden: 0,
    leased: 0,
    recordHomes: 0,
    version: 1,
  };
}

/** A group that was never served: it starts at the head of its queue. */
export function createGroup(number: number, gid: string, from: number, now: number): Group {
  return {
    number,
    gid,
    from,
    resolved: new Map(),
    cursors: new Map(),
    entries: new NumberTable(),
    ahead: new RangeSet(),
    offers: new Offers(),
    suspects: new Suspects(),
    backingOff: new Ranked(),
    consumers: new Map(),
    open: new OpenConsumers(),
    usedAt: now,
    dryAt: 0,
    leased: 0,
    delivered: 0,
  };
}

/** Rule 7: whether the service has a working group in use. */
export function hasWorkingGroup(state: State): boolean {
  return state.settings.declaresInstances || state.queues.input.groups.has(state.service);
}

/** Whether `group` is the one that reserves, counts and completes. */
export function isWorkingGroup(state: State, queue: QueueState, group: Group): boolean {
  return queue.name === 'input' && group.gid === state.service;
}

/** Most messages of a queue; a rear queue holds a tenth of what the queue before it holds. */
export function capacityOf(state: State, queue: QueueState): number {
  const { source, sink } = state.settings;
  switch (queue.name) {
    case 'input':
      return source.capacity;
    case 'sink':
      return sink.capacity;
    case 'inputRear':
      return Math.max(1, Math.floor(source.capacity / 10));
    case 'sinkRear':
      return Math.max(1, Math.floor(sink.capacity / 10));
  }
}

/** Rule 11: waiting + backing off + leased + hidden + reserved. */
export function usedOf(state: State, queue: QueueState): number {
  return queue.messages.length + (queue.name === 'sink' ? state.reserved : 0);
}

/** How many records, for how long (rule 14). */
export function recordLimitsOf(state: State): RecordLimits {
  const { settings } = state;
  // After a restart idempotency keys are known from records only.
  const keysMs = state.keys.size > 0 ? settings.idempotencyMs : 0;
  return {
    countMax: settings.recordCountMax,
    bytesMax: settings.recordBytesMax,
    retentionMs: Math.max(settings.recordRetentionMs, keysMs),
    resultBytesMax: settings.recordResultBytesMax,
  };
}

/** Largest payload of a message, in bytes; a rear queue takes what the queue before it takes. */
export function payloadBytesMaxOf(state: State, queue: QueueState): number {
  const isSource = queue.name === 'input' || queue.name === 'inputRear';
  return isSource ? state.settings.source.payloadBytesMax : state.settings.sink.payloadBytesMax;
}

/** Slots of a consumer that are not free. */
export function slotsTaken(consumer: Consumer): number {
  return consumer.held.size + consumer.occupied.size;
}

/** Slots for further deliveries, whether or not it may have any now. */
export function slotsFree(consumer: Consumer): number {
  return consumer.autoCommit ? Number.MAX_SAFE_INTEGER : consumer.window - slotsTaken(consumer);
}

/** After every change of a consumer's slots, or of when it was served. */
export function noteSlots(consumer: Consumer): void {
  consumer.group.open.note(consumer, consumer.connected ? slotsFree(consumer) : 0);
}

/** What is durable of a service besides its rows. */
export function durableState(state: State): DurableState {
  const { input, sink, inputRear, sinkRear } = state.queues;
  return {
    epoch: state.epoch,
    lastIndexes: [input.lastIndex, sink.lastIndex, inputRear.lastIndex, sinkRear.lastIndex],
    ended: [input.ended, sink.ended, inputRear.ended, sinkRear.ended],
    lastGroup: state.lastGroup,
  };
}

/** All four queues, in the order of their numbers. */
export function queuesOf(state: State): QueueState[] {
  return queueNames.map((name) => state.queues[name]);
}
