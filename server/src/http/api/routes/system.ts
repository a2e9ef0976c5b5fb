// The server itself: health, metrics and the description of this API.

import { PlatformError } from '@sluice/sdk/wire';
import { metricsType, type Telemetry } from '../../../kernel/telemetry.ts';
import type { Administration } from '../administration.ts';
import { openApiDocument } from '../openapi.ts';
import { type Route, route } from '../route.ts';

export interface SystemParts {
  readonly administration: Administration;
  readonly telemetry: Telemetry;
}

/** `others`: the rest of the API, for its description. */
export function systemRoutes(parts: SystemParts, others: readonly Route[]): readonly Route[] {
  const { administration, telemetry } = parts;
  let document: unknown;
  const routes: readonly Route[] = [
    route({
      method: 'GET',
      path: '/v1/server',
      summary: 'Version and engine of this server',
      answer: { kind: 'one', of: 'ServerInfo' },
      run: async () => administration.server(),
    }),
    route({
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process is alive',
      access: 'open',
      answer: { kind: 'text', type: 'text/plain', description: 'ok' },
      run: async () => 'ok\n',
    }),
    route({
      method: 'GET',
      path: '/readyz',
      summary: 'Whether all services are recovered and served; 503 with the reason if not',
      access: 'open',
      answer: { kind: 'text', type: 'text/plain', description: 'ready' },
      run: async () => {
        const reason = administration.notReady();
        if (reason === undefined) return 'ready\n';
        throw new PlatformError('unavailable', reason, { retryAfterMs: 1000 });
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics for Prometheus; needs no token on the machine itself',
      access: 'scrape',
      answer: { kind: 'text', type: metricsType, description: 'Prometheus text format.' },
      run: () => telemetry.text(),
    }),
    // The first place is where it was before there was a request API.
    ...['/openapi.json', '/v1/openapi.json'].map((path) =>
      route({
        method: 'GET',
        path,
        summary: 'This description',
        access: 'open',
        answer: { kind: 'json', description: 'An OpenAPI 3.1 document.' },
        run: async () => {
          document ??= openApiDocument([...others, ...routes], administration.server().version);
          return document;
        },
      }),
    ),
  ];
  return routes;
}
