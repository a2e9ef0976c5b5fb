// Messages that clients take away: deleted, truncated, dropped by a forced end, or handed out with
// auto delete (rules 13, 16). Long work is cut into steps.

import type { Change } from './change.ts';
import { changing, type Decision, type Effect, unchanged } from './decision.ts';
import { type Consequences, removal, takeAway } from './lease-end.ts';
import type { QueueName } from './message.ts';
import type { RestCause, RestState } from './record.ts';
import type { QueueState, State } from './state.ts';
import type { Time } from './time.ts';

/** Messages taken away in one decision. */
export const removeStep = 128;

export interface DeleteCommand {
  readonly kind: 'delete';
  readonly queue: QueueName;
  /** At most `removeStep`. */
  readonly indexes: readonly number[];
  readonly cause: 'deleted' | 'handedOut';
}

export interface TruncateCommand {
  readonly kind: 'truncate';
  readonly queue: QueueName;
  readonly below: number;
  readonly cause: 'truncated' | 'forceEnded';
}

export interface HideCommand {
  readonly kind: 'hide';
  readonly queue: QueueName;
  readonly indexes: readonly number[];
  readonly hidden: boolean;
}

export interface EndCommand {
  readonly kind: 'end';
  readonly queue: QueueName;
  readonly ended: boolean;
}

export function decideDelete(state: State, command: DeleteCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  const changes: Change[] = [];
  const effects: Effect[] = [];
  for (const index of new Set(command.indexes)) {
    if (!queue.messages.has(index)) continue;
    const taken = takeOut(state, queue, index, command.cause, now);
    changes.push(...taken.changes);
    effects.push(...taken.effects);
  }
  return changing(changes, effects);
}

/** Removes the lowest messages below an index; `more` while there are others. */
export function decideTruncate(state: State, command: TruncateCommand, now: Time): Decision {
  const queue = state.queues[command.queue];
  const changes: Change[] = [];
  const effects: Effect[] = [];
  let index = queue.messages.firstFrom(1);
  for (let done = 0; done < removeStep && index > 0 && index < command.below; done += 1) {
    const taken = takeOut(state, queue, index, command.cause, now);
    changes.push(...taken.changes);
    effects.push(...taken.effects);
    index = queue.messages.firstFrom(index + 1);
  }
  return { ...changing(changes, effects), more: index > 0 && index < command.below };
}

function takeOut(
  state: State,
  queue: QueueState,
  index: number,
  cause: RestCause,
  now: Time,
): Consequences {
  const { changes, effects } = takeAway(queue, index, cause);
  const rest: RestState = cause === 'handedOut' ? 'succeeded' : 'dropped';
  changes.push(removal(state, queue, index, { state: rest, cause }, now));
  return { changes, effects };
}

export function decideHide(state: State, command: HideCommand): Decision {
  const queue = state.queues[command.queue];
  const changes: Change[] = [];
  for (const index of command.indexes) {
    if (!queue.messages.has(index) || queue.messages.isHidden(index) === command.hidden) continue;
    changes.push({ kind: 'hide', queue: queue.name, index, hidden: command.hidden });
  }
  return changing(changes);
}

/** Ends a queue for new messages, or opens it again. What is there is not touched. */
export function decideEnd(state: State, command: EndCommand): Decision {
  const queue = state.queues[command.queue];
  if (queue.ended === command.ended) return unchanged;
  return changing([{ kind: 'end', queue: queue.name, ended: command.ended }]);
}

/** Rule 16: watches of a queue that has ended close when nothing waits, backs off or is leased. */
export function endedWatches(queue: QueueState): Effect[] {
  if (!queue.ended || queue.messages.length > 0) return [];
  const effects: Effect[] = [];
  for (const group of queue.groups.values()) {
    for (const consumer of group.consumers.values()) {
      if (!consumer.connected) continue;
      effects.push({ kind: 'closed', consumer: consumer.number, reason: 'ended' });
    }
  }
  return effects;
}
