// The world of the edge's tests: an edge on a free port, with services whose queues are real or
// written by the test, a plain HTTP client, and a raw socket that sees every byte.

import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Queues } from '../../src/broker/queues.ts';
import type { AccessSettings } from '../../src/http/access.ts';
import type { HostedService } from '../../src/http/directory.ts';
import { createEdge, type Edge, type EdgeOptions } from '../../src/http/edge.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';

export const token = 'token-of-the-service';

export const loopbackAccess: AccessSettings = {
  loopback: true,
  allowHosts: [],
  allowOrigins: [],
};

const cleanups: (() => Promise<void> | void)[] = [];

/** Runs `cleanup` when the test is over, the last one first. */
export function atEnd(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

/** To be called after each test. */
export async function closeWorld(): Promise<void> {
  for (let last = cleanups.pop(); last !== undefined; last = cleanups.pop()) await last();
}

/** A service around queues, with one main token. */
export function serviceOf(queues: Queues, changes: Partial<HostedService> = {}): HostedService {
  return {
    name: 'svc',
    queues,
    open: false,
    stopped: undefined,
    tokens: [{ name: 'main', secret: token, scopes: undefined }],
    ...changes,
  };
}

/** Queues of which a test plays only what it needs. */
export function scripted(played: Partial<Queues>): Queues {
  const silent = (): never => {
    throw new Error('this test does not play that');
  };
  return {
    service: 'svc',
    put: silent,
    get: silent,
    count: silent,
    search: silent,
    view: silent,
    payloadBytesMax: () => 8192,
    counters: silent,
    commit: silent,
    negative: silent,
    delete: silent,
    truncate: silent,
    end: silent,
    reopen: silent,
    watch: silent,
    complete: silent,
    commitDelivery: silent,
    giveBack: silent,
    freed: silent,
    touch: silent,
    progress: silent,
    leaseOf: silent,
    checkpoint: silent,
    checkpointOf: silent,
    get requests() {
      return silent();
    },
    ...played,
  };
}

/** What `createEdge` is given when a test does not care. */
export function edgeOptions(
  services: readonly HostedService[],
  changes: Partial<EdgeOptions> = {},
): EdgeOptions {
  return {
    directory: { find: (name) => services.find((each) => each.name === name) },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    backend: 'memory',
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    access: loopbackAccess,
    adminToken: undefined,
    stream: undefined,
    fallback: (_request, response) => response.writeHead(404).end('fallback'),
    ...changes,
  };
}

/** Starts an edge that is stopped when the test is over. */
export async function startEdge(
  services: readonly HostedService[],
  changes: Partial<EdgeOptions> = {},
): Promise<{ readonly edge: Edge; readonly port: number }> {
  const limits = { stopMs: 500, ...changes.limits };
  const edge = createEdge({ ...edgeOptions(services, changes), limits });
  atEnd(() => edge.stop());
  await edge.start();
  return { edge, port: edge.address().port };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** One request on a connection of its own, with the service's token unless told otherwise. */
export function call(port: number, path: string, options: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', body } = options;
    const headers: Record<string, string> = { authorization: token, ...options.headers };
    if (body !== undefined) headers['content-length'] ??= String(Buffer.byteLength(body));
    const host = '127.0.0.1';
    const request = httpRequest({ host, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        const { statusCode = 0 } = response;
        resolve({
          status: statusCode,
          headers: response.headers,
          body: whole,
          text: whole.toString(),
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The other end of one connection, byte by byte. */
export class Peer {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async connect(port: number): Promise<Peer> {
    const socket = connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    const peer = new Peer(socket);
    atEnd(() => void socket.destroy());
    return peer;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** Sends lines as the head of a request, with the service's token. */
  head(...lines: string[]): void {
    this.send(`${[...lines, 'Host: localhost', `Authorization: ${token}`].join('\r\n')}\r\n\r\n`);
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Resolves when what came satisfies `enough`; rejects when the connection ends before. */
  async until(enough: string | ((peer: Peer) => boolean)): Promise<void> {
    const test = typeof enough === 'string' ? () => this.text.includes(enough) : () => enough(this);
    while (!test()) {
      if (this.#closed) throw new Error(`closed; received: ${this.text.slice(0, 500)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async closed(): Promise<void> {
    while (!this.#closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }
}

/** A promise and the means to settle it. */
export function signal<Value = void>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
