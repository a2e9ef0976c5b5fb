// One service with its queues at the root of an address of its own: `/` is the input queue,
// `/sink` the sink. For clients whose base path cannot be set; nothing else is served there.

import { EasHandler } from './eas/handler.ts';
import { type Edge, type EdgeBasics, edgeOf } from './edge.ts';
import { defaultEdgeLimits } from './limits.ts';
import type { ListenerHandler } from './listener.ts';

export interface RootQueueOptions extends EdgeBasics {
  readonly service: string;
}

/** Builds the edge; nothing listens before `start`. The service need not exist yet. */
export function createRootQueue(options: RootQueueOptions): Edge {
  const limits = { ...defaultEdgeLimits, ...options.limits };
  const eas = new EasHandler({ ...options, limits, rootService: options.service });
  const handler: ListenerHandler = {
    request: (request, response) => eas.serve(request, response),
    upgrade: (request, socket, head) => eas.upgrade(request, socket, head),
    plain: eas,
    drain: () => eas.drain(),
  };
  return edgeOf(handler, eas, { ...options, limits });
}
