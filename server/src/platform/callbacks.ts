// Callbacks among the other parts: they follow the queues of every service as these open and close,
// and read outbox, records and results there.

import { join } from 'node:path';
import type { Broker, OpenOptions } from '../broker/broker.ts';
import type { Queues } from '../broker/queues.ts';
import { Callbacks } from '../callbacks/callbacks.ts';
import type { CallbackSource, Told } from '../callbacks/source.ts';
import { version } from '../config/version.ts';
import type { CallbackPolicy } from '../deployment/requests.ts';
import { infoOf } from '../http/requests/info.ts';
import { type AllowList, allowList, systemResolve } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { CallbackWish } from '../queue/terms.ts';
import { restedView } from '../requests/view.ts';
import type { QueueHost } from '../services/ports.ts';
import type { Registry } from '../services/registry.ts';

export interface CallbackParts {
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: RecordEvent;
}

/** Makes the part that sends callbacks, with its files in a folder of its own. */
export function createCallbacks({ dataFolder, ...parts }: CallbackParts): Callbacks {
  const folder = join(dataFolder, 'callbacks');
  return new Callbacks({ ...parts, folder, resolve: systemResolve, agent: `sluice/${version}` });
}

/** Sends the callbacks of each service while its queues are open. */
export class CallbackHub {
  readonly #callbacks: Callbacks;
  readonly #log: Log;
  readonly #numbers = new Map<string, number>();
  readonly #watched = new Map<string, () => void>();
  #registry: Registry | undefined;
  #find: (name: string) => Queues | undefined = () => undefined;

  constructor(callbacks: Callbacks, log: Log) {
    this.#callbacks = callbacks;
    this.#log = log;
  }

  /** The broker, for the registry: callbacks hear of what is opened and closed. */
  noticing(broker: Broker): QueueHost {
    this.#find = (name) => broker.find(name);
    return {
      open: async (options: OpenOptions) => {
        const queues = await broker.open(options);
        this.#numbers.set(options.name, options.number);
        this.#begin(options.name);
        return queues;
      },
      change: (name, settings) => broker.change(name, settings),
      hold: (name, isHeld) => broker.hold(name, isHeld),
      close: async (name) => {
        await this.#end(name);
        await broker.close(name);
      },
      drop: async (name) => {
        await this.#end(name);
        await broker.drop(name);
      },
      find: (name) => broker.find(name),
    };
  }

  /** The services are known: deliveries begin. */
  open(registry: Registry): void {
    this.#registry = registry;
    for (const name of this.#numbers.keys()) this.#begin(name);
  }

  /** Rejects when a request may not ask for this callback. */
  check(service: string, wish: CallbackWish): Promise<void> {
    return this.#callbacks.check(wish, allowed(this.#policy(service)));
  }

  #begin(name: string): void {
    const queues = this.#find(name);
    const number = this.#numbers.get(name);
    if (this.#registry === undefined || queues === undefined || number === undefined) return;
    if (this.#watched.has(name)) return;
    const { requests } = queues;
    const unwatch = requests.whenOutbox((entries) => {
      if (entries === undefined) this.#callbacks.look(name);
      else for (const entry of entries) this.#callbacks.written(name, entry);
    });
    this.#watched.set(name, unwatch);
    this.#callbacks.open(name, this.#sourceOf(name, number, queues)).catch((error: unknown) => {
      this.#log.error({ service: name, error }, 'callbacks not sent');
    });
  }

  async #end(name: string): Promise<void> {
    this.#watched.get(name)?.();
    this.#watched.delete(name);
    this.#numbers.delete(name);
    await this.#callbacks.close(name);
  }

  #sourceOf(service: string, number: number, { requests }: Queues): CallbackSource {
    return {
      number,
      settings: () => {
        const policy = this.#policy(service);
        return { ...policy, allow: allowed(policy) };
      },
      pending: (from, limit) => requests.outbox(from, limit),
      done: (index) => requests.outboxDone(index),
      tell: async (index, resultBytesMax): Promise<Told | undefined> => {
        const known = await requests.find(index);
        if (known?.kind !== 'rested') return undefined;
        const { record } = known;
        const fits = record.sizeOut > 0 && record.sizeOut <= resultBytesMax;
        const payload = fits ? await requests.resultOf(index) : undefined;
        const { contentType } = record;
        return {
          request: infoOf(restedView(service, record)),
          result: payload === undefined ? undefined : { contentType, payload },
        };
      },
    };
  }

  #policy(service: string): CallbackPolicy {
    return this.#registry?.find(service)?.requests?.callbacks ?? nothingAllowed;
  }
}

/** Of a service whose file does not pass. */
const nothingAllowed: CallbackPolicy = { allow: [], resultBytesMax: 0, timeoutMs: 20_000 };

function allowed({ allow }: CallbackPolicy): AllowList {
  return allowList(allow, 'callbacks.allow');
}
