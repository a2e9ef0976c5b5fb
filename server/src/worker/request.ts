// From a delivery to the HTTP request for the model server: path, method, body and the headers that
// tell the model which request it is, which delivery of it, and which trace it belongs to.

import type { Random } from '../kernel/random.ts';
import type { WorkBodies } from './body.ts';
import type { ModelRequest } from './model.ts';
import { choosePath } from './path.ts';
import type { CallTarget } from './settings.ts';
import type { WorkDelivery } from './source.ts';

/** The tag whose value is handed on as the header `traceparent`. */
export const traceTag = 'traceparent';
/** How many deliveries of the request this is, from 1. */
export const attemptHeader = 'sluice-attempt';
/** The same, by an older name. */
export const deliveryHeader = 'x-sluice-delivery';

/** The address of a body that the model is to fetch itself. */
export const bodyAddressHeader = 'sluice-body-address';

export type RequestChoice =
  | { readonly ok: true; readonly request: ModelRequest }
  | { readonly ok: false; readonly problem: string };

/** The call for a delivery, or why there can be none (the put's path is not allowed). */
export function modelRequest(
  delivery: WorkDelivery,
  base: string,
  target: CallTarget,
  random: Random,
  bodies?: WorkBodies,
): RequestChoice {
  const chosen = choosePath(base, target, delivery.path);
  if (!chosen.ok) return chosen;
  const contentType = delivery.contentType ?? target.contentType;
  const id = headerText(delivery.id);
  const headers: Record<string, string> = {
    'user-agent': 'sluice',
    accept: '*/*',
    'x-request-id': id,
    'x-eas-queueservice-request-id': id,
    [attemptHeader]: String(delivery.deliveries),
    [deliveryHeader]: String(delivery.deliveries),
    traceparent: traceparent(delivery.tags.get(traceTag), random),
  };
  if (contentType !== '') headers['content-type'] = headerText(contentType);
  const body = bodyOf(delivery, headers, bodies);
  if (body === undefined) {
    return { ok: false, problem: 'its body is not in the message, and can not be had here' };
  }
  return { ok: true, request: { method: target.method, path: chosen.path, headers, body } };
}

/** Adds the address to the headers where the model gets that instead. */
function bodyOf(
  { body, payload, deliveryId }: WorkDelivery,
  headers: Record<string, string>,
  bodies: WorkBodies | undefined,
): ModelRequest['body'] | undefined {
  if (body === undefined) return payload;
  const input = bodies?.inputOf(body, deliveryId);
  if (input !== 'address') return input;
  if (body.kind === 'address') headers[bodyAddressHeader] = headerText(body.url);
  return payload;
}

/** The given one if it is well-formed, else a new root: version 00, sampled. */
function traceparent(given: string | undefined, random: Random): string {
  if (given !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given)) {
    return given;
  }
  return `00-${random.secret(16)}-${random.secret(8)}-01`;
}

// A caller's request id is any text; a header is not.
function headerText(text: string): string {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) ? text : encodeURIComponent(text);
}
