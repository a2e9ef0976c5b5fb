// Wanted copies → running copies, for all services. It is told the wanted state, whole, compares it
// with what there is whenever something has changed, and starts instances or lets them go.

import { PlatformError } from '@sluice/sdk/wire';
import type { DeployedService, RuntimeReport } from '../deployment/service.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Driver, LogRequest } from './driver.ts';
import type { MakeFeeder } from './feeder.ts';
import { Instance } from './instance.ts';
import { plan } from './plan.ts';
import { reportOf } from './report.ts';
import type { InstanceStatus } from './status.ts';
import { isOfService, launchKey } from './wanted.ts';

/** A kind of source without a driver stays pending. */
export interface Drivers {
  readonly process: Driver;
  readonly endpoint: Driver;
  readonly container?: Driver;
}

export interface ManagerOptions {
  readonly drivers: Drivers;
  readonly makeFeeder: MakeFeeder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface StopOptions {
  /** How long work under way is waited for before it is given back. */
  readonly deadlineMs: number;
}

const defaultDeadlineMs = 30_000;
/** Once the deadline is over, processes get this long to end by themselves. */
const lateGraceMs = 5000;

/** What follows the service's name in the name of a process. */
const shortName = /^[0-9a-z]{5}$/;

interface Service {
  wanted: DeployedService;
  readonly copies: Map<string, Instance>;
  limit: string | undefined;
  isRemoved: boolean;
}

export class InstanceManager implements Component {
  readonly #options: ManagerOptions;
  readonly #services = new Map<string, Service>();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #isOpen = false;
  #isScheduled = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /** Ends what a killed server has left running; only then are instances started. */
  start(): Promise<void> {
    this.#started ??= this.#open();
    return this.#started;
  }

  /** The wanted state of one service; instances follow. The same state again changes nothing. */
  async apply(wanted: DeployedService): Promise<void> {
    const known = this.#services.get(wanted.name);
    if (known === undefined) {
      const service = { wanted, copies: new Map(), limit: undefined, isRemoved: false };
      this.#services.set(wanted.name, service);
    } else {
      known.wanted = wanted;
      known.isRemoved = false;
      for (const copy of known.copies.values()) {
        if (follows(copy, wanted)) copy.update(wanted);
      }
    }
    this.#schedule();
  }

  /** Ends all instances of a service, giving back what they work on; resolves when none is left. */
  async remove(name: string): Promise<void> {
    await this.#started;
    const service = this.#services.get(name);
    if (service === undefined) return;
    service.isRemoved = true;
    const leaving = [...service.copies.values()].map((copy) => {
      copy.hurry();
      return this.#let(service, copy);
    });
    await Promise.all(leaving);
    if (service.isRemoved) this.#services.delete(name);
  }

  /** From memory, at once; undefined: no such service. */
  report(name: string): RuntimeReport | undefined {
    const service = this.#services.get(name);
    if (service === undefined || service.isRemoved) return undefined;
    return reportOf(service.wanted, this.status(name), service.limit);
  }

  /** The instances of a service, in the order in which they were started. */
  status(name: string): readonly InstanceStatus[] {
    const service = this.#services.get(name);
    if (service === undefined) return [];
    const running = [...service.copies.values()].map((copy) => copy.status());
    const staying = [...service.copies.values()].filter((copy) => !copy.isLeaving).length;
    const { count } = service.wanted.instances;
    const missing = service.limit === undefined ? 0 : Math.max(0, count - staying);
    const pending = Array.from({ length: missing }, (_, at) => pendingStatus(service, at));
    return [...running, ...pending];
  }

