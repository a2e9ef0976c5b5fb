// The composition root: only it and the files of platform/ know every part. It builds them from the
// settings, connects what one part needs with what another offers, starts them in order and stops
// them in the reverse one.

import { createServer } from 'node:net';
import { join } from 'node:path';
import type { EndedCall } from '@sluice/sdk/wire';
import type { Scaler } from './autoscaler/scaler.ts';
import { Broker, type BrokerOptions } from './broker/broker.ts';
import type { Callbacks } from './callbacks/callbacks.ts';
import { ensureAdminToken } from './config/admin-token.ts';
import type { Config } from './config/load.ts';
import type { Environment } from './config/places.ts';
import type { Secret } from './config/secret.ts';
import { readTls } from './config/tls.ts';
import { version } from './config/version.ts';
import type { Engine } from './engine/engine.ts';
import { LmdbEngine } from './engine/lmdb/engine.ts';
import { claimFolder } from './engine/lmdb/folder.ts';
import { MemoryEngine } from './engine/memory.ts';
import { EventLog } from './events/event-log.ts';
import type { Administration } from './http/api/administration.ts';
import { Administrator } from './http/api/administrator.ts';
import { pullMetrics } from './http/api/metrics.ts';
import {
  defaultModelLimits,
  defaultStoreLimits,
  type Limits,
  limitsOf,
} from './http/limit-table.ts';
import type { WorkerDesk } from './http/stream/calls.ts';
import type { InstanceManager } from './instances/manager.ts';
import type { Clock } from './kernel/clock.ts';
import type { Component } from './kernel/component.ts';
import type { Log } from './kernel/log.ts';
import { LoopDelay } from './kernel/loop-delay.ts';
import type { Random } from './kernel/random.ts';
import { Telemetry } from './kernel/telemetry.ts';
import type { ModelCache } from './models/store.ts';
import { Bodies } from './platform/bodies.ts';
import { CallbackHub, createCallbacks } from './platform/callbacks.ts';
import { loadEdgeCode } from './platform/edge-code.ts';
import { directoryOf, type Edges, isPrivate, openEdges, urlOf } from './platform/edges.ts';
import { Following } from './platform/following.ts';
import { launchDesk } from './platform/launches.ts';
import { createModelCache } from './platform/models.ts';
import { createRequestService } from './platform/request-service.ts';
import { createInstances, instanceHost } from './platform/runtime.ts';
import { countCall, createScaler, noticing } from './platform/scaling.ts';
import { withJoined, workerDesk } from './platform/workers.ts';
import type { EventBook } from './requests/events/event-book.ts';
import type { QueueHost } from './services/ports.ts';
import { Registry } from './services/registry.ts';

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
interface Running extends Edges {
  readonly adminToken: Secret;
  readonly administration: Administration;
  readonly instances: InstanceManager;
  readonly scaler: Scaler;
  readonly requests: ReturnType<typeof createRequestService>;
}

/** What the administrative API looks at. */
interface KnownParts {
  readonly bodies: Bodies;
  readonly engine: Engine;
  readonly registry: Registry;
  readonly broker: Broker;
  readonly callbacks: Callbacks;
  readonly instances: InstanceManager;
  readonly events: EventLog;
  readonly book: EventBook;
  readonly telemetry: Telemetry;
  readonly workers: WorkerDesk;
  readonly scaler: Scaler;
  readonly requests: ReturnType<typeof createRequestService>;
}

const ignore = (): void => undefined;

