// One delivery at a time: which consumer, which message (rules 2, 3, 7, 8). Called again while it
// says that there is more.

import type { Change } from './change.ts';
import { changing, type Decision, unchanged } from './decision.ts';
import { type Consequences, finish } from './lease-end.ts';
import type { QueueName } from './message.ts';
import { comesBefore, type Offer } from './offers.ts';
import {
  type Consumer,
  capacityOf,
  type Entry,
  type Group,
  isWorkingGroup,
  type QueueState,
  recordLimitsOf,
  type State,
  slotsTaken,
  usedOf,
} from './state.ts';
import type { Time } from './time.ts';
import type { Mark } from './transition.ts';

export interface DeliverCommand {
  readonly kind: 'deliver';
  readonly queue: QueueName;
}

/** Messages looked at in one decision before the turn goes on. */
const stepsMax = 256;
/** Messages looked at behind one that waits for a place. */
const blockedStepsMax = 4_096;
/** Messages that came back and that a filtered consumer looks at. */
const offersMax = 4_096;

const counterMax = 2 ** 32;

export function decideDeliver(state: State, command: DeliverCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  for (const group of queue.groups.values()) {
    const consumer = nextConsumer(queue, group);
    if (consumer !== undefined) return decideFor(state, queue, group, consumer, now);
  }
  return unchanged;
}

/** Of the consumers with a free slot for which there may be something: the one with most free
 * slots, then the least recently served. */
function nextConsumer(queue: QueueState, group: Group): Consumer | undefined {
  let best: Consumer | undefined;
  let bestFree = 0;
  for (const consumer of group.consumers.values()) {
    const free = freeSlots(consumer);
    if (free <= 0 || isDry(queue, group, consumer)) continue;
    const isBetter =
      best === undefined ||
      free > bestFree ||
      (free === bestFree && consumer.servedAt < best.servedAt);
    if (!isBetter) continue;
    best = consumer;
    bestFree = free;
  }
  return best;
}

function isDry(queue: QueueState, group: Group, consumer: Consumer): boolean {
  const dryAt = consumer.cursors === undefined ? group.dryAt : consumer.dryAt;
  return dryAt === queue.version;
}

function freeSlots(consumer: Consumer): number {
  if (!consumer.connected || consumer.paused || consumer.leaving) return 0;
  return consumer.autoCommit ? Number.MAX_SAFE_INTEGER : consumer.window - slotsTaken(consumer);
}

function decideFor(
  state: State,
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  now: Time,
): Decision {
  const { offer, elsewhere } = nextOffer(state, queue, group, consumer, now);
  const fresh = nextFresh(state, queue, group, consumer, now);
  const changes: Change[] = [];
  let chosen = fresh.found;
  if (offer !== undefined && (chosen === undefined || comesBefore(offer, chosen))) chosen = offer;
  const cursors = [...fresh.cursors];
  if (chosen !== undefined && chosen === fresh.found && !fresh.isBlocked) {
    cursors.push([chosen.priority, chosen.index + 1]);
  }
  if (cursors.length > 0) {
    const own = consumer.cursors === undefined ? undefined : consumer.number;
    changes.push({ kind: 'advance', queue: queue.name, gid: group.gid, consumer: own, cursors });
  }
  // All that is left may be what this consumer gave back, while another one has room for it.
  const to = chosen === undefined ? elsewhere?.consumer : consumer;
  const index = chosen?.index ?? elsewhere?.index;
  if (to !== undefined && index !== undefined) {
    const send = to.autoCommit ? sendWithoutLease : sendUnderLease;
    const sent = send({ state, queue, group, consumer: to, index, now });
    return { ...changing([...changes, ...sent.changes], sent.effects), more: true };
  }
  // Only part of a long queue was looked at: the next decision goes on.
  if (!fresh.isPartial) changes.push({ kind: 'dry', consumer: consumer.number });
  return { ...changing(changes), more: true };
}

