// What the edge needs to know of services: found by name, with their queues and their state. The
// composition root connects it to the registry.

import type { Queues } from '../broker/queues.ts';

export type TokenScope = 'submit' | 'read' | 'consume' | 'admin';

/** What a presented credential may do on one service. `main` may do every EAS operation. */
export type Grant =
  | { readonly kind: 'none' }
  | { readonly kind: 'main' }
  | { readonly kind: 'scoped'; readonly name: string; readonly scopes: ReadonlySet<TokenScope> };

export interface HostedService {
  readonly name: string;
  readonly queues: Queues;
  /** An open service: no token is asked for (loopback only). */
  readonly open: boolean;
  /** Why data operations answer 503 now; undefined = they work. */
  readonly stopped: string | undefined;
  /** What becomes of a request whose submitter leaves while it waits, unless it says so itself. */
  readonly onLeave?: 'cancel' | 'keep';
  /** Largest body of a request, when it is more than the queue takes: it goes into a file. */
  readonly bodyBytesMax?: number;
  /** Largest result that may go into a file. */
  readonly keptBytesMax?: number;
  /** The tokens that may be used, main token first; compared in constant time by the edge. */
  readonly tokens: readonly ServiceToken[];
}

export interface ServiceToken {
  readonly name: string;
  readonly secret: string;
  /** undefined: the main token. */
  readonly scopes: ReadonlySet<TokenScope> | undefined;
}

export interface Directory {
  find(name: string): HostedService | undefined;
}