export class Platform implements Component {
  readonly #config: Config;
  readonly #parts: PlatformParts;
  readonly #limits: Limits;
  /** What has been started, in order. */
  readonly #started: Component[] = [];
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #notReady: string | undefined = 'starting';
  #isDraining = false;
  readonly #closing = new AbortController();
  readonly #turned: Required<BrokerOptions>['turned'] = (service, changes) =>
    this.#running?.requests.turned(service, changes);

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
    const { instances, scaler, streams, edge, rootQueues } = this.#required();
    await scaler.stop();
    for (const each of [edge, ...rootQueues]) each.pauseWatches();
    streams.goodbye('the server is stopping', streamRetryMs);
    await instances.stop({ deadlineMs: timeoutMs });
  }

  /** Where it is reached from this machine. */
  get url(): string {
    const { listen, tls } = this.#config;
    return urlOf(this.#required().edge, listen, tls !== undefined);
  }

  /** Where the queues of `rootQueues` are, in the order of the settings. */
  get rootUrls(): readonly string[] {
    const { rootQueues } = this.#required();
    const hasTls = this.#config.tls !== undefined;
    return this.#config.rootQueues.flatMap(({ listen }, at) => {
      const edge = rootQueues[at];
      return edge === undefined ? [] : [urlOf(edge, listen, hasTls)];
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
    const { clock, random, log, environment } = this.#parts;
    const tls = await readTls(this.#config.tls);
    await this.#probeAddresses();
    const engine = await this.#openEngine();
    const adminToken = this.#config.adminToken ?? (await this.#ownToken());
    const telemetry = new Telemetry();
    const { dataFolder } = this.#config;
    const eventLog = new EventLog({ folder: join(dataFolder, 'events'), clock, log });
    const events = await this.#begin(eventLog);
    const options = { engine, clock, random, log, record: events.record };
    const bodies = await this.#openBodies();
    const own = { ...options, turned: this.#turned, files: bodies };
    const broker = await this.#begin(new Broker(own));
    const callbacks = await this.#begin(createCallbacks({ ...options, dataFolder }));
    const hub = new CallbackHub(callbacks, log);
    const launches = launchDesk();
    const called = (service: string, call: EndedCall): void => {
      countCall(service, call, { telemetry, ...this.#running });
    };
    const following = await this.#begin(new Following({ clock, random, log }));
    const instances = createInstances({
      launches,
      following,
      bodies,
      models: await this.#begin(this.#modelCache()),
      called,
      dataFolder,
      broker,
      record: events.record,
      capacity: this.#config.capacity,
      ...this.#parts,
    });
    // Stopped before the broker, but started last: what a killed server left running is taken over
    // or ended first, and the queues need not wait for that.
    this.#started.push(instances);
    const queues = hub.noticing(broker);
    const registry = await this.#openRegistry({ engine, queues, instances, events });
    launches.open(registry);
    bodies.open(registry, broker);
    hub.open(registry);
    events.keep(registry.list().map(({ name }) => name));
    const workers = workerDesk({ registry, record: events.record, called, clock, log });
    const scaler = createScaler({ ...options, registry, broker, instances, environment });
    this.#started.push(scaler);
    const { book } = following;
    const directory = directoryOf(registry, broker);
    const looks = { ...options, registry, broker, directory, instances, following, callbacks, hub };
    const requests = createRequestService({ ...looks, bodies });
    const seen = { engine, registry, broker, callbacks, instances, events, book, telemetry };
    const administration = this.#administrator({ ...seen, bodies, workers, scaler, requests });
    const loopDelay = await this.#begin(new LoopDelay(clock));
    pullMetrics(telemetry, { ...seen, administration, loopDelay, requests: requests.meters });
    const edges = await openEdges({
      config: this.#config,
      limits: this.#limits,
      tls,
      directory,
      requests,
      backend: engine.capabilities.name,
      adminToken: adminToken.reveal(),
      administration,
      events,
      webhooks: callbacks,
      workers,
      closing: this.#closing.signal,
      telemetry,
      isDraining: () => this.#isDraining,
      begin: (component) => this.#begin(component),
      ...this.#parts,
    });
    this.#running = { adminToken, administration, instances, scaler, requests, ...edges };
    this.#notReady = undefined;
    this.#startInstances(instances, scaler);
  }

  #openBodies(): Promise<Bodies> {
    const most = { ...defaultStoreLimits, ...this.#limits.bodies };
    const { dataFolder } = this.#config;
    return this.#begin(new Bodies({ dataFolder, ...most, ...this.#parts }));
  }

  #modelCache(): ModelCache {
    const { dataFolder, modelAllow } = this.#config;
    const limits = { ...defaultModelLimits, ...this.#limits.models };
    return createModelCache({ dataFolder, allow: modelAllow, limits, ...this.#parts });
  }

  #openRegistry(parts: {
    readonly engine: Engine;
    readonly queues: QueueHost;
    readonly instances: InstanceManager;
    readonly events: EventLog;
  }): Promise<Registry> {
    const { engine, queues, instances, events } = parts;
    return this.#begin(
      new Registry({
        store: engine,
        queues,
        runtime: noticing(instances, (service) => this.#running?.scaler.changed(service)),
        ...this.#parts,
        openAllowed: isPrivate(this.#config),
        record: events.record,
      }),
    );
  }

  #startInstances(instances: InstanceManager, scaler: Scaler): void {
    const begun = instances.start().then(() => scaler.start());
    begun.catch((error: unknown) => {
      this.#parts.log.error({ error }, 'instances not started');
      this.#notReady = 'instances could not be started; the log says why';
    });
  }

  #administrator(known: KnownParts): Administrator {
    const {
      engine,
      bodies,
      registry,
      broker,
      callbacks,
      instances,
      events,
      book,
      telemetry,
      workers,
      scaler,
      requests,
    } = known;
    const { name, survivesProcess, survivesPower } = engine.capabilities;
    const facts = { engine: name, survivesProcess, survivesPower };
    const startedAt = new Date(this.#parts.clock.now().wall).toISOString();
    return new Administrator({
      registry,
      queues: broker,
      instances: withJoined(instanceHost(instances), workers, broker),
      scaler: (service) => scaler.view(service),
      server: () => ({ name: 'sluice', version, startedAt, ...facts }),
      notReady: () => this.#notReady,
      backUp:
        engine instanceof LmdbEngine
          ? ({ path: target, ...how }) =>
              bodies.during(() => engine.backUp({ target, sluice: version, ...how }))
          : undefined,
      deleted: (service) => {
        events.gone(service);
        workers.joined.deleted(service);
        book.deleted(service);
        requests.deleted(service);
        return Promise.all([telemetry.forget(service), callbacks.forget(service)]).then(ignore);
      },
    });
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#notReady = 'stopping';
    // After a drain this changes nothing; without one open calls are given back at once.
    await this.#running?.instances.stop({ deadlineMs: 0 });
    this.#running?.streams.close();
    // These answers would keep the edge open until patience ends.
    this.#closing.abort();
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
    loadEdgeCode();
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

  #required(): Running {
    if (this.#running === undefined) throw new Error('the platform is not running');
    return this.#running;
  }
}
