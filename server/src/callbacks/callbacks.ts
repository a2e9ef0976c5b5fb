// Callbacks: what submitters asked to be told is carried to them, signed, until it is taken or
// given up. This file owns the life of it all: one backlog for each service whose queues are open,
// and the files of every service, in a folder of its own.

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CallbackAttempt,
  type CallbackOutcome,
  callbackOutcomes,
  PlatformError,
  type RequestCallbacks,
  type ServiceWebhooks,
  type WebhookKeys,
  type WebhookPublicKey,
} from '@sluice/sdk/wire';
import { z } from 'zod';
import type { AllowList, Resolve } from '../kernel/address-filter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { RecordEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { CallbackWish } from '../queue/terms.ts';
import type { OutboxEntry } from '../queue/transition.ts';
import { Backlog, type BacklogLimits, backlogLimits } from './backlog.ts';
import { cachedResolve, checkCallback } from './check.ts';
import { ClosedAddresses } from './closed-addresses.ts';
import { Courier, noCallback, shownUrl } from './courier.ts';
import { DeliveryLog, type LogLine } from './delivery-log.ts';
import { readJson, writeJson } from './file.ts';
import { Gate } from './gate.ts';
import { type DatedKeys, KeyRing } from './key-ring.ts';
import type { CallbackSource } from './source.ts';

export interface CallbacksOptions {
  /** Nobody else writes there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: RecordEvent;
  readonly resolve: Resolve;
  /** Sent as `User-Agent`. */
  readonly agent: string;
  readonly limits?: BacklogLimits;
}

/** Callbacks on their way at once, over all services. */
const runningMax = 64;
/** Attempts by hand at once. */
const byHandMax = 8;
const notAtRest = 'the request is not at rest yet, or its record is gone';

interface Files {
  readonly keys: KeyRing;
  readonly closed: ClosedAddresses;
}

interface Opened {
  readonly source: CallbackSource;
  readonly backlog: Backlog;
  readonly courier: Courier;
  readonly attempts: DeliveryLog;
}

interface Figures {
  pending(): number;
  readonly attempts: Map<CallbackOutcome, number>;
}

