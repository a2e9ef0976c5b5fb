// The OpenAPI 3.1 document, made from the routes and their zod schemas.

import { z } from 'zod';
import { describePaths, describeShapes, failure, securitySchemes } from '../requests/describe.ts';
import { routes as requestRoutes } from '../requests/routes.ts';
import type { Route, RouteAnswer } from './route.ts';
import { type AnswerName, answers } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

/** A document in which every call, parameter, body and answer of `routes` and of the request API
 * is described. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = { ...describePaths(requestRoutes) };
  for (const route of routes) {
    const methods = paths[route.path] ?? {};
    methods[route.method.toLowerCase()] = operation(route);
    paths[route.path] = methods;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version,
      description:
        'Requests as objects, and the administration of the server. The queue protocols are ' +
        'described in the manual.',
    },
    paths,
    components: {
      schemas: {
        ...describeShapes(),
        ...Object.fromEntries(
          Object.entries(answers).map(([name, schema]) => [name, jsonSchema(schema, 'output')]),
        ),
      },
      securitySchemes: { ...securitySchemes, adminToken: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: Route): Json {
  return {
    tags: ['Administration'],
    summary: route.summary,
    operationId: operationId(route),
    security: route.access === 'open' ? [] : [{ adminToken: [] }],
    parameters: [...parameters('path', route.params), ...parameters('query', route.query)],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
          },
        }),
    responses: {
      [route.answer.kind === 'nothing' ? 204 : route.status]: answer(route.answer),
      default: failure,
    },
  };
}

function answer(kind: RouteAnswer): Json {
  switch (kind.kind) {
    case 'nothing':
      return { description: 'Done.' };
    case 'one':
      return jsonAnswer(kind.of, reference(kind.of));
    case 'list':
      return jsonAnswer(`A list of ${kind.of}.`, { type: 'array', items: reference(kind.of) });
    case 'json':
      return jsonAnswer(kind.description, { type: 'object' });
    case 'text':
    case 'stream':
      return {
        description: kind.description,
        content: { [kind.type]: { schema: { type: 'string' } } },
      };
  }
}

function jsonAnswer(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } };
}

function parameters(where: 'path' | 'query', schema: z.ZodType | undefined): readonly Json[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).map(([name, field]) => ({
    name,
    in: where,
    required: where === 'path',
    schema: jsonSchema(field, 'input'),
  }));
}

function jsonSchema(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return plain;
}

function reference(name: AnswerName): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function operationId(route: Route): string {
  const words = route.path.match(/\w+/g) ?? [];
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return `${route.method.toLowerCase()}${name}`;
}
