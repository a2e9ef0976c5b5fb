// Suspects whose turn it is get a consumer that holds nothing. Where all are busy one is reserved:
// it gets nothing new until it is empty. So no suspect starves, and the others go on elsewhere.

import type { Change } from './change.ts';
import { hasPlace, isAble, isExpired, isOpen, nextFor, suits } from './choice.ts';
import { comesBefore, type Offer } from './offers.ts';
import { type Consumer, type Group, type QueueState, type State, slotsTaken } from './state.ts';
import type { Time } from './time.ts';

/** What is to be done for a suspect: hand it to a consumer, or reserve one or let one go. */
export type Suspicious =
  | { readonly kind: 'send'; readonly consumer: Consumer; readonly index: number }
  | { readonly kind: 'change'; readonly change: Change };

/** Suspects looked at in one decision. */
const suspectsMax = 256;

/** undefined: nothing can be done for any suspect now. */
export function decideSuspects(
  state: State,
  queue: QueueState,
  group: Group,
  now: Time,
): Suspicious | undefined {
  const { suspects } = group;
  const isReady = (index: number): boolean => {
    const entry = group.entries.get(index);
    const isThere = isOpen(queue, group, index, entry) && !isExpired(queue, index, now);
    return isThere && hasPlace(state, queue, group, index, entry);
  };
  for (const [index, number] of suspects.reserved()) {
    const consumer = state.consumers.get(number)?.consumer;
    if (consumer !== undefined && isAble(consumer) && isReady(index)) continue;
    return reserve(queue, group, index, 0);
  }
  const members = membersOf(group);
  for (let at = 0; at < Math.min(suspects.size, suspectsMax); at += 1) {
    const offer = suspects.at(at);
    if (offer === undefined || !isReady(offer.index)) continue;
    const decided = decideOne(state, queue, group, offer, members, now);
    if (decided !== undefined) return decided;
  }
  return undefined;
}

function decideOne(
  state: State,
  queue: QueueState,
  group: Group,
  offer: Offer,
  members: Members,
  now: Time,
): Suspicious | undefined {
  const { index } = offer;
  const claimed = group.suspects.consumerOf(index);
  const chosen = pick(queue, group, members.able, index);
  if (chosen === undefined) return undefined;
  const isEmpty = slotsTaken(chosen) === 0;
  if (claimed === 0) {
    // Its turn, once come, is not taken back by what comes later.
    const other = nextFor(state, queue, group, chosen, now);
    if (other !== undefined && comesBefore(other, offer)) return undefined;
    if (members.room <= 0 && (other !== undefined || !isEmpty)) return undefined;
  }
  if (isEmpty) return { kind: 'send', consumer: chosen, index };
  if (claimed !== 0) return undefined;
  return reserve(queue, group, index, chosen.number);
}

function reserve(
  { name }: QueueState,
  { gid }: Group,
  index: number,
  consumer: number,
): Suspicious {
  return { kind: 'change', change: { kind: 'claim', queue: name, gid, index, consumer } };
}

interface Members {
  /** Consumers that may be given something, those reserved for a suspect too. */
  readonly able: readonly Consumer[];
  /** How many more may be set apart for suspects: of several consumers one is left for others. */
  readonly room: number;
}

function membersOf(group: Group): Members {
  const able: Consumer[] = [];
  let alone = 0;
  for (const consumer of group.consumers.values()) {
    if (consumer.isAlone && consumer.connected) alone += 1;
    else if (isAble(consumer)) able.push(consumer);
  }
  const apart = alone + group.suspects.claims;
  return { able, room: Math.max(1, able.length + alone - 1) - apart };
}

/** The consumer with the least to finish before it is empty; one that gave the message back, or
 * keeps its messages to itself only for the time of sending, is the last choice. */
function pick(
  queue: QueueState,
  group: Group,
  able: readonly Consumer[],
  index: number,
): Consumer | undefined {
  const avoid = group.entries.get(index)?.avoid ?? '';
  let best: Consumer | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const consumer of able) {
    const other = group.suspects.indexOf(consumer.number);
    if ((other !== 0 && other !== index) || !suits(queue, consumer, index)) continue;
    const isSpare = consumer.uid === avoid || consumer.autoCommit;
    const rank = slotsTaken(consumer) + (isSpare ? sparedMost : 0);
    if (rank >= bestRank) continue;
    best = consumer;
    bestRank = rank;
  }
  return best;
}

/** More than any window. */
const sparedMost = 2 ** 20;
