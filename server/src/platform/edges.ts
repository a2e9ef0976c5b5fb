// What listens: the edge with every protocol, the stream server and the administrative API behind
// it, and the addresses that have one service's queues at their root.

import { PlatformError } from '@sluice/sdk/wire';
import type { Broker } from '../broker/broker.ts';
import { type Address, isLoopback, showAddress } from '../config/address.ts';
import type { Config } from '../config/load.ts';
import type { TlsFiles } from '../config/tls.ts';
import { version } from '../config/version.ts';
import type { Administration } from '../http/api/administration.ts';
import type { EventHost } from '../http/api/routes/events.ts';
import type { WebhookHost } from '../http/api/routes/webhooks.ts';
import type { Directory, HostedService } from '../http/directory.ts';
import type { Edge, EdgeBasics, RequestService } from '../http/edge.ts';
import type { Limits } from '../http/limit-table.ts';
import type { BodyHost } from '../http/spill.ts';
import type { WorkerDesk } from '../http/stream/calls.ts';
import type { StreamRequests } from '../http/stream/follows.ts';
import type { StreamServer } from '../http/stream/server.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { DirectoryEntry } from '../services/hosted.ts';
import type { Registry } from '../services/registry.ts';
import { edgeCode } from './edge-code.ts';

export interface EdgesOptions {
  readonly config: Config;
  readonly limits: Limits;
  readonly tls: TlsFiles | undefined;
  readonly directory: Directory;
  /** Name of the engine. */
  readonly backend: string;
  readonly adminToken: string;
  readonly administration: Administration;
  readonly events: EventHost;
  readonly webhooks: WebhookHost;
  /** What the request API serves. */
  readonly requests?: RequestService & {
    readonly streams: StreamRequests;
    readonly store: BodyHost;
  };
  readonly workers: WorkerDesk;
  /** Aborted: the server is about to stop, and answers that go on for ever end. */
  readonly closing: AbortSignal;
  readonly telemetry: Telemetry;
  /** Whether the server is about to stop: a client that comes back then is sent away. */
  readonly isDraining: () => boolean;
  /** Starts a part and remembers to stop it. */
  readonly begin: <Part extends Component>(component: Part) => Promise<Part>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Edges {
  readonly streams: StreamServer;
  readonly edge: Edge;
  /** In the order of the settings. */
  readonly rootQueues: readonly Edge[];
}

/** Resolves when every address is served. */
export async function openEdges(options: EdgesOptions): Promise<Edges> {
  const { config, limits, directory, backend, adminToken, begin } = options;
  const { clock, random, log } = options;
  const code = await edgeCode();
  const streams = new code.StreamServer({
    directory,
    clock,
    random,
    log,
    adminToken,
    agent: `sluice/${version}`,
    describe: (service, view) => code.attributesOf(service, view, { backend }),
    workers: options.workers,
    store: options.requests?.store,
    requests: options.requests?.streams,
    limits: limits.stream,
  });
  const api = await begin(code.createApi(options));
  const rootQueues: Edge[] = [];
  for (const { service, listen } of config.rootQueues) {
    const basics = edgeBasics(options, listen);
    rootQueues.push(await begin(code.createRootQueue({ ...basics, service })));
  }
  const edge = await begin(
    code.createEdge({
      ...edgeBasics(options, config.listen),
      requests: options.requests,
      stream: (_request, connection) => {
        // A client that comes back during a drain would be given work again.
        if (options.isDraining()) connection.close(1001, 'the server is stopping');
        else streams.accept(connection);
      },
      fallback: (request, response) => api.handle(request, response),
    }),
  );
  return { streams, edge, rootQueues };
}

function edgeBasics(options: EdgesOptions, listen: Address): EdgeBasics {
  const { config, limits, tls, directory, backend, adminToken, clock, random, log } = options;
  const store = options.requests?.store;
  const { allowHosts, allowOrigins } = config;
  return {
    directory,
    store,
    backend,
    adminToken,
    clock,
    random,
    log,
    host: listen.host,
    port: listen.port,
    tls,
    access: { loopback: isLoopback(listen.host), allowHosts, allowOrigins },
    // Whoever starts the server sees that an address is busy, and tries again.
    limits: { ...limits.edge, bindRetryMs: 0 },
  };
}

/** Whether only this machine reaches any of the addresses: open services are possible then. */
export function isPrivate({ listen, rootQueues }: Config): boolean {
  return [listen, ...rootQueues.map((queue) => queue.listen)].every(({ host }) => isLoopback(host));
}

/** Where an edge is reached from this machine. An address such as 0.0.0.0 is one to listen on,
 * not one to call. */
export function urlOf(edge: Edge, listen: Address, hasTls: boolean): string {
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const host = isAny ? '127.0.0.1' : listen.host;
  const scheme = hasTls ? 'https' : 'http';
  return `${scheme}://${showAddress({ host, port: edge.address().port })}`;
}

/** Services with their queues, as the edges look them up for every request. */
export function directoryOf(registry: Registry, broker: Broker): Directory {
  const known = new WeakMap<DirectoryEntry, HostedService>();
  return {
    find(name) {
      const entry = registry.find(name);
      if (entry === undefined) return undefined;
      const queues = broker.find(name) ?? registry.resting(name);
      const before = known.get(entry);
      if (before !== undefined && before.queues === queues) return before;
      if (queues === undefined) {
        const reason = entry.stopped ?? `the queues of ${name} are not open`;
        throw new PlatformError('unavailable', reason, { retryAfterMs: 1000 });
      }
      const service: HostedService = { ...entry, ...settingsOf(entry), queues };
      known.set(entry, service);
      return service;
    },
  };
}

/** What the request API has to know of a service's settings. */
function settingsOf({ requests }: DirectoryEntry): Partial<HostedService> {
  if (requests === undefined) return {};
  const { bytesMax: bodyBytesMax, resultBytesMax: keptBytesMax, onLeave } = requests;
  return { bodyBytesMax, keptBytesMax, onLeave };
}
