// The tokens of a service: further ones with scopes, and the rotation of the main one.

import { z } from 'zod';
import type { Administration } from '../administration.ts';
import { type Route, route } from '../route.ts';
import { bodyScopes, pathName } from '../schemas.ts';

const params = z.object({ name: pathName });
const tokenName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'letters, digits, dot, dash, underscore; at most 63')
  .refine((name) => name !== 'main', 'main is the service’s own token');

export function tokenRoutes(administration: Administration): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/services/{name}/tokens',
      summary: 'The tokens of a service, without their secrets',
      params,
      answer: { kind: 'list', of: 'TokenInfo' },
      run: async ({ params: { name } }) => administration.tokens(name),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/tokens',
      summary: 'Add a token; its secret is in this answer and nowhere else',
      params,
      body: z.strictObject({ name: tokenName, scopes: bodyScopes }),
      answer: { kind: 'one', of: 'NewToken' },
      status: 201,
      run: ({ params: { name }, body }) => administration.addToken(name, body.name, body.scopes),
    }),
    route({
      method: 'DELETE',
      path: '/v1/services/{name}/tokens/{token}',
      summary: 'Remove a token; it is refused from now on',
      params: z.object({ name: pathName, token: tokenName }),
      answer: { kind: 'nothing' },
      run: ({ params: { name, token } }) => administration.removeToken(name, token),
    }),
    route({
      method: 'POST',
      path: '/v1/services/{name}/tokens/main/rotate',
      summary: 'Replace the main token; the old one is refused from now on',
      params,
      answer: { kind: 'one', of: 'NewToken' },
      run: ({ params: { name } }) => administration.rotateToken(name),
    }),
  ];
}
