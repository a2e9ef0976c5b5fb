// What a model's answer means for the request: the table of the manual as one pure function. It
// decides what is a result, what is tried again, and what counts as a delivery that ended badly.

import { oversizedText } from '@sluice/sdk/wire';
import type { KeptResult } from './body.ts';
import type { ModelAnswer, ModelResult } from './model.ts';

export type Outcome =
  | {
      readonly kind: 'succeeded';
      readonly code: string;
      readonly payload: Uint8Array;
      /** Where the result lies instead of the payload, when it was too large for that. */
      readonly kept?: KeptResult;
      readonly contentType?: string;
    }
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly reason: string;
      readonly payload: Uint8Array;
      readonly contentType?: string;
    }
  /** The model did not begin: nothing is counted, and this instance gets nothing for a while. */
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly reason: string;
      /** What the model asked for, at most 10 minutes; undefined: it named no time. */
      readonly retryAfterMs: number | undefined;
      /** There was not even a connection. */
      readonly unreachable: boolean;
    }
  /** It went wrong on the way: counted, and tried again after `delayMs`. */
  | {
      readonly kind: 'retry';
      readonly code: string;
      readonly reason: string;
      readonly delayMs: number;
    };

export interface OutcomeFacts {
  /** How many deliveries this was, from 1. */
  readonly deliveries: number;
  readonly retryStatuses: readonly number[];
  readonly answerBytesMax: number;
  /** Of a result that may lie in a file; 0 = none may. */
  readonly keptBytesMax: number;
  /** As it was sent, for the hint. */
  readonly method: string;
  readonly path: string;
  readonly contentType: string | undefined;
  /** Wall clock, for a Retry-After that is a date. */
  readonly now: number;
  /** At least 0, below 1. */
  readonly fraction: number;
}

/** A model may not keep its requests away for longer than this. */
export const retryAfterMsMax = 600_000;
export const backOffMsMax = 60_000;
const backOffMs = 1000;

const refusing: ReadonlySet<number> = new Set([429, 450, 503]);
const transient: ReadonlySet<number> = new Set([408, 425, 502, 504]);
const misaddressed: ReadonlySet<number> = new Set([404, 405, 415, 422]);
const nothing = new Uint8Array(0);

/** What a finished call means. A call ended by our own signal is the worker's to judge. */
export function outcomeOf(
  result: Exclude<ModelResult, { readonly kind: 'aborted' }>,
  facts: OutcomeFacts,
): Outcome {
  switch (result.kind) {
    case 'answer':
      return answered(result, facts);
    case 'refused':
      return {
        kind: 'refused',
        code: '503',
        reason: result.reason,
        retryAfterMs: undefined,
        unreachable: true,
      };
    case 'cut':
      return tryAgain('502', result.reason, facts);
    case 'body': {
      const { code, reason, passing } = result;
      if (passing) return tryAgain(code, reason, facts);
      return { kind: 'failed', code, reason, payload: nothing };
    }
    case 'unsendable':
      return { kind: 'failed', code: '400', reason: result.reason, payload: nothing };
  }
}

/** A call that took longer than `rpc.keepalive`. */
export function timedOut(keepaliveMs: number, facts: OutcomeFacts): Outcome {
  const seconds = keepaliveMs / 1000;
  return tryAgain('408', `no whole answer within rpc.keepalive (${seconds} s)`, facts);
}

/**
 * How long to wait before delivery `deliveries` + 1: anything below min(60 s, 1 s × 2^n), n being
 * the deliveries before this one. After the first at most 1 s, after the third at most 4 s, from
 * the seventh on at most 60 s ("waits a random time that doubles" in worker-outcome.test.ts).
 */
export function backOff(deliveries: number, fraction: number): number {
  const doublings = Math.min(Math.max(deliveries - 1, 0), 16);
  return Math.floor(Math.min(backOffMsMax, backOffMs * 2 ** doublings) * fraction);
}

/** Retry-After as milliseconds, at most 10 minutes: seconds, or a date; undefined: neither. */
export function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Math.min(Number(trimmed) * 1000, retryAfterMsMax);
  const at = /[a-z]/i.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  if (Number.isNaN(at)) return undefined;
  return Math.min(Math.max(at - now, 0), retryAfterMsMax);
}

function answered(answer: ModelAnswer, facts: OutcomeFacts): Outcome {
  const { status } = answer;
  const said = `the model answered ${`${status} ${answer.statusText}`.trim()}`;
  const succeeded = status >= 200 && status < 300;
  if (refusing.has(status)) {
    const retryAfterMs = retryAfter(answer.retryAfter, facts.now);
    const code = String(status);
    return { kind: 'refused', code, reason: said, retryAfterMs, unreachable: false };
  }
  if (transient.has(status) || (!succeeded && facts.retryStatuses.includes(status))) {
    return tryAgain(String(status), said, facts);
  }
  const contentType = answer.contentType === undefined ? {} : { contentType: answer.contentType };
  const code = String(status);
  const { kept } = answer;
  if (kept !== undefined)
    return { kind: 'succeeded', code, payload: nothing, kept, ...contentType };
  if (answer.body === undefined) return tooLarge(answer, facts);
  if (succeeded) return { kind: 'succeeded', code, payload: answer.body, ...contentType };
  const reason = misaddressed.has(status) ? said + hint(facts) : said;
  return { kind: 'failed', code, reason, payload: answer.body, ...contentType };
}

function tooLarge(answer: ModelAnswer, facts: OutcomeFacts): Outcome {
  const { keptBytesMax } = facts;
  if (keptBytesMax > facts.answerBytesMax && answer.status < 300) {
    const bytes = answer.sizeKnown ? `${answer.size}` : `more than ${answer.size}`;
    const most = `the most is ${keptBytesMax} (requests.max_result_bytes)`;
    const text = `the model's answer has ${bytes} bytes; ${most}`;
    return { kind: 'failed', code: '413', reason: text, payload: nothing };
  }
  const reason = oversizedText({
    what: `the model's answer (status ${answer.status})`,
    bytes: answer.size,
    isCut: !answer.sizeKnown,
    bytesMax: facts.answerBytesMax,
    queue: 'sink',
  });
  return { kind: 'failed', code: '413', reason, payload: nothing };
}

function tryAgain(code: string, reason: string, facts: OutcomeFacts): Outcome {
  return { kind: 'retry', code, reason, delayMs: backOff(facts.deliveries, facts.fraction) };
}

function hint(facts: OutcomeFacts): string {
  return (
    ` to ${facts.method} ${facts.path} with content type ${facts.contentType ?? '(none)'}; ` +
    'if that is not what it expects, set request.path, request.method or request.content_type'
  );
}
