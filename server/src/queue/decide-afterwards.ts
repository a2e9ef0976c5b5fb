// What happens to requests that are at rest: a dead one is put anew, a record is written again with
// what became known since.

import type { Change } from './change.ts';
import { decidePut, type PutCommand } from './decide-put.ts';
import { changing, type Decision, refusing, unchanged } from './decision.ts';
import type { RequestRecord } from './record.ts';
import type { State } from './state.ts';
import type { Time } from './time.ts';

/** Puts a message of the rear queue anew, as `put` has it, and takes it out of there: both or
 * nothing. */
export interface RedriveCommand {
  readonly kind: 'redrive';
  readonly rearIndex: number;
  readonly put: PutCommand;
}

export interface AmendCommand {
  readonly kind: 'amend';
  readonly record: RequestRecord;
}

export function decideRedrive(state: State, command: RedriveCommand, now: Time): Decision {
  const { rearIndex } = command;
  const rear = state.queues.inputRear;
  if (!rear.messages.has(rearIndex) || rear.messages.isHidden(rearIndex)) {
    return refusing('not_found', `no dead message has the index ${rearIndex} (any more)`);
  }
  const put = decidePut(state, command.put, now);
  if (put.reply.kind !== 'put') return put;
  const out: Change = {
    kind: 'remove',
    queue: 'inputRear',
    index: rearIndex,
    cause: 'redriven',
    at: now.wall,
    source: 0,
    closing: undefined,
  };
  return { ...put, changes: [...put.changes, out] };
}

/** A callback was delivered or given up. */
export interface ReportedCommand {
  readonly kind: 'reported';
  readonly index: number;
}

export function decideReported({ index }: ReportedCommand): Decision {
  return changing([{ kind: 'outboxDone', index }]);
}

/** A record that was forgotten meanwhile stays forgotten. */
export function decideAmend(state: State, { record }: AmendCommand): Decision {
  if (!state.records.has(record.index)) return unchanged;
  return changing([{ kind: 'record', record }]);
}
