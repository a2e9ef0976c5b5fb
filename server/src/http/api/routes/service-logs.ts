// What all instances of a service write, in one answer, one line each.

import { z } from 'zod';
import type { Administration } from '../administration.ts';
import { answerLines, Followers, type LineStreamBasics } from '../line-stream.ts';
import { type Route, route } from '../route.ts';
import { pathName, truth } from '../schemas.ts';
import { openInstanceLog, openServiceLogs } from '../service-logs.ts';

const tailMax = 1_000_000;

export interface ServiceLogRouteOptions extends LineStreamBasics {
  readonly administration: Administration;
}

export function serviceLogRoutes(options: ServiceLogRouteOptions): readonly Route[] {
  const { administration, clock, closing } = options;
  const followers = new Followers('logs of services');
  return [
    route({
      method: 'GET',
      path: '/v1/services/{name}/logs',
      summary: 'What the instances of a service write',
      params: z.object({ name: pathName }),
      query: z.object({
        tail: z.coerce
          .number()
          .int()
          .min(0)
          .max(tailMax)
          .optional()
          .describe('Lines from the end of each log to begin with; all without it.'),
        follow: truth.describe(
          'Go on with what is written from now on, also by instances that are started later.',
        ),
        instance: pathName.optional().describe('Only that one; it may be gone.'),
      }),
      answer: {
        kind: 'stream',
        type: 'application/x-ndjson',
        description: 'One line of a log a line: instance, line. Empty lines mean nothing.',
      },
      run: ({ params: { name }, query: { tail, follow, instance }, response }) =>
        followers.run(follow, () =>
          answerLines({
            clock,
            closing,
            response,
            open: (signal) => {
              const request = { tail, follow, signal };
              const logs = {
                instances: () => administration.instances(name),
                open: (of: string, how: typeof request) => administration.logs(name, of, how),
                clock,
              };
              return instance === undefined
                ? openServiceLogs(logs, request)
                : openInstanceLog(logs, instance, request);
            },
          }),
        ),
    }),
  ];
}
