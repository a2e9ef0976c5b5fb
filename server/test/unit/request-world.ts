// The desk of requests on the stage of the queues' tests, with short ways to submit and to look.

import { defaultSettings } from '../../src/queue/settings.ts';
import { RequestDesk } from '../../src/requests/desk.ts';
import type { ListFilter, RequestView, Submission, Submitted } from '../../src/requests/request.ts';
import type { Telling } from '../../src/requests/view.ts';
import { bytes } from './queue-requests.ts';
import { serviceName, type World } from './queue-world.ts';

/** As if nobody looked at instances, or said anything. */
export const nothingTold: Telling = {
  why: undefined,
  estimate: undefined,
  firstOutputAt: 0,
  progress: undefined,
};

export function deskOf(world: World): RequestDesk {
  return new RequestDesk({
    find: () => world.queues,
    tell: () => nothingTold,
    callbackMs: 3_600_000,
    retentionMs: () => defaultSettings.recordRetentionMs,
    clock: world.clock,
  });
}

export function submission(body: string, more: Partial<Submission> = {}): Submission {
  return {
    payload: bytes(body),
    contentType: 'text/plain',
    path: undefined,
    owner: 'main',
    idempotencyKey: undefined,
    priority: 0,
    tags: new Map(),
    startBy: 0,
    finishBy: 0,
    delayUntil: 0,
    retainMs: 0,
    callback: undefined,
    body: undefined,
    bodyHash: 0,
    trace: undefined,
    ...more,
  };
}

export const everything: ListFilter = {
  states: [],
  cause: undefined,
  tags: new Map(),
  owner: undefined,
  requestId: undefined,
  from: 0,
  to: 0,
  below: 0,
  limit: 100,
};

export async function submit(
  world: World,
  body: string,
  more: Partial<Submission> = {},
): Promise<Submitted> {
  const answer = await world.run(deskOf(world).submit(serviceName, submission(body, more)));
  await world.settle();
  return answer;
}

export async function viewOf(world: World, id: string): Promise<RequestView> {
  const view = await world.run(deskOf(world).view(serviceName, id));
  if (view === undefined) throw new Error('there is no such request');
  return view;
}
