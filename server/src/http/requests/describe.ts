// The calls of the request API as path items of an OpenAPI document.

import { z } from 'zod';
import { type Answer, type Content, type RequestRoute, servicesPrefix } from './route.ts';
import { inputShapes, type ShapeName, shapes } from './schemas.ts';
import { scopesOf } from './visibility.ts';

type Json = Readonly<Record<string, unknown>>;

/** By path, by method. */
export function describePaths(
  routes: readonly RequestRoute[],
): Readonly<Record<string, Readonly<Record<string, Json>>>> {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = `${servicesPrefix}{name}/${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return paths;
}

/** By name, for the components of the document; what has a name is referred to by it. */
export function describeShapes(): Readonly<Record<string, Json>> {
  return { ...named('input'), ...named('output') };
}

function named(io: 'input' | 'output'): Readonly<Record<string, Json>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(shapes)) {
    if (inputShapes.has(id) === (io === 'input')) registry.add(schema, { id });
  }
  const { schemas } = z.toJSONSchema(registry, {
    io,
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...plain }]) => [id, plain]),
  );
}

/** How a caller shows who it is: the token of a service, as it is or after `Bearer`. */
export const securitySchemes: Json = {
  serviceToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of the service, or the admin token.',
  },
};

/** The answer of every call that was not listed. */
export const failure: Json = {
  description: 'A refusal or failure; as text when the server refused it before any call was seen.',
  content: {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    'text/plain': { schema: { type: 'string' } },
  },
};

const tags: Readonly<Partial<Record<RequestRoute['need'], string>>> = {
  dead: 'Dead requests',
  consume: 'Bodies for workers',
};

function operation(route: RequestRoute): Json {
  const { body, description } = route;
  return {
    tags: [tags[route.need] ?? 'Requests'],
    summary: route.summary,
    description: [description, `Scopes: ${scopesOf[route.need].join(', ')}.`]
      .filter((text) => text !== undefined)
      .join(' '),
    operationId: operationId(route),
    security: [{ serviceToken: [] }],
    parameters: parameters(route),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            description: body.description,
            required: body.content.kind === 'lines',
            ...contentOf(body.content),
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [
          status,
          response(answer, Number(status)),
        ]),
      ),
      default: failure,
    },
  };
}

function parameters({ path, query, headers = {} }: RequestRoute): readonly Json[] {
  const inPath = ['name', ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)];
  return [
    ...inPath.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: name === 'rearIndex' ? 'integer' : 'string' },
    })),
    ...Object.entries(query instanceof z.ZodObject ? query.shape : {}).map(([name, field]) => ({
      name,
      in: 'query',
      required: false,
      schema: jsonSchema(field, 'input'),
    })),
    ...Object.entries(headers).map(([name, description]) => ({
      name,
      in: 'header',
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ];
}

function response({ description, content, headers = {} }: Answer, status: number): Json {
  const named = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' } },
  ]);
  return {
    description,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    ...contentOf(content, status >= 400 ? 'application/problem+json' : 'application/json'),
  };
}

function contentOf(content: Content, jsonType = 'application/json'): Json {
  switch (content.kind) {
    case 'json':
      return { content: { [jsonType]: { schema: { $ref: ref(content.of) } } } };
    case 'lines':
      // OpenAPI 3.1 has no word for lines: the schema is that of one of them.
      return { content: { 'application/x-ndjson': { schema: { $ref: ref(content.of) } } } };
    case 'bytes':
      return { content: { '*/*': { schema: {} } } };
    case 'events':
      return { content: { 'text/event-stream': { schema: { type: 'string' } } } };
    case 'nothing':
      return {};
  }
}

function ref(name: ShapeName): string {
  return `#/components/schemas/${name}`;
}

function jsonSchema(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return plain;
}

function operationId({ method, path }: RequestRoute): string {
  const words = path.match(/\w+/g) ?? [];
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return `${method.toLowerCase()}Service${name}`;
}
