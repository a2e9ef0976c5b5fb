// One delivery at a time: which consumer, which message (rules 2, 3, 7, 8). Called again while it
// says that there is more.

import type { Change } from './change.ts';
import { freeSlots, nextFresh, nextOffer } from './choice.ts';
import { decideSuspects } from './decide-suspects.ts';
import { changing, type Decision, done, unchanged } from './decision.ts';
import { type Consequences, finish } from './lease-end.ts';
import type { QueueName } from './message.ts';
import { comesBefore } from './offers.ts';
import { comesFirst } from './open-consumers.ts';
import { type Consumer, type Group, isWorkingGroup, type QueueState, type State } from './state.ts';
import type { Time } from './time.ts';
import type { Mark } from './transition.ts';

export interface DeliverCommand {
  readonly kind: 'deliver';
  readonly queue: QueueName;
}

const counterMax = 2 ** 32;

export function decideDeliver(state: State, command: DeliverCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  for (const group of queue.groups.values()) {
    if (group.suspects.size > 0) {
      const decided = decideSuspects(state, queue, group, now);
      if (decided?.kind === 'change') return { ...changing([decided.change]), more: true };
      if (decided !== undefined) {
        const { consumer, index } = decided;
        const { changes, effects } = send({ state, queue, group, consumer, index, now });
        return { ...changing(changes, effects), more: true };
      }
    }
    const consumer = nextConsumer(queue, group);
    if (consumer !== undefined) return decideFor(state, queue, group, consumer, now);
  }
  return unchanged;
}

/** Of the consumers with a free slot for which there may be something: the one with most free
 * slots, then the least recently served. */
function nextConsumer(queue: QueueState, group: Group): Consumer | undefined {
  const { first } = group.open;
  if (first === undefined) return undefined;
  if (freeSlots(first) > 0 && !isDry(queue, group, first)) return first;
  let best: Consumer | undefined;
  for (const consumer of group.open) {
    if (freeSlots(consumer) <= 0 || isDry(queue, group, consumer)) continue;
    if (best === undefined || comesFirst(consumer, best)) best = consumer;
  }
  return best;
}

function isDry(queue: QueueState, group: Group, consumer: Consumer): boolean {
  const dryAt = consumer.cursors === undefined ? group.dryAt : consumer.dryAt;
  return dryAt === queue.version;
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
  const { cursors } = fresh;
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
    const sent = send({ state, queue, group, consumer: to, index, now });
    changes.push(...sent.changes);
    return { changes, effects: sent.effects, reply: done, more: true };
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

function send(sending: Sending): Consequences {
  return sending.consumer.autoCommit ? sendWithoutLease(sending) : sendUnderLease(sending);
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
    revision: consumer.revision,
    firstDeliveredAt: before?.firstDeliveredAt || now.wall,
    deliveredAt: now.wall,
    deliveries: (before?.deliveries ?? 0) + 1,
    bad: before?.bad ?? 0,
    deaths: before?.deaths ?? 0,
    notBefore: 0,
    resumable: consumer.kind === 'stream',
    place: before?.place || takesPlace(state, queue, group, index),
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
