// Wanted copies → running copies, for all services. It is told the wanted state, whole, compares it
// with what there is whenever something has changed, and starts instances or lets them go as far as
// the machine has room.

import { PlatformError } from '@sluice/sdk/wire';
import type { DeployedService, RuntimeReport } from '../deployment/service.ts';
import type { Component } from '../kernel/component.ts';
import type { Driver, LogRequest, Survivor, Usage } from './driver.ts';
import { Fleet } from './fleet.ts';
import { allot } from './host/allot.ts';
import type { Capacity } from './host/capacity.ts';
import { Ledger } from './host/ledger.ts';
import type { Instance } from './instance.ts';
import type { ManagerOptions } from './options.ts';
import type { InstanceStatus } from './status.ts';
import { isOfService, launchKey, sourceRevisionOf } from './wanted.ts';

export interface StopOptions {
  /** How long work under way is waited for before it is given back. */
  readonly deadlineMs: number;
}

const defaultDeadlineMs = 30_000;
/** Once the deadline is over, processes get this long to end by themselves. */
const lateGraceMs = 5000;

/** What follows the service's name in the name of a process. */
const shortName = /^[0-9a-z]{5}$/;

const boundless: Capacity = {
  cpuMillis: Number.POSITIVE_INFINITY,
  memoryBytes: Number.POSITIVE_INFINITY,
  devices: [],
};

export class InstanceManager implements Component {
  readonly #options: Required<ManagerOptions>;
  readonly #fleets = new Map<string, Fleet>();
  #capacity = boundless;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #hasOpened = false;
  #isOpen = false;
  #isScheduled = false;

