// The administrative API: Fastify behind the edge. It opens no socket of its own; the edge hands
// over every request that is none of the queue protocols'.

import { setMaxListeners } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { z } from 'zod';
import { parseJsonc } from '../../config/jsonc.ts';
import type { Component } from '../../kernel/component.ts';
import type { Log } from '../../kernel/log.ts';
import type { Telemetry } from '../../kernel/telemetry.ts';
import { checkAccess } from './access.ts';
import type { Administration } from './administration.ts';
import { followersMax, type LineStreamBasics } from './line-stream.ts';
import { answerProblem, fromIssues } from './problem.ts';
import type { Call, Route } from './route.ts';
import { backupRoutes } from './routes/backup.ts';
import { docsRoutes } from './routes/docs.ts';
import { type EventHost, eventRoutes } from './routes/events.ts';
import { instanceRoutes } from './routes/instances.ts';
import { lifeRoutes } from './routes/life.ts';
import { queueRoutes } from './routes/queues.ts';
import { serviceLogRoutes } from './routes/service-logs.ts';
import { serviceRoutes } from './routes/services.ts';
import { systemRoutes } from './routes/system.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { type WebhookHost, webhookRoutes } from './routes/webhooks.ts';

/** Largest body of an administrative call; a service.json has a few KB. */
export const apiBodyBytesMax: number = 2 ** 20;

export interface ApiOptions extends LineStreamBasics {
  readonly administration: Administration;
  readonly events: EventHost;
  readonly adminToken: string;
  readonly telemetry: Telemetry;
  /** undefined: nothing sends callbacks. */
  readonly webhooks?: WebhookHost | undefined;
  readonly log: Log;
}

export interface Api extends Component {
  /** Answers a request of any path; an unknown one gets a 404. Only between start and stop. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** Builds the API; it answers once it is started. */
export function createApi(options: ApiOptions): Api {
  const app = fastify({
    bodyLimit: apiBodyBytesMax,
    forceCloseConnections: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseJsonc(String(body)));
    } catch (error) {
      done(new PlatformError('bad_request', `the body is no JSON: ${reason(error)}`), undefined);
    }
  });
  app.setErrorHandler((error, _request, reply) => answerProblem(reply, error, options.log));
  app.setNotFoundHandler((request, reply) => {
    const error = new PlatformError(
      'not_found',
      `no such call: ${request.method} ${pathOf(request)}`,
    );
    return answerProblem(reply, error, options.log);
  });
  // One listener for each answer that is being followed, of two kinds; no leak.
  setMaxListeners(2 * followersMax, options.closing);
  const routes = apiRoutes(options);
  for (const each of routes) register(app, each, options);
  let stopped: Promise<void> | undefined;
  return {
    start: async () => void (await app.ready()),
    stop: () => {
      stopped ??= app.close();
      return stopped;
    },
    handle: (request, response) => app.routing(request, response),
  };
}

/** Every call of the API, in the order of the manual. */
export function apiRoutes(options: ApiOptions): readonly Route[] {
  const { administration, webhooks } = options;
  const isService = (name: string): boolean => administration.service(name) !== undefined;
  const routes: Route[] = [
    ...serviceRoutes(administration),
    ...lifeRoutes(administration),
    ...instanceRoutes(administration),
    ...serviceLogRoutes(options),
    ...eventRoutes({ ...options, isService }),
    ...queueRoutes(administration),
    ...tokenRoutes(administration),
    ...(webhooks === undefined ? [] : webhookRoutes({ webhooks, isService })),
    ...backupRoutes(administration),
    ...docsRoutes(),
  ];
  routes.push(...systemRoutes(options, routes));
  return routes;
}

function register(app: FastifyInstance, each: Route, options: ApiOptions): void {
  app.route({
    method: each.method,
    url: each.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    onRequest: async (request) => checkAccess(each.access, request.raw, options.adminToken),
    handler: async (request, reply) => {
      const call: Call<unknown, unknown, unknown> = {
        params: check(each.params, 'the address', request.params),
        query: check(each.query, 'the parameters', request.query),
        body: check(each.body, 'the body', request.body),
        origin: originOf(request),
        request: request.raw,
        response: reply.raw,
      };
      // A stream is written by the route itself, refusals before its first byte excepted.
      if (each.answer.kind === 'stream') {
        await each.run(call);
        return reply.hijack();
      }
      return answer(reply, each, await each.run(call));
    },
  });
}

function answer(reply: FastifyReply, each: Route, value: unknown): FastifyReply {
  reply.header('Cache-Control', 'no-store');
  if (each.answer.kind === 'text') return reply.type(each.answer.type).send(value);
  if (each.answer.kind === 'nothing') return reply.code(204).send();
  return reply.code(each.status).type('application/json').send(JSON.stringify(value));
}

function check(schema: z.ZodType | undefined, what: string, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw fromIssues(what, parsed.error.issues);
  return parsed.data;
}

function originOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0]?.slice(0, 200) ?? '';
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
