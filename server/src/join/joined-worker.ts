// A second composition root, beside the platform: an instance on this machine that works for a
// service on another one. It has no queues. The manager runs the one instance as a server would,
// the same worker feeds it, and its work comes over the stream protocol.

import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PlatformError } from '@sluice/sdk';
import type { ReplaceOrder, WorkerReport, WorkTerms } from '@sluice/sdk/wire';
import { isLoopback } from '../config/address.ts';
import { lockFolder } from '../engine/lmdb/lock.ts';
import { EndpointDriver } from '../instances/endpoint.ts';
import type { Environment } from '../instances/environment.ts';
import type { Feeder, FeedOrder } from '../instances/feeder.ts';
import { InstanceManager } from '../instances/manager.ts';
import { ProcessDriver } from '../instances/process.ts';
import { type InstanceStatus, infoOf } from '../instances/status.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { HttpModelClient } from '../worker/model-client.ts';
import { ReportDesk } from '../worker/report-desk.ts';
import { Worker } from '../worker/worker.ts';
import { BodyLine } from './body-line.ts';
import { EndedCalls } from './ended-calls.ts';
import { Membership, type MembershipNews } from './membership.ts';
import { RemoteBodies } from './remote-bodies.ts';
import { type InstanceChoice, wantedInstance } from './wanted.ts';
import { NewsSender } from './work-news.ts';
import { fetchingSource } from './work-source.ts';

/** What is worth telling whoever watches the worker. */
export type WorkerNews =
  | MembershipNews
  /** The server wants a fresh instance. */
  | { readonly kind: 'replaced'; readonly how: ReplaceOrder['how'] }
  /** The model server: where its output goes is told with the first of these. */
  | { readonly kind: 'instance'; readonly state: string; readonly reason: string };

export interface JoinedWorkerOptions {
  readonly url: string;
  readonly service: string;
  readonly token: string;
  /** Its name among all instances of the service; undefined: made of service, host and chance. */
  readonly name: string | undefined;
  readonly choice: InstanceChoice;
  /** Where folders for records and output of model processes are made. */
  readonly folder: string;
  readonly environment: Environment;
  readonly version: string;
  readonly news: (news: WorkerNews) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Workers of one service on one machine, most. */
const slotsMax = 1000;
/** How long a worker that is cut short has for giving back what it holds. */
const lastWordsMs = 3000;

export class JoinedWorker {
  readonly name: string;
  readonly #options: JoinedWorkerOptions;
  readonly #membership: Membership;
  readonly #number: number;
  readonly #over = new AbortController();
  readonly #calls = new EndedCalls();
  readonly #reports: ReportDesk;
  readonly #news: NewsSender;
  readonly #line: BodyLine;
  readonly #bodies: RemoteBodies;
  #manager: InstanceManager | undefined;
  /** The last order to replace the instance that was followed. */
  #replaced = 0;
  #told = '';

