// Instances of a service and what they write.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { Administration } from '../administration.ts';
import { type Route, route } from '../route.ts';
import { pathName, truth } from '../schemas.ts';

/** Most logs that are followed at the same time. */
export const logFollowersMax: number = 64;

const tailMax = 1_000_000;

export function instanceRoutes(administration: Administration): readonly Route[] {
  let followers = 0;
  return [
    route({
      method: 'GET',
      path: '/v1/services/{name}/instances',
      summary: 'The instances of a service',
      params: z.object({ name: pathName }),
      answer: { kind: 'list', of: 'InstanceInfo' },
      run: async ({ params: { name } }) => administration.instances(name),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/instances/replace',
      summary: 'Have other instances take the place of these, which finish their work and end',
      params: z.object({ name: pathName }),
      body: z.object({
        names: z.array(z.string().max(253)).min(1).max(10_000),
        force: z.boolean().default(false).describe('Give back what they work on instead.'),
      }),
      answer: { kind: 'nothing' },
      run: async ({ params: { name }, body: { names, force } }) =>
        administration.replaceInstances(name, names, force ? 'now' : 'drain'),
    }),
    route({
      method: 'GET',
      path: '/v1/services/{name}/instances/{instance}/logs',
      summary: 'What an instance wrote',
      params: z.object({ name: pathName, instance: pathName }),
      query: z.object({
        tail: z.coerce
          .number()
          .int()
          .min(0)
          .max(tailMax)
          .optional()
          .describe('Lines from the end to begin with; all without it.'),
        follow: truth.describe('Go on with what is written from now on.'),
      }),
      answer: { kind: 'stream', type: 'text/plain', description: 'The text as it was written.' },
      run: async ({ params: { name, instance }, query: { tail, follow }, response }) => {
        if (follow && followers >= logFollowersMax) {
          throw new PlatformError(
            'rate_limited',
            `${logFollowersMax} logs are being followed, the most at a time`,
            { retryAfterMs: 5000 },
          );
        }
        const end = new AbortController();
        response.once('close', () => end.abort());
        followers += follow ? 1 : 0;
        try {
          const request = { tail, follow, signal: end.signal };
          const pieces = await administration.logs(name, instance, request);
          await write(response, pieces, end.signal);
        } finally {
          followers -= follow ? 1 : 0;
        }
      },
    }),
  ];
}

async function write(
  response: ServerResponse,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.flushHeaders();
  try {
    for await (const piece of pieces) {
      if (signal.aborted) break;
      if (!response.write(piece)) await once(response, 'drain', { signal });
    }
    response.end();
  } catch {
    // The caller left, or the log could not be read on: a cut answer says so.
    response.destroy();
  }
}
