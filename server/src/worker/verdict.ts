// What a finished call means, whoever ended it: the model with an answer, we with a time-out or a
// withdrawn lease, or the death of the instance. Pure; the worker acts on it.

import type { CallEnding } from './call.ts';
import type { ModelResult } from './model.ts';
import { type Outcome, type OutcomeFacts, outcomeOf, timedOut } from './outcome.ts';

export interface CallFacts extends OutcomeFacts {
  /** How the instance died; undefined: it lives. */
  readonly death: string | undefined;
  readonly keepaliveMs: number;
}

export interface Verdict {
  /** undefined: the lease is gone, nothing is left to say. */
  readonly outcome: Outcome | undefined;
  /** The model may still work on the request although the call is over for us. */
  readonly occupies: boolean;
}

export function verdictOf(
  ending: CallEnding | undefined,
  result: ModelResult,
  facts: CallFacts,
): Verdict {
  // A request that never left cannot be worked on; an answer shows that the work is done.
  const mayWork = result.kind === 'aborted' && result.sent && facts.death === undefined;
  if (result.kind !== 'aborted') {
    const outcome = ending === 'voided' ? undefined : endedByItself(result, facts);
    return { outcome, occupies: false };
  }
  switch (ending) {
    case 'voided':
      return { outcome: undefined, occupies: mayWork };
    case 'dead':
      return { outcome: died(result.sent, facts), occupies: false };
    case 'timeout':
      return { outcome: timedOut(facts.keepaliveMs, facts), occupies: mayWork };
    case 'shutdown':
    case undefined:
      return { outcome: leaving, occupies: mayWork };
  }
}

const leaving: Outcome = {
  kind: 'refused',
  code: 'Shutdown',
  reason: 'the instance was told to leave before the call had ended',
  retryAfterMs: undefined,
  unreachable: false,
};

function endedByItself(
  result: Exclude<ModelResult, { readonly kind: 'aborted' }>,
  facts: CallFacts,
): Outcome {
  // A dead process closes its connections first: the cut was its death.
  const cut = result.kind === 'cut' || (result.kind === 'refused' && result.retried);
  return cut && facts.death !== undefined ? died(true, facts) : outcomeOf(result, facts);
}

/** What it was at work on goes to another instance at once; what it never got is not counted. */
function died(sent: boolean, facts: CallFacts): Outcome {
  const reason = facts.death ?? 'the instance ended';
  if (sent) return { kind: 'retry', code: 'InstanceDied', reason, delayMs: 0 };
  return outcomeOf({ kind: 'refused', reason, retried: false }, facts);
}
