// Operations that only look: attributes, count, search.

import { PlatformError, type Tags } from '@sluice/sdk/wire';
import type { ConsumerView, GroupView, QueueView, SuspectView } from '../../broker/queues.ts';
import { answerText } from '../answer.ts';
import type { EasCall, EasParts } from './call.ts';
import { formatGoDuration } from './duration.ts';
import { contentTypes, type Encoding, encodeTexts, encodingOf } from './encoding.ts';
import { easHeaders, identityOf, priorityOf } from './identity.ts';
import { filterId, integerOf } from './query.ts';
import { answerWith } from './refuse.ts';

/** Answers from memory: a flat map of texts. */
export function serveAttributes(parts: EasParts, call: EasCall): void {
  const encoding = encodingOf(call.request.headers.accept);
  const view = call.service.queues.view(call.queue);
  answerBytes(call, encoding, encodeTexts(attributesOf(call.service.name, view, parts), encoding));
}

/** The number of messages that match, as bare digits. */
export function serveCount(parts: EasParts, call: EasCall): void {
  const { request, response, service, queue, query } = call;
  const filter = {
    tags: query.tags,
    id: filterId(query),
    priority: priorityOf(request.headers, query),
  };
  answerWith(
    parts,
    call,
    () => service.queues.count(queue, filter),
    (count) => answerText(response, 200, String(count)),
  );
}

/** Where a message stands for the caller's group; 404 with the text clients know when unknown. */
export function serveSearch(parts: EasParts, call: EasCall): void {
  const { request, service, queue, query } = call;
  const index = integerOf(query, '_index_', 0);
  if (index === undefined) throw new PlatformError('bad_request', '_search_ needs _index_');
  const by = identityOf(request.headers, parts.random);
  answerWith(
    parts,
    call,
    () => service.queues.search(queue, index, by),
    (found) => {
      if (found === undefined) throw new PlatformError('not_found', 'no data in stream');
      const { consumerId, isPending, waitCount } = found;
      const answer = { ConsumerId: consumerId, IsPending: isPending, WaitCount: waitCount };
      answerBytes(call, 'json', Buffer.from(JSON.stringify(answer)));
    },
  );
}

/** Every attribute of a queue, in the order clients print them. */
export function attributesOf(
  service: string,
  view: QueueView,
  { backend }: Pick<EasParts, 'backend'>,
): Tags {
  const attributes = new Map<string, string>([
    ['meta.name', nameOf(service, view)],
    ['meta.state', stateOf(view)],
    ['meta.backend', backend],
    ['meta.maxPayloadBytes', String(view.payloadBytesMax)],
    ['meta.header.user', easHeaders.user],
    ['meta.header.group', easHeaders.group],
    ['meta.header.priority', easHeaders.priority],
    // The names that older GO modules read.
    ['meta.header.userIdentifyHeader', easHeaders.user],
    ['meta.header.groupIdentifyHeader', easHeaders.group],
    ['stream.length', String(view.length)],
    ['stream.approxMaxLength', String(view.capacity)],
    ['stream.firstEntry', String(view.firstIndex)],
    ['stream.lastEntry', String(view.lastIndex)],
    ['stream.waiting', String(view.waiting)],
    ['stream.backingOff', String(view.backingOff)],
    ['stream.leased', String(view.leased)],
    ['stream.reserved', String(view.reserved)],
    ['consumers.stats.total', String(view.consumers.length)],
    ['consumers.status.total', String(view.consumers.length)],
  ]);
  for (const [at, consumer] of view.consumers.entries()) {
    attributes.set(`consumers.list.[${at}]`, consumerLine(consumer));
  }
  for (const [at, group] of view.groups.entries()) {
    attributes.set(`groups.list.[${at}]`, groupLine(group));
  }
  for (const [at, suspect] of view.suspects.entries()) {
    attributes.set(`suspects.list.[${at}]`, suspectLine(suspect));
  }
  return attributes;
}

function stateOf(view: QueueView): string {
  if (view.isClosed === true) return 'Stopped';
  return view.ended ? 'End' : 'Normal';
}

function nameOf(service: string, view: QueueView): string {
  const sink = view.name === 'sink' || view.name === 'sinkRear';
  const rear = view.name === 'inputRear' || view.name === 'sinkRear';
  return `${service}${sink ? '/sink' : ''}${rear ? ' (rear)' : ''}`;
}

function consumerLine(consumer: ConsumerView): string {
  const tags = [...consumer.tags].map(([name, value]) => `${name}=${value}`).join(' ');
  return [
    `Id: ${consumer.gid}.${consumer.uid}`,
    `Index: ${consumer.index}`,
    `Pending: ${consumer.pending}`,
    `Status: ${consumer.status}`,
    `Idle: ${formatGoDuration(consumer.idleMs)}`,
    `Window: ${consumer.window}`,
    `Slots: ${consumer.slots}`,
    `AutoCommit: ${consumer.autoCommit}`,
    ...(tags === '' ? [] : [`Tags: tags[${tags}]`]),
    ...(consumer.suspect === 0 ? [] : [`Suspect: ${consumer.suspect}`]),
  ].join(', ');
}

function suspectLine({ gid, uid, index, isHeld }: SuspectView): string {
  const waits = 'waits for an instance of its own';
  const reserved =
    uid === '' ? waits : `${waits}: ${gid}.${uid} gets nothing else until it is free`;
  return `Index: ${index}, State: ${isHeld ? `alone on ${gid}.${uid}` : reserved}`;
}

function groupLine(group: GroupView): string {
  return [
    `Id: ${group.gid}`,
    `Index: ${group.index}`,
    `Pending: ${group.pending}`,
    `Delivered: ${group.delivered}`,
    `Consumers: ${group.consumers}`,
  ].join(', ');
}

function answerBytes({ response }: EasCall, encoding: Encoding, body: Uint8Array): void {
  if (response.destroyed) return;
  response.writeHead(200, [
    'Content-Type',
    contentTypes[encoding],
    'Cache-Control',
    'no-store',
    'Content-Length',
    String(body.length),
  ]);
  response.end(body);
}
