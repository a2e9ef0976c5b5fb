// Requests that are taken out before they are done: by whoever submitted them, or because their
// finish deadline is over. Of a completion and a cancel the first one wins: what comes later finds
// the request at rest.

import { writeAfterwards } from './afterwards.ts';
import type { Change } from './change.ts';
import { answering, type Decision } from './decision.ts';
import { type Consequences, type Rest, removal, takeAway } from './lease-end.ts';
import type { QueueState, State } from './state.ts';
import type { Time } from './time.ts';

export interface CancelCommand {
  readonly kind: 'cancel';
  readonly index: number;
  /** In the words of whoever wants it. */
  readonly reason: string;
}

/** Takes a request out of the input; answers whether it was still there. */
export function decideCancel(state: State, command: CancelCommand, now: Time): Decision {
  const queue = state.queues.input;
  const { index, reason } = command;
  if (!queue.messages.has(index)) return answering({ kind: 'canceled', found: false });
  const rest = { state: 'canceled', cause: 'canceled', reason } as const;
  const { changes, effects } = takeFromAll(state, queue, index, rest, now);
  return { changes, effects, reply: { kind: 'canceled', found: true }, more: false };
}

/** Takes a message away from everybody. When the model may be at work on it, the record says so,
 * and is written anew once it is known to be free (rule 2). */
export function takeFromAll(
  state: State,
  queue: QueueState,
  index: number,
  rest: Rest,
  now: Time,
): Consequences {
  const { changes, effects } = takeAway(queue, index, rest.cause);
  // Nobody will ever say that the model behind an EAS watch is free.
  const calls = changes.flatMap((one) => (one.kind === 'occupy' ? [one.deliveryId] : []));
  calls.push(...takenBefore(queue, index));
  const { messages } = queue;
  const wasRunning = calls.length > 0 || messages.isLeased(index) || messages.isHidden(index);
  for (const deliveryId of calls) changes.push({ kind: 'await', deliveryId, index });
  const after = wasRunning ? writeAfterwards({ wasRunning }) : undefined;
  changes.push(removal(state, queue, index, { ...rest, after }, now));
  return { changes, effects };
}

/** Calls of earlier deliveries that may go on: their leases were taken away. */
function takenBefore(queue: QueueState, index: number): number[] {
  const found: number[] = [];
  for (const { entries, consumers } of queue.groups.values()) {
    for (const { uid, deliveryId } of entries.get(index)?.mark.outcomes ?? []) {
      if (consumers.get(uid)?.occupied.has(deliveryId)) found.push(deliveryId);
    }
  }
  return found;
}

/** The model is known to be free of these deliveries: with the last call of a request that was
 * taken away, whoever waits for that is told. */
export function noteFree(state: State, freed: ReadonlySet<number>, now: Time): Consequences {
  const noted: Consequences = { changes: [], effects: [] };
  const indexes = new Set<number>();
  for (const deliveryId of freed) {
    const index = state.awaited.get(deliveryId);
    if (index === undefined) continue;
    noted.changes.push({ kind: 'unawait', deliveryId });
    indexes.add(index);
  }
  for (const index of indexes) {
    const isOver = awaitedOf(state, index).every((deliveryId) => freed.has(deliveryId));
    if (isOver) noted.effects.push({ kind: 'free', index, at: now.wall });
  }
  return noted;
}

/** Nobody will be able to say when the model was free of these, and so of their requests. */
export function noteLost(state: State, lost: ReadonlySet<number>): Change[] {
  const indexes = new Set([...lost].flatMap((deliveryId) => state.awaited.get(deliveryId) ?? []));
  const all = [...indexes].flatMap((index) => awaitedOf(state, index));
  return all.map((deliveryId) => ({ kind: 'unawait', deliveryId }));
}

function awaitedOf(state: State, index: number): number[] {
  return [...state.awaited].flatMap(([deliveryId, one]) => (one === index ? [deliveryId] : []));
}
