// Submissions: the hot path of the request API. The body is received under the queue's limit,
// through node:http or through the lane, and the request answered as it stands once it is durable;
// or, when the caller would rather wait, its result.

import { noBytes, PlatformError } from '@sluice/sdk/wire';
import type { RequestView, Submission, Submitted } from '../../requests/request.ts';
import { isAtRest } from '../../requests/version.ts';
import type { FlatHeaders, TextAnswer } from '../answer.ts';
import type { PlainServe } from '../lane/plain.ts';
import type { TakenBody } from '../spill.ts';
import { answerJson, failureOf } from './answer.ts';
import type { RequestAim, RequestCall, RequestParts } from './call.ts';
import { infoOf, pathOfRequest } from './info.ts';
import { type Preferences, preferenceApplied, preferencesOf } from './prefer.ts';
import { receiveBody } from './receive.ts';
import { answerResult } from './result.ts';
import { type OnLeave, submitHeaders } from './submit-headers.ts';
import { ownerOf } from './visibility.ts';
import { holding } from './waiting.ts';

/** A submission as far as it is known before its body has come. */
interface Prepared {
  readonly prefer: Preferences;
  readonly onLeave: OnLeave;
  readonly head: Omit<Submission, 'payload' | 'bodyHash'>;
}

interface Accepted {
  readonly submitted: Submitted;
  readonly view: RequestView;
}

const reasonOfLeave = 'its submitter left before it had a result';

export async function serveSubmit(parts: RequestParts, call: RequestCall): Promise<void> {
  const prepared = prepare(parts, call);
  const taken = await receiveBody(parts, call);
  const accepted = await submit(parts, call, prepared, taken);
  const { prefer } = prepared;
  if (prefer.waitSeconds === 0) {
    answerAccepted(call, accepted, preferenceApplied(prefer, 'accepted'));
    return;
  }
  await answerWaiting(parts, call, prepared, accepted);
}

/** Serves a submission whose body comes through the lane; undefined when node:http has to. */
export function plainSubmit(
  parts: RequestParts,
  aim: RequestAim,
  bodyBytes: number,
): PlainServe | undefined {
  const prepared = prepare(parts, aim);
  if (prepared.prefer.waitSeconds > 0) return undefined;
  if (bodyBytes > aim.service.queues.payloadBytesMax('input')) return undefined;
  const applied = preferenceApplied(prepared.prefer, 'accepted');
  return (payload, answer) => {
    submit(parts, aim, prepared, { kind: 'inline', payload }).then(
      (accepted) => {
        answer({
          status: 202,
          text: JSON.stringify(infoOf(accepted.view)),
          type: 'application/json',
          headers: [...noStore, ...acceptedHeaders(accepted), ...applied],
        });
      },
      (error: unknown) => answer(plainFailure(parts, error)),
    );
  };
}

const noStore: FlatHeaders = ['Cache-Control', 'no-store'];

function plainFailure({ log }: Pick<RequestParts, 'log'>, error: unknown): TextAnswer {
  if (!(error instanceof PlatformError)) log.error({ err: error }, 'submission failed');
  const { status, problem, headers } = failureOf(error);
  return {
    status,
    text: JSON.stringify(problem),
    type: 'application/problem+json',
    headers: [...noStore, ...headers],
  };
}

/** Looks at everything but the body; throws all that is wrong with it. */
function prepare({ clock }: RequestParts, aim: RequestAim): Prepared {
  const { request, service, grant, path, query } = aim;
  if (query !== '') {
    const text = 'a submission has no parameters: what is behind the question mark reaches nobody';
    throw new PlatformError('bad_request', text);
  }
  const { wishes, onLeave } = submitHeaders(request.headers, clock.now().wall);
  return {
    prefer: preferencesOf(request.headers.prefer),
    onLeave: onLeave ?? service.onLeave ?? 'keep',
    head: { ...wishes, path, owner: ownerOf(grant), contentType: request.headers['content-type'] },
  };
}

