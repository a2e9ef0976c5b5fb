// The edge of one address, put together: listener, access checks, the EAS protocol straight on
// node:http, the upgrade of the stream protocol, and whatever else answers the rest.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { type AccessSettings, applyCors, checkAccess } from './access.ts';
import { answerRefusal, refusalOf, refuseSocket } from './answer.ts';
import { discardBody } from './body.ts';
import type { Connection } from './connection.ts';
import type { Directory } from './directory.ts';
import { easPrefix, pathOf } from './eas/address.ts';
import { EasHandler } from './eas/handler.ts';
import { defaultEdgeLimits, type EdgeLimits } from './limits.ts';
import { type BoundAddress, Listener, type ListenerHandler, type TlsFiles } from './listener.ts';
import type { CallbackHost } from './requests/callbacks.ts';
import { RequestHandler } from './requests/handler.ts';
import type { FetchBody, FollowEvents, RequestHost } from './requests/host.ts';
import type { RequestMeters } from './requests/meters.ts';
import { handshakeFlaw, WebSockets } from './socket.ts';
import type { BodyHost } from './spill.ts';
import { presentedToken } from './tokens.ts';

/** Takes over a connection of the stream protocol; `credential` is the token of the handshake. */
export type StreamUpgrade = (
  request: IncomingMessage,
  connection: Connection,
  credential: string | undefined,
) => void;

export interface EdgeBasics {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The kind of storage, shown as the attribute `meta.backend`. */
  readonly backend: string;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly access: AccessSettings;
  /** May do on every service what its main token may; undefined: there is none. */
  readonly adminToken: string | undefined;
  /** Those not given have their defaults. */
  readonly limits?: Partial<EdgeLimits>;
  /** Where bodies lie that are too large for the queues; undefined: there are none. */
  readonly store?: BodyHost | undefined;
}

export interface EdgeOptions extends EdgeBasics {
  /** undefined: no stream protocol here. */
  readonly stream: StreamUpgrade | undefined;
  /** undefined: no request API here. */
  readonly requests?: RequestService | undefined;
  /** Answers every request that belongs to neither protocol; access has been checked. */
  readonly fallback: (request: IncomingMessage, response: ServerResponse) => void;
}

/** What the request API serves, and what it counts. */
export interface RequestService {
  readonly desk: RequestHost;
  readonly events: FollowEvents;
  /** undefined: bodies at addresses are not fetched here. */
  readonly fetchBody?: FetchBody | undefined;
  readonly meters: RequestMeters;
  /** undefined: nothing sends callbacks. */
  readonly callbacks?: CallbackHost | undefined;
}

export interface Edge extends Component {
  /** Where it really listens; only while it runs. */
  address(): BoundAddress;
  /** Connections open now. */
  connections(): number;
  /**
   * The first step of a graceful stop: watches of the EAS protocol get nothing more and new ones
   * are refused, while commits and all other calls go on.
   */
  pauseWatches(): void;
}

/** Where the stream protocol is. */
export const streamPath = '/v1/stream';

/** Builds the edge of one address; nothing listens before `start`. */
export function createEdge(options: EdgeOptions): Edge {
  const limits = { ...defaultEdgeLimits, ...options.limits };
  const eas = new EasHandler({ ...options, limits, rootService: undefined });
  const streams = new WebSockets({
    clock: options.clock,
    limits,
    messageBytesMax: limits.streamMessageBytesMax,
  });
  const requests = requestHandler(options, limits, eas);
  const handler: ListenerHandler = {
    request(request, response) {
      const path = request.url ?? '/';
      if (path.startsWith(easPrefix) || pathOf(path).startsWith(easPrefix)) {
        eas.serve(request, response);
        return;
      }
      if (requests?.serve(request, response) === true) return;
      if (request.headers.expect !== undefined) response.writeContinue();
      options.fallback(request, response);
    },
    upgrade(request, socket, head) {
      const path = pathOf(request.url ?? '/');
      if (path.startsWith(easPrefix)) {
        eas.upgrade(request, socket, head);
        return;
      }
      if (path === streamPath && options.stream !== undefined) {
        upgradeStream(options.stream, streams, { request, socket, head });
        return;
      }
      refuseSocket(socket, { status: 404, text: 'no WebSocket here', headers: [] });
    },
    plain: {
      admit: (head) => (head.url.startsWith(easPrefix) ? eas.admit(head) : requests?.admit(head)),
      bodies: eas.bodies,
    },
    drain() {
      eas.drain();
      streams.closeAll();
    },
  };
  return edgeOf(handler, eas, { ...options, limits });
}

/** It shares the room for bodies and the bound of long polls with the EAS protocol. */
function requestHandler(
  options: EdgeOptions,
  limits: EdgeLimits,
  { bodies, polls }: EasHandler,
): RequestHandler | undefined {
  const { requests, store, directory, adminToken, clock, log } = options;
  if (requests === undefined) return undefined;
  return new RequestHandler({
    ...requests,
    store,
    directory,
    adminToken,
    clock,
    log,
    limits,
    bodies,
    polls,
  });
}

/** The edge around one handler: its listener, with the access checks in front. */
export function edgeOf(
  handler: ListenerHandler,
  eas: EasHandler,
  options: EdgeBasics & { readonly limits: EdgeLimits },
): Edge {
  const guard = guarded(handler, options, options.limits);
  const listener = new Listener({ ...options, handler: guard });
  return {
    start: () => listener.start(),
    stop: () => listener.stop(),
    address: () => listener.address(),
    connections: () => listener.connections(),
    pauseWatches: () => eas.pauseWatches(),
  };
}

/** Lets through what passes the Host and Origin checks, and answers CORS preflights. */
function guarded(
  handler: ListenerHandler,
  { access, log }: Pick<EdgeBasics, 'access' | 'log'>,
  limits: EdgeLimits,
): ListenerHandler {
  return {
    request(request, response) {
      try {
        const refusal = checkAccess(request, access);
        if (refusal !== undefined) {
          discardBody(request, limits.discardBytesMax);
          answerRefusal(response, refusal);
        } else if (!applyCors(request, response)) {
          handler.request(request, response);
        }
      } catch (error) {
        log.error({ err: error, method: request.method }, 'request failed');
        answerRefusal(response, refusalOf(error));
      }
    },
    upgrade(request, socket, head) {
      const refusal = checkAccess(request, access);
      if (refusal !== undefined) refuseSocket(socket, refusal);
      else handler.upgrade(request, socket, head);
    },
    plain: {
      admit: (head) => {
        return checkAccess(head, access) === undefined ? handler.plain.admit(head) : undefined;
      },
      bodies: handler.plain.bodies,
    },
    drain: () => handler.drain(),
  };
}

function upgradeStream(
  stream: StreamUpgrade,
  streams: WebSockets,
  upgrade: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
): void {
  const flaw = handshakeFlaw(upgrade.request);
  if (flaw !== undefined) {
    refuseSocket(upgrade.socket, { status: 400, text: flaw, headers: [] });
    return;
  }
  const connection = streams.accept(upgrade.request, upgrade.socket, upgrade.head);
  if (connection === undefined) return;
  stream(upgrade.request, connection, presentedToken(upgrade.request.headers.authorization));
}