interface Sending {
  readonly state: State;
  readonly queue: QueueState;
  readonly group: Group;
  readonly consumer: Consumer;
  readonly index: number;
  readonly now: Time;
}

/** A lease, with a place in the sink for its result if it is the working group's first. */
function sendUnderLease(sending: Sending): Consequences {
  const { state, queue, group, consumer, index, now } = sending;
  const changes: Change[] = [];
  if (state.deliveries + 1 >= counterMax) changes.push({ kind: 'epoch', epoch: state.epoch + 1 });
  const deliveryId = nextDeliveryId(state, 1);
  const before = group.entries.get(index)?.mark;
  const mark: Mark = {
    state: 'leased',
    deliveryId,
    uid: consumer.uid,
    firstDeliveredAt: before?.firstDeliveredAt || now.wall,
    deliveredAt: now.wall,
    deliveries: (before?.deliveries ?? 0) + 1,
    bad: before?.bad ?? 0,
    notBefore: 0,
    resumable: consumer.kind === 'stream',
    place: before?.place ?? takesPlace(state, queue, group, index),
    placeIndex: before?.placeIndex ?? 0,
    outcomes: before?.outcomes ?? [],
  };
  const { name } = queue;
  const { gid, number } = group;
  const to = consumer.number;
  changes.push({ kind: 'deliver', queue: name, gid, group: number, consumer: to, index, mark });
  const { deliveries } = mark;
  return {
    changes,
    effects: [{ kind: 'deliver', consumer: to, queue: name, index, deliveryId, deliveries }],
  };
}

function sendWithoutLease(sending: Sending): Consequences {
  const { state, queue, group, consumer, index, now } = sending;
  const to = consumer.number;
  const { name } = queue;
  const deliveries = (group.entries.get(index)?.mark.deliveries ?? 0) + 1;
  const { changes, effects } = finish(state, queue, group, index, undefined, 'committed', now);
  changes.unshift({ kind: 'served', consumer: to, index });
  effects.unshift({ kind: 'deliver', consumer: to, queue: name, index, deliveryId: 0, deliveries });
  return { changes, effects };
}

/** The fencing token of the `ahead`-th delivery from now (rule 5). */
export function nextDeliveryId(state: State, ahead: number): number {
  const count = state.deliveries + ahead;
  return count < counterMax
    ? state.epoch * counterMax + count
    : (state.epoch + 1) * counterMax + (count - counterMax + 1);
}

function takesPlace(state: State, queue: QueueState, group: Group, index: number): boolean {
  return isWorkingGroup(state, queue, group) && !queue.messages.isRecordHome(index);
}

/** Rule 3 and 12: with no place for the result nothing is delivered to the working group. */
export function hasPlace(
  state: State,
  queue: QueueState,
  group: Group,
  index: number,
  entry: Entry | undefined,
): boolean {
  if (!isWorkingGroup(state, queue, group) || entry?.mark.place === true) return true;
  if (queue.messages.isRecordHome(index)) {
    const { records, settings } = state;
    return (
      records.resultBytes < settings.recordResultBytesMax && !records.isOver(recordLimitsOf(state))
    );
  }
  const { sink } = state.queues;
  return state.settings.sink.autoEvict || usedOf(state, sink) < capacityOf(state, sink);
}

interface Offered {
  readonly offer: Offer | undefined;
  /** What this consumer gave back itself, with another one that has a free slot for it. */
  readonly elsewhere: { readonly consumer: Consumer; readonly index: number } | undefined;
}

/** The first message behind the cursors that this consumer may have now. */
function nextOffer(
  state: State,
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  now: Time,
): Offered {
  const { offers } = group;
  let elsewhere: Offered['elsewhere'];
  for (let at = 0; at < Math.min(offers.size, offersMax); at += 1) {
    const offer = offers.at(at);
    if (offer === undefined || !suits(queue, consumer, offer.index)) continue;
    const entry = group.entries.get(offer.index);
    if (!isOpen(queue, group, offer.index, entry)) continue;
    if (isExpired(queue, offer.index, now)) continue;
    if (!hasPlace(state, queue, group, offer.index, entry)) continue;
    const other =
      entry?.avoid === consumer.uid ? otherTaker(queue, group, consumer, offer.index) : undefined;
    if (other === undefined) return { offer, elsewhere };
    elsewhere ??= { consumer: other, index: offer.index };
  }
  return { offer: undefined, elsewhere };
}

