// Dead requests, one at a time: list, look, put anew, drop.

import { type DeadDescription, type DeadList, noBytes, PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import type { RedriveEdit } from '../../requests/request.ts';
import type { TakenBody } from '../spill.ts';
import { answerBytes, answerJson, answerNothing } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { belowOf, cursorOf } from './cursor.ts';
import type { DeadLook } from './host.ts';
import { deadInfoOf, infoOf, pathOfRequest } from './info.ts';
import { pageLimit, parametersOf } from './list.ts';
import { checked } from './mistakes.ts';
import { answerPlace, safeType } from './place-answer.ts';
import { receiveBody } from './receive.ts';
import { resultHeaders } from './result.ts';
import { checkRedriveHeaders, submitHeaders } from './submit-headers.ts';

export const deadQuery: z.ZodType<DeadQuery> = z.strictObject({
  limit: pageLimit,
  cursor: z.string().max(256).optional().describe('`next` of the page before.'),
});

interface DeadQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const cursorKind = 'dead';
const noLists: ReadonlySet<string> = new Set();

export async function serveDeadList(parts: RequestParts, call: RequestCall): Promise<void> {
  const query = checked(deadQuery, 'the parameters', parametersOf(call.query, noLists));
  const below = belowOf(cursorKind, query.cursor);
  const page = await parts.desk.dead.list(call.service.name, { below, limit: query.limit });
  const list: DeadList = {
    dead: page.dead.map(deadInfoOf),
    next: cursorOf(cursorKind, page.next),
  };
  answerJson(call.response, 200, list);
}

export async function serveDeadLook(parts: RequestParts, call: RequestCall): Promise<void> {
  const { dead, log } = await lookOf(parts, call);
  const description: DeadDescription = { ...deadInfoOf(dead), log: log ?? [] };
  answerJson(call.response, 200, description);
}

export async function serveDeadPayload(parts: RequestParts, call: RequestCall): Promise<void> {
  const { dead, payload, body } = await lookOf(parts, call);
  if (body !== undefined) {
    await answerPlace(parts, call, body, dead.contentType);
    return;
  }
  const how = { type: safeType(dead.contentType), headers: resultHeaders };
  answerBytes(call.response, 200, payload, how);
}

/** A body, a content type, tags and a priority in the call take the place of those it had. */
export async function serveDeadRedrive(parts: RequestParts, call: RequestCall): Promise<void> {
  const { request, service } = call;
  const { headers } = request;
  checkRedriveHeaders(headers);
  const { wishes } = submitHeaders(headers, parts.clock.now().wall);
  const taken = await receiveBody(parts, call);
  const body = newBodyOf(taken);
  const edit: RedriveEdit = {
    ...body,
    contentType: body === undefined ? undefined : headers['content-type'],
    tags: headers['sluice-tags'] === undefined ? undefined : wishes.tags,
    priority: headers['sluice-priority'] === undefined ? undefined : wishes.priority,
    path: undefined,
  };
  const redriven = parts.desk.dead.redrive(service.name, rearIndexOf(call), edit);
  const { id } = await redriven.finally(() => {
    if (taken.kind === 'spilled') taken.done();
  });
  const view = await parts.desk.view(service.name, id);
  if (view === undefined) throw new PlatformError('gone', `there is no record of ${id} now`);
  answerJson(call.response, 202, infoOf(view), ['Location', pathOfRequest(service.name, id)]);
}

/** undefined: the one that it had. */
function newBodyOf(taken: TakenBody): Pick<RedriveEdit, 'payload' | 'body'> | undefined {
  if (taken.kind === 'spilled') return { payload: noBytes, body: taken.place };
  return taken.payload.length === 0 ? undefined : { payload: taken.payload };
}

export async function serveDeadDrop(parts: RequestParts, call: RequestCall): Promise<void> {
  await parts.desk.dead.drop(call.service.name, [rearIndexOf(call)]);
  answerNothing(call.response, 204);
}

async function lookOf({ desk }: RequestParts, call: RequestCall): Promise<DeadLook> {
  const rearIndex = rearIndexOf(call);
  const found = await desk.dead.look(call.service.name, rearIndex);
  if (found === undefined) throw noDead(rearIndex);
  return found;
}

function rearIndexOf({ params }: RequestCall): number {
  const { rearIndex = '' } = params;
  if (/^[1-9]\d{0,14}$/.test(rearIndex)) return Number(rearIndex);
  throw new PlatformError('not_found', 'dead requests are addressed by their index in the rear');
}

/** What is said of a dead request that is not there. */
export function noDead(rearIndex: number): PlatformError {
  return new PlatformError('not_found', `there is no dead request ${rearIndex} any more`);
}
