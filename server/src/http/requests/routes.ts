// The calls of the request API, as data.

import { batchLinesMax, serveBatch } from './batch.ts';
import { callbackRoutes } from './callbacks.ts';
import {
  deadQuery,
  serveDeadDrop,
  serveDeadList,
  serveDeadLook,
  serveDeadPayload,
  serveDeadRedrive,
} from './dead.ts';
import { serveDeadExport, serveDeadRedriveMany } from './dead-many.ts';
import { serveRequestEvents } from './follow.ts';
import { listQuery, serveList } from './list.ts';
import { waitSecondsMax } from './prefer.ts';
import { serveResult } from './result.ts';
import type { Answer, RequestRoute } from './route.ts';
import { serveCancel, serveStatus } from './status.ts';
import { serveSubmit } from './submit.ts';
import { onLeaveHeader, wishHeaders } from './submit-headers.ts';
import { partAnswers, workRoutes } from './work-routes.ts';

const wait = `\`wait=N\`: hold the answer back for up to N s, at most ${waitSecondsMax}.`;
const applied = { 'Preference-Applied': 'What of `Prefer` was followed.' };

const submitHeaderTexts: Readonly<Record<string, string>> = {
  [wishHeaders.idempotencyKey]: 'The same key with the same body is the same request.',
  Prefer: `${wait} \`respond-async\`: don't.`,
  [wishHeaders.priority]: '0 to 2147483647; a higher one goes first.',
  [wishHeaders.tags]: 'Labels: `a=1, b=2`, percent-encoded.',
  [wishHeaders.startWithin]: 'Expires, and never runs, when it has not started by then: `30s`.',
  [wishHeaders.finishWithin]: 'Over by then, even when it runs: `10m`.',
  [wishHeaders.delay]: 'Not started before: `24h`.',
  [wishHeaders.retention]: 'How long result and record stay at least.',
  [wishHeaders.callback]: 'An address that is told how the request ended.',
  [wishHeaders.callbackEvents]: 'Which ends are told: `succeeded, failed`; all without it.',
  [wishHeaders.bodyAddress]: 'Where the body lies (http, https, s3) instead of in the call.',
  [onLeaveHeader]: '`cancel` or `keep`: what becomes of it when its submitter stops waiting.',
  [wishHeaders.traceparent]: 'W3C trace context, handed on to the model.',
};

const resultAnswers: Readonly<Record<number, Answer>> = {
  200: {
    description: 'The bytes of the model, with its content type.',
    content: { kind: 'bytes' },
    headers: { 'Sluice-Model-Status': 'What the model answered with.', ...applied },
  },
  202: {
    description: 'It is not at rest yet.',
    content: { kind: 'json', of: 'RequestInfo' },
    headers: { 'Retry-After': 'Seconds until another look is worth while.', ...applied },
  },
  204: { description: 'It succeeded, with nothing to say.', content: { kind: 'nothing' } },
  409: {
    description: 'It failed or is dead, and the model left no result.',
    content: { kind: 'json', of: 'ResultProblem' },
  },
  410: {
    description: 'Canceled, expired or dropped; or its result left the sink.',
    content: { kind: 'json', of: 'ResultProblem' },
  },
};

const request = { kind: 'json', of: 'RequestInfo' } as const;

/** The route to which every other `POST requests/...` is a submission with a path for the model. */
export const submitRoute: RequestRoute = {
  method: 'POST',
  path: 'requests',
  need: 'submit',
  work: 'new',
  summary: 'Submit a request',
  description:
    'Any body of any type. What follows `/requests` in the address is the path that the model is ' +
    'called with: `/requests/v1/generate`. Two segments of which the second is `cancel`, and ' +
    'three that end with `callbacks/replay`, are the calls of that name instead.',
  headers: submitHeaderTexts,
  body: { description: 'The request, as the model gets it.', content: { kind: 'bytes' } },
  answers: {
    ...resultAnswers,
    202: {
      description: 'Accepted, durably: the request as it stands.',
      content: request,
      headers: {
        Location: 'Where the request is.',
        'Sluice-Repeated': '`true`: the request was submitted before with this key.',
        ...applied,
      },
    },
  },
  serve: serveSubmit,
};

