// What happened to services and why, one event a line.

import type { ServerResponse } from 'node:http';
import { type EventInfo, eventKinds, PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import { answerLines, Followers, type LineStreamBasics } from '../line-stream.ts';
import { type Route, route } from '../route.ts';
import { pathName, truth } from '../schemas.ts';

export interface EventQuery {
  /** undefined: of all services. */
  readonly service?: string | undefined;
  readonly kind?: EventInfo['kind'] | undefined;
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

/** Whoever keeps the events. */
export interface EventHost {
  /** Whether it has any of a service, which may be deleted by now. */
  knows(service: string): boolean;
  read(query: EventQuery): readonly EventInfo[];
  /** Ends with the signal, or with the server. */
  follow(query: EventQuery, signal: AbortSignal): AsyncIterable<EventInfo>;
}

export interface EventRouteOptions extends LineStreamBasics {
  readonly events: EventHost;
  readonly isService: (name: string) => boolean;
}

const limitMax = 100_000;

const query = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Only events with a higher number: those since an earlier answer.'),
  limit: z.coerce
    .number()
    .int()
    .min(0)
    .max(limitMax)
    .optional()
    .describe('At most so many to begin with: the latest; the first with `after`, not followed.'),
  kind: z.enum(eventKinds).exclude(['missed']).optional(),
  follow: truth.describe('Go on with what happens from now on.'),
});

const answer = {
  kind: 'stream',
  type: 'application/x-ndjson',
  description:
    'One event a line: number, at, service, kind, what, text, instance, facts. Empty lines mean ' +
    'nothing. An event of kind `missed` says that others are left out.',
} as const;

export function eventRoutes(options: EventRouteOptions): readonly Route[] {
  const { events, clock, closing, isService } = options;
  const followers = new Followers('lists of events');
  const run = (
    request: EventQuery & { readonly follow: boolean },
    response: ServerResponse,
  ): Promise<void> =>
    followers.run(request.follow, () =>
      answerLines({
        clock,
        closing,
        response,
        open: async (signal) =>
          request.follow ? events.follow(request, signal) : each(events.read(request)),
      }),
    );
  return [
    route({
      method: 'GET',
      path: '/v1/events',
      summary: 'What happened to services, and why',
      query,
      answer,
      run: ({ query: chosen, response }) => run(chosen, response),
    }),
    route({
      method: 'GET',
      path: '/v1/services/{name}/events',
      summary: 'What happened to a service, and why; up to an hour after it is deleted',
      params: z.object({ name: pathName }),
      query,
      answer,
      run: async ({ params: { name }, query: chosen, response }) => {
        if (!isService(name) && !events.knows(name)) {
          throw new PlatformError('not_found', `there is no service ${name}`);
        }
        await run({ ...chosen, service: name }, response);
      },
    }),
  ];
}

async function* each(events: readonly EventInfo[]): AsyncGenerator<EventInfo> {
  yield* events;
}
