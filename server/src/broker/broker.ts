// The queues of all services, by name: opened, changed, closed and dropped one by one, and stopped
// together.

import { PlatformError } from '@sluice/sdk/wire';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { ServiceSettings } from '../queue/settings.ts';
import { BodyBooks } from './body-book.ts';
import type { FileBodies } from './carried-bodies.ts';
import { NextInput } from './next-input.ts';
import type { Queues } from './queues.ts';
import { type ServiceOptions, ServiceQueues } from './service-queues.ts';

export interface BrokerOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told what befalls messages that their services' owners must know. */
  readonly record?: RecordEvent;
  /** Told of what each turn of a service has changed, once that is durable. */
  readonly turned?: Required<ServiceOptions>['turned'];
  /** Brings bodies in files to readers that know only messages; undefined: there are none. */
  readonly files?: FileBodies | undefined;
}

export interface OpenOptions {
  /** Never used for another service, not even after this one is gone. */
  readonly number: number;
  readonly name: string;
  readonly settings: ServiceSettings;
}

interface Opened {
  readonly number: number;
  readonly queues: ServiceQueues;
  readonly nextInput: NextInput;
}

export class Broker implements Component {
  readonly #options: BrokerOptions;
  readonly #services = new Map<string, Opened>();
  readonly #bodies: BodyBooks;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#bodies = new BodyBooks(options.engine);
  }

  async start(): Promise<void> {}

  /** Refuses what comes, lets what is under way finish, and closes all services. */
  async stop(): Promise<void> {
    const services = [...this.#services.values()];
    this.#services.clear();
    await Promise.all(services.map(({ queues }) => queues.stop()));
  }

  /** Recovers a service and opens its queues. Throws `conflict` when it is open. */
  async open(options: OpenOptions): Promise<Queues> {
    const { number, name: service, settings } = options;
    if (this.#services.has(service)) {
      throw new PlatformError('conflict', `the queues of ${service} are open already`);
    }
    const nextInput = new NextInput();
    const bodies = this.#bodies.open(number);
    const ofService = { number, service, settings, nextInput, bodies };
    const queues = new ServiceQueues({ ...this.#options, ...ofService });
    this.#services.set(service, { number, queues, nextInput });
    try {
      await this.#bodies.settled(number);
      await queues.start();
    } catch (error) {
      this.#services.delete(service);
      throw error;
    }
    return queues;
  }

  find(name: string): Queues | undefined {
    return this.#services.get(name)?.queues;
  }

  /**
   * Calls `fire` once, as soon as a message comes into the service's input queue: in the turn that
   * takes it, before it is durable. There is one such wish at a time; the answer takes it back.
   * undefined: the service has no open queues.
   */
  whenInputComes(name: string, fire: () => void): (() => void) | undefined {
    return this.#services.get(name)?.nextInput.when(fire);
  }

  /** Every body in a file that a message or a record of any service names; undefined while that
   * can't be told, such as during a recovery. */
  bodyNames(): Promise<ReadonlySet<string> | undefined> {
    return this.#bodies.names();
  }

  /** Applies new settings live. What is stored stays, also above a lower capacity. */
  async change(name: string, settings: ServiceSettings): Promise<void> {
    await this.#service(name).queues.change(settings);
  }

  /** Hands nothing more of a service's input to consumers, or goes on with it; leases stay. */
  hold(name: string, isHeld: boolean): void {
    this.#services.get(name)?.queues.hold(isHeld);
  }

  /** Closes a service's queues; what is stored stays. */
  async close(name: string): Promise<void> {
    const { queues } = this.#service(name);
    this.#services.delete(name);
    await queues.stop();
  }

  /** Closes a service's queues and removes all that is stored of it. */
  async drop(name: string): Promise<void> {
    const { number, queues } = this.#service(name);
    this.#services.delete(name);
    await queues.abandon();
    await this.#options.engine.dropService(number);
    this.#bodies.drop(number);
  }

  #service(name: string): Opened {
    const service = this.#services.get(name);
    if (service === undefined) {
      throw new PlatformError('not_found', `the queues of ${name} are not open`);
    }
    return service;
  }
}
