// Which message a consumer may have now: the first that came back or, from the cursors on, the
// first fresh one (rules 2, 3, 7, 8, 17).

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
  slotsFree,
  usedOf,
} from './state.ts';
import type { Time } from './time.ts';

/** Messages looked at in one decision before the turn goes on. */
const stepsMax = 256;
/** Messages looked at behind one that waits for a place. */
const blockedStepsMax = 4_096;
/** Messages that came back and that a filtered consumer looks at. */
const offersMax = 4_096;

/** Whether a consumer is given anything at all. */
export function isAble(consumer: Consumer): boolean {
  return consumer.connected && !consumer.paused && !consumer.leaving;
}

/** How many messages a consumer may be given now, any that come; one that has a suspect, or is
 * reserved for one, has no room for others. */
export function freeSlots(consumer: Consumer): number {
  if (!isAble(consumer) || consumer.isAlone) return 0;
  const { suspects } = consumer.group;
  if (suspects.claims > 0 && suspects.indexOf(consumer.number) > 0) return 0;
  return slotsFree(consumer);
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
    return !state.records.isOver(recordLimitsOf(state));
  }
  const { sink } = state.queues;
  return state.settings.sink.autoEvict || usedOf(state, sink) < capacityOf(state, sink);
}

/** What came back and may be had. */
export interface Offered {
  readonly offer: Offer | undefined;
  /** What this consumer gave back itself, with another one that has a free slot for it. */
  readonly elsewhere: { readonly consumer: Consumer; readonly index: number } | undefined;
}

const nothingOffered: Offered = { offer: undefined, elsewhere: undefined };

/** The first message behind the cursors that this consumer may have now. */
export function nextOffer(
  state: State,
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  now: Time,
): Offered {
  const { offers } = group;
  if (offers.size === 0) return nothingOffered;
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
export function isOpen(
  queue: QueueState,
  group: Group,
  index: number,
  entry: Entry | undefined,
): boolean {
  if (entry !== undefined && (entry.consumer !== undefined || entry.backoffUntil > 0)) return false;
  if (group.ahead.size > 0 && group.ahead.has(index)) return false;
  return queue.hidden === 0 || !queue.messages.isHidden(index);
}

/** Whether the consumer's filter and start let it have this. */
export function suits(queue: QueueState, consumer: Consumer, index: number): boolean {
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

/** What was never delivered to the group and may be had. */
export interface Fresh {
  readonly found: Offer | undefined;
  /** It stands behind one that has no place: the cursors stay where they are. */
  readonly isBlocked: boolean;
  readonly cursors: [number, number][];
  readonly isPartial: boolean;
}

/** The first message from the cursors on, and how far the cursors may move without taking it. A
 * message without a place for its result keeps its turn; only those of its home wait with it. */
export function nextFresh(
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
export function isExpired(queue: QueueState, index: number, now: Time): boolean {
  if (queue.expiries.size === 0) return false;
  const { expiresAt = 0, finishBy = 0 } = queue.messages.facts(index) ?? {};
  return (expiresAt > 0 && expiresAt <= now.wall) || (finishBy > 0 && finishBy <= now.wall);
}

/** The first message that a consumer may have, suspects aside. */
export function nextFor(
  state: State,
  queue: QueueState,
  group: Group,
  consumer: Consumer,
  now: Time,
): Offer | undefined {
  const { offer, elsewhere } = nextOffer(state, queue, group, consumer, now);
  const { found } = nextFresh(state, queue, group, consumer, now);
  const index = offer?.index ?? elsewhere?.index;
  if (index === undefined) return found;
  const back = { index, priority: queue.messages.priority(index) };
  return found === undefined || comesBefore(back, found) ? back : found;
}