  constructor(options: ManagerOptions) {
    this.#options = {
      capacity: async () => boundless,
      record: () => undefined,
      rolloutFailed: () => undefined,
      proven: () => undefined,
      earlier: () => undefined,
      ...options,
    };
  }

  /** Takes over what a killed server has left running and is still wanted, and ends the rest; only
   * then are instances started. */
  start(): Promise<void> {
    this.#started ??= this.#open();
    return this.#started;
  }

  /** What an earlier server left is taken over or ended, so that reports tell of all there is. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The wanted state of one service; instances follow. The same state again changes nothing. */
  async apply(wanted: DeployedService): Promise<void> {
    const known = this.#fleets.get(wanted.name);
    if (known === undefined) {
      const fleet = new Fleet(wanted, this.#options, () => this.#schedule());
      this.#fleets.set(wanted.name, fleet);
    } else known.apply(wanted);
    this.#schedule();
  }

  /** Ends all instances of a service, giving back what they work on; resolves when none is left. */
  async remove(name: string): Promise<void> {
    await this.#started;
    const fleet = this.#fleets.get(name);
    if (fleet === undefined) return;
    fleet.isRemoved = true;
    const leaving = fleet.copies().map((copy) => {
      copy.hurry();
      return fleet.letGo(copy.name);
    });
    await Promise.all(leaving);
    if (!fleet.isRemoved) return;
    fleet.stop();
    this.#fleets.delete(name);
  }

  /** From memory, at once; undefined: no such service, or not known yet what an earlier server has
   * left of it. */
  report(name: string): RuntimeReport | undefined {
    const fleet = this.#fleets.get(name);
    if (fleet === undefined || fleet.isRemoved || !this.#hasOpened) return undefined;
    return fleet.report();
  }

  /** Has instances that leave give back what they work on, instead of finishing it. */
  hurry(name: string): void {
    // What has just been applied may let some go that have not been told yet.
    this.#reconcile();
    for (const copy of this.#fleets.get(name)?.copies() ?? []) if (copy.isLeaving) copy.hurry();
  }

  /** The instances of a service, in the order in which they were started. */
  status(name: string): readonly InstanceStatus[] {
    return this.#fleets.get(name)?.status() ?? [];
  }

  /** All instances that hold work: what a stop waits for. */
  holding(): readonly InstanceStatus[] {
    return [...this.#fleets.values()]
      .flatMap((fleet) => fleet.status())
      .filter(({ feed }) => feed !== undefined && feed.running.length > 0);
  }

  /** What each ready instance of a service uses of the machine, as far as that is known. */
  async usage(name: string): Promise<ReadonlyMap<string, Usage>> {
    const fleet = this.#fleets.get(name);
    const driver = fleet === undefined ? undefined : this.#driverOf(fleet.wanted);
    const found = new Map<string, Usage>();
    // At once: an engine of containers takes up to a second for each answer.
    const asked = (fleet?.copies() ?? []).map(async ({ isReady, name: instance }) => {
      const usage = isReady ? await driver?.usage?.(instance) : undefined;
      if (usage !== undefined) found.set(instance, usage);
    });
    await Promise.all(asked);
    return found;
  }

  /** The accelerators that are each instance's alone, by the name of the instance. */
  devices(name: string): ReadonlyMap<string, readonly number[]> {
    const copies = this.#fleets.get(name)?.copies() ?? [];
    return new Map([...copies].map((copy) => [copy.name, copy.hold.devices]));
  }

  /** What an instance wrote; also of one that is gone, while it is kept. */
  async logs(
    name: string,
    instance: string,
    request: LogRequest,
  ): Promise<AsyncIterable<Uint8Array>> {
    const fleet = this.#fleets.get(name);
    const source = fleet?.wanted.instances.source.kind;
    if (source === 'endpoint') {
      throw new PlatformError(
        'not_found',
        `${instance} is an endpoint: Sluice did not start it and has no log of it`,
      );
    }
    const isOurs =
      instance.startsWith(`${name}-`) && shortName.test(instance.slice(name.length + 1));
    // Those of its own way first; an earlier one may still be remembered by another.
    const drivers: readonly (readonly [string, Driver])[] = Object.entries(this.#options.drivers);
    const own = drivers.filter(([kind]) => kind === source);
    const order = [...own, ...drivers.filter(([kind]) => kind !== source)];
    for (const [, driver] of isOurs ? order : []) {
      const log = driver.logs(instance, request);
      if (log !== undefined) return log;
    }
    throw new PlatformError('not_found', `service ${name} has no instance ${instance} with a log`);
  }

  /** Lets one instance go; another takes its place. False: there is none of that name. */
  replace(name: string, instance: string, how: 'drain' | 'now'): boolean {
    const fleet = this.#fleets.get(name);
    const copy = fleet?.find(instance);
    if (fleet === undefined || copy === undefined) return false;
    if (how === 'now') copy.hurry();
    fleet.replace(instance);
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
    const [capacity] = await Promise.all([this.#options.capacity(), this.#takeOver()]);
    this.#capacity = capacity;
    this.#hasOpened = true;
    if (this.#stopped !== undefined) return;
    this.#isOpen = true;
    this.#reconcile();
  }

  /** Copies of services that are wanted go on, those of an earlier launch until the update that was
   * under way replaces them; all others end before anything is started. Those that were started
   * first come first. */
  async #takeOver(): Promise<void> {
    const drivers: readonly Driver[] = Object.values(this.#options.drivers);
    const found = await Promise.all(
      drivers.map(async (driver) => ({ driver, survivors: await driver.survivors() })),
    );
    const ends: Promise<void>[] = [];
    for (const { driver, survivors } of found) {
      for (const survivor of survivors.toSorted((a, b) => a.startedAt - b.startedAt)) {
        if (!this.#goOn(survivor, driver)) ends.push(this.#endSurvivor(survivor, driver));
      }
    }
    await Promise.all(ends);
  }

  async #endSurvivor(survivor: Survivor, driver: Driver): Promise<void> {
    const { service, instance } = survivor;
    await survivor.end();
    await driver.forget(instance);
    if (!this.#fleets.has(service)) return;
    const text = 'Left by an earlier server and not wanted any more: ended';
    this.#options.record({ service, kind: 'instance', what: 'gone', text, instance });
  }

  /** False: nobody wants it any more. */
  #goOn(survivor: Survivor, driver: Driver): boolean {
    const fleet = this.#fleets.get(survivor.service);
    if (fleet === undefined || fleet.isRemoved || this.#stopped !== undefined) return false;
    const launched = this.#launchOf(survivor, fleet.wanted);
    if (launched === undefined || this.#driverOf(launched) !== driver) return false;
    if (fleet.find(survivor.instance) !== undefined) return false;
    fleet.adopt(survivor, driver, launched);
    return true;
  }

  /** The service as it was declared for the launch that a survivor is of; undefined: not known. */
  #launchOf({ key }: Survivor, wanted: DeployedService): DeployedService | undefined {
    if (key === launchKey(wanted)) return wanted;
    const { name, number, instances } = wanted;
    if (instances.count === 0 || !isOfService(key, number)) return undefined;
    const launched = this.#options.earlier(name, number, sourceRevisionOf(key));
    return launched !== undefined && launchKey(launched) === key ? launched : undefined;
  }

  #driverOf({ instances }: DeployedService): Driver | undefined {
    const { kind } = instances.source;
    return kind === 'none' || kind === 'pending' ? undefined : this.#options.drivers[kind];
  }

  async #close({ deadlineMs }: StopOptions): Promise<void> {
    this.#isOpen = false;
    await this.#started;
    this.#isOpen = false;
    const { clock } = this.#options;
    for (const fleet of this.#fleets.values()) fleet.stop();
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
    return [...this.#fleets.values()].flatMap((fleet) => fleet.copies());
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
    const fleets = [...this.#fleets.values()].filter(({ isRemoved }) => !isRemoved);
    const asks = fleets.map((fleet) => fleet.review());
    const holds = [...this.#fleets.values()].flatMap((fleet) => fleet.holds());
    const ledger = new Ledger(this.#capacity, holds);
    const allotments = allot(ledger, asks);
    for (const fleet of fleets) {
      const allotment = allotments.get(fleet.wanted.name);
      if (allotment !== undefined) fleet.start(allotment, ledger);
      fleet.judge();
    }
  }
}
