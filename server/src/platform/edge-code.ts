// The code of the edges: much of all there is, and not needed while the queues are recovered. It is
// loaded beside that.

import type { createApi } from '../http/api/app.ts';
import type { attributesOf } from '../http/eas/inspect.ts';
import type { createEdge } from '../http/edge.ts';
import type { createRootQueue } from '../http/root-queue.ts';
import type { StreamServer } from '../http/stream/server.ts';

export interface EdgeCode {
  readonly createApi: typeof createApi;
  readonly createEdge: typeof createEdge;
  readonly createRootQueue: typeof createRootQueue;
  readonly StreamServer: typeof StreamServer;
  readonly attributesOf: typeof attributesOf;
}

/** At once after the first call has resolved. */
export async function edgeCode(): Promise<EdgeCode> {
  const [api, edge, rootQueue, stream, inspect] = await Promise.all([
    import('../http/api/app.ts'),
    import('../http/edge.ts'),
    import('../http/root-queue.ts'),
    import('../http/stream/server.ts'),
    import('../http/eas/inspect.ts'),
  ]);
  return { ...api, ...edge, ...rootQueue, ...stream, ...inspect };
}

/** Begins with it. What fails is told to whoever asks for the code. */
export function loadEdgeCode(): void {
  edgeCode().catch(() => undefined);
}
