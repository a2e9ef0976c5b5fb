// One turn of a service: what was decided in it, on its way to the engine, and what is released
// once it is durable.

import type { Durable } from '../queue/change.ts';
import type { Effect, Reply } from '../queue/decision.ts';
import type { StoredMessage } from '../queue/message.ts';
import type { OutboxEntry, ServiceState, Transition } from '../queue/transition.ts';

export type Output =
  | Effect
  | { readonly kind: 'reply'; readonly done: (reply: Reply) => void; readonly reply: Reply }
  /** A read that may be answered now. */
  | {
      readonly kind: 'read';
      readonly release: () => void;
      readonly fail: (error: Error) => void;
    };

/** decided → (loading → decided) → appending → durable */
export type Stage = 'decided' | 'loading' | 'appending' | 'durable';

export interface Turn {
  stage: Stage;
  readonly changes: Durable[];
  /** What is written for the change at the same place; undefined where that has to be read back
   * first. */
  readonly transitions: (Transition | undefined)[];
  readonly outputs: Output[];
  /** Messages sent without a lease: they are gone from the engine when they are released. undefined
   * where one is damaged. */
  readonly sent: Map<Effect, StoredMessage | undefined>;
  state: ServiceState | undefined;
  /** The callbacks to make that it writes. */
  outbox: readonly OutboxEntry[];
}

export function createTurn(): Turn {
  return {
    stage: 'decided',
    changes: [],
    outputs: [],
    transitions: [],
    sent: new Map(),
    state: undefined,
    outbox: [],
  };
}

/** The index of the input message that a change is about; 0 = it is about none. */
export function touchedBy(change: Durable): number {
  switch (change.kind) {
    case 'complete':
      return change.index;
    case 'record':
      return change.record.index;
    case 'deliver':
    case 'return':
    case 'remove':
    case 'dead':
      return change.queue === 'input' ? change.index : 0;
    default:
      return 0;
  }
}
