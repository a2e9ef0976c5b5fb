// The composition root: the only file that knows every part. It builds them from the settings,
// connects what one part needs with what another offers, starts them in order and stops them in
// the reverse one.

import { createServer } from 'node:net';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk/wire';
import { Broker } from './broker/broker.ts';
import { type Address, isLoopback, showAddress } from './config/address.ts';
import { ensureAdminToken } from './config/admin-token.ts';
import type { Config } from './config/load.ts';
import type { Environment } from './config/places.ts';
import type { Secret } from './config/secret.ts';
import { readTls, type TlsFiles } from './config/tls.ts';
import { version } from './config/version.ts';
import type { Engine } from './engine/engine.ts';
import { LmdbEngine } from './engine/lmdb/engine.ts';
import { claimFolder } from './engine/lmdb/folder.ts';
import { MemoryEngine } from './engine/memory.ts';
import type { Administration } from './http/api/administration.ts';
import { Administrator, type InstanceHost } from './http/api/administrator.ts';
import { createApi } from './http/api/app.ts';
import { pullMetrics } from './http/api/metrics.ts';
import type { Directory, HostedService } from './http/directory.ts';
import { attributesOf } from './http/eas/inspect.ts';
import { createEdge, type Edge, type EdgeBasics } from './http/edge.ts';
import { type Limits, limitsOf } from './http/limit-table.ts';
import { createRootQueue } from './http/root-queue.ts';
import { StreamServer } from './http/stream/server.ts';
import { EndpointDriver } from './instances/endpoint.ts';
import type { Feeder, FeedOrder } from './instances/feeder.ts';
import { InstanceManager } from './instances/manager.ts';
import { ProcessDriver } from './instances/process.ts';
import { infoOf } from './instances/status.ts';
import type { Clock } from './kernel/clock.ts';
import type { Component } from './kernel/component.ts';
import type { Log } from './kernel/log.ts';
import { LoopDelay } from './kernel/loop-delay.ts';
import type { Random } from './kernel/random.ts';
import { Telemetry } from './kernel/telemetry.ts';
import type { DirectoryEntry } from './services/hosted.ts';
import { Registry } from './services/registry.ts';
import { HttpModelClient } from './worker/model-client.ts';
import { Worker } from './worker/worker.ts';

export interface PlatformParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this process; model processes get an allow-listed part of it. */
  readonly environment: Environment;
}

/** How long clients of the stream protocol wait before they come back after a stop. */
const streamRetryMs = 1000;

/** Everything that runs, once it does. */
interface Running {
  readonly adminToken: Secret;
  readonly administration: Administration;
  readonly instances: InstanceManager;
  readonly streams: StreamServer;
  readonly edge: Edge;
  readonly rootQueues: readonly Edge[];
}

export class Platform implements Component {
  readonly #config: Config;
  readonly #parts: PlatformParts;
  readonly #limits: Limits;
  /** What has been started, in order. */
  readonly #started: Component[] = [];
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #tls: TlsFiles | undefined;
  #notReady: string | undefined = 'starting';
  #isDraining = false;

  constructor(config: Config, parts: PlatformParts) {
    this.#config = config;
    this.#parts = parts;
    this.#limits = limitsOf(config.limits);
  }

  /**
   * Resolves when all services are recovered and served. Rejects with `conflict` and a cause of
   * code EADDRINUSE when an address is busy, with `unavailable` when the data folder is; `stop`
   * must be called then too, and a new platform made for another try.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Gives running requests back uncounted, closes every connection, ends every process. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Stops deliveries and resolves when nothing is being worked on, or after `timeoutMs`, when
   * what is left has been given back uncounted. Puts and gets still work. */
  async drain(timeoutMs: number): Promise<void> {
    this.#notReady = 'stopping';
    this.#isDraining = true;
    const { instances, streams, edge, rootQueues } = this.#required();
    for (const each of [edge, ...rootQueues]) each.pauseWatches();
    streams.goodbye('the server is stopping', streamRetryMs);
    await instances.stop({ deadlineMs: timeoutMs });
  }

  /** Where it is reached from this machine. */
  get url(): string {
    return this.#urlOf(this.#required().edge, this.#config.listen);
  }

