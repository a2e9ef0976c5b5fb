// Workers on other machines, as they say they are: one entry for each that feeds an instance of a
// service over a connection of the stream protocol. Nothing here rules: what such a worker holds,
// the queues know. An entry outlives its connection for a while, so that a cut is seen as one.

import { type InstanceInfo, PlatformError, type WorkerReport } from '@sluice/sdk/wire';
import type { Identity } from '../../broker/queues.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { RecordEvent, ServiceEvent } from '../../kernel/events.ts';
import type { Log } from '../../kernel/log.ts';

export interface JoinedOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where joining, leaving and losing a worker are recorded. */
  readonly record?: RecordEvent | undefined;
}

interface Entry {
  readonly service: string;
  readonly instance: string;
  report: WorkerReport;
  /** The connection that speaks for it; undefined: it is lost. */
  home: object | undefined;
  /** Both clocks at which the connection was lost. */
  lostAt: { readonly wall: number; readonly mono: number };
}

/** How long a worker whose connection is lost is still shown. */
const shownMs = 60_000;
/** Lost ones that are shown, most. */
const lostMax = 1000;
/** Workers of one service, most. */
const workersMax = 1000;

export class JoinedWorkers {
  readonly #options: JoinedOptions;
  readonly #services = new Map<string, Map<string, Entry>>();
  /** By the connection that speaks for them. */
  readonly #homes = new Map<object, Set<Entry>>();
  /** In the order in which they were lost. */
  readonly #lost = new Set<Entry>();

  constructor(options: JoinedOptions) {
    this.#options = options;
  }

  /** A worker says how it is over the connection `home`. Throws `bad_request` when it is not of
   * the service's own group, which alone works. */
  report(service: string, by: Identity, report: WorkerReport, home: object): void {
    if (by.gid !== service) {
      const text = `a worker of ${service} is of the group ${service}, not of ${by.gid}`;
      throw new PlatformError('bad_request', text);
    }
    this.#forget();
    const known = this.#services.get(service)?.get(by.uid);
    if (known === undefined) {
      const entry = this.#add(service, by.uid, report);
      this.#settle(entry, home);
      this.#tell(entry, 'joined', `joined from ${report.host}${atAddress(report)}`);
      return;
    }
    const before = known.report;
    const wasLost = known.home === undefined;
    known.report = report;
    this.#settle(known, home);
    if (wasLost) this.#tell(known, 'back', 'is connected again');
    if (before.state !== report.state) this.#tell(known, 'state', stateText(report));
  }

  /** A connection is lost; its workers may come back. */
  lost(home: object): void {
    this.#forget();
    for (const entry of this.#leave(home)) {
      entry.home = undefined;
      entry.lostAt = this.#options.clock.now();
      this.#lost.add(entry);
      this.#tell(entry, 'lost', `lost its connection; ${entry.report.host} may come back`);
    }
  }

  /** A client has left for good. */
  left(home: object): void {
    for (const entry of this.#leave(home)) {
      this.#remove(entry);
      this.#tell(entry, 'left', `left; it was on ${entry.report.host}`);
    }
  }

  /** The workers that have joined a service; `busyOf` says how many slots of one are taken. */
  list(service: string, busyOf: (instance: string) => number): readonly InstanceInfo[] {
    this.#forget();
    const workers = this.#services.get(service);
    if (workers === undefined) return [];
    return [...workers.values()].map((entry) => infoOf(entry, busyOf(entry.instance)));
  }

  /** Whether any worker has joined a service. */
  has(service: string): boolean {
    return this.#services.has(service);
  }

  /** A service is gone. */
  deleted(service: string): void {
    for (const entry of this.#services.get(service)?.values() ?? []) {
      this.#lost.delete(entry);
      if (entry.home !== undefined) this.#homes.get(entry.home)?.delete(entry);
    }
    this.#services.delete(service);
  }

  #add(service: string, instance: string, report: WorkerReport): Entry {
    const workers = this.#services.get(service) ?? new Map<string, Entry>();
    if (workers.size >= workersMax) {
      const text = `${service} has ${workersMax} workers of other machines, its limit`;
      throw new PlatformError('rate_limited', text, { retryAfterMs: 5000 });
    }
    const lostAt = { wall: 0, mono: 0 };
    const entry: Entry = { service, instance, report, home: undefined, lostAt };
    this.#services.set(service, workers.set(instance, entry));
    return entry;
  }

  /** `home` speaks for it from now on. */
  #settle(entry: Entry, home: object): void {
    if (entry.home === home) return;
    if (entry.home !== undefined) this.#homes.get(entry.home)?.delete(entry);
    const entries = this.#homes.get(home) ?? new Set<Entry>();
    this.#homes.set(home, entries.add(entry));
    entry.home = home;
    this.#lost.delete(entry);
  }

  /** The workers that a connection spoke for; it is forgotten. */
  #leave(home: object): readonly Entry[] {
    const entries = [...(this.#homes.get(home) ?? [])];
    this.#homes.delete(home);
    return entries;
  }

  #forget(): void {
    const { mono } = this.#options.clock.now();
    for (const entry of this.#lost) {
      if (entry.lostAt.mono + shownMs > mono && this.#lost.size <= lostMax) return;
      this.#remove(entry);
    }
  }

  #remove(entry: Entry): void {
    const { service, instance } = entry;
    this.#lost.delete(entry);
    const workers = this.#services.get(service);
    if (workers?.get(instance) !== entry) return;
    workers.delete(instance);
    if (workers.size === 0) this.#services.delete(service);
  }

  #tell({ service, instance, report }: Entry, what: string, text: string): void {
    const { host, version, pid, state, window } = report;
    const facts = { host, version, pid, state, window };
    this.#options.log.info({ service, instance, what, ...facts }, 'joined worker');
    const event: ServiceEvent = { service, kind: 'instance', what, text: `${instance} ${text}` };
    this.#options.record?.({ ...event, instance, facts });
  }
}

function atAddress({ address }: WorkerReport): string {
  return address === '' ? '' : `, where its model listens at ${address}`;
}

function stateText({ state, reason }: WorkerReport): string {
  return `is ${state}${reason === '' ? '' : `: ${reason}`}`;
}

function infoOf({ instance, report, home, lostAt }: Entry, busy: number): InstanceInfo {
  const { state, reason, address, pid, revision, startedAt, restarts, window } = report;
  const isLost = home === undefined;
  const since = new Date(lostAt.wall).toISOString();
  return {
    name: instance,
    kind: 'joined',
    state: isLost ? 'Unhealthy' : state,
    message: isLost ? `its connection is lost since ${since}` : reason,
    address,
    pid,
    revision,
    startedAt: startedAt === 0 ? '' : new Date(startedAt).toISOString(),
    restarts,
    window,
    busy,
    ready: !isLost && (state === 'Running' || state === 'Busy'),
    host: report.host,
    version: report.version,
    lastExit: null,
  };
}
