// Bodies that are not in the queues, among the other parts: the store of those in files, those at
// addresses, and what each service allows of both.

import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import { BodyAddresses, type FetchRules, s3SettingsOf } from '../blobs/address.ts';
import { BodyStore, type LiveNames } from '../blobs/store.ts';
import type { Environment } from '../config/places.ts';
import type { RequestSettings } from '../deployment/requests.ts';
import { bodiesFolder } from '../engine/body-name.ts';
import { allowList } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { BodyPlace } from '../queue/terms.ts';
import type { KeptResult, OpenedBody, WorkBodies } from '../worker/body.ts';

export interface BodiesOptions {
  readonly dataFolder: string;
  /** Most bytes of all bodies together; undefined: as much as the disk has room for. */
  readonly bytesMax: number | undefined;
  /** Of this process: credentials for object stores. */
  readonly environment: Environment;
  /** What a service allows; undefined: there is no such service, or its file does not pass. */
  readonly settings: (service: string) => RequestSettings | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Bodies implements Component {
  readonly store: BodyStore;
  readonly #options: BodiesOptions;
  readonly #addresses: BodyAddresses;

  constructor(options: BodiesOptions) {
    const { dataFolder, bytesMax = Number.MAX_SAFE_INTEGER, environment } = options;
    const { clock, random, log } = options;
    this.#options = options;
    const folder = join(dataFolder, bodiesFolder);
    this.store = new BodyStore({ folder, bytesMax, clock, random, log });
    this.#addresses = new BodyAddresses({ s3: s3SettingsOf(environment), clock });
  }

  start(): Promise<void> {
    return this.store.start();
  }

  stop(): Promise<void> {
    return this.store.stop();
  }

  /** From now on bodies that nobody names are removed. */
  keepOnly(live: LiveNames): void {
    this.store.keepOnly(live);
  }

  /** Throws `unprocessable` when a body of the service may not be fetched from there. */
  async checkAddress(service: string, url: string): Promise<void> {
    await this.#addresses.check(url, this.#rules(service));
  }

  /** Bodies for the workers of a service. */
  of(service: string): WorkBodies {
    return {
      inputOf: (place) => {
        const input = this.#options.settings(service)?.input;
        if (place.kind === 'address' && input === 'address') return 'address';
        return { open: (signal) => this.#open(service, place, signal) };
      },
      resultBytesMax: () => this.#options.settings(service)?.resultBytesMax ?? 0,
      keep: (source, signal) => this.#keep(service, source, signal),
      mayGo: (place) => {
        if (place.kind === 'file') this.store.mayGo(place.name);
      },
    };
  }

  async #open(service: string, place: BodyPlace, signal: AbortSignal): Promise<OpenedBody> {
    if (place.kind === 'address') {
      const { bytesMax } = this.#settings(service);
      return this.#addresses.open(place.url, { rules: this.#rules(service), bytesMax, signal });
    }
    const body = await this.store.open(place.name);
    if (body !== undefined) return body;
    throw new PlatformError('damaged', `the body ${place.name} is not there any more`);
  }

  async #keep(service: string, source: Readable, signal: AbortSignal): Promise<KeptResult> {
    const bytesMax = this.#settings(service).resultBytesMax;
    const { name, size, release } = await this.store.receive(source, { bytesMax, signal });
    const done = (): void => {
      release();
      this.store.mayGo(name);
    };
    return { place: { kind: 'file', name, size }, done };
  }

  #settings(service: string): RequestSettings {
    const settings = this.#options.settings(service);
    if (settings !== undefined) return settings;
    throw new PlatformError('unavailable', `the settings of ${service} are not known`);
  }

  #rules(service: string): FetchRules {
    const { allow, buckets } = this.#settings(service).fetch;
    return { allow: allowList(allow, 'fetch.allow'), buckets };
  }
}
