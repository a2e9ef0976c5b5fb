// Puts: the hot path of the edge. The body is received under the queue's limit, handed to the
// broker, and the index answered as bare digits once the put is durable.

import type { ServerResponse } from 'node:http';
import { oversizedText, PlatformError } from '@sluice/sdk/wire';
import type { PutAnswer, PutRequest } from '../../broker/queues.ts';
import type { QueueName } from '../../queue/message.ts';
import type { BodyRefusal } from '../body.ts';
import type { Grant } from '../directory.ts';
import { type EdgeLimits, limitText } from '../limits.ts';
import type { EasCall, EasParts } from './call.ts';
import { priorityOf, putterOf } from './identity.ts';
import { answerWith, refuse } from './refuse.ts';

/** Receives and stores one message; answers 200 with its index. */
export function servePut(parts: EasParts, call: EasCall): void {
  const { request, response, service, queue, query } = call;
  const id = query.id === '' ? undefined : query.id;
  if (id !== undefined) checkRequestId(id);
  const { headers } = request;
  const priority = priorityOf(headers, query) ?? 0;
  const by = putterOf(headers);
  const bytesMax = service.queues.payloadBytesMax(queue);
  parts.bodies.receive(request, response, bytesMax, {
    done(payload) {
      const put: PutRequest = {
        payload,
        id,
        tags: query.tags,
        priority,
        by,
        path: call.path,
        contentType: headers['content-type'],
        home: 'sink',
        expiresAt: 0,
        owner: ownerOf(call.grant),
        idempotencyKey: undefined,
        callback: undefined,
      };
      answerWith(
        parts,
        call,
        () => service.queues.put(queue, put),
        (answer) => answerPut(response, answer),
      );
    },
    refused: (why) => refuse(parts, call, bodyError(why, { queue, bytesMax }, parts.limits)),
  });
}

function answerPut(response: ServerResponse, answer: PutAnswer): void {
  if (response.destroyed) return;
  const digits = String(answer.index);
  const headers = [
    'X-Eas-Queueservice-Request-Id',
    headerValue(answer.id),
    'Content-Type',
    'text/plain',
    'Content-Length',
    String(digits.length),
  ];
  if (answer.repeated) headers.push('X-Eas-Queueservice-Repeated', 'true');
  response.writeHead(200, headers);
  response.end(digits, 'latin1');
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
