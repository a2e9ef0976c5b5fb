// What every actor of a run is given.

import type { Identity, PutRequest } from '../../src/broker/queues.ts';
import type { Oracle } from './oracle.ts';
import type { Results } from './results.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Stage } from './stage.ts';
import type { Users } from './users.ts';

export interface Play {
  readonly stage: Stage;
  readonly oracle: Oracle;
  readonly results: Results;
  readonly users: Users;
  readonly random: SeededRandom;
}

/** A put with nothing special about it. */
export function plainPut(payload: Uint8Array, by: Identity): PutRequest {
  return {
    payload,
    by,
    id: undefined,
    tags: new Map(),
    priority: 0,
    path: undefined,
    contentType: undefined,
    home: 'sink',
    expiresAt: 0,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
  };
}
