// Messages come and go in memory: rows, lanes, groups' knowledge of them and the counts.

import { invariant } from '../kernel/invariant.ts';
import { dropLease, takeOffer } from './apply-lease.ts';
import type { Hash } from './hash.ts';
import type { Home } from './message.ts';
import { type Group, isWorkingGroup, type QueueState, type State } from './state.ts';
import { noTerms, readTerms } from './terms.ts';

export interface MessageFacts {
  readonly index: number;
  readonly size: number;
  readonly priority: number;
  readonly expiresAt: number;
  readonly source: number;
  readonly home: Home;
  /** What the submitter of a request asked for; only the input queue acts on it. */
  readonly terms?: string | undefined;
}

/** Adds a message at the tail of a queue; its index was never used before. */
export function addMessage(
  queue: QueueState,
  facts: MessageFacts,
  idHash: Hash,
  tagHashes: readonly Hash[],
  metaBytes: number,
): void {
  invariant(!queue.messages.has(facts.index), 'an index is given once');
  const hasTerms = facts.terms !== undefined && queue.name === 'input';
  const { finishBy, retainMs } = hasTerms ? readTerms(facts.terms) : noTerms;
  queue.messages.add({
    index: facts.index,
    idHash,
    tagHashes,
    priority: facts.priority,
    size: facts.size,
    metaBytes,
    home: facts.home,
    expiresAt: facts.expiresAt,
    source: facts.source,
    finishBy,
    retainMs,
  });
  queue.lanes.add(facts.index, facts.priority);
  if (facts.expiresAt > 0) queue.expiries.push(facts.expiresAt, facts.index);
  if (finishBy > 0) queue.expiries.push(finishBy, facts.index);
  if (facts.home === 'record') queue.recordHomes += 1;
  queue.lastIndex = Math.max(queue.lastIndex, facts.index);
  queue.version += 1;
}

/** Takes a message out of its queue and out of every group. */
export function removeMessage(state: State, queue: QueueState, index: number): void {
  const facts = queue.messages.facts(index);
  invariant(facts !== undefined, 'a message that is removed exists');
  for (const group of queue.groups.values()) {
    forgetInGroup(state, queue, group, index, facts.priority);
  }
  if (facts.hidden) queue.hidden -= 1;
  if (facts.home === 'record') queue.recordHomes -= 1;
  if (queue.messages.isLeased(index)) queue.leased -= 1;
  if (queue.lanes.remove(index, facts.priority)) forgetLane(queue, facts.priority);
  queue.messages.remove(index);
  // Room in the sink may let the input go on.
  if (queue.name === 'sink') state.queues.input.version += 1;
}

function forgetInGroup(
  state: State,
  queue: QueueState,
  group: Group,
  index: number,
  priority: number,
): void {
  takeOffer(group, { index, priority });
  if (group.ahead.size > 0) group.ahead.delete(index);
  const entry = group.entries.get(index);
  if (entry === undefined) return;
  dropLease(state, group, entry);
  if (entry.backoffUntil > 0) group.backingOff.delete(entry);
  const { mark } = entry;
  if (isWorkingGroup(state, queue, group) && mark.place && mark.placeIndex === 0) {
    state.reserved -= 1;
    queue.version += 1;
  }
  group.entries.delete(index);
}

function forgetLane(queue: QueueState, priority: number): void {
  for (const group of queue.groups.values()) {
    group.cursors.delete(priority);
    for (const consumer of group.consumers.values()) consumer.cursors?.delete(priority);
  }
}

/** Rule 13: a message on its way to a socket is hidden; shown again it keeps its index. */
export function applyHide(
  queue: QueueState,
  change: { readonly index: number; readonly hidden: boolean },
): void {
  const { index, hidden } = change;
  if (!queue.messages.has(index) || queue.messages.isHidden(index) === hidden) return;
  queue.messages.setHidden(index, hidden);
  queue.hidden += hidden ? 1 : -1;
  if (hidden) return;
  queue.version += 1;
  const { expiresAt = 0, finishBy = 0 } = queue.messages.facts(index) ?? {};
  if (expiresAt > 0) queue.expiries.push(expiresAt, index);
  if (finishBy > 0) queue.expiries.push(finishBy, index);
  const offer = { index, priority: queue.messages.priority(index) };
  for (const group of queue.groups.values()) {
    // Cursors may have passed it; an offer of a message that they have not is passed over later.
    if (!group.entries.has(index) && !group.ahead.has(index)) group.offers.add(offer);
  }
}
