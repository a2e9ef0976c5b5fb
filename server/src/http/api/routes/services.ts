// Services: list, describe, apply, create, change, delete.

import { type ApplyAnswer, PlatformError, type ServiceDescription } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { Administration, AppliedService, ChangeHow } from '../administration.ts';
import { type Route, route } from '../route.ts';
import { pathName, truth } from '../schemas.ts';

const params = z.object({ name: pathName });
/** How a definition is taken. */
export const applyQuery: z.ZodType<ChangeHow, Readonly<Record<string, unknown>>> = z.object({
  strict: truth.describe('Refuse fields that nobody knows.'),
  dryRun: truth.describe('Check everything, answer what would change, and change nothing.'),
});
const change = z.object({
  merge: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Laid over the declared file: objects field by field; null removes.'),
  set: z
    .record(z.string().max(1024), z.string().max(262_144))
    .optional()
    .describe('Values as text by place: {"queue.max_delivery": "3"}; null removes.'),
});
const definition = z
  .record(z.string(), z.unknown())
  .describe('A service.json: see the manual for its fields.');

export function serviceRoutes(administration: Administration): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/services',
      summary: 'All services, by name',
      answer: { kind: 'list', of: 'ServiceSummary' },
      run: async () => administration.services(),
    }),
    route({
      method: 'POST',
      path: '/v1/services',
      summary: 'Create a service; 409 when the name is taken',
      query: applyQuery,
      body: definition,
      answer: { kind: 'one', of: 'ApplyAnswer' },
      status: 201,
      run: async ({ query, body, origin }) => {
        const request = { name: undefined, definition: body, how: 'create', ...query } as const;
        return applied(await administration.apply(request), origin);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/services/{name}',
      summary: 'One service with its definition, address and token',
      params,
      answer: { kind: 'one', of: 'ServiceDescription' },
      run: async ({ params: { name }, origin }): Promise<ServiceDescription> => {
        const found = administration.service(name);
        if (found === undefined) throw new PlatformError('not_found', `no service ${name}`);
        return { ...found, endpoint: endpointOf(origin, name) };
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/services/{name}',
      summary: 'Apply a definition: create, update, or nothing when it is equal',
      params,
      query: applyQuery,
      body: definition,
      answer: { kind: 'one', of: 'ApplyAnswer' },
      run: async ({ params: { name }, query, body, origin }) => {
        const request = { name, definition: body, how: 'apply', ...query } as const;
        return applied(await administration.apply(request), origin);
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/services/{name}',
      summary: 'Change some fields of a definition',
      params,
      query: applyQuery,
      body: change,
      answer: { kind: 'one', of: 'ApplyAnswer' },
      run: async ({ params: { name }, query, body: { merge, set }, origin }) => {
        const given = { ...(merge && { merge }), ...(set && { set }) };
        return applied(await administration.modify(name, given, query), origin);
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/services/{name}',
      summary: 'Remove a service with its queues and everything in them',
      params,
      answer: { kind: 'nothing' },
      run: ({ params: { name } }) => administration.delete(name),
    }),
  ];
}

/** The answer to a change, with the address that the caller used. */
export function applied(service: AppliedService, origin: string): ApplyAnswer {
  return { ...service, endpoint: endpointOf(origin, service.name) };
}

function endpointOf(origin: string, name: string): string {
  return `${origin}/api/predict/${encodeURIComponent(name)}`;
}
