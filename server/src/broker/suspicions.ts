// What the owner of a service is told of messages that instances died with: in the log, and as an
// event where events are kept.

import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { SuspicionEffect } from '../queue/decision.ts';

interface Told {
  readonly service: string;
  readonly log: Log;
  readonly record?: RecordEvent;
}

const lines = {
  suspect: 'message suspect',
  convicted: 'message convicted',
  cleared: 'message cleared',
} as const;

/** Says that a message became suspect, was cleared or convicted; what it says is durable. */
export function tellOwner({ service, log, record }: Told, effect: SuspicionEffect): void {
  const { what, index, uid, reason } = effect;
  log.warn({ service, index, uid, reason }, lines[what]);
  const text = `message ${index}: ${reason}`;
  record?.({ service, kind: 'message', what, text, instance: uid, facts: { index } });
}
