// A short text that changes with everything about a request that is worth telling: the ETag of its
// status.

import { createHash } from 'node:crypto';
import type { RequestView } from './request.ts';

/** Two views of one request with the same version tell its owner the same. */
export function version(view: RequestView): string {
  const { state, why, deliveries, outcomes, position, progress, cancel, redrivenAs } = view;
  const facts = [state, why?.code, why?.until, deliveries, outcomes.length, position, progress];
  const later = [cancel?.effectiveAt, redrivenAs, view.firstOutputAt];
  return createHash('sha256')
    .update(JSON.stringify([...facts, ...later]))
    .digest('hex')
    .slice(0, 16);
}

/** Whether nothing more becomes of a request but notes. */
export function isAtRest({ state }: Pick<RequestView, 'state'>): boolean {
  return state !== 'queued' && state !== 'running';
}
