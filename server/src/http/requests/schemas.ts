// The shapes of the request API as zod schemas, from which the OpenAPI document is made.
// `satisfies` holds them to the types that the SDK publishes.

import {
  type BatchOutcome,
  type CallbackAttempt,
  callbackOutcomes,
  type DeadDescription,
  type DeadExport,
  type DeadInfo,
  type DeadList,
  type DeliveryInfo,
  type KeptResultInfo,
  type Problem,
  type RedriveStep,
  type RequestCallbacks,
  type RequestInfo,
  type RequestList,
  type ResultProblem,
  requestCauses,
  requestStates,
  waitCodes,
} from '@sluice/sdk/wire';
import { z } from 'zod';
import { batchLine } from './batch-line.ts';
import { redriveWish } from './dead-many.ts';
import { cancelWish } from './status.ts';

const count = z.int().min(0);
const time = z.iso.datetime();
const tags = z.record(z.string(), z.string());
const index = z.int().min(1);

const revision = count
  .nullable()
  .describe(
    'The revision that the instance followed when it began to take work; null = not known.',
  );

const delivery = z.object({
  deliveryId: count,
  instance: z.string(),
  revision,
  deliveredAt: time,
  endedAt: time,
  counted: z.boolean().describe('Whether it brings the request nearer to being dead.'),
  code: z.string(),
  reason: z.string(),
}) satisfies z.ZodType<DeliveryInfo>;

const keptResult = z.object({
  name: z.string(),
  size: count,
}) satisfies z.ZodType<KeptResultInfo>;

const estimate = z.union([
  z.object({ kind: z.literal('range'), earliestMs: count, latestMs: count }),
  z.object({ kind: z.literal('none'), reason: z.string() }),
]);

const cancel = z.object({
  requestedAt: time,
  effectiveAt: time.nullable().describe('When the model was known to be free of it.'),
  unconfirmed: z.boolean().describe('Nobody saw the model let go of it.'),
  wastedMs: z.number().min(0).nullable(),
});

const request = z.object({
  id: z.string(),
  service: z.string(),
  index,
  requestId: z.string(),
  state: z.enum(requestStates),
  cause: z.enum(requestCauses).nullable(),
  why: z
    .object({ code: z.enum(waitCodes), text: z.string(), until: time.nullable() })
    .nullable()
    .describe('Why it waits.'),
  position: count
    .nullable()
    .describe(
      'Requests that are handed out before it, as far as is known now: those before it in line, ' +
        'but for those that are delayed or back off.',
    ),
  estimate: estimate.nullable().describe('When it may start, from now.'),
  acceptedAt: time,
  firstDeliveredAt: time.nullable(),
  lastDeliveredAt: time.nullable(),
  firstOutputAt: time
    .nullable()
    .describe('First output of its model, while it runs that of the attempt under way.'),
  doneAt: time.nullable(),
  retainUntil: time.nullable(),
  delayUntil: time.nullable(),
  finishBy: time.nullable(),
  instance: z.string(),
  revision,
  deliveries: count,
  outcomes: z.array(delivery).describe('Deliveries that ended before the last one.'),
  code: z.string(),
  reason: z.string(),
  sizeIn: count,
  sizeOut: count,
  priority: count,
  tags,
  owner: z.string().nullable().describe('The token that submitted it; null = the main token.'),
  path: z.string().nullable(),
  home: z.enum(['sink', 'record']),
  idempotencyKey: z.string().nullable(),
  callback: z.object({ url: z.string(), events: z.array(z.string()) }).nullable(),
  cancel: cancel.nullable(),
  redriveOf: index.nullable().describe('The index of the dead request it was made from.'),
  redrivenAs: index.nullable().describe('Of a dead request: the index of the one made from it.'),
  progress: z.string().nullable(),
  links: z.object({
    status: z.string(),
    result: z.string(),
    events: z.string(),
    cancel: z.string(),
  }),
}) satisfies z.ZodType<RequestInfo>;

