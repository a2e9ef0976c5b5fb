// Following one request: its events until it is at rest, and its state each time that changes. Both
// go on over cut connections and restarts of the server.

import { textOf } from '../admin-transport.ts';
import { PlatformError } from '../errors.ts';
import { EventParser, type SentEvent } from './event-source.ts';
import type { RequestEvent, RequestEventName, RequestInfo } from './request-info.ts';
import type { RequestTransport } from './request-transport.ts';

/** What it takes to follow a request. */
export interface FollowSource {
  readonly transport: RequestTransport;
  /** Of the request, below the address of the service. */
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

/** How long the server is asked to hold an answer back: shorter than proxies and fetch wait. */
export const pollMs = 50_000;
/** The server says something every 15 s. */
const idleMs = 45_000;
/** A request far behind changes its place with every one that leaves; nobody reads that fast. */
const placePauseMs = 20;
const placePauseMsMax = 1_000;
/** A server that ends the events so often without one is none of ours. */
const idleConnectionsMax = 12;

const eventNames: ReadonlySet<string> = new Set<RequestEventName>([
  'state',
  'output',
  'progress',
  'reset',
  'gap',
  'done',
]);

/** The events after `after`, each once and in order; the last is `done`. */
export async function* followEvents(
  source: FollowSource,
  after: string | undefined,
): AsyncGenerator<RequestEvent> {
  const { transport, signal } = source;
  const now = (): number => transport.clock.now().mono;
  let last = after;
  // Connections in a row that brought nothing and did not last.
  let idle = 0;
  for (;;) {
    const openedAt = now();
    try {
      for await (const sent of eventsOf(source, last)) {
        idle = 0;
        if (sent.id !== '') last = sent.id;
        const event = requestEventOf(sent);
        if (event === undefined) continue;
        yield event;
        if (event.event === 'done') return;
      }
    } catch (error) {
      // One that could not be opened at all has had the patience of every call.
      if (!(error instanceof Cut)) throw error;
    }
    signal?.throwIfAborted();
    idle = now() - openedAt > idleMs ? 1 : idle + 1;
    if (idle === idleConnectionsMax) {
      throw new PlatformError('unavailable', 'The events end again and again without a last one.');
    }
    await transport.pause(idle, 0, signal);
  }
}

/** The connection was cut while events came: it is opened again. */
class Cut extends Error {}

/** undefined: of a kind that a later server knows. */
function requestEventOf({ event, id, data }: SentEvent): RequestEvent | undefined {
  if (!eventNames.has(event)) return undefined;
  // The data are those of `RequestEventData` for the name.
  return { event, id, data: JSON.parse(data) as unknown } as RequestEvent;
}

/** The events of one connection. */
async function* eventsOf(
  { transport, path, signal }: FollowSource,
  last: string | undefined,
): AsyncGenerator<SentEvent> {
  const headers = {
    Accept: 'text/event-stream',
    ...(last === undefined ? {} : { 'Last-Event-ID': last }),
  };
  const call = {
    method: 'GET',
    path: `${path}/events`,
    headers,
    repeat: 'always',
    signal,
  } as const;
  const response = await transport.call(call);
  const idle = transport.idle(idleMs, signal);
  const parser = new EventParser();
  try {
    for await (const piece of textOf(response, idle.signal)) {
      idle.renew();
      yield* parser.feed(piece);
    }
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw new Cut('cut', { cause });
  } finally {
    idle.stop();
  }
}

/** The request now and after every change; the last one is at rest. */
export async function* followState({
  transport,
  path,
  signal,
}: FollowSource): AsyncGenerator<RequestInfo> {
  let known: string | undefined;
  for (;;) {
    const askedAt = transport.clock.now().mono;
    const { response, text } = await transport.text({
      method: 'GET',
      path,
      headers: known === undefined ? {} : { 'If-None-Match': known, Prefer: preferWait(pollMs) },
      waitMs: known === undefined ? 0 : pollMs,
      expect: [304],
      repeat: 'always',
      signal,
    });
    if (response.status !== 304) {
      known = response.headers.get('etag') ?? undefined;
      // As for `RequestTransport.json`.
      const info = JSON.parse(text) as RequestInfo;
      yield info;
      if (isAtRest(info)) return;
      const pauseMs = Math.min(placePauseMsMax, (info.position ?? 0) * placePauseMs);
      // Without a version to wait on, it is asked for once a second.
      await transport.sleep(known === undefined ? placePauseMsMax : pauseMs, signal);
    } else if (transport.clock.now().mono - askedAt < placePauseMsMax) {
      // A server that is about to stop holds nothing back.
      await transport.sleep(placePauseMsMax, signal);
    }
  }
}

/** Whether nothing will change it any more. */
export function isAtRest({ state }: Pick<RequestInfo, 'state'>): boolean {
  return state !== 'queued' && state !== 'running';
}

/** Of RFC 7240, in whole seconds. */
export function preferWait(ms: number): string {
  return `wait=${Math.max(1, Math.ceil(ms / 1000))}`;
}
