// Errors as answers: problem documents of RFC 9457. What a person reads is `detail`; what a program
// decides on is `code`, from the one table of codes.

import { errorKinds, PlatformError, type Problem } from '@sluice/sdk/wire';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Log } from '../../kernel/log.ts';
import type { FlatHeaders } from '../answer.ts';

/** A body or parameter with several mistakes, all shown at once. */
export class MistakesError extends PlatformError {
  readonly mistakes: readonly string[];

  constructor(what: string, mistakes: readonly string[]) {
    super('bad_request', `${what}: ${mistakes.length} mistake${mistakes.length > 1 ? 's' : ''}`);
    this.mistakes = mistakes;
  }
}

/** The mistakes that zod found, each with its path. */
export function fromIssues(what: string, issues: readonly z.core.$ZodIssue[]): MistakesError {
  const lines = issues.map((issue) => `${issue.path.join('.') || what}: ${issue.message}`);
  return new MistakesError(what, lines);
}

/** The problem document of any failure, and the headers that go with it. */
export function problemOf(failure: unknown): {
  readonly problem: Problem;
  readonly headers: FlatHeaders;
} {
  const error = toPlatformError(failure);
  const kind = errorKinds[error.code];
  const headers: string[] = [];
  if (error.retryAfterMs !== undefined) {
    headers.push('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  if (error.code === 'unauthorized') headers.push('WWW-Authenticate', 'Bearer realm="sluice"');
  const problem = {
    type: `urn:sluice:error:${error.code}`,
    title: kind.description,
    status: kind.status,
    detail: error.message,
    code: error.code,
    ...mistakesOf(failure),
  };
  return { problem, headers };
}

/** Answers with an error's problem document; what nobody foresaw is logged and says nothing. */
export async function answerProblem(
  reply: FastifyReply,
  failure: unknown,
  log: Log,
): Promise<FastifyReply> {
  const { problem, headers } = problemOf(failure);
  if (problem.code === 'internal') log.error({ error: failure }, 'request failed');
  for (let at = 0; at + 1 < headers.length; at += 2) {
    reply.header(headers[at] ?? '', headers[at + 1]);
  }
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** What a caller is told of any failure. */
export function toPlatformError(failure: unknown): PlatformError {
  if (failure instanceof PlatformError) return failure;
  // Fastify's own refusals carry a status; they are about the body and its type.
  const status =
    failure instanceof Error && 'statusCode' in failure ? Number(failure.statusCode) : 500;
  const message = failure instanceof Error ? failure.message : String(failure);
  if (status === 413) return new PlatformError('too_large', message);
  if (status === 415) {
    return new PlatformError('unsupported_type', 'send the body as Content-Type: application/json');
  }
  if (status >= 400 && status < 500) return new PlatformError('bad_request', message);
  return new PlatformError('internal', 'a bug in Sluice; its log says more', { cause: failure });
}

function mistakesOf(failure: unknown): { readonly mistakes?: readonly string[] } {
  if (!(failure instanceof Error && 'mistakes' in failure)) return {};
  return Array.isArray(failure.mistakes) ? { mistakes: failure.mistakes.map(String) } : {};
}
