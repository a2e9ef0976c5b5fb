// What an EAS request says of itself in headers: who calls, with which priority, and whether the
// rear queue is meant.

import type { IncomingHttpHeaders } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import type { Identity } from '../../broker/queues.ts';
import type { Random } from '../../kernel/random.ts';
import type { QueueName } from '../../queue/message.ts';
import { parsePriority, type Query } from './query.ts';

/** The names that attributes publish, as clients send them. */
export const easHeaders = {
  user: 'X-EAS-QueueService-Redis-Uid',
  group: 'X-EAS-QueueService-Redis-Gid',
  priority: 'X-EAS-QueueService-Priority',
} as const;

const userHeader = 'x-eas-queueservice-redis-uid';
const groupHeader = 'x-eas-queueservice-redis-gid';
const priorityHeader = 'x-eas-queueservice-priority';
const rearHeader = 'x-eas-queueservice-access-rear';

const nameBytesMax = 512;

/** The group of callers who name none. */
export const defaultGroup = 'default';

const nobody: Identity = { gid: defaultGroup, uid: '' };

/** Of a caller who waits for messages or holds some: without a user id it gets a fresh one. */
export function identityOf(headers: IncomingHttpHeaders, random: Random): Identity {
  return checked(
    headerText(headers, groupHeader) ?? defaultGroup,
    headerText(headers, userHeader) ?? random.id(),
  );
}

/** Of a caller who puts: without a user id it is nobody, since nothing will be asked of it. */
export function putterOf(headers: IncomingHttpHeaders): Identity {
  const gid = headerText(headers, groupHeader);
  const uid = headerText(headers, userHeader);
  return gid === undefined && uid === undefined ? nobody : checked(gid ?? defaultGroup, uid ?? '');
}

function checked(gid: string, uid: string): Identity {
  if (gid.length > nameBytesMax || uid.length > nameBytesMax) {
    throw new PlatformError('bad_request', `user and group ids have at most ${nameBytesMax} bytes`);
  }
  return { gid, uid };
}

/** `_priority_`, else the priority header, else undefined. */
export function priorityOf(headers: IncomingHttpHeaders, query: Query): number | undefined {
  const text = query.reserved.get('_priority_') ?? headerText(headers, priorityHeader);
  return text === undefined || text === '' ? undefined : parsePriority(text);
}

/** The queue that is meant: the rear queue of the addressed one when the header asks for it. */
export function queueNameOf(queue: 'input' | 'sink', headers: IncomingHttpHeaders): QueueName {
  const rear = headerText(headers, rearHeader)?.toLowerCase();
  if (rear !== 'true' && rear !== '1') return queue;
  return queue === 'input' ? 'inputRear' : 'sinkRear';
}

function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined || text === '' ? undefined : text;
}
