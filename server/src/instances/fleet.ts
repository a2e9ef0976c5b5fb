// All copies of one service: which there are, which are missing and why, and how far an update has
// come. Starting them waits for the machine to have room; who gets it is decided across services.

import type { DeployedService, RuntimeReport } from '../deployment/service.ts';
import type { Timer } from '../kernel/clock.ts';
import type { Driver, Survivor } from './driver.ts';
import type { Allotment, Ask } from './host/allot.ts';
import type { Hold, Ledger } from './host/ledger.ts';
import { Instance } from './instance.ts';
import type { ManagerOptions } from './options.ts';
import { type Plan, plan } from './plan.ts';
import { reportOf } from './report.ts';
import { roomMakers } from './rolling.ts';
import { RolloutJudge, type RolloutNews } from './rollout.ts';
import type { InstanceStatus } from './status.ts';
import { isOfService, launchKey } from './wanted.ts';

const nothing = { cpuMillis: 0, memoryBytes: 0, gpus: 0 };

export class Fleet {
  readonly #options: Required<ManagerOptions>;
  /** Something has changed: all is to be looked at again. */
  readonly #changed: () => void;
  readonly #copies = new Map<string, Instance>();
  readonly #judge: RolloutJudge;
  #wanted: DeployedService;
  #plan: Plan = { start: [], leave: [], limit: undefined };
  /** Instances that were let go for others to come, which have not come yet. */
  #owed = 0;
  /** How many would start if there were room, and what is missing. */
  #waiting = 0;
  #shortage: string | undefined;
  /** Monotonic clock. */
  #waitsSince: number | undefined;
  #timer: Timer | undefined;
  isRemoved = false;

  constructor(wanted: DeployedService, options: Required<ManagerOptions>, changed: () => void) {
    this.#wanted = wanted;
    this.#options = options;
    this.#changed = changed;
    this.#judge = new RolloutJudge(wanted);
  }

  get wanted(): DeployedService {
    return this.#wanted;
  }

