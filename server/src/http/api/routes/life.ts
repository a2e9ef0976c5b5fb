// The life of a service after its declaration: its revisions, taking it out of use and into use
// again, and how its number of instances is decided.

import { PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { Administration } from '../administration.ts';
import { type Route, route } from '../route.ts';
import { pathName, truth } from '../schemas.ts';
import { applied, applyQuery } from './services.ts';

const params = z.object({ name: pathName });
const revisionParams = z.object({
  name: pathName,
  revision: z.coerce.number().int().min(1).describe('As the list of revisions names it.'),
});

/** Revisions, and stopping and starting. */
export function lifeRoutes(administration: Administration): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/services/{name}/revisions',
      summary: 'The latest revisions of a service, the newest last',
      params,
      answer: { kind: 'list', of: 'RevisionInfo' },
      run: async ({ params: { name } }) =>
        administration.revisions(name).map(({ definition: _, ...info }) => info),
    }),
    route({
      method: 'GET',
      path: '/v1/services/{name}/revisions/{revision}',
      summary: 'One revision with its definition',
      params: revisionParams,
      answer: { kind: 'one', of: 'RevisionDescription' },
      run: async ({ params: { name, revision } }) => {
        const found = administration.revisions(name).find((each) => each.revision === revision);
        if (found !== undefined) return found;
        throw new PlatformError(
          'not_found',
          `service ${name} has no revision ${revision} any more`,
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/revisions/{revision}/switch',
      summary: 'Make the definition of an earlier revision the newest one',
      params: revisionParams,
      query: z.object({ dryRun: truth.describe('Answer what would change, and change nothing.') }),
      answer: { kind: 'one', of: 'ApplyAnswer' },
      run: async ({ params: { name, revision }, query, origin }) =>
        applied(await administration.switchRevision(name, revision, query), origin),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/stop',
      summary: 'Take a service out of use; its status says when nothing of it runs any more',
      params,
      body: z.object({
        now: z.boolean().default(false).describe('Give back what runs instead of waiting for it.'),
      }),
      answer: { kind: 'nothing' },
      run: ({ params: { name }, body }) => administration.stop(name, body),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/start',
      summary: 'Take a stopped service into use again',
      params,
      answer: { kind: 'nothing' },
      run: ({ params: { name } }) => administration.start(name),
    }),
    ...autoscalerRoutes(administration),
  ];
}

function autoscalerRoutes(administration: Administration): readonly Route[] {
  const path = '/v1/services/{name}/autoscaler';
  return [
    route({
      method: 'GET',
      path,
      summary: 'How the number of instances is decided; null: it is the declared one',
      params,
      answer: { kind: 'one', of: 'AutoscalerInfo' },
      run: async ({ params: { name } }) => administration.autoscaler(name),
    }),
    route({
      method: 'PUT',
      path,
      summary: 'Declare how the number of instances is decided',
      params,
      query: applyQuery,
      body: z.record(z.string(), z.unknown()).describe('An autoscaler block, in any spelling.'),
      answer: { kind: 'one', of: 'ApplyAnswer' },
      run: async ({ params: { name }, query, body, origin }) =>
        applied(await administration.setAutoscaler(name, body, query), origin),
    }),
    route({
      method: 'DELETE',
      path,
      summary: 'Take the autoscaler away; as many instances as declared are wanted then',
      params,
      answer: { kind: 'one', of: 'ApplyAnswer' },
      run: async ({ params: { name }, origin }) => {
        const how = { strict: false, dryRun: false };
        return applied(await administration.setAutoscaler(name, undefined, how), origin);
      },
    }),
  ];
}
