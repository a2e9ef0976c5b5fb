// The result of a request, or why there is none.

import { PlatformError } from '@sluice/sdk/wire';
import { invariant } from '../../kernel/invariant.ts';
import type { BodyPlace } from '../../queue/terms.ts';
import type { RequestResult, RequestView } from '../../requests/request.ts';
import type { FlatHeaders } from '../answer.ts';
import { answerBody, type BodyAnswer } from '../body-answer.ts';
import { answerBytes, answerJson, answerNothing, failureOf } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { infoOf } from './info.ts';
import { type Preferences, preferenceApplied, preferencesOf } from './prefer.ts';
import { requestOf, seen } from './visibility.ts';
import { holding } from './waiting.ts';

/** Answers with the result, after it has waited for it as long as the caller prefers. */
export async function serveResult(parts: RequestParts, call: RequestCall): Promise<void> {
  const prefer = preferencesOf(call.request.headers.prefer);
  const { id } = await requestOf(parts, call);
  const service = call.service.name;
  let result = await parts.desk.result(service, id);
  let waited: Preferences = { ...prefer, waitSeconds: 0 };
  if (result?.kind === 'unfinished' && prefer.waitSeconds > 0) {
    const held = await holding(parts, call, prefer.waitSeconds, (signal) =>
      parts.desk.rested(service, id, signal),
    );
    if (held !== undefined) {
      waited = prefer;
      result = await parts.desk.result(service, id);
    }
  }
  if (result === undefined) {
    seen(call, undefined);
    return;
  }
  const how = result.kind === 'unfinished' ? 'accepted' : 'result';
  await answerResult(parts, call, result, preferenceApplied(waited, how));
}

/** Answers as `GET .../result` does. */
export async function answerResult(
  parts: Pick<RequestParts, 'store' | 'limits'>,
  { request, response }: Pick<RequestCall, 'request' | 'response'>,
  result: RequestResult,
  headers: FlatHeaders,
): Promise<void> {
  const { view } = result;
  switch (result.kind) {
    case 'unfinished':
      answerJson(response, 202, infoOf(view), ['Retry-After', retryAfter(view), ...headers]);
      return;
    case 'result': {
      if (result.body === undefined && result.payload.length === 0) {
        answerEmpty(response, view, headers);
        return;
      }
      const type = headerSafe(result.contentType) ?? 'application/octet-stream';
      const all = [...resultHeaders, ...modelStatus(view), ...headers];
      if (result.body === undefined) {
        answerBytes(response, 200, result.payload, { type, headers: all });
        return;
      }
      const file = fileOf(result.body, { type, headers: ['Cache-Control', 'no-store', ...all] });
      const { store: host, limits } = parts;
      if (host !== undefined && (await answerBody({ host, limits }, request, response, file))) {
        return;
      }
      const gone = new PlatformError('gone', 'the file of the result is not there any more');
      answerWithout(response, view, gone, headers);
      return;
    }
    case 'empty':
      answerEmpty(response, view, headers);
      return;
    case 'none':
      answerWithout(response, view, absence(view), headers);
      return;
    case 'left': {
      const at = result.at === 0 ? '' : ` at ${iso(result.at)}`;
      const text = `the result ${ways[result.cause] ?? 'left the sink'}${at}`;
      answerWithout(response, view, new PlatformError('gone', text), headers);
    }
  }
}

/** A result is whatever a model says: a browser must not take it for a page of this server. */
export const resultHeaders: FlatHeaders = [
  'X-Content-Type-Options',
  'nosniff',
  'Content-Security-Policy',
  "default-src 'none'; sandbox",
];

/** A failure leaves a result of no bytes, too: that is none to anybody who asks for it. */
function answerEmpty(
  response: RequestCall['response'],
  view: RequestView,
  headers: FlatHeaders,
): void {
  if (view.state !== 'succeeded') answerWithout(response, view, absence(view), headers);
  else answerNothing(response, 204, [...modelStatus(view), ...headers]);
}

function fileOf(place: BodyPlace, how: Pick<BodyAnswer, 'type' | 'headers'>): BodyAnswer {
  invariant(place.kind === 'file', 'it lies in a file of our own');
  return { name: place.name, size: place.size, ...how };
}

/** How a result may have left the sink, by the cause of its removal. */
const ways: Readonly<Partial<Record<string, string>>> = {
  handedOut: 'was fetched from the sink',
  committed: 'was committed in the sink',
  completed: 'was taken from the sink',
  deleted: 'was deleted from the sink',
  truncated: 'was removed when the sink was truncated',
  evicted: 'had to make room for newer ones in the sink',
  expired: 'expired in the sink',
  forceEnded: 'was dropped when the sink was ended',
  deliveries: 'left the sink after too many deliveries',
};

function answerWithout(
  response: RequestCall['response'],
  view: RequestView,
  error: PlatformError,
  headers: FlatHeaders,
): void {
  const failure = failureOf(error);
  const problem = { ...failure.problem, request: infoOf(view) };
  answerJson(response, failure.status, problem, [...modelStatus(view), ...headers]);
}

function absence(view: RequestView): PlatformError {
  const { state, code, reason, doneAt } = view;
  const why = [code, reason].filter((text) => text !== '').join(': ');
  const at = `the request ${verbs[state] ?? state} at ${iso(doneAt)}`;
  const text = why === '' ? at : `${at}: ${why}`;
  const failed = state === 'failed' || state === 'dead';
  return new PlatformError(failed ? 'no_result' : 'gone', text);
}

const verbs: Readonly<Partial<Record<string, string>>> = {
  succeeded: 'succeeded without a result that is kept',
  failed: 'failed',
  dead: 'ran out of deliveries',
  dropped: 'was dropped',
  expired: 'expired',
  canceled: 'was canceled',
};

/** The status that the model answered with, when it did. */
function modelStatus({ code }: RequestView): FlatHeaders {
  return /^\d{3}$/.test(code) ? ['Sluice-Model-Status', code] : [];
}

/** Seconds until another look is worth while. */
function retryAfter({ estimate }: RequestView): string {
  const earliestMs = estimate?.kind === 'range' ? estimate.earliestMs : 1000;
  return String(Math.min(60, Math.max(1, Math.ceil(earliestMs / 1000))));
}

/** A type that somebody else named, when it can stand in a header. */
export function headerSafe(type: string | undefined): string | undefined {
  return type !== undefined && /^[!-~][ -~]*$/.test(type) ? type : undefined;
}

function iso(wall: number): string {
  return new Date(wall).toISOString();
}
