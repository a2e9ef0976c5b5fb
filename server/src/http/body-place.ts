// A message whose body lies apart from it, as readers of the queue protocols see it: tags say where
// it is, and a sentence stands where the body would be, so that nobody takes it for an empty one.

import { bodyAddressTag, bodySizeTag, type Tags } from '@sluice/sdk/wire';
import type { Message } from '../broker/queues.ts';

/** Where bodies in files are, below `/v1/services/{name}/`. */
export const bodiesCollection = 'bodies';

/** The message as it is shown: itself, unless its body lies apart. */
export function shownOf<Shown extends Message>(message: Shown, service: string): Shown {
  const { body, tags } = message;
  if (body === undefined) {
    // Whoever follows these tags must be able to trust them.
    return tags.has(bodyAddressTag) || tags.has(bodySizeTag)
      ? { ...message, tags: withoutPlace(tags) }
      : message;
  }
  const address = body.kind === 'address' ? body.url : bodyPath(service, body.name);
  const all = new Map(withoutPlace(tags)).set(bodyAddressTag, address);
  if (body.kind === 'file') all.set(bodySizeTag, String(body.size));
  const size = body.kind === 'file' ? ` of ${body.size} bytes` : '';
  const text = `The body${size} is not in this message: GET ${address}\n`;
  return { ...message, tags: all, payload: Buffer.from(text) };
}

/** Where a body in a file is had, with a token that may consume. */
export function bodyPath(service: string, name: string): string {
  return `/v1/services/${encodeURIComponent(service)}/${bodiesCollection}/${name}`;
}

function withoutPlace(tags: Tags): Tags {
  const rest = new Map(tags);
  rest.delete(bodyAddressTag);
  rest.delete(bodySizeTag);
  return rest;
}
