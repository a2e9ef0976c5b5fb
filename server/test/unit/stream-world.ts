// A small world for the stream protocol: the real broker on the memory engine, the server's handler
// and the SDK's client, joined by pairs of connections in memory that a test can cut or stall.

import {
  type Client,
  type ClientPlatform,
  type ClientSocket,
  type ConnectOptions,
  connect,
  connectWork,
  type SocketEvents,
  type WorkClient,
} from '@sluice/sdk';
import { type EndedCall, PlatformError, type WorkerReport } from '@sluice/sdk/wire';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { Connection } from '../../src/http/connection.ts';
import type { HostedService, ServiceToken, TokenScope } from '../../src/http/directory.ts';
import { attributesOf } from '../../src/http/eas/inspect.ts';
import type { ServiceTerms } from '../../src/http/stream/calls.ts';
import type { FollowedRequests } from '../../src/http/stream/follows.ts';
import { JoinedWorkers } from '../../src/http/stream/joined.ts';
import type { StreamLimits } from '../../src/http/stream/limits.ts';
import { StreamServer } from '../../src/http/stream/server.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type Random, systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { RequestDesk } from '../../src/requests/desk.ts';
import { EventBook } from '../../src/requests/events/event-book.ts';
import { followRequest } from '../../src/requests/events/follow.ts';
import { version } from '../../src/requests/version.ts';
import { nothingTold } from './request-world.ts';

export const service = 'ocr';
export const mainToken = 'main-token';

/** What the service wants of workers elsewhere. */
export const terms: ServiceTerms = {
  revision: 7,
  window: 3,
  keepaliveMs: 600_000,
  path: '/read',
  paths: ['/v2', '/v3'],
  method: 'POST',
  contentType: 'image/png',
  retryStatuses: [500, 502],
  releaseAfterMs: 30_000,
  keptBytesMax: 2 ** 30,
  input: 'bytes',
};

/** How a worker elsewhere says it is. */
export const report: WorkerReport = {
  source: 'endpoint',
  host: 'gpu-box',
  pid: 42,
  version: '1.2.3',
  state: 'Running',
  reason: '',
  address: 'http://127.0.0.1:9000',
  window: 3,
  restarts: 0,
  startedAt: 1_700_000_000_000,
  revision: 7,
  lastExit: null,
  calls: [],
  callsBefore: 0,
  replaced: 0,
};

export interface StreamWorldOptions {
  readonly settings?: Partial<ServiceSettings>;
  readonly limits?: Partial<StreamLimits>;
  readonly clock?: Clock;
  readonly random?: Random;
}

export class StreamWorld {
  readonly links: MemoryLink[] = [];
  readonly tokens: ServiceToken[] = [{ name: 'main', secret: mainToken, scopes: undefined }];
  readonly #broker: Broker;
  readonly #streams: StreamServer;
  readonly #clients: { close(): Promise<void> }[] = [];
  readonly joined: JoinedWorkers;
  readonly book: EventBook;
  readonly desk: RequestDesk;
  /** Calls to models that workers told of. */
  readonly called: [service: string, call: EndedCall][] = [];
  stopped: string | undefined;
  /** New connections are refused. */
  isDown = false;
  queues: Queues;

  private constructor(parts: {
    readonly broker: Broker;
    readonly queues: Queues;
    readonly clock: Clock;
    readonly random: Random;
    readonly limits: Partial<StreamLimits>;
  }) {
    this.#broker = parts.broker;
    this.queues = parts.queues;
    const called = (name: string, call: EndedCall) => void this.called.push([name, call]);
    this.joined = new JoinedWorkers({ clock: parts.clock, log: silentLog, called });
    const { clock } = parts;
    const book = new EventBook(clock);
    const times = { callbackMs: 0, retentionMs: () => 0, clock };
    const desk = new RequestDesk({ find: () => this.queues, tell: () => nothingTold, ...times });
    this.book = book;
    this.desk = desk;
    const followed: FollowedRequests = {
      view: (name, id) => desk.view(name, id),
      follow: (name, id, after, signal) =>
        followRequest({ requests: desk, book, version, service: name, id, after, signal }),
    };
    this.#streams = new StreamServer({
      directory: { find: (name) => (name === service ? this.#hosted() : undefined) },
      clock: parts.clock,
      random: parts.random,
      log: silentLog,
      adminToken: undefined,
      agent: 'test',
      describe: (name, view) => attributesOf(name, view, { backend: 'memory' }),
      workers: { joined: this.joined, terms: () => terms },
      requests: {
        add: (request, notes, from) => book.add(request, notes, from),
        end: (request) => book.end(request),
        followed,
      },
      limits: parts.limits,
    });
  }

