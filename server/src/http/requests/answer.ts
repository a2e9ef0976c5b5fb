// How calls of the request API are answered: JSON, a problem document, bytes of the model, one JSON
// value a line.

import type { ServerResponse } from 'node:http';
import { PlatformError, type Problem } from '@sluice/sdk/wire';
import { type FlatHeaders, reasonPhrase } from '../answer.ts';
import { problemOf } from '../api/problem.ts';
import { discardBody } from '../body.ts';
import type { RequestCall, RequestParts } from './call.ts';

/** Writes a whole answer; does nothing once an answer has begun or is impossible. */
export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: FlatHeaders = [],
): void {
  answerBytes(response, status, Buffer.from(JSON.stringify(value)), {
    type: status >= 400 ? 'application/problem+json' : 'application/json',
    headers,
  });
}

/** Writes bytes of any type. */
export function answerBytes(
  response: ServerResponse,
  status: number,
  bytes: Uint8Array,
  { type, headers }: { readonly type: string; readonly headers: FlatHeaders },
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, reasonPhrase(status), [
    'Content-Type',
    type,
    'Content-Length',
    String(bytes.length),
    'Cache-Control',
    'no-store',
    ...headers,
  ]);
  // Node leaves the body of an answer to HEAD out.
  response.end(bytes);
}

/** Writes an answer without a body. */
export function answerNothing(
  response: ServerResponse,
  status: 204 | 304,
  headers: FlatHeaders = [],
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, reasonPhrase(status), ['Cache-Control', 'no-store', ...headers]);
  response.end();
}

/** What a failure is answered with. Here a full queue is 503: 450 is known to EAS clients alone. */
export function failureOf(error: unknown): {
  readonly status: number;
  readonly problem: Problem;
  readonly headers: FlatHeaders;
} {
  const { problem, headers } = problemOf(error);
  if (problem.status !== 450) return { status: problem.status, problem, headers };
  const retry = headers.includes('Retry-After') ? [] : ['Retry-After', '1'];
  return { status: 503, problem: { ...problem, status: 503 }, headers: [...headers, ...retry] };
}

/** Answers with the problem that an error stands for; a rest of the body is read away. */
export function fail(
  parts: Pick<RequestParts, 'log' | 'limits'>,
  { request, response }: Pick<RequestCall, 'request' | 'response'>,
  error: unknown,
): void {
  // Who left in the middle of a body can't be told anything.
  if (request.destroyed && !request.complete) return;
  if (!(error instanceof PlatformError)) {
    parts.log.error({ err: error, method: request.method }, 'request failed');
  }
  if (!request.complete) discardBody(request, parts.limits.discardBytesMax);
  const { status, problem, headers } = failureOf(error);
  answerJson(response, status, problem, headers);
}