  constructor(options: JoinedWorkerOptions) {
    const { url, service, token, version, clock, random, log } = options;
    this.#options = options;
    this.#number = random.uint32();
    this.#reports = new ReportDesk({ random, log });
    this.#news = new NewsSender(() => this.#membership.client, log);
    this.#line = new BodyLine({ url, service, token, clock });
    this.#bodies = new RemoteBodies({
      line: this.#line,
      folder: join(options.folder, 'results'),
      terms: () => this.#membership.terms,
      random,
    });
    this.name = options.name ?? nameOf(service, random);
    this.#membership = new Membership({
      url,
      service,
      token,
      instance: this.name,
      agent: `sluice-worker/${version}`,
      report: () => this.#report(),
      changed: (terms) => this.#follow(terms),
      heard: ({ callsBefore, calls }) => this.#calls.heard(callsBefore + calls.length),
      news: options.news,
      clock,
      random,
    });
  }

  /** Requests that the model works on now. */
  get running(): number {
    return this.#status()?.feed?.running.length ?? 0;
  }

  /**
   * Works until `leave` is aborted; then takes nothing more, finishes what it has and ends. Once
   * `cut` is aborted too, running calls are given back uncounted. Rejects when the server refuses
   * the worker for good; nothing is left running in any case.
   */
  async run(leave: AbortSignal, cut: AbortSignal): Promise<void> {
    const folder = await this.#claim();
    const refused = new AbortController();
    try {
      if (!(await this.#membership.join(leave))) return;
      await this.#start(folder.path);
      const member = this.#membership.keep(this.#over.signal);
      const refusal = member.then(
        () => undefined,
        (error: unknown) => {
          refused.abort();
          return error;
        },
      );
      await firstOf(leave, refused.signal);
      await this.#stop(AbortSignal.any([cut, refused.signal]));
      this.#over.abort();
      const error = await refusal;
      if (error !== undefined) throw error;
    } finally {
      this.#over.abort();
      await this.#manager?.stop({ deadlineMs: 0 });
      await this.#reports.stop();
      await this.#line.close();
      await this.#membership.close();
      await folder.release();
    }
  }

  async #start(folder: string): Promise<void> {
    const { environment, clock, random, log } = this.#options;
    await this.#reports.start();
    const reportUrl = (): string | undefined => this.#reports.url;
    const manager = new InstanceManager({
      drivers: {
        process: new ProcessDriver({ folder, environment, reportUrl, clock, log }),
        endpoint: new EndpointDriver(),
      },
      makeFeeder: (order) => this.#feeder(order),
      clock,
      random,
      log,
    });
    this.#manager = manager;
    const { terms } = this.#membership;
    if (terms !== undefined) this.#follow(terms);
    await manager.start();
  }

  /** Lets the instance finish and end. */
  async #stop(cut: AbortSignal): Promise<void> {
    const manager = this.#manager;
    if (manager === undefined) return;
    const { drainTimeoutMs } = this.#options.choice;
    let timer: Timer | undefined;
    const kill = (): void => {
      manager.kill();
      // Without a connection nothing can be given back: the server sees the loss itself.
      timer = this.#options.clock.after(lastWordsMs, () => void this.#membership.close());
    };
    cut.addEventListener('abort', kill, { once: true });
    if (cut.aborted) kill();
    const deadlineMs = drainTimeoutMs === 0 ? Number.MAX_SAFE_INTEGER : drainTimeoutMs;
    await manager.stop({ deadlineMs });
    timer?.cancel();
    cut.removeEventListener('abort', kill);
  }

  #follow(terms: WorkTerms): void {
    const { service, choice } = this.#options;
    if (terms.replace !== undefined) this.#replace(terms.replace);
    const wanted = wantedInstance({ service, number: this.#number }, choice, terms);
    this.#manager?.apply(wanted).catch((error: unknown) => {
      this.#options.log.error({ error }, 'new settings not taken');
    });
  }

  /** An instance that has not been started yet is as new as one can be. */
  #replace({ number, how }: ReplaceOrder): void {
    if (number === this.#replaced) return;
    this.#replaced = number;
    const name = this.#status()?.name;
    if (name === undefined) return;
    this.#options.news({ kind: 'replaced', how });
    this.#manager?.replace(this.#options.service, name, how);
  }

  #feeder(order: FeedOrder): Feeder {
    const { service, clock, random, log } = this.#options;
    const { url, settings, cutGraceMs, end } = order;
    return new Worker({
      service,
      instance: this.name,
      source: fetchingSource(this.#membership.client),
      bodies: this.#bodies,
      model: new HttpModelClient({ origin: url.origin, clock }),
      basePath: url.pathname,
      settings,
      answerBytesMax: () => this.#membership.terms?.resultBytesMax ?? 0,
      cutGraceMs,
      news: this.#news,
      reports: isLoopback(url.hostname) ? this.#reports : undefined,
      end,
      clock,
      random,
      log: log.child({ service, instance: this.name }),
      observe: (call) => this.#calls.add(call),
    });
  }

  #status(): InstanceStatus | undefined {
    return this.#manager?.status(this.#options.service)[0];
  }

  #report(): WorkerReport {
    const { choice, version } = this.#options;
    const status = this.#status();
    const lost = status?.feed?.lost;
    if (lost !== undefined) throw this.#lost(lost);
    const state = status?.state ?? 'Pending';
    const reason = status?.reason ?? '';
    this.#tell(state, reason);
    return {
      source: choice.source.kind,
      host: hostname(),
      pid: process.pid,
      version,
      state,
      reason,
      address: status?.url ?? '',
      window: status?.window ?? choice.window ?? 0,
      restarts: status?.restarts ?? 0,
      startedAt: Math.floor(status?.startedAt ?? 0),
      revision: this.#membership.terms?.revision ?? 0,
      lastExit: status === undefined ? null : infoOf(status).lastExit,
      replaced: this.#replaced,
      ...this.#calls.next(),
    };
  }

  #lost(why: 'replaced' | 'deleted'): PlatformError {
    const { service } = this.#options;
    if (why === 'deleted') return new PlatformError('not_found', `service ${service} was deleted`);
    const text = `another worker joined as ${this.name}: give each its own name`;
    return new PlatformError('conflict', text);
  }

  #tell(state: string, reason: string): void {
    const text = `${state} ${reason}`;
    if (text === this.#told || this.#manager === undefined) return;
    this.#told = text;
    this.#options.news({ kind: 'instance', state, reason });
  }

  /** A folder that no other worker of this machine uses now. What a killed one has left running
   * there is ended before this one starts its own. */
  async #claim(): Promise<{ readonly path: string; release(): Promise<void> }> {
    const { folder, service, choice } = this.#options;
    if (choice.source.kind === 'endpoint') return { path: folder, release: async () => undefined };
    for (let slot = 1; slot <= slotsMax; slot += 1) {
      const path = join(folder, `${service}-${slot}`);
      await mkdir(path, { recursive: true, mode: 0o700 });
      const lock = await lockFolder(path).catch((error: unknown) => {
        if (error instanceof PlatformError && error.code === 'unavailable') return undefined;
        throw error;
      });
      if (lock !== undefined) return { path, release: () => lock.release() };
    }
    throw new PlatformError('unavailable', `All ${slotsMax} folders in ${folder} are in use.`);
  }
}

/** `ocr-gpubox-k3x9a`: after the service and the machine, and no other worker's. */
function nameOf(service: string, random: Random): string {
  const host = hostname()
    .split('.')[0]
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 40);
  const short = random.uint32().toString(36).padStart(5, '0').slice(-5);
  return `${service}-${host}-${short}`;
}

function firstOf(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) return resolve();
    any.addEventListener('abort', () => resolve(), { once: true });
  });
}
