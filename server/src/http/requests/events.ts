// The events of one request as Server-Sent Events, to its rest. One event at a time is read and
// written, and the next one only when the socket has taken it: a slow client holds one event, not
// all of them. A comment now and then keeps a quiet stream alive.

import type { ServerResponse } from 'node:http';
import type { RequestEvent } from '@sluice/sdk/wire';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { drained } from '../drained.ts';

const keepMs = 15_000;
/** How long a browser waits before it comes back after a cut. */
const retryMs = 1000;

export interface ServeEventsOptions {
  readonly response: ServerResponse;
  /** The events behind `after` (the header `Last-Event-ID`), until the signal is aborted. */
  readonly open: (after: string | undefined, signal: AbortSignal) => AsyncIterable<RequestEvent>;
  readonly lastEventId: string | undefined;
  /** Aborted: the server is about to stop; clients come back and go on elsewhere. */
  readonly closing: AbortSignal;
  readonly clock: Clock;
}

/**
 * Writes the whole answer; resolves when it is complete or the client has left. Rejects only before
 * the first byte, with the refusal: then nothing has been written.
 */
export async function serveEvents(options: ServeEventsOptions): Promise<void> {
  const { response, open, lastEventId, closing } = options;
  const end = new AbortController();
  const stop = (): void => end.abort();
  response.once('close', stop);
  closing.addEventListener('abort', stop, { once: true });
  if (closing.aborted || response.destroyed) stop();
  const events = open(lastEventId, end.signal)[Symbol.asyncIterator]();
  try {
    const first = await events.next();
    await write(options, first, events);
  } finally {
    closing.removeEventListener('abort', stop);
    response.removeListener('close', stop);
    end.abort();
    await events.return?.();
  }
}

async function write(
  { response, clock }: ServeEventsOptions,
  first: IteratorResult<RequestEvent, unknown>,
  events: AsyncIterator<RequestEvent>,
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // Proxies that gather answers would make one lump of a stream.
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${retryMs}\n\n`);
  let timer: Timer;
  const keep = (): void => {
    if (!response.writableNeedDrain) response.write(': keep\n\n');
    timer = clock.after(keepMs, keep);
  };
  timer = clock.after(keepMs, keep);
  try {
    for (let item = first; item.done !== true; item = await events.next()) {
      if (response.destroyed) return;
      if (!response.write(textOf(item.value))) await drained(response);
    }
    response.end();
  } catch {
    // It could not be read on: a cut answer says so, and the client comes back.
    response.destroy();
  } finally {
    timer.cancel();
  }
}

/** JSON has no line break in it, so that the data is always one line. */
function textOf({ event, id, data }: RequestEvent): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