const requestRoutes: readonly RequestRoute[] = [
  submitRoute,
  {
    method: 'GET',
    path: 'requests',
    need: 'read',
    work: 'none',
    summary: 'Requests, the newest first; a further token sees those it submitted',
    query: listQuery,
    answers: { 200: { description: 'One page.', content: { kind: 'json', of: 'RequestList' } } },
    serve: serveList,
  },
  {
    method: 'POST',
    path: 'batches',
    need: 'submit',
    work: 'new',
    summary: 'Submit many requests, one a line',
    description: `At most ${batchLinesMax} lines. Each has an outcome of its own, in order.`,
    body: { description: 'One request a line.', content: { kind: 'lines', of: 'BatchLine' } },
    answers: {
      200: { description: 'One outcome a line.', content: { kind: 'lines', of: 'BatchOutcome' } },
    },
    serve: serveBatch,
  },
  {
    method: 'GET',
    path: 'requests/{id}',
    need: 'read',
    work: 'none',
    summary: 'Where a request stands, and why it waits',
    headers: {
      'If-None-Match': 'The `ETag` of an earlier answer: 304 while nothing has changed.',
      Prefer: `${wait} With \`If-None-Match\` only: until something has changed.`,
    },
    answers: {
      200: {
        description: 'The request.',
        content: request,
        headers: { ETag: 'Another one as soon as something has changed.', ...applied },
      },
      304: { description: 'Nothing has changed.', content: { kind: 'nothing' } },
    },
    serve: serveStatus,
  },
  {
    method: 'GET',
    path: 'requests/{id}/result',
    need: 'read',
    work: 'none',
    summary: 'The result of a request; it stays',
    headers: { Prefer: wait, Range: 'A part of a result so large that it lies in a file.' },
    answers: {
      ...resultAnswers,
      ...partAnswers,
    },
    serve: serveResult,
  },
  {
    method: 'GET',
    path: 'requests/{id}/events',
    need: 'read',
    work: 'none',
    summary: 'What happens to a request, as it happens, from the beginning to its rest',
    headers: { 'Last-Event-ID': 'The last event that the caller has.' },
    answers: {
      200: {
        description: 'Events `state`, `output`, `progress`, `reset`, `gap`; `done` is the last.',
        content: { kind: 'events' },
      },
    },
    serve: serveRequestEvents,
  },
  {
    method: 'POST',
    path: 'requests/{id}/cancel',
    need: 'submit',
    work: 'none',
    summary: 'Cancel a request; 409 when it came to rest otherwise before',
    body: { description: 'May be left out.', content: { kind: 'json', of: 'CancelWish' } },
    answers: { 200: { description: 'The request.', content: request } },
    serve: serveCancel,
  },
];

const deadRoutes: readonly RequestRoute[] = [
  {
    method: 'GET',
    path: 'dead',
    need: 'dead',
    work: 'none',
    summary: 'Requests that are out of deliveries, the newest first',
    query: deadQuery,
    answers: { 200: { description: 'One page.', content: { kind: 'json', of: 'DeadList' } } },
    serve: serveDeadList,
  },
  {
    method: 'GET',
    path: 'dead/export',
    need: 'dead',
    work: 'none',
    summary: 'All of them with their bodies',
    answers: {
      200: { description: 'One a line.', content: { kind: 'lines', of: 'DeadExport' } },
    },
    serve: serveDeadExport,
  },
  {
    method: 'POST',
    path: 'dead/redrive',
    need: 'dead',
    work: 'new',
    summary: 'Put many of them anew, the oldest first',
    description: 'Leaving early stops it; what was done stays done.',
    body: { description: 'Which ones.', content: { kind: 'json', of: 'RedriveWish' } },
    answers: {
      200: { description: 'One step a line.', content: { kind: 'lines', of: 'RedriveStep' } },
    },
    serve: serveDeadRedriveMany,
  },
  {
    method: 'GET',
    path: 'dead/{rearIndex}',
    need: 'dead',
    work: 'none',
    summary: 'One of them, with what its last instance wrote',
    answers: {
      200: { description: 'All but its body.', content: { kind: 'json', of: 'DeadDescription' } },
    },
    serve: serveDeadLook,
  },
  {
    method: 'DELETE',
    path: 'dead/{rearIndex}',
    need: 'dead',
    work: 'none',
    summary: 'Drop one of them for good',
    answers: { 204: { description: 'Done.', content: { kind: 'nothing' } } },
    serve: serveDeadDrop,
  },
  {
    method: 'GET',
    path: 'dead/{rearIndex}/payload',
    need: 'dead',
    work: 'none',
    summary: 'Its body',
    answers: {
      200: { description: 'As it was submitted, with its type.', content: { kind: 'bytes' } },
    },
    serve: serveDeadPayload,
  },
  {
    method: 'POST',
    path: 'dead/{rearIndex}/redrive',
    need: 'dead',
    work: 'new',
    summary: 'Put one of them anew, changed or not',
    headers: {
      [wishHeaders.tags]: 'Instead of those it had.',
      [wishHeaders.priority]: 'Instead of the one it had.',
    },
    body: {
      description: 'Instead of the one it had, with its content type; may be left out.',
      content: { kind: 'bytes' },
    },
    answers: {
      202: {
        description: 'The new request.',
        content: request,
        headers: { Location: 'Where the new request is.' },
      },
    },
    serve: serveDeadRedrive,
  },
];

/** All of them, in the order of the manual. */
export const routes: readonly RequestRoute[] = [
  ...requestRoutes,
  ...callbackRoutes,
  ...deadRoutes,
  ...workRoutes,
];
