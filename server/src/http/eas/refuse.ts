// How an EAS operation comes to its answer, and how one that failed is answered: one line of text,
// and a line in the log when it was our own fault.

import { PlatformError } from '@sluice/sdk/wire';
import { answerRefusal, refusalOf } from '../answer.ts';
import { discardBody } from '../body.ts';
import type { EasCall, EasParts } from './call.ts';

/** Answers with the refusal that `error` stands for; a rest of the body is read away. */
export function refuse(
  parts: Pick<EasParts, 'log' | 'limits'>,
  call: Pick<EasCall, 'request' | 'response'>,
  error: unknown,
): void {
  const { request, response } = call;
  if (!(error instanceof PlatformError)) {
    parts.log.error({ err: error, method: request.method }, 'request failed');
  }
  if (!request.complete) discardBody(request, parts.limits.discardBytesMax);
  answerRefusal(response, refusalOf(error));
}

/**
 * Begins an operation and answers with what becomes of it. Whatever fails on the way, the
 * operation, a mistake before it began or the writing of the answer, is refused.
 */
export function answerWith<Value>(
  parts: Pick<EasParts, 'log' | 'limits'>,
  call: Pick<EasCall, 'request' | 'response'>,
  begin: () => Promise<Value>,
  answer: (value: Value) => void,
): void {
  try {
    begin()
      .then(answer)
      .catch((error: unknown) => refuse(parts, call, error));
  } catch (error) {
    refuse(parts, call, error);
  }
}
