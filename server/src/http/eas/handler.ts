// The entrance of the EAS protocol: finds service and queue by the address, looks at the token,
// decides by method and reserved parameters which operation is meant, and calls it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import { Bodies } from '../body.ts';
import type { PlainHead } from '../lane/head.ts';
import type { PlainHandler, PlainServe } from '../lane/plain.ts';

import type { EdgeRequest } from '../request.ts';
import { handshakeFlaw, WebSockets } from '../socket.ts';
import { grantOfRequest } from '../tokens.ts';
import { parseEasPath, parseRootPath, pathOf, type QueueAddress, queryOf } from './address.ts';
import type { EasAim, EasCall, EasParts, RequestHead } from './call.ts';
import { serveCommit, serveDelete, serveEnd, serveNegative, serveTruncate } from './change.ts';
import { serveGet } from './get.ts';
import { queueNameOf } from './identity.ts';
import { serveAttributes, serveCount, serveSearch } from './inspect.ts';
import { checkPermission, type EasOperation } from './permissions.ts';
import { Polls } from './polls.ts';
import { plainPut, servePut } from './put.ts';
import { flagOf, parseQuery, type Query } from './query.ts';
import { refuse } from './refuse.ts';
import { refuseUpgrade, serveWatchSocket, serveWatchStream } from './watch.ts';
import { Watches } from './watches.ts';

/** Watchers send nothing but pings. */
const watcherMessageBytesMax = 64 * 1024;

export type EasOptions = Pick<
  EasParts,
  'directory' | 'clock' | 'random' | 'log' | 'limits' | 'backend' | 'adminToken' | 'store'
> & {
  /** The service whose queues sit at the root; undefined: addresses name the service. */
  readonly rootService: string | undefined;
};

type Aim = Pick<EasAim, 'service' | 'queue' | 'path' | 'grant'>;
type Serve = (parts: EasParts, call: EasCall) => void;

const serves: Readonly<Record<EasOperation, Serve>> = {
  put: servePut,
  get: serveGet,
  count: serveCount,
  search: serveSearch,
  attributes: serveAttributes,
  watch: serveWatchStream,
  commit: serveCommit,
  negative: serveNegative,
  delete: serveDelete,
  truncate: serveTruncate,
  end: serveEnd,
};

export class EasHandler implements PlainHandler {
  readonly #parts: EasParts;
  readonly #rootService: string | undefined;

  constructor({ rootService, ...options }: EasOptions) {
    const { limits, clock, log } = options;
    this.#rootService = rootService;
    this.#parts = {
      ...options,
      bodies: new Bodies(limits),
      polls: new Polls(limits),
      watches: new Watches(limits, log),
      webSockets: new WebSockets({ clock, limits, messageBytesMax: watcherMessageBytesMax }),
    };
  }

  /** Answers one request; never throws. */
  serve(request: EdgeRequest, response: ServerResponse): void {
    try {
      const query = parseQuery(queryOf(request.url ?? '/'));
      const operation = operationOf(request.method, query);
      const { service, queue, path, grant } = this.#aim(request, query, operation);
      serves[operation](this.#parts, { request, response, query, service, queue, path, grant });
    } catch (error) {
      refuse(this.#parts, { request, response }, error);
    }
  }

  /** Puts alone; whatever is wrong with one, `serve` says it. */
  admit(head: PlainHead): PlainServe | undefined {
    try {
      const query = parseQuery(queryOf(head.url));
      if (operationOf(head.method, query) !== 'put') return undefined;
      const { service, queue, path, grant } = this.#aim(head, query, 'put');
      const aim = { request: head, query, service, queue, path, grant };
      return plainPut(this.#parts, aim, head.bodyBytes);
    } catch {
      return undefined;
    }
  }

  /** The polls that wait; the request API counts its own among them. */
  get polls(): Polls {
    return this.#parts.polls;
  }

  /** Room for the bodies of what `admit` let in. */
  get bodies(): Bodies {
    return this.#parts.bodies;
  }

  /** Answers a WebSocket handshake; never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      const query = parseQuery(queryOf(request.url ?? '/'));
      const flaw = handshakeFlaw(request);
      if (flaw !== undefined) throw new PlatformError('bad_request', flaw);
      if (operationOf(request.method, query) !== 'watch') {
        throw new PlatformError('bad_request', 'a WebSocket needs _watch_=true');
      }
      const { service, queue, path, grant } = this.#aim(request, query, 'watch');
      const target = { request, query, service, queue, path, grant };
      serveWatchSocket(this.#parts, target, { socket, head });
    } catch (error) {
      refuseUpgrade(this.#parts, request, { socket, error });
    }
  }

  /** Delivers nothing more over watches; everything else goes on. */
  pauseWatches(): void {
    this.#parts.watches.pause();
  }

  /** Ends polls and watches, because the server stops. */
  drain(): void {
    this.#parts.polls.drain();
    this.#parts.watches.drain();
  }

  #aim(request: RequestHead, query: Query, operation: EasOperation): Aim {
    const { directory, adminToken } = this.#parts;
    const address = this.#address(pathOf(request.url ?? '/'));
    const service = directory.find(address.service);
    if (service === undefined) {
      throw new PlatformError('not_found', `no such service: ${address.service}`);
    }
    const queue = queueNameOf(address.queue, request.headers);
    const grant = grantOfRequest(service, request, adminToken);
    checkPermission(grant, operation, queue, query.id);
    if (service.stopped !== undefined && operation !== 'attributes') {
      throw new PlatformError('unavailable', service.stopped, { retryAfterMs: 5000 });
    }
    return { service, queue, path: address.path, grant };
  }

  #address(path: string): QueueAddress {
    return this.#rootService === undefined
      ? parseEasPath(path)
      : parseRootPath(this.#rootService, path);
  }
}

/** Which operation a method with its reserved parameters stands for. */
export function operationOf(method: string | undefined, query: Query): EasOperation {
  switch (method) {
    case 'POST':
      return flagOf(query, '_eos_', false) ? 'end' : 'put';
    case 'GET':
      if (query.reserved.size === 0) return 'get';
      if (flagOf(query, '_attrs_', false)) return 'attributes';
      if (flagOf(query, '_count_', false)) return 'count';
      if (flagOf(query, '_search_', false)) return 'search';
      return flagOf(query, '_watch_', false) ? 'watch' : 'get';
    case 'PUT':
      return flagOf(query, '_negative_', false) ? 'negative' : 'commit';
    case 'DELETE':
      return flagOf(query, '_trunc_', false) ? 'truncate' : 'delete';
    default:
      throw new PlatformError('not_allowed', 'queues know GET, POST, PUT and DELETE');
  }
}