/** Whether a message is there for the group: visible, not held, not backing off, not committed. */
function isOpen(queue: QueueState, group: Group, index: number, entry: Entry | undefined): boolean {
  if (entry !== undefined && (entry.consumer !== undefined || entry.backoffUntil > 0)) return false;
  if (group.ahead.size > 0 && group.ahead.has(index)) return false;
  return queue.hidden === 0 || !queue.messages.isHidden(index);
}

function suits(queue: QueueState, consumer: Consumer, index: number): boolean {
  if (index < consumer.from) return false;
  return consumer.filter === undefined || queue.messages.matches(index, consumer.filter);
}

function otherTaker(
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  index: number,
): Consumer | undefined {
  for (const other of group.consumers.values()) {
    if (other !== consumer && freeSlots(other) > 0 && suits(queue, other, index)) return other;
  }
  return undefined;
}

interface Fresh {
  readonly found: Offer | undefined;
  /** It stands behind one that has no place: the cursors stay where they are. */
  readonly isBlocked: boolean;
  readonly cursors: readonly (readonly [number, number])[];
  readonly isPartial: boolean;
}

/** The first message from the cursors on, and how far the cursors may move without taking it. A
 * message without a place for its result keeps its turn; only those of its home wait with it. */
function nextFresh(
  state: State,
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  now: Time,
): Fresh {
  const cursors = consumer.cursors ?? group.cursors;
  const moved: [number, number][] = [];
  let steps = 0;
  let isBlocked = false;
  for (const { priority, indexes } of queue.lanes.list) {
    const start = Math.max(cursors.get(priority) ?? 0, consumer.from, group.from, 1);
    let at = start;
    for (let index = indexes.firstFrom(at); index > 0; index = indexes.firstFrom(index + 1)) {
      steps += 1;
      if (isFresh(queue, group, consumer, index)) {
        if (!isBlocked && at > start) moved.push([priority, at]);
        const hasExpired = isExpired(queue, index, now);
        if (!hasExpired && hasPlace(state, queue, group, index, undefined)) {
          return { found: { index, priority }, isBlocked, cursors: moved, isPartial: false };
        }
        const hasOtherHome = queue.recordHomes > 0 && queue.recordHomes < queue.messages.length;
        isBlocked = true;
        // Behind what has expired, and may be there again after the clock was set back, all may go.
        const mayFollow = hasExpired || hasOtherHome;
        if (!mayFollow || steps >= blockedStepsMax) {
          return { found: undefined, isBlocked, cursors: moved, isPartial: false };
        }
      } else if (!isBlocked) {
        at = index + 1;
      }
      if (steps >= (isBlocked ? blockedStepsMax : stepsMax)) {
        if (!isBlocked) moved.push([priority, at]);
        return { found: undefined, isBlocked, cursors: moved, isPartial: !isBlocked };
      }
    }
    if (!isBlocked && at > start) moved.push([priority, at]);
  }
  return { found: undefined, isBlocked, cursors: moved, isPartial: false };
}

function isFresh(queue: QueueState, group: Group, consumer: Consumer, index: number): boolean {
  if (group.entries.has(index) || !isOpen(queue, group, index, undefined)) return false;
  return suits(queue, consumer, index);
}

/** Rule 17: what has expired is not delivered, also before the next sweep takes it. */
function isExpired(queue: QueueState, index: number, now: Time): boolean {
  if (queue.expiries.size === 0) return false;
  const expiresAt = queue.messages.facts(index)?.expiresAt ?? 0;
  return expiresAt > 0 && expiresAt <= now.wall;
}
