// What a worker says of a delivery under way: how far it is, what it streams, what the next
// delivery should know. Settling it is in calls.ts.

import {
  type Checkpoint,
  noTags,
  PlatformError,
  type Progress,
  type Recall,
} from '@sluice/sdk/wire';
import { finish, type Place } from './calls.ts';
import { streamLimitText } from './limits.ts';

export function callProgress(place: Place, call: Progress): void {
  const { link, queues, requests } = place;
  const { deliveryId, text, from, notes } = call;
  if (Buffer.byteLength(text) > link.limits.progressBytesMax) {
    const limit = streamLimitText(link.limits, 'progressBytesMax');
    throw new PlatformError('too_large', `the progress text is too long: ${limit}`);
  }
  if (notes.length > 0) {
    const lease = queues.leaseOf(deliveryId);
    if (lease === undefined) {
      throw new PlatformError('stale_delivery', `delivery ${deliveryId} is no longer current`);
    }
    const { index, deliveries } = lease;
    requests?.add({ service: queues.service, index, attempt: deliveries }, notes, from);
  }
  if (text === '' && notes.length > 0) link.done(call);
  else finish(link, call, queues.progress(deliveryId, text));
}

export function callCheckpoint({ link, queues }: Place, call: Checkpoint, data: Uint8Array): void {
  finish(link, call, queues.checkpoint(call.deliveryId, data));
}

/** Answered like a get, as one message or none. */
export function callRecall({ link, queues }: Place, call: Recall): void {
  const { number, index } = call;
  queues.checkpointOf(index).then(
    (payload) => {
      if (payload !== undefined) {
        const head = { index, id: '', tags: noTags, priority: 0, acceptedAt: 0 };
        const nothing = { contentType: undefined, path: undefined };
        const body = { payload, transfer: 0, size: payload.length };
        link.sayInOrder({ kind: 'message', number, ...head, ...nothing, ...body }, payload);
      }
      link.drop(call);
      link.sayInOrder({ kind: 'done', number });
    },
    (error: unknown) => link.fail(call, error),
  );
}
