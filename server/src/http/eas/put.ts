// Puts: the hot path of the edge. The body is received under the queue's limit, through node:http
// or through the lane, handed to the broker, and the index answered as bare digits once the put is
// durable.

import { oversizedText, PlatformError } from '@sluice/sdk/wire';
import type { PutAnswer } from '../../broker/queues.ts';
import type { QueueName } from '../../queue/message.ts';
import { answerText, refusalOf, type TextAnswer } from '../answer.ts';
import type { BodyRefusal } from '../body.ts';
import type { Grant } from '../directory.ts';
import type { PlainServe } from '../lane/plain.ts';
import { type EdgeLimits, limitText } from '../limits.ts';
import type { EasAim, EasCall, EasParts } from './call.ts';
import { priorityOf, putterOf } from './identity.ts';
import { answerWith, refuse } from './refuse.ts';

/** Stores one message with this payload. */
type StorePut = (payload: Uint8Array) => Promise<PutAnswer>;

/** Receives and stores one message; answers 200 with its index. */
export function servePut(parts: EasParts, call: EasCall): void {
  const { request, response, service, queue } = call;
  const store = preparePut(call);
  const bytesMax = service.queues.payloadBytesMax(queue);
  parts.bodies.receive(request, response, bytesMax, {
    done(payload) {
      answerWith(
        parts,
        call,
        () => store(payload),
        (answer) => {
          const { status, text, headers } = putAnswer(answer);
          answerText(response, status, text, headers);
        },
      );
    },
    refused: (why) => refuse(parts, call, bodyError(why, { queue, bytesMax }, parts.limits)),
  });
}

/** Serves a put whose body comes through the lane; undefined when it is too large to be taken. */
export function plainPut(parts: EasParts, aim: EasAim, bodyBytes: number): PlainServe | undefined {
  const store = preparePut(aim);
  if (bodyBytes > aim.service.queues.payloadBytesMax(aim.queue)) return undefined;
  return (payload, answer) => {
    const refuse = (error: unknown): void => {
      if (!(error instanceof PlatformError)) parts.log.error({ err: error }, 'put failed');
      answer(refusalOf(error));
    };
    try {
      store(payload).then((done) => answer(putAnswer(done)), refuse);
    } catch (error) {
      // What the queue refuses at once, such as too many tags.
      refuse(error);
    }
  };
}

/** Looks at everything but the payload; throws what is wrong with it. */
function preparePut({ request, service, queue, query, path, grant }: EasAim): StorePut {
  const { headers } = request;
  const id = query.id === '' ? undefined : query.id;
  if (id !== undefined) checkRequestId(id);
  const priority = priorityOf(headers, query) ?? 0;
  const by = putterOf(headers);
  return (payload) =>
    service.queues.put(queue, {
      payload,
      id,
      tags: query.tags,
      priority,
      by,
      path,
      contentType: headers['content-type'],
      home: 'sink',
      expiresAt: 0,
      owner: ownerOf(grant),
      idempotencyKey: undefined,
      terms: undefined,
    });
}

function putAnswer({ index, id, repeated }: PutAnswer): TextAnswer {
  const headers = ['X-Eas-Queueservice-Request-Id', headerValue(id)];
  if (repeated) headers.push('X-Eas-Queueservice-Repeated', 'true');
  return { status: 200, text: String(index), headers };
}

/** A request id as a header: clients read the bytes as UTF-8, Node writes them as latin1. */
export function headerValue(text: string): string {
  if (!hasOddCharacter(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no header may carry them
  return Buffer.from(text.replaceAll(/[\0-\x1f\x7f]/g, '?')).toString('latin1');
}

/** A loop, because this is asked for every put and a regular expression takes longer. */
function hasOddCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return true;
  }
  return false;
}

/** What a body that was not taken is answered with. */
export function bodyError(
  why: BodyRefusal,
  where: { readonly queue: QueueName; readonly bytesMax: number },
  limits: EdgeLimits,
): PlatformError {
  if (why.kind === 'busy') {
    const text = `too many bodies arrive at once: ${limitText(limits, 'bodiesBytesMax')}`;
    return new PlatformError('unavailable', text, { retryAfterMs: 1000 });
  }
  const size = why.declared ? { bytes: why.size } : { bytes: where.bytesMax, isCut: true };
  return new PlatformError('too_large', oversizedText({ what: 'a payload', ...size, ...where }));
}

function checkRequestId(id: string): void {
  // It goes back in a header.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\0-\x1f\x7f]/.test(id)) {
    throw new PlatformError('bad_request', 'the requestId has control characters');
  }
}

function ownerOf(grant: Grant): string | undefined {
  return grant.kind === 'scoped' ? grant.name : undefined;
}
