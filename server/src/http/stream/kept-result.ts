// A large result that was brought up by itself, on its way into the record of its request: it stays
// until the queue has taken it, and goes when the queue never will.

import { PlatformError } from '@sluice/sdk/wire';
import type { CompleteRequest } from '../../broker/queues.ts';
import type { BodyHost } from '../spill.ts';

export interface KeptResult {
  readonly body: NonNullable<CompleteRequest['body']>;
  /** The queue has taken it. */
  taken(): void;
  /** The queue has not; unless it may be asked again, nobody will name the result. */
  refused(error: unknown): void;
}

/** Throws `not_found` when there is no result of that name. */
export function keptResult(store: BodyHost | undefined, name: string): KeptResult {
  const size = store?.sizeOf(name);
  if (store === undefined || size === undefined) {
    throw new PlatformError('not_found', 'the result is not there: bring it up again');
  }
  const release = store.hold(name);
  return {
    body: { kind: 'file', name, size },
    taken: release,
    refused(error) {
      release();
      if (!(error instanceof PlatformError) || !error.retry) store.mayGo(name);
    },
  };
}
