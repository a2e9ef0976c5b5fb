// The two ways to watch: over a WebSocket, one binary message per queue message, and over an HTTP
// answer that stays open, one counted record per queue message. Either is refused by a status
// before it begins, never accepted and then closed: clients would come back at once, for ever.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import type { Delivery, Watch, WatchRequest } from '../../broker/queues.ts';
import { refusalOf, refuseSocket } from '../answer.ts';
import { shownOf } from '../body-place.ts';
import { responseConnection } from '../socket.ts';
import type { EasCall, EasParts, EasTarget } from './call.ts';
import { contentTypes, encodeMessage, encodingOf } from './encoding.ts';
import { identityOf } from './identity.ts';
import { filterId, flagOf, integerOf } from './query.ts';
import { refuse } from './refuse.ts';

const windowMax = 65_536;
const noBytes = new Uint8Array(0);

/** Serves a watch as an HTTP stream. */
export function serveWatchStream(parts: EasParts, call: EasCall): void {
  const { response, service, queue } = call;
  // The stream is protobuf whatever is asked for; flatbuffers and the like are refused.
  encodingOf(call.request.headers.accept);
  const wanted = watchRequestOf(parts, call);
  const feed = parts.watches.open((each) => recordOf(encoded(each, call, wanted)));
  const begin = async (): Promise<Watch> => service.queues.watch(queue, wanted, feed);
  begin()
    .then((watch) => {
      if (response.destroyed || call.request.socket.destroyed) {
        feed.abandon(watch);
        return;
      }
      response.writeHead(200, [
        'Content-Type',
        contentTypes.protobuf,
        'Cache-Control',
        'no-store, no-transform',
        'X-Accel-Buffering',
        'no',
      ]);
      response.flushHeaders();
      feed.attach(watch, responseConnection(response));
    })
    .catch((error: unknown) => {
      feed.refused();
      refuse(parts, call, error);
    });
}

/** Serves a watch over a WebSocket, whose handshake has been found flawless. */
export function serveWatchSocket(
  parts: EasParts,
  target: EasTarget,
  upgrade: { readonly socket: Duplex; readonly head: Buffer },
): void {
  const { request, service, queue } = target;
  const wanted = watchRequestOf(parts, target);
  const feed = parts.watches.open((delivery) => encoded(delivery, target, wanted));
  const begin = async (): Promise<Watch> => service.queues.watch(queue, wanted, feed);
  begin()
    .then((watch) => {
      const connection = parts.webSockets.accept(request, upgrade.socket, upgrade.head);
      if (connection === undefined) feed.abandon(watch);
      else feed.attach(watch, connection);
    })
    .catch((error: unknown) => {
      feed.refused();
      refuseUpgrade(parts, request, { socket: upgrade.socket, error });
    });
}

/** Refuses a handshake with a status. */
export function refuseUpgrade(
  parts: Pick<EasParts, 'log'>,
  request: IncomingMessage,
  why: { readonly socket: Duplex; readonly error: unknown },
): void {
  if (!(why.error instanceof PlatformError)) {
    parts.log.error({ err: why.error, method: request.method }, 'handshake failed');
  }
  refuseSocket(why.socket, refusalOf(why.error));
}

/** What a watch asks for in its query and headers. */
export function watchRequestOf(
  { random }: Pick<EasParts, 'random'>,
  { request, query }: Pick<EasTarget, 'request' | 'query'>,
): WatchRequest {
  const autoCommit = flagOf(query, '_auto_commit_', false);
  const window = integerOf(query, '_window_', 0) ?? 1;
  if (!autoCommit && (window < 1 || window > windowMax)) {
    throw new PlatformError('bad_request', `_window_ must be 1 to ${windowMax}`);
  }
  return {
    by: identityOf(request.headers, random),
    kind: 'eas',
    window: Math.min(Math.max(1, window), windowMax),
    from: integerOf(query, '_index_', -1) ?? 0,
    indexOnly: flagOf(query, '_index_only_', false),
    autoCommit,
    tags: query.tags,
    id: filterId(query),
    holding: [],
  };
}

function encoded(
  delivery: Delivery,
  { service }: Pick<EasTarget, 'service'>,
  { indexOnly }: WatchRequest,
): Uint8Array {
  const shown = shownOf(delivery, service.name);
  return encodeMessage(shown, indexOnly ? noBytes : shown.payload);
}

/** A length of four bytes, big-endian, and the message. Never of length zero: that ends GO. */
function recordOf(message: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafe(4 + message.length);
  record.writeUInt32BE(message.length, 0);
  record.set(message, 4);
  return record;
}
