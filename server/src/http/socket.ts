// Turns real sockets into the `Connection` that protocol handlers know: WebSockets by `ws`, and
// HTTP answers that stay open. Pings, silence and closing codes are settled here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Connection } from './connection.ts';
import type { EdgeLimits } from './limits.ts';

/** Accepts WebSocket handshakes whose refusal has been decided before. */
export class WebSockets {
  readonly #server: WebSocketServer;
  readonly #clock: Clock;
  readonly #limits: EdgeLimits;

  constructor(options: {
    readonly clock: Clock;
    readonly limits: EdgeLimits;
    /** Largest message that is taken in. */
    readonly messageBytesMax: number;
  }) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    // No extension and no subprotocol is ever agreed to: GO's client refuses a handshake with one.
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: options.messageBytesMax,
      handleProtocols: () => false,
    });
  }

  /** Answers 101 and hands the connection out at once; undefined when the client is gone. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Connection | undefined {
    let connection: Connection | undefined;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      connection = webSocketConnection(webSocket, this.#clock, this.#limits);
    });
    return connection;
  }

  /** Says goodbye to every open connection. */
  closeAll(): void {
    for (const webSocket of this.#server.clients) webSocket.close(1001, 'server is stopping');
  }
}

/** What is wrong with a WebSocket handshake; undefined = nothing. */
export function handshakeFlaw(request: IncomingMessage): string | undefined {
  const { headers } = request;
  if (request.method !== 'GET') return 'a WebSocket handshake is a GET';
  const version = headers['sec-websocket-version'];
  if (version !== '13' && version !== '8') return 'Sec-WebSocket-Version must be 13';
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
    return 'Sec-WebSocket-Key is missing or malformed';
  }
  return undefined;
}

function webSocketConnection(webSocket: WebSocket, clock: Clock, limits: EdgeLimits): Connection {
  const listeners = new Listeners();
  let listening = false;
  const heart = new Heartbeat(webSocket, clock, limits);
  webSocket.on('message', (data: Buffer, isBinary: boolean) => {
    heart.heard();
    if (!listening) return;
    if (isBinary) listeners.message(data);
    else webSocket.close(1003, 'binary messages only');
  });
  webSocket.on('ping', () => heart.heard());
  webSocket.on('pong', () => heart.heard());
  // What went wrong on the way is told by the close event that follows.
  webSocket.on('error', () => undefined);
  webSocket.on('close', () => {
    heart.stop();
    listeners.closed();
  });
  return {
    send(bytes) {
      if (webSocket.readyState !== webSocket.OPEN) return false;
      webSocket.send(bytes, { binary: true, compress: false, fin: true }, (error) => {
        // No error is undefined or null, by the version of Node.
        if (!(error instanceof Error) && webSocket.bufferedAmount === 0) listeners.drained();
      });
      return true;
    },
    close: (code, reason) => webSocket.close(code, reason),
    buffered: () => webSocket.bufferedAmount,
    onMessage(listener) {
      listening = true;
      listeners.message = listener;
    },
    onDrain: (listener) => listeners.addDrain(listener),
    onClose: (listener) => listeners.addClose(listener),
  };
}

/**
 * An HTTP answer that stays open, already begun with its headers. It takes no messages; `close`
 * ends it.
 */
export function responseConnection(response: ServerResponse): Connection {
  const listeners = new Listeners();
  response.on('close', () => listeners.closed());
  response.on('error', () => undefined);
  return {
    send(bytes) {
      if (response.writableEnded || response.destroyed) return false;
      response.write(bytes, (error) => {
        if (!(error instanceof Error) && response.writableLength === 0) listeners.drained();
      });
      return true;
    },
    close() {
      if (!response.writableEnded) response.end();
    },
    buffered: () => response.writableLength,
    onMessage: () => undefined,
    onDrain: (listener) => listeners.addDrain(listener),
    onClose: (listener) => listeners.addClose(listener),
  };
}

class Listeners {
  message: (bytes: Uint8Array) => void = () => undefined;
  readonly #drain: (() => void)[] = [];
  readonly #close: (() => void)[] = [];
  #isClosed = false;

  addDrain(listener: () => void): void {
    this.#drain.push(listener);
  }

  /** A listener that comes too late is called at once. */
  addClose(listener: () => void): void {
    if (this.#isClosed) listener();
    else this.#close.push(listener);
  }

  drained(): void {
    if (!this.#isClosed) for (const listener of this.#drain) listener();
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#close) listener();
  }
}

/**
 * Pings every `pingMs` and cuts a connection from which nothing at all came for `silenceMs`. A
 * missing pong alone cuts nothing: PY answers only while its user's code is not running, but
 * pings from a thread of its own.
 */
class Heartbeat {
  readonly #webSocket: WebSocket;
  readonly #clock: Clock;
  readonly #limits: EdgeLimits;
  #heardAt: number;
  #pingAt: number;
  #timer: Timer | undefined;

  constructor(webSocket: WebSocket, clock: Clock, limits: EdgeLimits) {
    this.#webSocket = webSocket;
    this.#clock = clock;
    this.#limits = limits;
    this.#heardAt = clock.now().mono;
    this.#pingAt = this.#heardAt + limits.pingMs;
    this.#arm();
  }

  heard(): void {
    this.#heardAt = this.#clock.now().mono;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const now = this.#clock.now().mono;
    const next = Math.min(this.#pingAt, this.#heardAt + this.#limits.silenceMs);
    this.#timer = this.#clock.after(Math.max(0, next - now), () => this.#beat());
  }

  #beat(): void {
    const now = this.#clock.now().mono;
    if (now - this.#heardAt >= this.#limits.silenceMs) {
      this.#webSocket.terminate();
      return;
    }
    if (now >= this.#pingAt) {
      this.#pingAt = now + this.#limits.pingMs;
      if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
    }
    this.#arm();
  }
}