  /** All instances that hold work: what a stop waits for. */
  holding(): readonly InstanceStatus[] {
    return [...this.#services.keys()]
      .flatMap((name) => this.status(name))
      .filter(({ feed }) => feed !== undefined && feed.running.length > 0);
  }

  /** What an instance wrote; also of one that is gone, while it is kept. */
  async logs(
    name: string,
    instance: string,
    request: LogRequest,
  ): Promise<AsyncIterable<Uint8Array>> {
    const service = this.#services.get(name);
    const source = service?.wanted.instances.source.kind;
    if (source === 'endpoint') {
      throw new PlatformError(
        'not_found',
        `${instance} is an endpoint: Sluice did not start it and has no log of it`,
      );
    }
    const isOurs =
      instance.startsWith(`${name}-`) && shortName.test(instance.slice(name.length + 1));
    const log = isOurs ? this.#options.drivers.process.logs(instance, request) : undefined;
    if (log !== undefined) return log;
    throw new PlatformError('not_found', `service ${name} has no instance ${instance} with a log`);
  }

  /** Lets one instance go; another takes its place. False: there is none of that name. */
  replace(name: string, instance: string, how: 'drain' | 'now'): boolean {
    const service = this.#services.get(name);
    const copy = service?.copies.get(instance);
    if (service === undefined || copy === undefined) return false;
    if (how === 'now') copy.hurry();
    void this.#let(service, copy);
    return true;
  }

  /**
   * Lets all instances finish their work and end. After the deadline open calls are given back
   * uncounted, and soon after that processes that still run are killed.
   */
  stop(options: StopOptions = { deadlineMs: defaultDeadlineMs }): Promise<void> {
    this.#stopped ??= this.#close(options);
    return this.#stopped;
  }

  /** Cuts a stop short: calls are given back and processes killed, now. */
  kill(): void {
    for (const copy of this.#copies()) copy.kill();
  }

  async #open(): Promise<void> {
    const drivers: readonly Driver[] = Object.values(this.#options.drivers);
    const left = await Promise.all(drivers.map((driver) => driver.survivors()));
    await Promise.all(left.flat().map((survivor) => survivor.end()));
    if (this.#stopped !== undefined) return;
    this.#isOpen = true;
    this.#reconcile();
  }

  async #close({ deadlineMs }: StopOptions): Promise<void> {
    this.#isOpen = false;
    await this.#started;
    this.#isOpen = false;
    const { clock } = this.#options;
    const copies = this.#copies();
    const deadline = clock.after(deadlineMs, () => {
      for (const copy of copies) copy.hurry();
    });
    const last = clock.after(deadlineMs + lateGraceMs, () => {
      for (const copy of copies) copy.kill();
    });
    await Promise.all(copies.map((copy) => copy.leave()));
    deadline.cancel();
    last.cancel();
  }

  #copies(): readonly Instance[] {
    return [...this.#services.values()].flatMap(({ copies }) => [...copies.values()]);
  }

  /** Several changes of one turn lead to one comparison. */
  #schedule(): void {
    if (this.#isScheduled || !this.#isOpen) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => {
      this.#isScheduled = false;
      this.#reconcile();
    });
  }

  #reconcile(): void {
    if (!this.#isOpen) return;
    for (const service of this.#services.values()) {
      if (service.isRemoved) continue;
      const { start, leave, limit } = plan(service.wanted, [...service.copies.values()]);
      service.limit = limit;
      for (const url of start) this.#launch(service, url);
      for (const name of leave) {
        const copy = service.copies.get(name);
        if (copy !== undefined) void this.#let(service, copy);
      }
    }
  }

  #launch(service: Service, url: string | undefined): void {
    const { drivers, makeFeeder, clock, random, log } = this.#options;
    const instance = new Instance({
      name: this.#name(service, url),
      wanted: service.wanted,
      url,
      driver: url === undefined ? drivers.process : drivers.endpoint,
      makeFeeder,
      clock,
      random,
      log,
      changed: () => this.#schedule(),
    });
    service.copies.set(instance.name, instance);
    instance.start();
  }

  /** Resolves when nothing is left of it. */
  async #let(service: Service, copy: Instance): Promise<void> {
    await copy.leave();
    service.copies.delete(copy.name);
    this.#schedule();
  }

  /** Endpoints are numbered, so that they have the same names after a restart. */
  #name(service: Service, url: string | undefined): string {
    const { random } = this.#options;
    const { name } = service.wanted;
    for (let number = 1; ; number += 1) {
      const short = random.uint32().toString(36).padStart(5, '0').slice(-5);
      const candidate = url === undefined ? `${name}-${short}` : `${name}-${number}`;
      if (!service.copies.has(candidate)) return candidate;
    }
  }
}

/** Whether a copy takes new settings as it is; others keep theirs until they are replaced. */
function follows(copy: Instance, wanted: DeployedService): boolean {
  if (copy.url === undefined) return copy.key === launchKey(wanted);
  return isOfService(copy.key, wanted.number) && wanted.instances.source.kind === 'endpoint';
}

function pendingStatus(service: Service, at: number): InstanceStatus {
  const { name, revision, instances } = service.wanted;
  return {
    service: name,
    name: `${name}-pending-${at + 1}`,
    kind: 'pending',
    state: 'Pending',
    reason: service.limit ?? '',
    url: '',
    pid: undefined,
    revision,
    startedAt: 0,
    readyAt: 0,
    restarts: 0,
    window: instances.window,
    feed: undefined,
    last: undefined,
    nextStartAt: 0,
  };
}