  /** Where the queues of `rootQueues` are, in the order of the settings. */
  get rootUrls(): readonly string[] {
    const { rootQueues } = this.#required();
    return this.#config.rootQueues.flatMap(({ listen }, at) => {
      const edge = rootQueues[at];
      return edge === undefined ? [] : [this.#urlOf(edge, listen)];
    });
  }

  get adminToken(): Secret {
    return this.#required().adminToken;
  }

  get administration(): Administration {
    return this.#required().administration;
  }

  /** Requests that instances work on now. */
  runningRequests(): number {
    const holding = this.#running?.instances.holding() ?? [];
    return holding.reduce((sum, { feed }) => sum + (feed?.running.length ?? 0), 0);
  }

  /** Ends every model process now, for a process that is about to end at once. */
  kill(): void {
    this.#running?.instances.kill();
  }

  async #start(): Promise<void> {
    const { clock, random, log } = this.#parts;
    this.#tls = await readTls(this.#config.tls);
    await this.#probeAddresses();
    const engine = await this.#openEngine();
    const adminToken = this.#config.adminToken ?? (await this.#ownToken());
    const telemetry = new Telemetry();
    const broker = await this.#begin(new Broker({ engine, clock, random, log }));
    const instances = this.#instances(broker, telemetry);
    // Stopped before the broker, but started last: what a killed server left running is ended
    // first, and the queues need not wait for that.
    this.#started.push(instances);
    const registry = await this.#begin(
      new Registry({
        store: engine,
        queues: broker,
        runtime: instances,
        clock,
        random,
        log,
        openAllowed: this.#isPrivate(),
      }),
    );
    const administration = new Administrator({
      registry,
      queues: broker,
      instances: instanceHost(instances),
      server: () => ({
        name: 'sluice',
        version,
        engine: engine.capabilities.name,
        survivesProcess: engine.capabilities.survivesProcess,
        survivesPower: engine.capabilities.survivesPower,
      }),
      notReady: () => this.#notReady,
      backUp:
        engine instanceof LmdbEngine
          ? ({ path: target, ...how }) => engine.backUp({ target, sluice: version, ...how })
          : undefined,
      deleted: (name) => telemetry.forget(name),
    });
    const loopDelay = await this.#begin(new LoopDelay(clock));
    pullMetrics(telemetry, administration, loopDelay);
    const directory = directoryOf(registry, broker);
    const basics = { directory, backend: engine.capabilities.name, adminToken };
    const edges = await this.#openEdges(basics, administration, telemetry);
    this.#running = { adminToken, administration, instances, ...edges };
    this.#notReady = undefined;
    instances.start().catch((error: unknown) => {
      log.error({ error }, 'instances not started');
      this.#notReady = 'instances could not be started; the log says why';
    });
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#notReady = 'stopping';
    // After a drain this changes nothing; without one open calls are given back at once.
    await this.#running?.instances.stop({ deadlineMs: 0 });
    this.#running?.streams.close();
    // Its answer would keep the edge open until patience ends.
    for (const part of this.#started) if (part instanceof LmdbEngine) part.giveUpBackup();
    for (const component of this.#started.reverse()) await component.stop();
    this.#started.length = 0;
  }

  /** Starts a component and remembers to stop it. One whose start failed is stopped too. */
  async #begin<Part extends Component>(component: Part): Promise<Part> {
    this.#started.push(component);
    await component.start();
    return component;
  }

  // Recovery may take a while: whether the addresses are free is found out before it.
  async #probeAddresses(): Promise<void> {
    const { listen, rootQueues } = this.#config;
    for (const { host, port } of [listen, ...rootQueues.map((queue) => queue.listen)]) {
      if (port === 0) continue;
      const probe = createServer();
      await new Promise<void>((resolve, reject) => {
        probe.once('error', reject);
        probe.listen(port, host, () => probe.close(() => resolve()));
      });
    }
  }

  async #openEngine(): Promise<Engine> {
    const { clock, log } = this.#parts;
    const folder = this.#config.dataFolder;
    if (this.#config.engine === 'lmdb') {
      return this.#begin(new LmdbEngine({ folder, clock, log }));
    }
    // The admin token and the instances' files lie in the folder whatever keeps the messages.
    const claim = await claimFolder(folder);
    this.#started.push({ start: async () => undefined, stop: () => claim.release() });
    return this.#begin(new MemoryEngine());
  }

  async #ownToken(): Promise<Secret> {
    const { random, log } = this.#parts;
    const folder = join(this.#config.dataFolder, 'admin');
    const { token, wasExposed } = await ensureAdminToken(folder, random);
    if (wasExposed) log.warn({ folder }, 'admin token could be read by others');
    return token;
  }

  async #openEdges(
    basics: { directory: Directory; backend: string; adminToken: Secret },
    administration: Administration,
    telemetry: Telemetry,
  ): Promise<{ streams: StreamServer; edge: Edge; rootQueues: readonly Edge[] }> {
    const { clock, random, log } = this.#parts;
    const { directory, backend } = basics;
    const adminToken = basics.adminToken.reveal();
    const streams = new StreamServer({
      directory,
      clock,
      random,
      log,
      adminToken,
      agent: `sluice/${version}`,
      describe: (service, view) => attributesOf(service, view, { backend }),
      limits: this.#limits.stream,
    });
    const api = await this.#begin(createApi({ administration, adminToken, telemetry, log }));
    const common = { directory, backend, adminToken };
    const rootQueues: Edge[] = [];
    for (const { service, listen } of this.#config.rootQueues) {
      const options = this.#edgeBasics(common, listen);
      rootQueues.push(await this.#begin(createRootQueue({ ...options, service })));
    }
    const edge = await this.#begin(
      createEdge({
        ...this.#edgeBasics(common, this.#config.listen),
        stream: (_request, connection) => {
          // A client that comes back during a drain would be given work again.
          if (this.#isDraining) connection.close(1001, 'the server is stopping');
          else streams.accept(connection);
        },
        fallback: (request, response) => api.handle(request, response),
      }),
    );
    return { streams, edge, rootQueues };
  }

  #edgeBasics(
    common: { directory: Directory; backend: string; adminToken: string },
    listen: Address,
  ): EdgeBasics {
    const { clock, random, log } = this.#parts;
    const { allowHosts, allowOrigins } = this.#config;
    return {
      ...common,
      clock,
      random,
      log,
      host: listen.host,
      port: listen.port,
      tls: this.#tls,
      access: { loopback: isLoopback(listen.host), allowHosts, allowOrigins },
      // Whoever starts the server sees that an address is busy, and tries again.
      limits: { ...this.#limits.edge, bindRetryMs: 0 },
    };
  }

  #instances(broker: Broker, telemetry: Telemetry): InstanceManager {
    const { clock, random, log, environment } = this.#parts;
    const folder = join(this.#config.dataFolder, 'instances');
    return new InstanceManager({
      drivers: {
        process: new ProcessDriver({ folder, environment, clock, log }),
        endpoint: new EndpointDriver(),
      },
      makeFeeder: (order) => this.#feeder(order, broker, telemetry),
      clock,
      random,
      log,
    });
  }

  /** The worker of one instance. */
  #feeder(order: FeedOrder, broker: Broker, telemetry: Telemetry): Feeder {
    const { clock, random, log } = this.#parts;
    const { service, instance, url, settings, cutGraceMs } = order;
    const queues = broker.find(service);
    if (queues === undefined) throw new Error(`instance ${instance} has no queues`);
    const model = new HttpModelClient({ origin: url.origin, clock });
    const worker = new Worker({
      service,
      instance,
      source: queues,
      model,
      basePath: url.pathname,
      settings,
      answerBytesMax: () => queues.view('sink').payloadBytesMax,
      cutGraceMs,
      clock,
      random,
      log: log.child({ service, instance }),
      observe: ({ durationMs, outcome }) =>
        telemetry.inferenceDone(service, outcome, durationMs / 1000),
    });
    return worker;
  }

  /** Whether only this machine reaches any of the addresses: open services are possible then. */
  #isPrivate(): boolean {
    const { listen, rootQueues } = this.#config;
    return [listen, ...rootQueues.map((queue) => queue.listen)].every(({ host }) =>
      isLoopback(host),
    );
  }

  // An address such as 0.0.0.0 is one to listen on, not one to call.
  #urlOf(edge: Edge, listen: Address): string {
    const isAny = listen.host === '0.0.0.0' || listen.host === '::';
    const host = isAny ? '127.0.0.1' : listen.host;
    const scheme = this.#config.tls === undefined ? 'http' : 'https';
    return `${scheme}://${showAddress({ host, port: edge.address().port })}`;
  }

  #required(): Running {
    if (this.#running === undefined) throw new Error('the platform is not running');
    return this.#running;
  }
}

/** Services with their queues, as the edges look them up for every request. */
function directoryOf(registry: Registry, broker: Broker): Directory {
  const known = new WeakMap<DirectoryEntry, HostedService>();
  return {
    find(name) {
      const entry = registry.find(name);
      if (entry === undefined) return undefined;
      const queues = broker.find(name);
      const before = known.get(entry);
      if (before !== undefined && before.queues === queues) return before;
      if (queues === undefined) {
        const reason = entry.stopped ?? `the queues of ${name} are not open`;
        throw new PlatformError('unavailable', reason, { retryAfterMs: 1000 });
      }
      const service: HostedService = { ...entry, queues };
      known.set(entry, service);
      return service;
    },
  };
}

function instanceHost(instances: InstanceManager): InstanceHost {
  return {
    list: (service) => instances.status(service).map(infoOf),
    logs: (service, instance, request) => instances.logs(service, instance, request),
  };
}
