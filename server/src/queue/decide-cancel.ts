// Requests that are taken out before they are done: by whoever submitted them, or because their
// finish deadline is over. Of a completion and a cancel the first one wins: what comes later finds
// the request at rest.

import { writeAfterwards } from './afterwards.ts';
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
  const isThere = queue.messages.has(index) && !queue.messages.isHidden(index);
  if (!isThere) return answering({ kind: 'canceled', found: false });
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
  const wasRunning = queue.messages.isLeased(index);
  const after = wasRunning ? writeAfterwards({ wasRunning }) : undefined;
  // Nobody will ever say that the model behind an EAS watch is free.
  const occupied = changes.flatMap((one) => (one.kind === 'occupy' ? [one.deliveryId] : []));
  for (const deliveryId of occupied) changes.push({ kind: 'await', deliveryId, index });
  changes.push(removal(state, queue, index, { ...rest, after }, now));
  return { changes, effects };
}

/** The model is known to be free of a delivery: whoever waits for that is told. */
export function noteFree(state: State, deliveryId: number, now: Time): Consequences {
  const index = state.awaited.get(deliveryId);
  if (index === undefined) return { changes: [], effects: [] };
  return {
    changes: [{ kind: 'unawait', deliveryId }],
    effects: [{ kind: 'free', index, at: now.wall }],
  };
}
