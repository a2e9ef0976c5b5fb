// One address: a node:http or node:https server with its limits, its graceful start and stop. It
// knows nothing of paths; what it is given decides.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import { type Refusal, refuseSocket } from './answer.ts';
import { Lane } from './lane/lane.ts';
import type { PlainHandler } from './lane/plain.ts';
import { type EdgeLimits, limitText } from './limits.ts';
import { EdgeRequest } from './request.ts';

/** PEM text. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** What a listener hands its traffic to. Neither may throw. */
export interface ListenerHandler {
  request(request: EdgeRequest, response: ServerResponse): void;
  /** A WebSocket handshake; other upgrades are served as plain requests. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Plain requests that need nothing of node:http. */
  readonly plain: PlainHandler;
  /** A stop has begun: end what waits for long. */
  drain(): void;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly limits: EdgeLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly handler: ListenerHandler;
}

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

const retryEveryMs = 250;
const sweepEveryMs = 50;

export class Listener implements Component {
  readonly #options: ListenerOptions;
  readonly #server: EdgeServer;
  readonly #sockets = new Set<Socket>();
  readonly #lane: Lane;
  /** Requests that Node has read and nobody has answered, by connection. */
  readonly #unanswered = new WeakMap<Duplex, number>();
  /** Gives a connection to node:http. */
  readonly #serveByNode: (socket: Duplex) => void;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = makeServer(options);
    this.#server.on('request', (request, response) => this.#request(request, response));
    // The handler decides whether the body may come: `Expect: 100-continue` is answered by bodies.
    this.#server.on('checkContinue', (request, response) => this.#request(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#lane = new Lane({
      handler: options.handler.plain,
      limits: options.limits,
      clock: options.clock,
      handOver: (socket) => this.#serveByNode(socket),
    });
    // Every connection begins in the lane; Node gets it with the first request that is not plain.
    const opened = options.tls === undefined ? 'connection' : 'secureConnection';
    const byNode = this.#server.listeners(opened);
    this.#server.removeAllListeners(opened);
    this.#serveByNode = (socket) => {
      for (const listener of byNode) Reflect.apply(listener, this.#server, [socket]);
    };
    this.#server.on('connection', (socket) => this.#connected(socket));
    this.#server.on(opened, (socket: Duplex) => {
      if (!socket.destroyed && socket.writable) this.#lane.take(socket);
    });
    this.#server.on('clientError', (error, socket) => this.#clientError(error, socket));
  }

  /** Rejects with `conflict` when the port stays busy for `bindRetryMs`. */
  start(): Promise<void> {
    this.#starting ??= this.#bind();
    return this.#starting;
  }

  /** Takes no more connections, lets running answers finish for `stopMs`, then cuts the rest. */
  stop(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  /** Where it really listens; only while it runs. */
  address(): BoundAddress {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') {
      throw new PlatformError('unavailable', 'the listener is not running');
    }
    const { address, port }: AddressInfo = bound;
    return { host: address, port };
  }

  /** Connections open now. */
  connections(): number {
    return this.#sockets.size;
  }

  async #bind(): Promise<void> {
    const { clock, limits, host, port, log, tls } = this.#options;
    const until = clock.now().mono + limits.bindRetryMs;
    for (;;) {
      const error = await listenOnce(this.#server, host, port);
      if (error === undefined) break;
      const busy = 'code' in error && error.code === 'EADDRINUSE';
      if (!busy) throw error;
      if (this.#draining || clock.now().mono >= until) {
        const text = `${host}:${port} is in use by another program`;
        throw new PlatformError('conflict', text, { cause: error });
      }
      await new Promise<void>((resolve) => clock.after(retryEveryMs, resolve));
    }
    log.info({ ...this.address(), tls: tls !== undefined }, 'listening');
  }

  async #close(): Promise<void> {
    this.#draining = true;
    await this.#starting?.catch(() => undefined);
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#options.handler.drain();
    const { clock, limits } = this.#options;
    const until = clock.now().mono + limits.stopMs;
    const gone = new Promise<void>((resolve) => {
      // Connections become idle one by one as their answers end; the server closes only those
      // that are idle when it is told to.
      const sweep = (): void => {
        this.#lane.closeAll();
        this.#server.closeIdleConnections();
        if (clock.now().mono >= until) for (const socket of this.#sockets) socket.destroy();
        if (this.#sockets.size === 0) resolve();
        else clock.after(sweepEveryMs, sweep);
      };
      sweep();
    });
    await Promise.all([closed, gone]);
  }

  #request(request: EdgeRequest, response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false;
    if (this.#isTooFarAhead(request.socket, response)) request.socket.destroy();
    else this.#options.handler.request(request, response);
  }

  /** Node reads on whatever is unanswered; a client that never waits would fill the memory. */
  #isTooFarAhead(socket: Socket, response: ServerResponse): boolean {
    const unanswered = (this.#unanswered.get(socket) ?? 0) + 1;
    this.#unanswered.set(socket, unanswered);
    response.once('close', () => {
      this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 1) - 1);
    });
    return unanswered > this.#options.limits.pipelinedMax;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', ignore);
    if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      this.#options.handler.upgrade(request, socket, head);
      return;
    }
    // An offer that we do not take up, such as h2c by Java's own client, is a plain request.
    // Node has ended its reading of the connection, so the request is put back without the offer.
    socket.removeListener('error', ignore);
    socket.unshift(Buffer.concat([withoutUpgrade(request), head]));
    this.#serveByNode(socket);
  }

  #connected(socket: Socket): void {
    const { limits, tls } = this.#options;
    if (this.#sockets.size >= limits.connectionsMax) {
      const text = `too many connections: ${limitText(limits, 'connectionsMax')}`;
      const refusal = { status: 503, text, headers: ['Retry-After', '5'] };
      socket.on('error', ignore);
      if (tls === undefined) refuseSocket(socket, refusal);
      else socket.destroy();
      return;
    }
    // Long polls and pipelined requests each listen for the end of their connection.
    socket.setMaxListeners(0);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #clientError(error: Error, socket: Duplex): void {
    // As in Node's own handler: nothing can be said once an answer is on its way.
    const busy = '_httpMessage' in socket && Boolean(socket._httpMessage);
    if (!socket.writable || busy) socket.destroy();
    else refuseSocket(socket, clientErrorRefusal(error, this.#options.limits));
  }
}

