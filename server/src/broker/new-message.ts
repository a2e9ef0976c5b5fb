// A put as the rules take it: what the caller left open is filled in.

import { hashBody } from '../queue/hash.ts';
import type { MessageMeta, QueueName } from '../queue/message.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import type { PutRequest } from './queues.ts';

/** Everything about a message that is put, but its index. `source` is the input index of the
 * request it was made from, 0 = none; `wall` the wall clock. */
export function newMessage(
  queue: QueueName,
  request: PutRequest,
  about: {
    readonly id: string;
    readonly source: number;
    readonly wall: number;
    readonly settings: ServiceSettings;
  },
): MessageMeta {
  const { payload } = request;
  const { id, source, wall, settings } = about;
  const isInput = queue === 'input';
  const callerId = request.id !== undefined;
  const isCompared = isInput && (callerId || request.idempotencyKey !== undefined);
  return {
    index: 0,
    id,
    callerId,
    tags: request.tags,
    priority: request.priority,
    size: payload.length,
    bodyHash: isCompared ? comparedHash(request) : 0,
    acceptedAt: wall,
    expiresAt: request.expiresAt || expiry(queue, wall, settings),
    home: isInput ? request.home : 'sink',
    path: request.path,
    contentType: request.contentType,
    owner: request.owner,
    idempotencyKey: request.idempotencyKey,
    terms: request.terms,
    source,
  };
}

/** What a repetition has to agree in: the body and, of a request with a key, the path too. */
function comparedHash({ payload, bodyHash, idempotencyKey, path }: PutRequest): number {
  const hash = bodyHash ?? hashBody(payload);
  if (idempotencyKey === undefined || path === undefined) return hash;
  return (hash ^ hashBody(Buffer.from(path))) >>> 0;
}

function expiry(queue: QueueName, wall: number, settings: ServiceSettings): number {
  const { source, sink, deadRetentionMs } = settings;
  switch (queue) {
    case 'input':
      return source.expireMs > 0 ? wall + source.expireMs : 0;
    case 'sink':
      return sink.expireMs > 0 ? wall + sink.expireMs : 0;
    case 'inputRear':
    case 'sinkRear':
      return wall + deadRetentionMs;
  }
}
