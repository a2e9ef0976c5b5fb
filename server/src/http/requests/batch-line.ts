// One line of a batch: checked, and made a submission. Its mistakes are named by its fields.

import { type BatchLine, noTags, PlatformError } from '@sluice/sdk/wire';
import { z } from 'zod';
import { priorityMax } from '../../broker/request-limits.ts';
import type { Submission } from '../../requests/request.ts';
import { checkRequestPath } from '../eas/address.ts';
import { memberText } from './line-reader.ts';
import { checked, Mistakes } from './mistakes.ts';
import { durationMsMax, idempotencyKeyCharactersMax, type WishNames, wishesOf } from './wishes.ts';

const duration = z.string().max(64).optional();

/** A `BatchLine`; what is not given may be `undefined`. */
type Checked = { readonly [Name in keyof BatchLine]?: BatchLine[Name] | undefined };

/** As the SDK's `BatchLine`. */
export const batchLine: z.ZodType<Checked> = z.strictObject({
  body: z.unknown().optional().describe('Any JSON; sent to the model as it is written here.'),
  text: z.string().optional(),
  base64: z.base64().optional(),
  contentType: z.string().min(1).max(256).optional(),
  path: z.string().min(1).max(2048).optional().describe('For the model, below its own address.'),
  priority: z.int().min(0).max(priorityMax).optional(),
  tags: z.record(z.string(), z.string()).optional(),
  idempotencyKey: z.string().min(1).max(idempotencyKeyCharactersMax).optional(),
  startWithin: duration.describe(`At most ${durationMsMax / 3_600_000}h, as the others.`),
  finishWithin: duration,
  delay: duration,
  retention: duration,
  callback: z.string().optional(),
});

const names: WishNames = {
  idempotencyKey: 'idempotencyKey',
  priority: 'priority',
  tags: 'tags',
  startWithin: 'startWithin',
  finishWithin: 'finishWithin',
  delay: 'delay',
  retention: 'retention',
  callback: 'callback',
  callbackEvents: 'callback',
  bodyAddress: 'body',
  traceparent: 'traceparent',
};

/** Throws all that is wrong with it. `now`: wall clock. */
export function submissionOfLine(
  bytes: Uint8Array,
  {
    owner,
    bytesMax,
    now,
  }: {
    readonly owner: string | undefined;
    readonly bytesMax: number;
    readonly now: number;
  },
): Submission {
  const json = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const line = checked(batchLine, 'the line', parsed(json));
  const mistakes = new Mistakes();
  const { idempotencyKey, priority, tags, path } = line;
  const texts = {
    startWithin: line.startWithin,
    finishWithin: line.finishWithin,
    delay: line.delay,
    retention: line.retention,
    callback: line.callback,
    // Here it is never written in quotes.
    idempotencyKey: idempotencyKey === undefined ? undefined : JSON.stringify(idempotencyKey),
    priority: priority === undefined ? undefined : String(priority),
  };
  const given = { texts, tags: tags === undefined ? noTags : new Map(Object.entries(tags)), names };
  const wishes = wishesOf(given, now, mistakes);
  const { payload, contentType } = bodyOf(json, line, mistakes);
  if (line.contentType !== undefined && !/^[!-~][ -~]*$/.test(line.contentType)) {
    mistakes.of('contentType')('has characters that no header may carry');
  }
  mistakes.check();
  if (path !== undefined) checkRequestPath(path);
  if (payload.length > bytesMax) {
    const text = `the body has ${payload.length} bytes; this queue takes ${bytesMax}`;
    throw new PlatformError('too_large', text);
  }
  return {
    ...wishes,
    payload,
    contentType: line.contentType ?? contentType,
    path: path === undefined || path.startsWith('/') ? path : `/${path}`,
    owner,
    bodyHash: 0,
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PlatformError('bad_request', `the line is no JSON: ${why}`);
  }
}

function bodyOf(
  json: string,
  { text, base64, body }: Checked,
  mistakes: Mistakes,
): { readonly payload: Uint8Array; readonly contentType: string | undefined } {
  const given = [text, base64, body].filter((each) => each !== undefined);
  if (given.length > 1) mistakes.of('body')('give one of body, text and base64');
  if (text !== undefined) {
    return { payload: Buffer.from(text), contentType: 'text/plain; charset=utf-8' };
  }
  if (base64 !== undefined) {
    return { payload: Buffer.from(base64, 'base64'), contentType: 'application/octet-stream' };
  }
  const written = memberText(json, 'body');
  return written === undefined
    ? { payload: new Uint8Array(0), contentType: undefined }
    : { payload: Buffer.from(written), contentType: 'application/json' };
}