type EdgeServer = Server<typeof EdgeRequest>;

function makeServer({ tls, limits }: ListenerOptions): EdgeServer {
  const options = {
    IncomingMessage: EdgeRequest,
    maxHeaderSize: limits.headersBytesMax,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(5000, limits.headersMs),
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    noDelay: true,
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createTlsServer({
          ...options,
          handshakeTimeout: limits.headersMs,
          cert: tls.cert,
          key: tls.key,
        });
  // Headers are bounded by their bytes; by number Node would drop some silently.
  server.maxHeadersCount = 0;
  server.timeout = 0;
  return server;
}

function listenOnce(server: EdgeServer, host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(error);
    server.once('error', failed);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', failed);
      resolve(undefined);
    });
  });
}

function clientErrorRefusal(error: Error, limits: EdgeLimits): Refusal {
  const code = 'code' in error ? error.code : '';
  if (code === 'HPE_HEADER_OVERFLOW') {
    const text = `address and headers are too large: ${limitText(limits, 'headersBytesMax')}`;
    return { status: 431, text, headers: [] };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const named = `${limitText(limits, 'headersMs')}, ${limitText(limits, 'requestMs')}`;
    const text = `the request did not arrive in time: ${named}`;
    return { status: 408, text, headers: [] };
  }
  return { status: 400, text: 'this is no HTTP request', headers: [] };
}

const hopHeaders: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings']);

function withoutUpgrade(request: IncomingMessage): Buffer {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at] ?? '';
    if (!hopHeaders.has(name.toLowerCase())) lines.push(`${name}: ${request.rawHeaders[at + 1]}`);
  }
  if (/\bclose\b/i.test(request.headers.connection ?? '')) lines.push('Connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function ignore(): void {}
