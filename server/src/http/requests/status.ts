// The state of a request, at once or as soon as it is another than the caller knows; and cancel.

import { z } from 'zod';
import { version } from '../../requests/version.ts';
import { answerJson, answerNothing } from './answer.ts';
import type { RequestCall, RequestParts } from './call.ts';
import { infoOf } from './info.ts';
import { type Preferences, preferenceApplied, preferencesOf } from './prefer.ts';
import { receiveJson } from './receive.ts';
import { requestOf, seen } from './visibility.ts';
import { holding } from './waiting.ts';

export async function serveStatus(parts: RequestParts, call: RequestCall): Promise<void> {
  const { request, response, service } = call;
  const prefer = preferencesOf(request.headers.prefer);
  const known = request.headers['if-none-match'];
  let view = await requestOf(parts, call);
  let waited: Preferences = { ...prefer, waitSeconds: 0 };
  if (prefer.waitSeconds > 0 && matches(known, version(view))) {
    const { id } = view;
    const seenVersion = version(view);
    const held = await holding(parts, call, prefer.waitSeconds, (signal) =>
      parts.desk.changed(service.name, id, seenVersion, signal),
    );
    if (held !== undefined) {
      waited = prefer;
      view = seen(call, held.value);
    }
  }
  const tag = version(view);
  const headers = ['ETag', `"${tag}"`, ...preferenceApplied(waited, 'result')];
  if (matches(known, tag)) answerNothing(response, 304, headers);
  else answerJson(response, 200, infoOf(view), headers);
}

/** Whether `If-None-Match` names a version, weakly or not, or any. */
export function matches(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => {
    const text = each.trim().replace(/^W\//, '');
    return text === '*' || text === `"${tag}"` || text === tag;
  });
}

/** The body of a cancel. */
export const cancelWish: z.ZodType<{ readonly reason?: string | undefined }> = z.strictObject({
  reason: z.string().max(1024).optional().describe('Kept with the request.'),
});

export async function serveCancel(parts: RequestParts, call: RequestCall): Promise<void> {
  const { reason } = await receiveJson(parts, call, cancelWish);
  const { id } = await requestOf(parts, call);
  const why = reason ?? '';
  const view = seen(call, await parts.desk.cancel(call.service.name, id, why));
  answerJson(call.response, 200, infoOf(view), ['ETag', `"${version(view)}"`]);
}
