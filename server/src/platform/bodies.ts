// Bodies that are not in the queues, among the other parts: the store of those in files, those at
// addresses, and what each service allows of both.

import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PlatformError } from '@sluice/sdk/wire';
import { BodyAddresses } from '../blobs/address.ts';
import { BodyStore, type LiveNames } from '../blobs/store.ts';
import type { Environment } from '../config/places.ts';
import type { RequestSettings } from '../deployment/requests.ts';
import { bodiesFolder } from '../engine/body-name.ts';
import { allowList } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import { type FetchRules, s3SettingsOf } from '../kernel/object-store.ts';
import type { Random } from '../kernel/random.ts';
import type { BodyPlace } from '../queue/terms.ts';
import type { KeptResult, OpenedBody, WorkBodies } from '../worker/body.ts';

export interface BodiesOptions {
  readonly dataFolder: string;
  /** Most bytes of all bodies together. */
  readonly bytesMax: number;
  /** Of this process: credentials for object stores. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What services allow; undefined: there is no such service, or its file does not pass. */
export interface ServiceLooks {
  find(service: string): { readonly requests: RequestSettings | undefined } | undefined;
}

export class Bodies implements Component {
  readonly store: BodyStore;
  readonly #addresses: BodyAddresses;
  #services: ServiceLooks = { find: () => undefined };

  constructor(options: BodiesOptions) {
    const { dataFolder, bytesMax, environment, clock, random, log } = options;
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

  /** The services are known: from now on bodies that none of them names are removed. */
  open(services: ServiceLooks, broker: { bodyNames: LiveNames }): void {
    this.#services = services;
    this.store.keepOnly(() => broker.bodyNames());
  }

  /** Removes no body while the work, a backup, is done. */
  async during<Value>(work: () => Promise<Value>): Promise<Value> {
    const resume = this.store.pause();
    try {
      return await work();
    } finally {
      resume();
    }
  }

  /** Throws `unprocessable` when a body of the service may not be fetched from there. */
  async checkAddress(service: string, url: string): Promise<void> {
    await this.#addresses.check(url, this.#rules(service));
  }

  /** All of a body in memory: for messages that carry it. */
  async read(name: string, bytesMax: number): Promise<Uint8Array> {
    const body = await this.store.open(name);
    if (body === undefined) throw new PlatformError('damaged', `the body ${name} is gone`);
    if (body.size > bytesMax) {
      body.stream.destroy();
      throw new PlatformError('damaged', `the body ${name} has grown to ${body.size} bytes`);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of body.stream) pieces.push(piece);
    return Buffer.concat(pieces, body.size);
  }

  /** A reader was told where it lies. */
  promise(name: string): void {
    this.store.promise(name);
  }

  /** Begins to fetch the body of a request of the service from its address, as its worker would. */
  async fetch(service: string, url: string, signal: AbortSignal): Promise<OpenedBody> {
    return this.#open(service, { kind: 'address', url }, signal);
  }

  /** Bodies for the workers of a service. */
  of(service: string): WorkBodies {
    return {
      inputOf: (place) => {
        const input = this.#services.find(service)?.requests?.input;
        if (place.kind === 'address' && input === 'address') return 'address';
        return { open: (signal) => this.#open(service, place, signal) };
      },
      resultBytesMax: () => this.#services.find(service)?.requests?.resultBytesMax ?? 0,
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
    const settings = this.#services.find(service)?.requests;
    if (settings !== undefined) return settings;
    throw new PlatformError('unavailable', `the settings of ${service} are not known`);
  }

  #rules(service: string): FetchRules {
    const { allow, buckets } = this.#settings(service).fetch;
    return { allow: allowList(allow, 'fetch.allow'), buckets };
  }
}
