// Requests to the queues with everything that a test does not care about filled in.

import { noTags, type Tags } from '@sluice/sdk/wire';
import type { GetRequest, PutRequest, WatchRequest } from '../../src/broker/queues.ts';
import type { QueueName } from '../../src/queue/message.ts';

export const submitter = { gid: 'eas', uid: 'submitter' };

export type PutChange = Partial<Omit<PutRequest, 'payload' | 'tags'>> & {
  readonly tags?: Readonly<Record<string, string>>;
};

export type WatchChange = Partial<Omit<WatchRequest, 'tags'>> & {
  readonly tags?: Readonly<Record<string, string>>;
  readonly queue?: QueueName;
};

export type GetChange = Partial<Omit<GetRequest, 'tags'>> & {
  readonly tags?: Readonly<Record<string, string>>;
};

export function bytes(body: string): Uint8Array {
  return new TextEncoder().encode(body);
}

export function text(payload: Uint8Array): string {
  return new TextDecoder().decode(payload);
}

export function putRequest(body: string, change: PutChange = {}): PutRequest {
  return {
    id: undefined,
    priority: 0,
    by: submitter,
    path: undefined,
    contentType: undefined,
    home: 'sink',
    expiresAt: 0,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
    ...change,
    tags: tagsOf(change.tags),
    payload: bytes(body),
  };
}

export function getRequest(change: GetChange = {}): GetRequest {
  return {
    from: 0,
    length: 1,
    timeoutMs: 0,
    autoDelete: true,
    id: undefined,
    by: submitter,
    ...change,
    tags: tagsOf(change.tags),
  };
}

export function watchRequest(
  uid: string,
  change: WatchChange = {},
): { queue: QueueName; request: WatchRequest } {
  const { queue = 'input', tags, ...rest } = change;
  return {
    queue,
    request: {
      by: { gid: 'eas', uid },
      kind: 'eas',
      window: 10,
      from: 0,
      indexOnly: false,
      autoCommit: false,
      id: undefined,
      holding: [],
      ...rest,
      tags: tagsOf(tags),
    },
  };
}

function tagsOf(tags: Readonly<Record<string, string>> | undefined): Tags {
  return tags === undefined ? noTags : new Map(Object.entries(tags));
}
