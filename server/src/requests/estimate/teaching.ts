// What a service's own turns teach about waiting: who comes with which priority, by whatever way,
// and for how long requests hold a slot, whoever works on them.

import type { Closing, Durable } from '../../queue/change.ts';
import type { RestCause } from '../../queue/record.ts';
import type { WaitObserver } from './observer.ts';

/** Ends of work that was done to its end; others say nothing of how long work takes. */
const served: ReadonlySet<RestCause> = new Set([
  'completed',
  'committed',
  'modelAnswer',
  'tooLarge',
]);
/** The wall clock has whole milliseconds: what took none took less than one. */
const shortestMs = 0.5;

/** `at`: the monotonic clock. */
export function teach(observer: WaitObserver, changes: readonly Durable[], at: number): void {
  for (const change of changes) {
    switch (change.kind) {
      case 'put':
        if (change.queue === 'input') observer.arrived(change.message.meta.priority, at);
        break;
      case 'complete':
      case 'remove':
        if (change.closing !== undefined) learn(observer, change.closing, at);
        break;
      default:
        break;
    }
  }
}

function learn(observer: WaitObserver, closing: Closing, at: number): void {
  const { cause, lastDeliveredAt, doneAt, outcomes } = closing;
  if (!served.has(cause) || lastDeliveredAt === 0) return;
  // It was given back before it was committed: who knows when its work ended.
  if (outcomes.at(-1)?.deliveredAt === lastDeliveredAt) return;
  observer.served(Math.max(shortestMs, doneAt - lastDeliveredAt), at);
}
