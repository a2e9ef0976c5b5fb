// The registry in a world of its own: the memory engine behind a store that can fail, and the small
// parts that it gives work to, which remember what they were told.

import type { DeployedService, RuntimeReport } from '../../src/deployment/service.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { type Log, silentLog } from '../../src/kernel/log.ts';
import type { ServiceSettings } from '../../src/queue/settings.ts';
import type {
  DefinitionStore,
  QueueFigures,
  QueueHost,
  ServiceRuntime,
  StoredDefinition,
} from '../../src/services/ports.ts';
import { Registry, type RegistryOptions } from '../../src/services/registry.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

/** A machine with its disk: processes of Sluice come and go on it. */
export class World {
  readonly disk = new Disk();
  readonly random = new SeededRandom(7);
  readonly clock = new VirtualClock(this.random.fork());
  readonly log = new KeptLog();
  readonly events: ServiceEvent[] = [];
  queues = new Queues();
  runtime = new Runtime();
  openAllowed = false;

  /** A fresh process on the same disk; what the one before had in memory is gone. */
  async boot({ closed }: { readonly closed?: string } = {}): Promise<Registry> {
    this.disk.failing = undefined;
    this.queues = new Queues();
    this.queues.closed = closed;
    this.runtime = new Runtime();
    const registry = new Registry(this.options());
    await registry.start();
    return registry;
  }

  options(): RegistryOptions {
    const { disk: store, queues, runtime, clock, random, log, openAllowed } = this;
    const record = (event: ServiceEvent): void => void this.events.push(event);
    return { store, queues, runtime, clock, random, log, openAllowed, record };
  }
}

export class Disk implements DefinitionStore {
  readonly #engine = new MemoryEngine();
  /** Throws in the calls for which it says so: the process is cut there. */
  failing: ((call: 'save' | 'drop', number: number) => boolean) | undefined;

  definitions(): Promise<readonly StoredDefinition[]> {
    return this.#engine.definitions();
  }

  async saveDefinition(definition: StoredDefinition): Promise<void> {
    if (this.failing?.('save', definition.number)) throw new Error('the disk is gone');
    await this.#engine.saveDefinition(definition);
  }

  async dropService(number: number): Promise<void> {
    if (this.failing?.('drop', number)) throw new Error('the disk is gone');
    await this.#engine.dropService(number);
  }
}

export class Queues implements QueueHost {
  readonly byName = new Map<
    string,
    { readonly number: number; readonly settings: ServiceSettings }
  >();
  /** Names of those that hand nothing more out. */
  readonly held = new Set<string>();
  /** What they hold. */
  figures: QueueFigures = { length: 0, leased: 0, firstIndex: 0, lastIndex: 0 };
  failing = false;
  /** The name of a service that does not open. */
  closed: string | undefined;

  async open(service: { number: number; name: string; settings: ServiceSettings }): Promise<void> {
    if (this.failing || this.closed === service.name) throw new Error('no queues today');
    if (this.byName.has(service.name)) throw new Error('open already');
    this.byName.set(service.name, service);
  }

  async change(name: string, settings: ServiceSettings): Promise<void> {
    const service = this.byName.get(name);
    if (service === undefined || this.failing) throw new Error('no queues today');
    this.byName.set(name, { ...service, settings });
  }

  hold(name: string, held: boolean): void {
    if (held) this.held.add(name);
    else this.held.delete(name);
  }

  async close(name: string): Promise<void> {
    if (this.failing || !this.byName.delete(name)) throw new Error('no queues today');
    this.held.delete(name);
  }

  find(name: string): { view(): QueueFigures } | undefined {
    return this.byName.has(name) ? { view: () => this.figures } : undefined;
  }

  async drop(name: string): Promise<void> {
    if (this.failing || !this.byName.delete(name)) throw new Error('no queues today');
  }
}

export class Runtime implements ServiceRuntime {
  readonly wanted = new Map<string, DeployedService>();
  readonly removed: string[] = [];
  readonly hurried = new Set<string>();
  reports = new Map<string, RuntimeReport>();
  failing = false;
  /** Resolves what `remove` waits for. */
  gate: Promise<void> = Promise.resolve();

  async apply(service: DeployedService): Promise<void> {
    if (this.failing) throw new Error('no processes today');
    this.wanted.set(service.name, service);
  }

  async remove(name: string): Promise<void> {
    await this.gate;
    if (this.failing) throw new Error('no processes today');
    this.removed.push(name);
    this.wanted.delete(name);
  }

  hurry(name: string): void {
    this.hurried.add(name);
  }

  report(name: string): RuntimeReport | undefined {
    return this.reports.get(name);
  }
}

/** Keeps every line, so that a test can look for what must not be there. */
export class KeptLog implements Log {
  readonly lines: string[] = [];

  error(fields: object, message: string): void {
    this.#keep(fields, message);
  }
  warn(fields: object, message: string): void {
    this.#keep(fields, message);
  }
  info(fields: object, message: string): void {
    this.#keep(fields, message);
  }
  debug(fields: object, message: string): void {
    this.#keep(fields, message);
  }
  child(): Log {
    return silentLog;
  }

  #keep(fields: object, message: string): void {
    this.lines.push(`${message} ${JSON.stringify(fields)}`);
  }
}
