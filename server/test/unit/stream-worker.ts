// The worker's end of a stream as tests hold it: a watch of everything, and what it hears.

import type { LeasedMessage, WorkReceiver, WorkRequest } from '@sluice/sdk';

export const everything: WorkRequest = {
  window: 2,
  from: 0,
  indexOnly: false,
  autoCommit: false,
  tags: new Map(),
  id: undefined,
  holding: [],
};

/** A receiver that keeps what it hears. */
export class Receiver implements WorkReceiver {
  readonly delivered: LeasedMessage[] = [];
  readonly gone: number[] = [];
  readonly ends: string[] = [];

  deliver(message: LeasedMessage): void {
    this.delivered.push(message);
  }

  voided(deliveryId: number): void {
    this.gone.push(deliveryId);
  }

  closed(reason: string): void {
    this.ends.push(reason);
  }
}

/** Lets the streams turn until something holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setImmediate(done));
}
