// Gets and long polls. With auto delete the messages of an answer are hidden while it is on its
// way: deleted when the socket took all of it, shown again when it was cut.

import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { bodyAddressTag, PlatformError } from '@sluice/sdk/wire';
import type { GetRequest, Handout, Message } from '../../broker/queues.ts';
import type { Timer } from '../../kernel/clock.ts';
import type { FlatHeaders } from '../answer.ts';
import { shownOf } from '../body-place.ts';
import type { EasCall, EasParts } from './call.ts';
import { contentTypes, type Encoding, encodeMessages, encodingOf } from './encoding.ts';
import { identityOf } from './identity.ts';
import { headerValue } from './put.ts';
import { durationOf, filterId, flagOf, integerOf, type Query } from './query.ts';
import { answerWith, refuse } from './refuse.ts';

/** Most messages of one answer. */
const lengthMax = 1000;

/** Answers with what matches, as soon as `_length_` messages do or shortly before `_timeout_`. */
export function serveGet(parts: EasParts, call: EasCall): void {
  const { request, service, queue, query } = call;
  const encoding = flagOf(query, '_raw_', true) ? 'raw' : encodingOf(request.headers.accept);
  const timeoutMs = Math.min(durationOf(query, '_timeout_'), parts.limits.pollMs);
  const length = lengthOf(query);
  const get: GetRequest = {
    from: integerOf(query, '_index_', -1) ?? 0,
    length: encoding === 'raw' ? 1 : length,
    timeoutMs: waitOf(timeoutMs),
    autoDelete: flagOf(query, '_auto_delete_', true),
    tags: query.tags,
    id: filterId(query),
    by: identityOf(request.headers, parts.random),
  };
  const answer = (handout: Handout): void => answerHandout(parts, call, { encoding, handout });
  if (timeoutMs === 0) {
    answerWith(parts, call, () => service.queues.get(queue, get, undefined), answer);
    return;
  }
  const poll = parts.polls.enter(request.socket);
  const wait = async (): Promise<Handout> => service.queues.get(queue, get, poll.signal);
  wait()
    .finally(() => poll.leave())
    .then(answer)
    .catch((error: unknown) => {
      // Cancelled: nobody listens any more, or the server stops and the poll ends as if in vain.
      if (poll.signal.aborted) answerNothing(call.response, encoding);
      else refuse(parts, call, error);
    });
}

/**
 * A poll is answered a little before its time is up, because PY and JAVA give up a socket after
 * the very same time and would ask again: 5 s wait 4.75 s, 1 s waits 0.9 s.
 */
export function waitOf(timeoutMs: number): number {
  return timeoutMs - Math.min(250, timeoutMs / 10);
}

function lengthOf(query: Query): number {
  return Math.min(integerOf(query, '_length_', 1) ?? 1, lengthMax);
}

function answerHandout(
  parts: EasParts,
  call: EasCall,
  answer: { readonly encoding: Encoding | 'raw'; readonly handout: Handout },
): void {
  const { encoding, handout } = answer;
  const { request, response } = call;
  const [first] = handout.messages;
  if (response.destroyed || request.socket.destroyed) {
    handout.cut();
    return;
  }
  if (first === undefined) {
    handout.taken();
    answerNothing(response, encoding);
    return;
  }
  const end = settle(parts, call, handout);
  try {
    if (encoding === 'raw') {
      answerRaw(parts, call, first, end);
      return;
    }
    const messages = handout.messages.map((message) => shownOf(message, call.service.name));
    const body = encodeMessages(messages, encoding);
    end.before(body.length);
    write(response, body, ['Content-Type', contentTypes[encoding]]);
  } catch (error) {
    end.now();
    throw error;
  }
}

/** The payload alone; a body in a file as it is read. */
function answerRaw(parts: EasParts, call: EasCall, first: Message, end: Settling): void {
  const { response, service } = call;
  const { body } = first;
  const shown = shownOf(first, service.name);
  if (body?.kind !== 'file' || parts.store === undefined) {
    end.before(shown.payload.length);
    write(response, shown.payload, rawHeaders(shown));
    return;
  }
  const { store } = parts;
  const stream = async (): Promise<void> => {
    const opened = await store.open(body.name);
    if (opened === undefined) throw new PlatformError('damaged', 'the body is not there any more');
    end.before(opened.size);
    response.writeHead(200, [...rawHeaders(shown), ...framing(opened.size)]);
    // Whoever sees less than the length that was said knows that it is not whole.
    await pipeline(opened.stream, response).catch(() => response.destroy());
  };
  stream().catch((error: unknown) => {
    end.now();
    refuse(parts, call, error);
  });
}

/** JAVA takes 204 for a failure and polls six times over; PAI wants nothing but 204. */
function answerNothing(response: ServerResponse, encoding: Encoding | 'raw'): void {
  if (response.destroyed) return;
  if (encoding === 'protobuf') {
    write(response, new Uint8Array(0), ['Content-Type', contentTypes.protobuf]);
    return;
  }
  response.writeHead(204, ['Cache-Control', 'no-store']);
  response.end();
}

interface Settling {
  /** So many bytes are about to be sent. */
  before(bytes: number): void;
  /** Nothing will be sent. */
  now(): void;
}

/** Calls exactly one of the handout's two ends, by what becomes of the answer. */
function settle(
  { clock, limits }: EasParts,
  { request, response }: EasCall,
  handout: Handout,
): Settling {
  const { socket } = request;
  let open = true;
  let timer: Timer | undefined;
  const end = (how: 'taken' | 'cut'): void => {
    if (!open) return;
    open = false;
    timer?.cancel();
    handout[how]();
  };
  response.once('finish', () => {
    // Node 20 says `finish` also when the last write has failed.
    const whole = !socket.destroyed && socket.errored === null;
    end(whole ? 'taken' : 'cut');
  });
  response.once('close', () => end('cut'));
  return {
    // A reader that takes nothing is cut; one that takes 64 KiB a second always has time enough.
    before(bytes) {
      const patienceMs = limits.stallMs + (bytes / 65_536) * 1000;
      timer = clock.after(patienceMs, () => socket.destroy());
    },
    now: () => end('cut'),
  };
}

function write(response: ServerResponse, body: Uint8Array, headers: FlatHeaders): void {
  response.writeHead(200, [...headers, ...framing(body.length)]);
  response.end(body);
}

function framing(bytes: number): FlatHeaders {
  return ['Cache-Control', 'no-store', 'Content-Length', String(bytes)];
}

/**
 * The payload as it was put. It may be a web page of anybody's, so a browser must not run it as if
 * it were ours.
 */
function rawHeaders(message: Message): string[] {
  const headers = [
    'Content-Type',
    safeContentType(message.contentType),
    'X-Eas-Queueservice-Request-Id',
    headerValue(message.id),
    'X-Eas-Queueservice-Index',
    String(message.index),
    'X-Content-Type-Options',
    'nosniff',
    'Content-Security-Policy',
    'sandbox',
  ];
  const lastCode = message.tags.get('lastCode');
  if (lastCode !== undefined && /^[\w.]{1,64}$/.test(lastCode)) {
    headers.push('X-Eas-Queueservice-Last-Code', lastCode);
  }
  const address = message.tags.get(bodyAddressTag);
  if (address !== undefined) headers.push('Sluice-Body-Address', headerValue(address));
  return headers;
}

function safeContentType(type: string | undefined): string {
  return type !== undefined && /^[\x20-\x7e]+$/.test(type) ? type : 'application/octet-stream';
}