  static async open(options: StreamWorldOptions = {}): Promise<StreamWorld> {
    const { clock = systemClock, random = systemRandom } = options;
    const engine = new MemoryEngine();
    await engine.start();
    const broker = new Broker({ engine, clock, random, log: silentLog });
    await broker.start();
    const settings = { ...defaultSettings, ...options.settings };
    const queues = await broker.open({ number: 1, name: service, settings });
    return new StreamWorld({ broker, queues, clock, random, limits: options.limits ?? {} });
  }

  get streams(): StreamServer {
    return this.#streams;
  }

  addToken(name: string, scopes: readonly TokenScope[]): string {
    const secret = `${name}-token`;
    this.tokens.push({ name, secret, scopes: new Set(scopes) });
    return secret;
  }

  /** The SDK's client over connections in memory. */
  async connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const platform = { openSocket: this.#openSocket, ...options.platform };
    const client = await connect('http://memory', {
      service,
      token: mainToken,
      ...options,
      platform,
    });
    this.#clients.push(client);
    return client;
  }

  /** A worker's client over connections in memory. */
  async work(instance: string): Promise<WorkClient> {
    const platform = { openSocket: this.#openSocket };
    const who = { service, token: mainToken, instance, agent: 'test' };
    const client = await connectWork('http://memory', { ...who, platform });
    this.#clients.push(client);
    return client;
  }

  /** A connection for a test that speaks the protocol by itself. */
  raw(events: SocketEvents): MemoryLink {
    const link = new MemoryLink(events);
    this.links.push(link);
    this.#streams.accept(link.server);
    return link;
  }

  /** Cuts every connection that is open now. */
  cutAll(): void {
    for (const link of this.links.splice(0)) link.cut();
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    this.#streams.close();
    await this.#broker.stop();
  }

  readonly #openSocket: ClientPlatform['openSocket'] = async (_url, _headers, events) => {
    if (this.isDown) throw new PlatformError('unavailable', 'the server is down');
    return this.raw(events).client;
  };

  #hosted(): HostedService {
    const { queues, stopped, tokens } = this;
    return { name: service, queues, open: false, stopped, tokens };
  }
}

/** Two ends of one connection in memory. Messages arrive in a later turn, in order. */
export class MemoryLink {
  readonly client: ClientSocket;
  readonly server: Connection;
  readonly #events: SocketEvents;
  #toServer: (bytes: Uint8Array) => void = () => undefined;
  readonly #closeListeners: (() => void)[] = [];
  readonly #drainListeners: (() => void)[] = [];
  #buffered = 0;
  #isClosed = false;
  /** What the client does not read for now. */
  #stalled: Uint8Array[] | undefined;
  /** Bytes of the messages that went to the client. */
  sent = 0;

  constructor(events: SocketEvents) {
    this.#events = events;
    this.client = {
      send: (bytes) => this.#later(() => this.#toServer(bytes)),
      close: (code, reason) => this.#later(() => this.#close(code, reason)),
      terminate: () => this.#close(1006, ''),
      pause: () => undefined,
      resume: () => undefined,
    };
    this.server = {
      send: (bytes) => this.#sendToClient(bytes),
      close: (code, reason) => this.#later(() => this.#close(code, reason)),
      buffered: () => this.#buffered,
      onMessage: (listener) => {
        this.#toServer = listener;
      },
      onDrain: (listener) => this.#drainListeners.push(listener),
      onClose: (listener) => this.#closeListeners.push(listener),
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Loses the connection and everything that is on its way. */
  cut(): void {
    this.#close(1006, 'cut');
  }

  /** The client reads nothing more until `flow`. */
  stall(): void {
    this.#stalled ??= [];
  }

  flow(): void {
    const stalled = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const bytes of stalled) this.#arrive(bytes);
  }

  #sendToClient(bytes: Uint8Array): boolean {
    if (this.#isClosed) return false;
    this.#buffered += bytes.length;
    this.sent += bytes.length;
    this.#later(() => {
      if (this.#stalled === undefined) this.#arrive(bytes);
      else this.#stalled.push(bytes);
    });
    return true;
  }

  #arrive(bytes: Uint8Array): void {
    this.#buffered -= bytes.length;
    this.#events.message(bytes);
    if (this.#buffered === 0) for (const listener of this.#drainListeners) listener();
  }

  #close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#closeListeners) listener();
    this.#events.closed(code, reason);
  }

  #later(run: () => void): void {
    setImmediate(() => {
      if (!this.#isClosed) run();
    });
  }
}
