// Bodies that are not in their messages, for whoever works elsewhere: the body of a delivery, as
// long as its lease lasts; a large result, brought up before its completion names it; and bodies by
// the names that readers of the queue protocols were told.

import { type KeptResultInfo, PlatformError } from '@sluice/sdk/wire';
import { type BodyPlace, readTerms } from '../../queue/terms.ts';
import { takeBody } from '../spill.ts';
import { answerJson } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { checkLease, LeaseGuard } from './lease-guard.ts';
import { answerPlace, noBody } from './place-answer.ts';

/** The body of a delivery, whole or in part. */
export async function serveDeliveryBody(parts: RequestParts, call: RequestCall): Promise<void> {
  const { body } = await leased(call);
  if (body === undefined) {
    throw new PlatformError('not_found', 'the body of this delivery is in its message');
  }
  const { request, response } = call;
  const guard = guarding(parts, call, () => response.destroy());
  try {
    await answerPlace(parts, call, body);
  } finally {
    guard.stop();
  }
  request.resume();
}

/** A large result of a delivery: on stable storage when it is answered, for a completion to name
 * within a quarter of an hour. */
export async function serveDeliveryResult(parts: RequestParts, call: RequestCall): Promise<void> {
  const { request, response, service } = call;
  const { store: host, bodies, limits, clock } = parts;
  const bytesMax = service.keptBytesMax ?? 0;
  if (host === undefined || bytesMax === 0) {
    throw new PlatformError('too_large', 'no results are kept apart from the sink here');
  }
  // Before the first wait, or the body would come and go unseen.
  const guard = guarding(parts, call, () => request.destroy());
  try {
    const sizes = { inlineBytesMax: 0, bytesMax };
    const taken = await takeBody({ bodies, limits, host, clock }, request, response, sizes);
    if (taken.kind === 'inline') throw new PlatformError('bad_request', 'the result is empty');
    const { name, size } = taken.place;
    try {
      const { home } = await leased(call);
      if (home !== 'record') {
        throw new PlatformError('too_large', 'the result of this request goes into the sink');
      }
    } catch (error) {
      taken.done();
      throw error;
    }
    // Nothing names it yet: what keeps it until the completion does is that it is young.
    taken.release();
    const kept: KeptResultInfo = { name, size };
    answerJson(response, 201, kept);
  } finally {
    guard.stop();
  }
}

/** A body in a file, by its name. */
export async function serveNamedBody(parts: RequestParts, call: RequestCall): Promise<void> {
  const { body: name = '' } = call.params;
  const size = parts.store?.sizeOf(name);
  if (size === undefined) throw noBody();
  await answerPlace(parts, call, { kind: 'file', name, size });
}

interface Leased {
  readonly body: BodyPlace | undefined;
  readonly home: 'sink' | 'record';
}

async function leased(call: RequestCall): Promise<Leased> {
  const { queues } = call.service;
  const deliveryId = deliveryOf(call);
  const known = await queues.requests.find(checkLease({ queues, deliveryId }));
  // It may have ended in the meantime.
  checkLease({ queues, deliveryId });
  if (known?.kind !== 'live') {
    throw new PlatformError('stale_delivery', `delivery ${deliveryId} is no longer current`);
  }
  return { body: readTerms(known.meta.terms).body, home: known.meta.home };
}

function guarding({ clock, log }: RequestParts, call: RequestCall, lost: () => void): LeaseGuard {
  const { queues } = call.service;
  const { socket } = call.request;
  return new LeaseGuard({ queues, deliveryId: deliveryOf(call), socket, lost, clock, log });
}

function deliveryOf({ params }: RequestCall): number {
  const { deliveryId = '' } = params;
  if (/^[1-9]\d{0,15}$/.test(deliveryId)) return Number(deliveryId);
  throw new PlatformError('not_found', 'deliveries are addressed by their numbers');
}
