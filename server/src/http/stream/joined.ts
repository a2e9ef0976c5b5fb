// Workers on other machines, as they say they are: one entry for each that feeds an instance of a
// service over a connection of the stream protocol. Nothing here rules: what such a worker holds,
// the queues know. An entry outlives its connection for a while, so that a cut is seen as one.

import {
  type EndedCall,
  type InstanceInfo,
  PlatformError,
  type ReplaceOrder,
  type WorkerReport,
} from '@sluice/sdk/wire';
import type { Identity } from '../../broker/queues.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { RecordEvent, ServiceEvent } from '../../kernel/events.ts';
import type { Log } from '../../kernel/log.ts';

export interface JoinedOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Where joining, leaving and losing a worker are recorded. */
  readonly record?: RecordEvent | undefined;
  /** Hears of each call to a model that has ended, once. */
  readonly called?: ((service: string, call: EndedCall) => void) | undefined;
}

interface Entry {
  readonly service: string;
  readonly instance: string;
  report: WorkerReport;
  /** Calls of its worker that were told on. */
  callsSeen: number;
  /** What it is told until it says that it has done so. */
  order: ReplaceOrder | undefined;
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
  #lastOrder = 0;

  constructor(options: JoinedOptions) {
    this.#options = options;
  }

  /** Whether a worker says over this connection how it is. */
  speaks(home: object): boolean {
    return this.#homes.has(home);
  }

  /** A worker says how it is over the connection `home`; answers whether it is to be replaced.
   * Throws `bad_request` when it is not of the service's own group, which alone works. */
  report(
    service: string,
    by: Identity,
    report: WorkerReport,
    home: object,
  ): ReplaceOrder | undefined {
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
      this.#count(entry);
      return undefined;
    }
    const before = known.report;
    const wasLost = known.home === undefined;
    known.report = report;
    this.#settle(known, home);
    if (wasLost) this.#tell(known, 'back', 'is connected again');
    if (before.state !== report.state && isTold(report)) {
      this.#tell(known, 'state', stateText(report));
    }
    if (isOther(before, report)) {
      known.callsSeen = 0;
      known.order = undefined;
    }
    if (report.replaced === known.order?.number) known.order = undefined;
    this.#count(known);
    return known.order;
  }

  /** Has the worker start its instance anew; it hears of it with its next report. False: there is
   * none of that name, or it is not connected now. */
  replace(service: string, instance: string, how: ReplaceOrder['how']): boolean {
    const entry = this.#services.get(service)?.get(instance);
    if (entry?.home === undefined) return false;
    // Above those of a server before this one.
    this.#lastOrder = Math.max(this.#lastOrder + 1, Math.floor(this.#options.clock.now().wall));
    entry.order = { number: this.#lastOrder, how };
    const work = how === 'drain' ? 'when its work is done' : 'now, giving its work back';
    this.#tell(entry, 'replaced', `is told to start anew ${work}`);
    return true;
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
    const nothing = { callsSeen: 0, order: undefined, home: undefined };
    const entry: Entry = { service, instance, report, ...nothing, lostAt };
    this.#services.set(service, workers.set(instance, entry));
    return entry;
  }

  /** Tells on what calls of its worker have ended. A report that came twice counts once. */
  #count(entry: Entry): void {
    const { calls, callsBefore } = entry.report;
    const fresh = calls.slice(Math.max(0, entry.callsSeen - callsBefore));
    entry.callsSeen = Math.max(entry.callsSeen, callsBefore + calls.length);
    for (const call of fresh) this.#options.called?.(entry.service, call);
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

/** Ends in a row that are told one by one, then every so many. */
const endsTold = 5;
const endsBetween = 20;

/** Not what comes and goes with the work, nor each end of an instance that ends for ever. */
function isTold({ state, restarts }: WorkerReport): boolean {
  if (state === 'Busy' || state === 'Starting' || state === 'Pending') return false;
  return restarts < endsTold || restarts % endsBetween === 0;
}

/** Whether another process has taken the place of a worker under its name. */
function isOther(before: WorkerReport, { pid, host }: WorkerReport): boolean {
  return before.pid !== pid || before.host !== host;
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
    lastExit: report.lastExit,
  };
}
