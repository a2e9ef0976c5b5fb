// What the harness asked of each request of the request API, and whether what became of it agrees:
// each one has ended in one state, and its record explains that.

import { resultOf } from './ledger.ts';
import type { Answer, Status } from './request-caller.ts';

/** What was asked of one request; `key` is its idempotency key. */
export interface Wish {
  readonly key: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly hasDeadline: boolean;
  readonly hasCallback: boolean;
  id: string | undefined;
  wantsCancel: boolean;
  /** A cancel was answered: it is over. */
  isCanceled: boolean;
}

/** What is wrong with how a request ended; undefined = nothing. */
export function flawOf(wish: Wish, status: Status, result: Answer): string | undefined {
  const { state, cause, deliveries, doneAt, acceptedAt } = status;
  const said = `${wish.key} (${wish.body}) is ${state} (${cause ?? 'no cause'})`;
  if (status.id !== wish.id) return `${said} under the id ${status.id}, not ${wish.id}`;
  if (doneAt === null || cause === null) return `${said}: nothing says when or why`;
  if (Date.parse(doneAt) < Date.parse(acceptedAt)) return `${said} before it was accepted`;
  if (wish.isCanceled && state !== 'canceled') return `${said}, and its cancel was answered`;
  switch (state) {
    case 'succeeded':
      if (deliveries < 1) return `${said} without a delivery`;
      if (result.status !== 200 || result.text !== resultOf(wish.body)) {
        return `${said} with the result ${result.status} ${result.text.slice(0, 60)}`;
      }
      return wish.body === wish.key ? undefined : `${said}, and its model never succeeds`;
    case 'failed':
      if (status.code !== '500' || result.status !== 200) return `${said}: ${result.status}`;
      return wish.body.startsWith('fail ') ? undefined : `${said}, and nobody failed`;
    case 'dead':
      if (status.outcomes.length === 0) return `${said}, and no delivery says why`;
      return result.status === 409 ? undefined : `${said}, and its result is ${result.status}`;
    case 'canceled':
      if (!wish.wantsCancel) return `${said}, and nobody asked for that`;
      if (status.cancel === null) return `${said}, and nothing is said of the cancel`;
      return result.status === 410 ? undefined : `${said}, and its result is ${result.status}`;
    case 'expired':
      if (!wish.hasDeadline) return `${said}, and it had all the time`;
      return result.status === 410 ? undefined : `${said}, and its result is ${result.status}`;
    default:
      return said;
  }
}