export class Callbacks implements Component {
  readonly #options: CallbacksOptions;
  readonly #resolve: Resolve;
  readonly #gate = new Gate(runningMax);
  readonly #files = new Map<string, Promise<Files>>();
  readonly #opened = new Map<string, Promise<Opened>>();
  /** The last step of a service: one comes after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #figures = new Map<string, Figures>();
  readonly #stopped = new AbortController();
  #byHand = 0;

  constructor(options: CallbacksOptions) {
    this.#options = options;
    this.#resolve = cachedResolve(options.resolve, options.clock);
  }

  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#opened.keys()].map((service) => this.close(service)));
    await Promise.all(this.#turns.values());
  }

  /** A service's queues are open: what its outbox holds is delivered from now on. */
  open(service: string, source: CallbackSource): Promise<void> {
    return this.#inTurn(service, async () => {
      if (this.#stopped.signal.aborted || this.#opened.has(service)) return;
      await this.#claim(service, source.number);
      const opening = this.#open(service, source);
      this.#opened.set(service, opening);
      const { backlog } = await opening.catch((error: unknown) => {
        this.#opened.delete(service);
        throw error;
      });
      backlog.look();
    });
  }

  /** Resolves when nothing of it is under way any more; what is pending stays in the outbox. */
  close(service: string): Promise<void> {
    return this.#inTurn(service, async () => {
      const opened = await this.#opened.get(service)?.catch(() => undefined);
      this.#opened.delete(service);
      if (opened === undefined) return;
      const { attempts = noAttempts() } = this.#figures.get(service) ?? {};
      this.#figures.set(service, { pending: () => 0, attempts });
      await Promise.all([opened.backlog.stop(), opened.courier.close()]);
      await opened.attempts.settle();
    });
  }

  /** A service is gone: so is everything that is kept of it, unless there is a new one already. */
  async forget(service: string): Promise<void> {
    await this.#inTurn(service, async () => {
      if (this.#opened.has(service)) return;
      this.#files.delete(service);
      this.#figures.delete(service);
      await rm(this.#folder(service), { recursive: true, force: true });
    });
  }

  /** A callback was written to a service's outbox; durable. */
  written(service: string, entry: OutboxEntry): void {
    this.#with(service, ({ backlog }) => backlog.written(entry));
  }

  /** There may be callbacks in a service's outbox that `written` was not called for. */
  look(service: string): void {
    this.#with(service, ({ backlog }) => backlog.look());
  }

  /** See `checkCallback`. */
  check(wish: CallbackWish, allow: AllowList): Promise<void> {
    return checkCallback(wish, allow, { clock: this.#options.clock, resolve: this.#resolve });
  }

  async webhooks(service: string): Promise<ServiceWebhooks> {
    const { keys, closed } = await this.#filesOf(service);
    const opened = await this.#opened.get(service)?.catch(() => undefined);
    return {
      service,
      keys: (await keys.signing()).map(shownKeys),
      pending: opened?.backlog.size ?? 0,
      closed: closed.list().map(({ url, at }) => ({ url, at: instant(at) })),
    };
  }

  /** New secrets; the old ones sign too for `overlapMs` more. */
  async rotate(service: string, overlapMs: number): Promise<ServiceWebhooks> {
    const { keys } = await this.#filesOf(service);
    await keys.rotate(overlapMs);
    this.#options.log.info({ service }, 'callback keys rotated');
    return this.webhooks(service);
  }

  /** Throws `not_found` when the address is not closed. */
  async openAddress(service: string, url: string): Promise<ServiceWebhooks> {
    const { closed } = await this.#filesOf(service);
    if (!(await closed.open(url))) {
      throw new PlatformError('not_found', `${service} has not closed that address`);
    }
    const text = `${shownUrl(url)} gets callbacks again`;
    this.#options.record({ service, kind: 'callback', what: 'opened', text });
    return this.webhooks(service);
  }

  /** The public keys of a service, or of all that have any. */
  async publicKeys(service?: string): Promise<readonly WebhookPublicKey[]> {
    const services = service === undefined ? await readdir(this.#options.folder) : [service];
    const found = await Promise.all(
      services.map(async (name) => (await this.#filesOf(name)).keys.signing()),
    );
    return found.flat().map((keys) => {
      const { publicKey: key, createdAt, until } = shownKeys(keys);
      return { key, createdAt, until };
    });
  }

  /** What was tried for a request. */
  async attempts(
    service: string,
    index: number,
  ): Promise<Pick<RequestCallbacks, 'pending' | 'attempts'>> {
    const { attempts, backlog } = await this.#required(service);
    const lines = await attempts.find(index);
    return { pending: backlog.find(index) !== undefined, attempts: lines.map(withoutIndex) };
  }

  /**
   * One attempt now, whatever was tried before; when it is taken, a pending callback is delivered.
   * Throws `conflict` when there is nothing to tell, or an attempt is under way.
   */
  async replay(service: string, index: number): Promise<CallbackAttempt> {
    const opened = await this.#required(service);
    const { source, backlog, courier, attempts } = opened;
    if (this.#byHand >= byHandMax) {
      const text = `${byHandMax} callbacks are being sent by hand; come back later`;
      throw new PlatformError('rate_limited', text, { retryAfterMs: 1000 });
    }
    this.#byHand++;
    try {
      const told = await source.tell(index, source.settings().resultBytesMax);
      if (told === undefined) throw new PlatformError('conflict', notAtRest);
      const missing = noCallback(told);
      if (missing !== undefined) throw missing;
      const number = (await attempts.find(index)).length + 1;
      const pending = backlog.find(index);
      if (pending?.state === 'running') {
        throw new PlatformError('conflict', 'an attempt is under way; look at the log');
      }
      if (pending !== undefined) backlog.borrow(pending);
      const url = told.request.callback?.url ?? '';
      const attempt = { index, url, number };
      let made: CallbackAttempt | undefined;
      try {
        made = await courier.deliverByHand(attempt, told, source, this.#stopped.signal);
      } finally {
        if (pending !== undefined) {
          if (made?.outcome === 'delivered') await backlog.finish(pending);
          else backlog.giveBack(pending);
        }
      }
      if (made === undefined) throw new PlatformError('unavailable', 'the server is stopping');
      return made;
    } finally {
      this.#byHand--;
    }
  }

  /** For metrics: what is pending in memory, and attempts by outcome since the start. */
  *observed(): Iterable<{
    readonly service: string;
    readonly pending: number;
    readonly attempts: ReadonlyMap<CallbackOutcome, number>;
  }> {
    for (const [service, { pending, attempts }] of this.#figures) {
      yield { service, pending: pending(), attempts };
    }
  }

  /** What an earlier service of the same name left behind goes. */
  async #claim(service: string, number: number): Promise<void> {
    const path = join(this.#folder(service), 'service.json');
    const before = await readJson(path, z.object({ number: z.int() }));
    if (before?.number === number) return;
    if (before !== undefined) {
      this.#files.delete(service);
      await rm(this.#folder(service), { recursive: true, force: true });
    }
    await writeJson(path, { number });
  }

  async #open(service: string, source: CallbackSource): Promise<Opened> {
    const { clock, random, log, record, agent, limits = backlogLimits } = this.#options;
    const { keys, closed } = await this.#filesOf(service);
    const isCurrent = ({ index, attempt, nextAt }: LogLine): boolean =>
      nextAt !== null && backlog.find(index)?.attempts === attempt;
    const attempts = new DeliveryLog({ folder: this.#folder(service), log, isCurrent });
    const progress = await attempts.load();
    const counts = this.#figures.get(service)?.attempts ?? noAttempts();
    const courier = new Courier({
      service,
      keys,
      closed,
      attempts,
      sending: { clock, resolve: this.#resolve, agent },
      clock,
      random,
      record,
      log,
      counted: (outcome) => counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
    });
    const gate = this.#gate;
    const options = { service, source, courier, gate, clock, log, progress, limits };
    const backlog = new Backlog(options);
    this.#figures.set(service, { pending: () => backlog.size, attempts: counts });
    return { source, backlog, courier, attempts };
  }

  #with(service: string, work: (opened: Opened) => void): void {
    // What fails here is told by `open`; the outbox is read when that has succeeded.
    this.#opened.get(service)?.then(work, () => undefined);
  }

  async #required(service: string): Promise<Opened> {
    const opened = await this.#opened.get(service);
    if (opened !== undefined) return opened;
    throw new PlatformError('unavailable', `the queues of ${service} are not open`);
  }

  #filesOf(service: string): Promise<Files> {
    const known = this.#files.get(service);
    if (known !== undefined) return known;
    const { clock, random } = this.#options;
    const folder = this.#folder(service);
    const closed = new ClosedAddresses(folder);
    const keys = new KeyRing({ folder, clock, random });
    const files = closed.load().then(() => ({ keys, closed }));
    this.#files.set(service, files);
    files.catch(() => this.#files.delete(service));
    return files;
  }

  #folder(service: string): string {
    return join(this.#options.folder, service);
  }

  #inTurn(service: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#turns.get(service) ?? Promise.resolve()).then(work);
    this.#turns.set(
      service,
      done.catch(() => undefined),
    );
    return done;
  }
}

function noAttempts(): Map<CallbackOutcome, number> {
  return new Map(callbackOutcomes.map((outcome) => [outcome, 0]));
}

function shownKeys({ secret, publicKey, createdAt, until }: DatedKeys): WebhookKeys {
  const shown = { secret, publicKey, createdAt: instant(createdAt) };
  return { ...shown, until: until === 0 ? null : instant(until) };
}

function withoutIndex({ index: _, ...attempt }: LogLine): CallbackAttempt {
  return attempt;
}

function instant(wall: number): string {
  return new Date(wall).toISOString();
}