  copies(): readonly Instance[] {
    return [...this.#copies.values()];
  }

  find(instance: string): Instance | undefined {
    return this.#copies.get(instance);
  }

  holds(): readonly Hold[] {
    return this.copies().map(({ hold }) => hold);
  }

  apply(wanted: DeployedService): void {
    this.#wanted = wanted;
    this.isRemoved = false;
    this.#judge.follow(wanted);
    for (const copy of this.copies()) if (follows(copy, wanted)) copy.update(wanted);
  }

  /** Lets those go that have to, and answers how many it would start. */
  review(): Ask {
    const { clock } = this.#options;
    this.#plan = this.#planned();
    const { start, leave, limit } = this.#plan;
    if (limit !== undefined && this.#driver() === undefined) this.#isImpossible(limit);
    this.#release(leave);
    if (start.length === 0) this.#waitsSince = undefined;
    else this.#waitsSince ??= clock.now().mono;
    return {
      service: this.#wanted.name,
      resources: needOf(this.#wanted),
      wants: start.length,
      owed: this.#owed,
      instances: this.#staying(),
      waitsSince: this.#waitsSince,
    };
  }

  /** Starts what there is room for. Where an update finds none, old ones make room. */
  start({ granted, shortage, isTooLarge }: Allotment, ledger: Ledger): void {
    const { start } = this.#plan;
    for (const [at, devices] of granted.entries()) this.#launch(start[at], devices);
    this.#owed = Math.max(0, this.#owed - granted.length);
    this.#waiting = start.length - granted.length;
    this.#tellShortage(shortage);
    if (shortage === undefined) return;
    if (isTooLarge) this.#isImpossible(shortage);
    if (granted.length > 0 || isTooLarge) return;
    const leaving = roomMakers(this.#wanted, this.copies(), (gone) => {
      const holds = gone.map(({ hold }) => hold);
      return ledger.without(holds).fits(needOf(this.#wanted));
    });
    this.#release(leaving);
  }

  /** Nothing of this launch can ever run here: where others would have to make way, that is the
   * end of the update. */
  #isImpossible(why: string): void {
    const hasOld = this.copies().some((copy) => !copy.isLeaving && copy.key !== this.#key);
    if (hasOld) this.#judge.impossible(this.#key, why);
  }

  /** Looks how far an update has come, and tells what is new of it. */
  judge(): void {
    const { clock } = this.#options;
    const copies = this.copies().map((copy) => copy.view());
    const { news, againMs } = this.#judge.look(copies, clock.now().mono);
    this.#timer?.cancel();
    this.#timer = againMs === undefined ? undefined : clock.after(againMs, this.#changed);
    for (const one of news) this.#tellRollout(one);
  }

  /** Goes on with a copy of an earlier server, which is one of `launched`. */
  adopt(survivor: Survivor, driver: Driver, launched: DeployedService): void {
    const { instance, devices } = survivor;
    const hold = { service: launched.name, resources: needOf(launched), devices };
    this.#begin({ name: instance, url: undefined, driver, hold, survivor, wanted: launched });
  }

  /** Resolves when nothing is left of it. */
  async letGo(name: string): Promise<void> {
    const copy = this.#copies.get(name);
    if (copy === undefined) return;
    await copy.leave();
    if (this.#copies.get(name) === copy) this.#copies.delete(name);
    this.#changed();
  }

  /** Lets one go for another to take its place. */
  replace(name: string): void {
    this.#release([name]);
    this.#changed();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** In the order in which they were started; behind them those that cannot start yet. */
  status(): readonly InstanceStatus[] {
    const running = this.copies().map((copy) => copy.status());
    const { limit } = this.#plan;
    const kept = Math.max(0, this.#wanted.instances.count - this.#staying());
    const missing = limit === undefined ? this.#waiting : kept;
    const pending = Array.from({ length: missing }, (_, at) => this.#pendingStatus(at));
    return [...running, ...pending];
  }

  report(): RuntimeReport {
    const limit = this.#plan.limit ?? this.#shortage;
    return reportOf(this.#wanted, this.status(), { limit, rollout: this.#judge.rollout() });
  }

  /** Lets copies go. Where then fewer stay than are wanted, others will need their room. */
  #release(names: readonly string[]): void {
    for (const name of names) void this.letGo(name);
    const missing = Math.max(0, this.#wanted.instances.count - this.#staying());
    this.#owed = Math.min(this.#owed + names.length, missing);
  }

  #staying(): number {
    return this.copies().filter(({ isLeaving }) => !isLeaving).length;
  }

  get #key(): string {
    return launchKey(this.#wanted);
  }

  #launch(url: string | undefined, devices: readonly number[]): void {
    const driver = this.#driver();
    if (driver === undefined) return;
    const hold = { service: this.#wanted.name, resources: needOf(this.#wanted), devices };
    const wanted = this.#wanted;
    this.#begin({ name: this.#name(url), url, driver, hold, survivor: undefined, wanted });
  }

  #driver(): Driver | undefined {
    const { source } = this.#wanted.instances;
    const isRun = source.kind !== 'none' && source.kind !== 'pending';
    return isRun ? this.#options.drivers[source.kind] : undefined;
  }

  #planned(): Plan {
    const planned = plan(this.#wanted, this.copies());
    if (planned.start.length === 0 || this.#driver() !== undefined) return planned;
    const { kind } = this.#wanted.instances.source;
    return { ...planned, start: [], limit: `nothing here can run a ${kind}` };
  }

  #begin(options: {
    readonly name: string;
    readonly url: string | undefined;
    readonly driver: Driver;
    readonly hold: Hold;
    readonly survivor: Survivor | undefined;
    readonly wanted: DeployedService;
  }): void {
    const { makeFeeder, clock, random, log, record } = this.#options;
    const instance = new Instance({
      ...options,
      makeFeeder,
      clock,
      random,
      log,
      record,
      changed: this.#changed,
      crashed: (key, ending, reason) => {
        if (ending.isFinal === true) this.#judge.impossible(key, reason);
        if (ending.isOutside !== true) this.#judge.crashed(key, reason);
        this.#changed();
      },
    });
    this.#copies.set(instance.name, instance);
    instance.start();
  }

  /** Endpoints are numbered, so that they have the same names after a restart. */
  #name(url: string | undefined): string {
    const { random } = this.#options;
    const { name } = this.#wanted;
    for (let number = 1; ; number += 1) {
      const short = random.uint32().toString(36).padStart(5, '0').slice(-5);
      const candidate = url === undefined ? `${name}-${short}` : `${name}-${number}`;
      if (!this.#copies.has(candidate)) return candidate;
    }
  }

  #tellShortage(shortage: string | undefined): void {
    const before = this.#shortage;
    this.#shortage = shortage;
    if (shortage === undefined || before !== undefined) return;
    const { record, log } = this.#options;
    const service = this.#wanted.name;
    const missing = this.#waiting;
    log.warn({ service, missing, shortage }, 'instances wait for room on the machine');
    const who = missing === 1 ? 'One instance waits' : `${missing} instances wait`;
    const text = `${who} for room on the machine: ${shortage}`;
    record({ service, kind: 'instance', what: 'pending', text, facts: { missing } });
  }

  #tellRollout(news: RolloutNews): void {
    const { record, log, rolloutFailed, proven } = this.#options;
    const { name: service, number, revision, sourceRevision } = this.#wanted;
    const facts = { revision, sourceRevision };
    const tell = (what: string, text: string): void => {
      log.info({ service, ...facts, what }, 'update of instances');
      record({ service, kind: 'rollout', what, text, facts });
    };
    switch (news.kind) {
      case 'begun':
        tell('begun', `Update to revision ${revision} ${news.text}`);
        return;
      case 'done':
        tell('done', `Update to revision ${revision} done: ${news.text}`);
        return;
      case 'proven':
        proven(service, number, sourceRevision);
        return;
      case 'failed':
        tell('failed', `Revision ${revision} does not become ready: ${news.reason}`);
        rolloutFailed(service, number, sourceRevision, news.reason);
        return;
    }
  }

  #pendingStatus(at: number): InstanceStatus {
    const { name, revision, instances } = this.#wanted;
    return {
      service: name,
      name: `${name}-pending-${at + 1}`,
      kind: 'pending',
      state: 'Pending',
      isLeaving: false,
      reason: this.#plan.limit ?? this.#shortage ?? '',
      url: '',
      pid: undefined,
      revision,
      startedAt: 0,
      readyAt: 0,
      isTakenOver: false,
      restarts: 0,
      crashes: 0,
      window: instances.window,
      feed: undefined,
      last: undefined,
      nextStartAt: 0,
    };
  }
}

/** What one instance takes of the machine; servers that already run take nothing. */
function needOf({ instances: { source, resources } }: DeployedService): Hold['resources'] {
  return source.kind === 'endpoint' ? nothing : resources;
}

/** Whether a copy takes new settings as it is; others keep theirs until they are replaced. */
function follows(copy: Instance, wanted: DeployedService): boolean {
  if (copy.url === undefined) return copy.key === launchKey(wanted);
  return isOfService(copy.key, wanted.number) && wanted.instances.source.kind === 'endpoint';
}
