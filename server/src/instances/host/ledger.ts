// What of the machine is taken and what is free, as it stands while one round of decisions is made.
// Only what services declare is counted: an instance that declares nothing takes nothing.

import type { Resources } from '../../deployment/instances.ts';
import { coresText, devicesText, memoryText, sharesText } from './amounts.ts';
import type { Capacity } from './capacity.ts';

/** What one instance holds of the machine, from the decision to start it until nothing is left. */
export interface Hold {
  readonly service: string;
  readonly resources: Resources;
  /** As many as `resources.gpus`, once it has been decided which. */
  readonly devices: readonly number[];
}

interface Reserved {
  readonly service: string;
  readonly resources: Resources;
}

export class Ledger {
  readonly #capacity: Capacity;
  readonly #holds: Hold[];
  readonly #reserved: Reserved[] = [];

  constructor(capacity: Capacity, holds: readonly Hold[] = []) {
    this.#capacity = capacity;
    this.#holds = [...holds];
  }

  fits(need: Resources): boolean {
    return this.#lacking(need, this.#free(true)).length === 0;
  }

  /** Whether it would fit on this machine if nothing else ran. */
  couldFit(need: Resources): boolean {
    const { cpuMillis, memoryBytes, devices } = this.#capacity;
    return this.#lacking(need, { cpuMillis, memoryBytes, gpus: devices.length }).length === 0;
  }

  /** Books one instance and answers which accelerators are its own; undefined: it does not fit. */
  take(service: string, resources: Resources): readonly number[] | undefined {
    if (!this.fits(resources)) return undefined;
    const taken = new Set(this.#holds.flatMap(({ devices }) => devices));
    const free = this.#capacity.devices.filter((index) => !taken.has(index));
    const devices = free.slice(0, resources.gpus);
    if (devices.length < resources.gpus) return undefined;
    this.#holds.push({ service, resources, devices });
    return devices;
  }

  /** Keeps room for an instance that waits, so that those who came later don't take it. */
  reserve(service: string, resources: Resources): void {
    this.#reserved.push({ service, resources });
  }

  /** How it would be for the owner of some of the holds if he gave them up for others of his own:
   * what they free is not for those who wait. */
  without(holds: readonly Hold[]): Ledger {
    const gone = new Set(holds);
    return new Ledger(
      this.#capacity,
      this.#holds.filter((hold) => !gone.has(hold)),
    );
  }

  /** Why an instance does not fit: "needs 4 cores, 1.5 of 8 are free; A holds 4, B 2.5". */
  explain(need: Resources): string {
    const free = this.#free(false);
    const short = this.#lacking(need, free);
    if (short.length === 0) return this.#explainReserved(need);
    return short.map((name) => this.#explainOne(name, need, free)).join('; ');
  }

  #explainOne(name: ResourceName, need: Resources, free: Resources): string {
    const { cpuMillis, memoryBytes, devices } = this.#capacity;
    const whole = { cpuMillis, memoryBytes, gpus: devices.length }[name];
    const text = texts[name];
    const needed = `needs ${text.full(need[name])}`;
    if (need[name] > whole) {
      const has = whole === 0 ? 'none' : text.short(whole);
      return `${needed}, this machine has ${has}; \`--capacity\` says otherwise if it has more`;
    }
    const share = `${text.short(Math.max(0, free[name]))} of ${text.short(whole)} are free`;
    const held = sharesText(this.#sums(name), text.short);
    return `${needed}, ${share}${held === '' ? '' : `; ${held}`}`;
  }

  #explainReserved(need: Resources): string {
    const before = [...new Set(this.#reserved.map(({ service }) => service))].join(', ');
    const { cpuMillis, memoryBytes, gpus } = need;
    const parts = [
      ...(cpuMillis > 0 ? [texts.cpuMillis.full(cpuMillis)] : []),
      ...(memoryBytes > 0 ? [texts.memoryBytes.full(memoryBytes)] : []),
      ...(gpus > 0 ? [texts.gpus.full(gpus)] : []),
    ];
    return `needs ${parts.join(' and ')}; what is free is kept for ${before}, which came first`;
  }

  /** What each service holds of one resource, the largest first. */
  #sums(name: ResourceName): readonly (readonly [string, number])[] {
    const sums = new Map<string, number>();
    for (const { service, resources } of this.#holds) {
      if (resources[name] === 0) continue;
      sums.set(service, (sums.get(service) ?? 0) + resources[name]);
    }
    return [...sums].sort(([, one], [, other]) => other - one);
  }

  #free(withReserved: boolean): Resources {
    const { cpuMillis, memoryBytes, devices } = this.#capacity;
    const free = { cpuMillis, memoryBytes, gpus: devices.length };
    for (const { resources } of [...this.#holds, ...(withReserved ? this.#reserved : [])]) {
      free.cpuMillis -= resources.cpuMillis;
      free.memoryBytes -= resources.memoryBytes;
      free.gpus -= resources.gpus;
    }
    return free;
  }

  #lacking(need: Resources, free: Resources): readonly ResourceName[] {
    return resourceNames.filter((name) => need[name] > 0 && need[name] > free[name]);
  }
}

const resourceNames = ['cpuMillis', 'memoryBytes', 'gpus'] as const;
type ResourceName = (typeof resourceNames)[number];

const texts = { cpuMillis: coresText, memoryBytes: memoryText, gpus: devicesText };
