// What a client asks of a queue by one call with one answer. Each function begins the call, hands
// it to the queues and writes the answer when they have decided; a payload is a view on the
// message that brought it, which `ws` never reuses, so that nothing is copied here.

import type {
  AtIndex,
  Attributes,
  ByIndexes,
  Commit,
  Complete,
  Count,
  End,
  GiveBack,
  Negative,
  Put,
  Report,
  Touch,
  WorkTerms,
} from '@sluice/sdk/wire';
import { PlatformError, readReport, requestIdTag, type Tags, writeTerms } from '@sluice/sdk/wire';
import type { Queues, QueueView } from '../../broker/queues.ts';
import { checkRequestPath } from '../eas/address.ts';
import type { BodyHost } from '../spill.ts';
import { causeOf, delayOf } from './bounds.ts';
import type { Channel } from './channel.ts';
import { endNotes, type Follows, type StreamRequests } from './follows.ts';
import type { Gets } from './gets.ts';
import type { JoinedWorkers } from './joined.ts';
import { keptResult } from './kept-result.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';
import type { Watches } from './watches.ts';

/** The place of a call: its connection, its queue, and those queues after the permission. */
export interface Place {
  readonly link: Link;
  readonly session: Session;
  readonly channel: Channel;
  readonly queues: Queues;
  readonly gets: Gets;
  readonly watches: Watches;
  readonly follows: Follows;
  /** undefined: nobody follows requests here. */
  readonly requests: StreamRequests | undefined;
  readonly describe: Describe;
  readonly workers: WorkerDesk | undefined;
  /** Where large results lie that were brought up by themselves; undefined: there are none. */
  readonly store: BodyHost | undefined;
}

/** Every attribute of a queue by its EAS name. */
export type Describe = (service: string, view: QueueView) => Tags;

/** What a service wants of all its workers. */
export type ServiceTerms = Omit<WorkTerms, 'resultBytesMax' | 'replace'>;

/** What workers on other machines are told, and where they say how they are. */
export interface WorkerDesk {
  readonly joined: JoinedWorkers;
  /** What a service wants of its workers; undefined: it is not known now. */
  terms(service: string): ServiceTerms | undefined;
}

export function callPut({ link, channel, queues }: Place, call: Put, payload: Uint8Array): void {
  const tagId = call.tags.get(requestIdTag);
  const id = call.id !== '' ? call.id : tagId;
  const path = call.path === '' || call.path === '/' ? undefined : call.path;
  if (path !== undefined) checkRequestPath(path);
  const answered = queues.put(channel.queue, {
    payload,
    id,
    tags: tagId === undefined ? call.tags : withoutId(call.tags),
    priority: call.priority,
    by: channel.by,
    path,
    contentType: call.contentType,
    home: 'sink',
    expiresAt: 0,
    owner: channel.owner,
    idempotencyKey: undefined,
    terms: undefined,
  });
  answered.then(
    (answer) =>
      link.answer(call, {
        kind: 'putDone',
        number: call.number,
        index: answer.index,
        id: answer.id === id ? '' : answer.id,
        repeated: answer.repeated,
      }),
    (error: unknown) => link.fail(call, error),
  );
}

export function callComplete(place: Place, call: Complete, payload: Uint8Array): void {
  const { link, session, queues } = place;
  endNotes(place, call.deliveryId);
  const kept = call.kept === undefined ? undefined : keptResult(place.store, call.kept);
  const answered = queues.complete({
    deliveryId: call.deliveryId,
    body: kept?.body,
    payload: payload.length === 0 ? undefined : payload,
    contentType: call.contentType,
    outcome: call.outcome,
    ...causeOf(call),
    firstOutputAt: call.firstOutputAt,
  });
  const answer = (value: number): void => {
    link.answer(call, { kind: 'completed', number: call.number, value });
  };
  answered.then(
    (index) => {
      kept?.taken();
      session.settled(call.deliveryId, index);
      answer(index);
    },
    (error: unknown) => {
      kept?.refused(error);
      failSettling(place, call, error, answer);
    },
  );
}

export function callCommit(place: Place, call: Commit): void {
  const { channel, queues } = place;
  settle(place, call, queues.commitDelivery(channel.queue, call.deliveryId));
}

export function callGiveBack(place: Place, call: GiveBack): void {
  const { channel, queues } = place;
  const { deliveryId, counted, occupies } = call;
  endNotes(place, deliveryId);
  const how = { counted, occupies, ...causeOf(call), delayMs: delayOf(call.delayMs) };
  const request = { deliveryId, ...how };
  settle(place, call, queues.giveBack(channel.queue, request));
}

