// The events of a request, for whoever may see it: counted among the answers that are held back,
// and ended with them when the server stops.

import type { RequestCall, RequestParts } from './call.ts';
import { serveEvents } from './events.ts';
import { requestOf } from './visibility.ts';

export async function serveRequestEvents(parts: RequestParts, call: RequestCall): Promise<void> {
  const { request, response, service } = call;
  const { id } = await requestOf(parts, call);
  const last = request.headers['last-event-id'];
  const poll = parts.polls.enter(request.socket);
  const over = parts.meters.wait();
  try {
    await serveEvents({
      response,
      open: (after, signal) => parts.events(service.name, id, after, signal),
      lastEventId: typeof last === 'string' ? last : undefined,
      closing: poll.signal,
      clock: parts.clock,
    });
  } finally {
    over();
    poll.leave();
  }
}
