// What happens to requests that are at rest: a dead one is put anew, a record is written again with
// what became known since.

import { readAfterwards, writeAfterwards } from './afterwards.ts';
import type { Change } from './change.ts';
import { decidePut, type PutCommand } from './decide-put.ts';
import { changing, type Decision, refusing, unchanged } from './decision.ts';
import type { RequestRecord } from './record.ts';
import type { State } from './state.ts';
import type { Time } from './time.ts';

/** Puts a message of the rear queue anew, as `put` has it, takes it out of there and links the two
 * requests: all or nothing. */
export interface RedriveCommand {
  readonly kind: 'redrive';
  readonly rearIndex: number;
  readonly put: PutCommand;
  /** Of the dead request, unless it is forgotten: it is to tell as what that was put anew. */
  readonly record: RequestRecord | undefined;
}

export interface AmendCommand {
  readonly kind: 'amend';
  readonly record: RequestRecord;
}

export function decideRedrive(state: State, command: RedriveCommand, now: Time): Decision {
  const { rearIndex, record } = command;
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
  const changes = [...put.changes, out];
  if (record !== undefined && state.records.has(record.index)) {
    const notes = { ...readAfterwards(record.after), redrivenAs: put.reply.index };
    changes.push({ kind: 'record', record: { ...record, after: writeAfterwards(notes) } });
  }
  return { ...put, changes };
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
