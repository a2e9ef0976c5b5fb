// The callbacks of one request: what was tried, and once more by hand.

import { type CallbackAttempt, PlatformError, type RequestCallbacks } from '@sluice/sdk/wire';
import { z } from 'zod';
import { answerJson } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { receiveJson } from './receive.ts';
import type { RequestRoute } from './route.ts';
import { requestOf } from './visibility.ts';

/** Whoever sends callbacks; requests are named by their input indexes. */
export interface CallbackHost {
  attempts(service: string, index: number): Promise<Pick<RequestCallbacks, 'pending' | 'attempts'>>;
  /** Throws `conflict` when there is nothing to tell, or an attempt is under way. */
  replay(service: string, index: number): Promise<CallbackAttempt>;
}

const nothing = z.strictObject({});

/** Below the request itself. */
export const callbackRoutes: readonly RequestRoute[] = [
  {
    method: 'GET',
    path: 'requests/{id}/callbacks',
    need: 'read',
    work: 'none',
    summary: 'What was tried to deliver the callback of a request',
    answers: {
      200: {
        description: 'The latest attempts, and whether more will follow.',
        content: { kind: 'json', of: 'RequestCallbacks' },
      },
    },
    serve: serveAttempts,
  },
  {
    method: 'POST',
    path: 'requests/{id}/callbacks/replay',
    need: 'submit',
    work: 'none',
    summary: 'Send the callback of a request at rest now, whatever was tried before',
    description: 'One attempt; when it is taken, nothing more is sent.',
    answers: {
      200: {
        description: 'What came of it.',
        content: { kind: 'json', of: 'CallbackAttempt' },
      },
    },
    serve: serveReplay,
  },
];

async function serveAttempts(parts: RequestParts, call: RequestCall): Promise<void> {
  const { index, service, callback } = await requestOf(parts, call);
  const found = await hostOf(parts).attempts(service, index);
  const wish = { url: callback?.url ?? null, events: callback?.events ?? [] };
  answerJson(call.response, 200, { ...wish, ...found } satisfies RequestCallbacks);
}

async function serveReplay(parts: RequestParts, call: RequestCall): Promise<void> {
  await receiveJson(parts, call, nothing);
  const { index, service } = await requestOf(parts, call);
  answerJson(call.response, 200, await hostOf(parts).replay(service, index));
}

function hostOf({ callbacks }: RequestParts): CallbackHost {
  if (callbacks !== undefined) return callbacks;
  throw new PlatformError('not_found', 'nothing sends callbacks here');
}
