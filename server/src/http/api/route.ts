// One call of the API as data: Fastify's route and the OpenAPI document are both made from it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { AnswerName } from './schemas.ts';

/** admin: the admin token, on loopback too. open: nobody is asked. scrape: the admin token, or a
 * caller on this machine that no proxy stands in for. */
export type RouteAccess = 'admin' | 'open' | 'scrape';

/** What a call was given, checked, and its way out for answers that are streams. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** `http://host` as the caller addressed it. */
  readonly origin: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** How the answer looks: JSON of a named shape, plain text, nothing, or written by the route. */
export type RouteAnswer =
  | { readonly kind: 'one' | 'list'; readonly of: AnswerName }
  | { readonly kind: 'json'; readonly description: string }
  | { readonly kind: 'text'; readonly type: string; readonly description: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'stream'; readonly type: string; readonly description: string };

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Parameters in braces: `/v1/services/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly answer: RouteAnswer;
  /** Of the good answer: 200 unless said otherwise. */
  readonly status: number;
  run(call: Call<unknown, unknown, unknown>): Promise<unknown>;
}

export interface RouteParts<
  Params extends z.ZodType,
  Query extends z.ZodType,
  B extends z.ZodType,
> {
  readonly method: Route['method'];
  readonly path: string;
  readonly summary: string;
  readonly access?: RouteAccess;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: B;
  readonly answer: RouteAnswer;
  readonly status?: number;
  run(call: Call<z.infer<Params>, z.infer<Query>, z.infer<B>>): Promise<unknown>;
}

/** Ties the types of a route's schemas to those of its function. */
export function route<
  Params extends z.ZodType = z.ZodType<undefined>,
  Query extends z.ZodType = z.ZodType<undefined>,
  Body extends z.ZodType = z.ZodType<undefined>,
>(parts: RouteParts<Params, Query, Body>): Route {
  return {
    method: parts.method,
    path: parts.path,
    summary: parts.summary,
    access: parts.access ?? 'admin',
    params: parts.params,
    query: parts.query,
    body: parts.body,
    answer: parts.answer,
    status: parts.status ?? 200,
    run: (call) => {
      // The one caller, `register`, has parsed these three with the very schemas of the types.
      return parts.run(call as Call<z.infer<Params>, z.infer<Query>, z.infer<Body>>);
    },
  };
}
