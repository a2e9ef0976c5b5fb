// Calls a model server over HTTP. Each call has a connection to itself; finished ones are kept for
// the next. None of undici's own timers can end a call: only connecting has one. A reused
// connection that turns out closed before the first byte of an answer is tried once more on a
// fresh one, because servers close idle connections whenever they like.

import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { buildConnector, Client } from 'undici';
import type { Clock } from '../kernel/clock.ts';
import { bodyFailure, type OpenedBody, type StreamedBody } from './body.ts';
import { Exchange, type ExchangeEnd } from './exchange.ts';
import type { CallOptions, ModelClient, ModelRequest, ModelResult } from './model.ts';

const connectTimeoutMs = 10_000;
/** Idle connections kept; a larger window opens new ones beyond that. */
const idleConnectionsMax = 64;

interface Connection {
  readonly client: Client;
  socket: Socket | undefined;
}

interface SentRequest extends Omit<ModelRequest, 'body'> {
  readonly body: Uint8Array | Readable;
}

export interface ModelClientOptions {
  /** The model server; only scheme, host and port are used. */
  readonly origin: string;
  readonly clock: Clock;
}

export class HttpModelClient implements ModelClient {
  readonly #origin: string;
  readonly #clock: Clock;
  readonly #open = new Set<Connection>();
  #idle: Connection[] = [];
  #closed = false;

  constructor(options: ModelClientOptions) {
    this.#origin = options.origin;
    this.#clock = options.clock;
  }

  async call(request: ModelRequest, options: CallOptions): Promise<ModelResult> {
    if (options.signal.aborted) return { kind: 'aborted', sent: false };
    if (this.#closed) return { kind: 'refused', reason: 'the client is closed', retried: false };
    const first = await this.#once(() => this.#idle.pop(), request, options);
    if (first.kind !== 'stale') return first;
    const second = await this.#once(() => undefined, request, options);
    if (second.kind === 'refused') return { ...second, retried: true };
    // Never seen twice: a fresh connection has no socket from before.
    if (second.kind === 'stale') return { kind: 'cut', reason: 'cut before an answer' };
    return second;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#idle = [];
    await Promise.all([...this.#open].map((connection) => connection.client.destroy()));
    this.#open.clear();
  }

  /** With the connection that `idle` has, or a new one. */
  async #once(
    idle: () => Connection | undefined,
    request: ModelRequest,
    options: CallOptions,
  ): Promise<ExchangeEnd> {
    const { body } = request;
    if (body instanceof Uint8Array) {
      return this.#attempt(idle() ?? this.#connection(), { ...request, body }, options);
    }
    return this.#stream(idle, { ...request, body }, options);
  }

  /** The body is read as it is sent; what goes wrong with it is not the model's fault. */
  async #stream(
    idle: () => Connection | undefined,
    request: ModelRequest & { readonly body: StreamedBody },
    options: CallOptions,
  ): Promise<ExchangeEnd> {
    let opened: OpenedBody;
    try {
      opened = await request.body.open(options.signal);
    } catch (error) {
      if (options.signal.aborted) return { kind: 'aborted', sent: false };
      return bodyFailure(error);
    }
    const { stream, size } = opened;
    let failure: unknown;
    stream.on('error', (error) => {
      failure = error;
    });
    const length = size === undefined ? {} : { 'content-length': String(size) };
    const headers = { ...request.headers, ...length };
    try {
      const connection = idle() ?? this.#connection();
      const end = await this.#attempt(connection, { ...request, headers, body: stream }, options);
      const isCut = end.kind === 'cut' || end.kind === 'refused' || end.kind === 'stale';
      return failure !== undefined && isCut ? bodyFailure(failure) : end;
    } finally {
      stream.destroy();
    }
  }

  async #attempt(
    connection: Connection,
    request: SentRequest,
    options: CallOptions,
  ): Promise<ExchangeEnd> {
    const end = await new Promise<ExchangeEnd>((resolve) => {
      const exchange = new Exchange(options, this.#clock, () => connection.socket, finish);
      const abort = (): void => {
        // Also ends an attempt that is still connecting; a destroyed client never comes back.
        connection.client.destroy(new Error('aborted')).catch(() => undefined);
      };
      function finish(result: ExchangeEnd): void {
        options.signal.removeEventListener('abort', abort);
        resolve(result);
      }
      options.signal.addEventListener('abort', abort, { once: true });
      try {
        connection.client.dispatch(
          {
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: hasBody(request) ? request.body : null,
            headersTimeout: 0,
            bodyTimeout: 0,
          },
          exchange,
        );
      } catch (error) {
        exchange.onResponseError(undefined, error instanceof Error ? error : new Error('failed'));
      }
    });
    this.#release(connection, end);
    return end;
  }

  #release(connection: Connection, end: ExchangeEnd): void {
    const isWhole = end.kind === 'answer' && (end.body ?? end.kept) !== undefined;
    const reusable = isWhole && !this.#closed;
    if (reusable && this.#idle.length < idleConnectionsMax) {
      this.#idle.push(connection);
      return;
    }
    this.#open.delete(connection);
    connection.client.destroy().catch(() => undefined);
  }

  #connection(): Connection {
    const connect = buildConnector({ timeout: connectTimeoutMs });
    const client = new Client(this.#origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      allowH2: false,
      connect: (target, done) => {
        connect(target, (error, socket) => {
          connection.socket = socket ?? undefined;
          if (error === null) done(null, socket);
          else done(error, null);
        });
      },
    });
    const connection: Connection = { client, socket: undefined };
    this.#open.add(connection);
    return connection;
  }
}

// A GET with an empty message is a GET without a body; every other method says "zero bytes".
function hasBody({ method, body }: SentRequest): boolean {
  const bodiless = method === 'GET' || method === 'HEAD';
  return !(body instanceof Uint8Array) || body.byteLength > 0 || !bodiless;
}