const list = z.object({
  requests: z.array(request).describe('The newest first.'),
  next: z.string().nullable().describe('`cursor` of the next page.'),
}) satisfies z.ZodType<RequestList>;

const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  mistakes: z.array(z.string()).exactOptional(),
}) satisfies z.ZodType<Problem>;

const resultProblem = problem.extend({ request }) satisfies z.ZodType<ResultProblem>;

const outcome = z.union([
  z.object({ line: index, request, repeated: z.boolean() }),
  z.object({ line: index, problem }),
]) satisfies z.ZodType<BatchOutcome>;

const dead = z.object({
  rearIndex: index,
  index,
  id: z.string(),
  requestId: z.string(),
  diedAt: time,
  expiresAt: time.nullable(),
  code: z.string(),
  reason: z.string(),
  deliveries: count,
  size: count,
  contentType: z.string().nullable(),
  path: z.string().nullable(),
  tags,
  owner: z.string().nullable(),
  outcomes: z.array(delivery),
}) satisfies z.ZodType<DeadInfo>;

const deadList = z.object({
  dead: z.array(dead),
  next: z.string().nullable(),
}) satisfies z.ZodType<DeadList>;

const deadDescription = dead.extend({
  log: z.array(z.string()).describe('What its last instance wrote latest.'),
}) satisfies z.ZodType<DeadDescription>;

const deadExport = z.union([
  dead.extend({ text: z.string() }),
  dead.extend({ base64: z.string() }),
  dead.extend({ bodyAt: z.string().describe('Where a body lies that is not in the line.') }),
]) satisfies z.ZodType<DeadExport>;

const redriveStep = z.union([
  z.object({ kind: z.literal('redriven'), rearIndex: index, request }),
  z.object({ kind: z.literal('failed'), rearIndex: index, problem }),
  z.object({ kind: z.literal('done'), redriven: count, failed: count }),
]) satisfies z.ZodType<RedriveStep>;

const attempt = z.object({
  attempt: index,
  at: time,
  event: z.string(),
  url: z.string(),
  status: z.int().nullable().describe('What the receiver answered; null = nothing.'),
  error: z.string(),
  durationMs: count,
  outcome: z.enum(callbackOutcomes),
  nextAt: time.nullable(),
  replay: z.boolean().describe('It was asked for by hand.'),
}) satisfies z.ZodType<CallbackAttempt>;

const callbacks = z.object({
  url: z.string().nullable(),
  events: z.array(z.string()).describe('The ends that are told; empty = every one.'),
  pending: z.boolean(),
  attempts: z.array(attempt).describe('The latest last.'),
}) satisfies z.ZodType<RequestCallbacks>;

/** The names are those of the OpenAPI document. */
export const shapes: Readonly<Record<ShapeName, z.ZodType>> = {
  Problem: problem,
  RequestInfo: request,
  RequestList: list,
  RequestCallbacks: callbacks,
  CallbackAttempt: attempt,
  ResultProblem: resultProblem,
  BatchLine: batchLine,
  BatchOutcome: outcome,
  CancelWish: cancelWish,
  KeptResultInfo: keptResult,
  DeadInfo: dead,
  DeadList: deadList,
  DeadDescription: deadDescription,
  DeadExport: deadExport,
  RedriveWish: redriveWish,
  RedriveStep: redriveStep,
};

export type ShapeName =
  | 'Problem'
  | 'RequestInfo'
  | 'RequestList'
  | 'RequestCallbacks'
  | 'CallbackAttempt'
  | 'ResultProblem'
  | 'BatchLine'
  | 'BatchOutcome'
  | 'CancelWish'
  | 'KeptResultInfo'
  | 'DeadInfo'
  | 'DeadList'
  | 'DeadDescription'
  | 'DeadExport'
  | 'RedriveWish'
  | 'RedriveStep';

/** Shapes of what is sent to the server. */
export const inputShapes: ReadonlySet<string> = new Set(['BatchLine', 'CancelWish', 'RedriveWish']);
