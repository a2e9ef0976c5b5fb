// The work of another machine as the worker takes it: what the SDK's client brings, with the bodies
// that are not in their messages named in the worker's own words.

import type { LeasedMessage, WorkClient } from '@sluice/sdk';
import type { WorkCompletion, WorkDelivery, WorkSource } from '../worker/source.ts';

/** Work whose large bodies are fetched, and large results brought up, by themselves. */
export function fetchingSource(client: WorkClient): WorkSource {
  return {
    watch: (queue, request, sink) =>
      client.watch(
        queue,
        { ...request, fetches: true },
        {
          deliver: (message) => sink.deliver(deliveryOf(message)),
          voided: (deliveryId, reason) => sink.voided(deliveryId, reason),
          closed: (reason) => sink.closed(reason),
        },
      ),
    complete: ({ body, ...completion }: WorkCompletion) =>
      client.complete(body === undefined ? completion : { ...completion, kept: body.name }),
    giveBack: (queue, request) => client.giveBack(queue, request),
    freed: (queue, deliveryId) => client.freed(queue, deliveryId),
    progress: (deliveryId, text) => client.progress(deliveryId, text),
    touch: (queue, deliveryId) => client.touch(queue, deliveryId),
    checkpoint: (deliveryId, data) => client.checkpoint(deliveryId, data),
    checkpointOf: (index) => client.checkpointOf(index),
  };
}

/** A file is known here by its delivery alone: its name is the server's. */
function deliveryOf({ apart, largeResult, ...message }: LeasedMessage): WorkDelivery {
  const body = apart?.kind === 'file' ? { ...apart, name: '' } : apart;
  return { ...message, body, home: largeResult === true ? 'record' : 'sink' };
}