export function callTouch({ link, channel, queues }: Place, call: Touch): void {
  finish(link, call, queues.touch(channel.queue, call.deliveryId));
}

export function callByIndexes({ link, channel, queues }: Place, call: ByIndexes): void {
  const changed =
    call.kind === 'delete'
      ? queues.delete(channel.queue, call.indexes)
      : queues.commit(channel.queue, call.indexes, channel.by);
  finish(link, call, changed);
}

export function callNegative({ link, channel, queues }: Place, call: Negative): void {
  const { code, reason } = causeOf(call);
  const { indexes } = call;
  finish(link, call, queues.negative(channel.queue, indexes, channel.by, code, reason));
}

export function callTruncate({ link, channel, queues }: Place, call: AtIndex): void {
  finish(link, call, queues.truncate(channel.queue, call.index));
}

export function callEnd({ link, channel, queues }: Place, call: End): void {
  finish(link, call, queues.end(channel.queue, call.force));
}

export function callSearch({ link, channel, queues }: Place, call: AtIndex): void {
  queues.search(channel.queue, call.index, channel.by).then(
    (found) => {
      if (found === undefined) {
        link.fail(call, new PlatformError('not_found', 'no data in stream'));
        return;
      }
      link.answer(call, { kind: 'found', number: call.number, ...found });
    },
    (error: unknown) => link.fail(call, error),
  );
}

export function callAttributes(place: Place, call: Attributes): void {
  const { link, channel, queues } = place;
  const attributes = place.describe(queues.service, queues.view(channel.queue));
  link.answer(call, { kind: 'described', number: call.number, attributes });
}

export function callReport({ link, channel, queues, workers }: Place, call: Report): void {
  if (workers === undefined || channel.queue !== 'input') {
    throw new PlatformError('not_allowed', 'no worker of another machine can join this queue');
  }
  const report = readReport(call.facts);
  const { service } = queues;
  const terms = workers.terms(service);
  if (terms === undefined) {
    const text = `what ${service} wants of its workers is not known now`;
    throw new PlatformError('unavailable', text, { retryAfterMs: 1000 });
  }
  const replace = workers.joined.report(service, channel.by, report, link);
  const resultBytesMax = queues.payloadBytesMax('sink');
  const attributes = writeTerms({ ...terms, resultBytesMax, replace });
  link.answer(call, { kind: 'described', number: call.number, attributes });
}

export function callCount({ link, channel, queues }: Place, call: Count): void {
  const { id, tags } = filterOf(call);
  queues.count(channel.queue, { tags, id, priority: call.priority }).then(
    (value) => link.answer(call, { kind: 'counted', number: call.number, value }),
    (error: unknown) => link.fail(call, error),
  );
}

/** Tags as they filter: the request id may be given apart or as its tag. */
export function filterOf(call: { readonly tags: Tags; readonly id: string }): {
  readonly tags: Tags;
  readonly id: string | undefined;
} {
  const tagId = call.tags.get(requestIdTag);
  if (tagId === undefined) return { tags: call.tags, id: call.id === '' ? undefined : call.id };
  return { tags: withoutId(call.tags), id: call.id === '' ? tagId : call.id };
}

function settle(place: Place, call: Commit | GiveBack, settled: Promise<unknown>): void {
  const { link, session } = place;
  settled.then(
    () => {
      session.settled(call.deliveryId, 0);
      link.done(call);
    },
    (error: unknown) => failSettling(place, call, error, () => link.done(call)),
  );
}

/** A repeated call whose first sending was done already is answered as that one was. */
function failSettling(
  { link, session }: Place,
  call: Commit | Complete | GiveBack,
  error: unknown,
  answer: (value: number) => void,
): void {
  const stale = error instanceof PlatformError && error.code === 'stale_delivery';
  const value = stale && call.again ? session.answerOf(call.deliveryId) : undefined;
  if (value === undefined) link.fail(call, error);
  else answer(value);
}

/** Ends a call once something has happened. */
export function finish(
  link: Link,
  call: { readonly number: number },
  finished: Promise<void>,
): void {
  finished.then(
    () => link.done(call),
    (error: unknown) => link.fail(call, error),
  );
}

function withoutId(tags: Tags): Tags {
  const rest = new Map(tags);
  rest.delete(requestIdTag);
  return rest;
}
