// Which token may do which operation of the EAS protocol: the one table. The main token of a
// service (and the administrator's) may do all of them; others need one of the scopes listed here.

import { PlatformError } from '@sluice/sdk/wire';
import type { QueueName } from '../../queue/message.ts';
import type { Grant, TokenScope } from '../directory.ts';

export type EasOperation =
  | 'put'
  | 'get'
  | 'count'
  | 'search'
  | 'attributes'
  | 'watch'
  | 'commit'
  | 'negative'
  | 'delete'
  | 'truncate'
  | 'end';

type Scopes = readonly TokenScope[];

/** By operation: scopes for the input queue, and for the sink. Rear queues need `admin`. */
const scopesNeeded: Readonly<
  Record<EasOperation, { readonly input: Scopes; readonly sink: Scopes }>
> = {
  put: { input: ['submit', 'admin'], sink: ['consume', 'admin'] },
  get: { input: ['consume', 'admin'], sink: ['read', 'consume', 'admin'] },
  count: { input: ['submit', 'read', 'consume', 'admin'], sink: ['read', 'consume', 'admin'] },
  search: { input: ['submit', 'read', 'consume', 'admin'], sink: ['read', 'consume', 'admin'] },
  attributes: {
    input: ['submit', 'read', 'consume', 'admin'],
    sink: ['submit', 'read', 'consume', 'admin'],
  },
  watch: { input: ['consume', 'admin'], sink: ['consume', 'admin'] },
  commit: { input: ['consume', 'admin'], sink: ['consume', 'admin'] },
  negative: { input: ['consume', 'admin'], sink: ['consume', 'admin'] },
  delete: { input: ['consume', 'admin'], sink: ['consume', 'admin'] },
  truncate: { input: ['admin'], sink: ['admin'] },
  end: { input: ['admin'], sink: ['admin'] },
};

const rearScopes: Scopes = ['admin'];

/**
 * Throws 401 without a grant and 403 when its scopes do not suffice. A token that may only read
 * gets results by request id alone: whoever knows the id of a request is its owner, and nobody can
 * drain the results of others.
 */
export function checkPermission(
  grant: Grant,
  operation: EasOperation,
  queue: QueueName,
  requestId: string | undefined,
): void {
  if (grant.kind === 'main') return;
  if (grant.kind === 'none') {
    throw new PlatformError('unauthorized', 'the token is missing or wrong');
  }
  const needed = neededScopes(operation, queue);
  const own = needed.filter((scope) => grant.scopes.has(scope));
  if (own.length === 0) {
    throw new PlatformError(
      'forbidden',
      `token ${grant.name} may not ${operation} on this queue: ` +
        `it needs the scope ${needed.join(' or ')}`,
    );
  }
  if (operation === 'get' && own.every((scope) => scope === 'read') && requestId === undefined) {
    throw new PlatformError(
      'forbidden',
      `token ${grant.name} may get results by requestId only: the rest needs the scope consume`,
    );
  }
}

function neededScopes(operation: EasOperation, queue: QueueName): Scopes {
  switch (queue) {
    case 'input':
      return scopesNeeded[operation].input;
    case 'sink':
      return scopesNeeded[operation].sink;
    case 'inputRear':
    case 'sinkRear':
      return rearScopes;
  }
}