async function submit(
  parts: RequestParts,
  { service }: RequestAim,
  { head }: Prepared,
  taken: TakenBody,
): Promise<Accepted> {
  const submission = submissionOf(head, taken);
  const submitted = await parts.desk.submit(service.name, submission).finally(() => {
    if (taken.kind === 'spilled') taken.done();
  });
  parts.meters.submitted(service.name, submitted.repeated ? 'repeated' : 'accepted');
  return { submitted, view: await viewOf(parts, service.name, submitted) };
}

function submissionOf(head: Prepared['head'], taken: TakenBody): Submission {
  const isEmpty = taken.kind === 'inline' && taken.payload.length === 0;
  if (head.body !== undefined && !isEmpty) {
    if (taken.kind === 'spilled') taken.done();
    const text = 'Sluice-Body-Address: the body is there and in the request itself, too';
    throw new PlatformError('bad_request', text);
  }
  if (taken.kind === 'inline') return { ...head, payload: taken.payload, bodyHash: 0 };
  return { ...head, payload: noBytes, body: taken.place, bodyHash: taken.hash };
}

async function viewOf(
  { desk }: Pick<RequestParts, 'desk'>,
  service: string,
  { id }: Submitted,
): Promise<RequestView> {
  const view = await desk.view(service, id);
  if (view !== undefined) return view;
  // The bounds of its records may be so tight that it was forgotten in the meantime.
  throw new PlatformError('gone', `request ${id} was accepted, but there is no record of it now`);
}

function answerAccepted(call: RequestCall, accepted: Accepted, headers: FlatHeaders): void {
  const all = [...acceptedHeaders(accepted), ...headers];
  answerJson(call.response, 202, infoOf(accepted.view), all);
}

function acceptedHeaders({ view, submitted }: Accepted): FlatHeaders {
  const location = ['Location', pathOfRequest(view.service, view.id)];
  return submitted.repeated ? [...location, 'Sluice-Repeated', 'true'] : location;
}

async function answerWaiting(
  parts: RequestParts,
  call: RequestCall,
  { prefer, onLeave }: Prepared,
  { submitted, view }: Accepted,
): Promise<void> {
  const { request, response, service } = call;
  const { value: held, isLast } = isAtRest(view)
    ? { value: { value: view }, isLast: true }
    : await waitedFor(parts, call, prefer.waitSeconds, view);
  const latest = held?.value ?? view;
  if (!isAtRest(latest) && request.socket.destroyed && !parts.polls.draining) {
    if (onLeave === 'cancel' && isLast) await cancelLeft(parts, service.name, view.id);
    return;
  }
  const headers = acceptedHeaders({ submitted, view: latest });
  const result = isAtRest(latest) ? await parts.desk.result(service.name, view.id) : undefined;
  if (result === undefined || result.kind === 'unfinished') {
    const waited = held === undefined ? { ...prefer, waitSeconds: 0 } : prefer;
    const applied = preferenceApplied(waited, 'accepted');
    answerJson(response, 202, infoOf(latest), [...headers, ...applied]);
    return;
  }
  await answerResult(parts, call, result, [...headers, ...preferenceApplied(prefer, 'result')]);
}

/** Its view once it is at rest, or at the end of the wait; and whether nobody else waits for it. */
async function waitedFor(
  parts: RequestParts,
  call: RequestCall,
  seconds: number,
  { service, id }: RequestView,
): Promise<{
  readonly value: { readonly value: RequestView | undefined } | undefined;
  readonly isLast: boolean;
}> {
  const leave = parts.waiters.enter(service, id);
  let isLast = false;
  const value = await holding(parts, call, seconds, (signal) =>
    parts.desk.rested(service, id, signal),
  ).finally(() => {
    isLast = leave();
  });
  return { value, isLast };
}

async function cancelLeft(
  { desk, log }: Pick<RequestParts, 'desk' | 'log'>,
  service: string,
  id: string,
): Promise<void> {
  try {
    await desk.cancel(service, id, reasonOfLeave);
  } catch (error) {
    // Its result came first, or the service is about to stop: nobody is there to be told.
    log.debug({ err: error, service, id }, 'request of a submitter that left not canceled');
  }
}
