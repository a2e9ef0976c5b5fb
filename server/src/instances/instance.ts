// One instance from the wish for it to its end: starts its copy or takes one over, starts it anew
// after a crash, and lets it finish its work before it goes. It ends a copy only when that is to
// leave, or holds no work and fails its checks.

import type { DeployedService } from '../deployment/service.ts';
import type { Log } from '../kernel/log.ts';
import { pause } from '../kernel/pause.ts';
import type { Ending, Launch, Running, Survivor } from './driver.ts';
import type { FeederView } from './feeder.ts';
import type { Hold } from './host/ledger.ts';
import type { InstanceOptions } from './options.ts';
import { crashText, drainText, feedText, wroteText } from './reasons.ts';
import { Restarts } from './restarts.ts';
import type { JudgedCopy } from './rollout.ts';
import { Run, type RunEnd } from './run.ts';
import type { InstanceState, InstanceStatus, LastRun } from './status.ts';
import { Story } from './story.ts';
import type { Health } from './vitals.ts';
import { launchKey } from './wanted.ts';

/** Between two questions whether the driver can work by now. */
const driverRetryMs = 5000;
const lastLinesShown = 5;

export class Instance {
  readonly name: string;
  readonly url: string | undefined;
  readonly hold: Hold;
  readonly #options: InstanceOptions;
  readonly #log: Log;
  readonly #story: Story;
  #key: string;
  #wanted: DeployedService;
  #state: InstanceState = 'Pending';
  #reason = '';
  #survivor: Survivor | undefined;
  #run: Run | undefined;
  /** Of the newest run: when its start was asked for, when that was done (0 = not at all), and,
   * once it has ended, when it was ready (0 = never). */
  #askedAt = 0;
  #startedAt = 0;
  #readyAt = 0;
  /** An earlier server has started it: how long that took is not known. */
  #isTakenOver: boolean;
  /** It was taken over, and no check has said yet how it is. */
  #isUnchecked: boolean;
  #restarts = 0;
  readonly #row = new Restarts();
  /** The driver cannot work now: that is nobody's failure but the machine's. */
  #isBlocked = false;
  /** So is what its last start lacked. */
  #isOutside = false;
  #nextStartAt = 0;
  #last: LastRun | undefined;
  readonly #leaving = new AbortController();
  readonly #hurry = new AbortController();
  /** Aborted: it is not to be kept any more as its crash has left it. */
  #unkept = new AbortController();
  #life: Promise<void> | undefined;
  #isKilled = false;

  constructor(options: InstanceOptions) {
    const { name, wanted, log, record } = options;
    this.#options = options;
    this.name = name;
    this.url = options.url;
    this.hold = options.hold;
    this.#key = launchKey(wanted);
    this.#wanted = wanted;
    this.#survivor = options.survivor;
    this.#isTakenOver = this.#survivor !== undefined;
    this.#isUnchecked = this.#isTakenOver;
    this.#log = log.child({ service: wanted.name, instance: name });
    this.#story = new Story({ service: wanted.name, instance: name, record });
  }

  /** Which launch it is a copy of. */
  get key(): string {
    return this.#key;
  }

  get isLeaving(): boolean {
    return this.#leaving.signal.aborted;
  }

  get isReady(): boolean {
    return this.#state === 'Running' || this.#state === 'Busy';
  }

  get isUnchecked(): boolean {
    return this.#isUnchecked;
  }

  get isTrying(): boolean {
    const isWaiting = this.#isBlocked || this.#isOutside || this.#state === 'Pulling';
    return !this.isLeaving && !isWaiting;
  }

  /** Requests its model has or may have. */
  get held(): number {
    return this.#run?.held ?? 0;
  }

  start(): void {
    this.#life ??= this.#live().catch(async (error: unknown) => {
      this.#log.error({ error }, 'an instance failed unexpectedly');
      this.#enter('Terminated', 'a bug in Sluice; see its log');
      await this.#run?.running.stop(0);
    });
  }

  /** New settings; what is wanted of the copy itself stays. */
  update(wanted: DeployedService): void {
    this.#wanted = wanted;
    this.#key = launchKey(wanted);
    this.#run?.update(wanted);
    if (wanted.instances.keepCrashed) return;
    this.#unkept.abort();
    this.#unkept = new AbortController();
  }

  /** Takes no more work, finishes what it has, ends. Resolves when nothing of it is left. */
  leave(): Promise<void> {
    this.#leaving.abort();
    return this.#life ?? Promise.resolve();
  }

  /** While leaving: open calls are given back now instead of waited for. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** While leaving: no grace for the process either. */
  kill(): void {
    this.#isKilled = true;
    this.#hurry.abort();
    this.#run?.running.kill();
  }

  view(): JudgedCopy {
    const { name, key, url, isReady, isLeaving, isTrying, held } = this;
    return { name, key, url, isReady, isLeaving, isTrying, held, reason: this.#why() };
  }

  status(): InstanceStatus {
    const running = this.#run?.running;
    const feed = this.#run?.view();
    return {
      service: this.#wanted.name,
      name: this.name,
      kind: this.#kind(),
      state: this.#state,
      isLeaving: this.isLeaving,
      reason: this.#why(feed),
      url: this.url ?? (running?.port === undefined ? '' : running.url.origin),
      pid: running?.pid,
      revision: this.#wanted.revision,
      startedAt: this.#startedAt,
      readyAt: this.#run?.readyAt ?? this.#readyAt,
      isTakenOver: this.#isTakenOver,
      restarts: this.#restarts,
      crashes: this.#row.inARow,
      window: this.#wanted.instances.window,
      feed,
      last: this.#last,
      nextStartAt: this.#nextStartAt,
    };
  }

  async #live(): Promise<void> {
    while (!this.isLeaving) {
      await this.#runOnce();
      if (!this.isLeaving) await this.#backOff();
    }
    // It left before it could be gone on with.
    await this.#survivor?.end();
    this.#enter('Terminated', '');
    await this.#options.driver.forget(this.name);
    this.#story.gone();
  }

  async #runOnce(): Promise<void> {
    const { driver, clock, makeFeeder } = this.#options;
    this.#startedAt = 0;
    this.#readyAt = 0;
    this.#nextStartAt = 0;
    const problem = await driver.problem();
    this.#isBlocked = problem !== undefined;
    if (problem !== undefined) {
      if (this.#reason !== problem) this.#story.blocked(problem);
      this.#enter('Pending', problem);
      return;
    }
    if (this.isLeaving) return;
    this.#askedAt = clock.now().wall;
    this.#enter('Starting', '');
    const isFirstOfEndpoint = this.url !== undefined && this.#restarts === 0;
    const taken = await this.#takeOver();
    this.#isTakenOver = taken !== undefined;
    this.#isUnchecked = this.#isTakenOver;
    const running = taken ?? (await driver.start(this.#launch()));
    const run = new Run({
      running,
      instance: this.name,
      wanted: () => this.#wanted,
      makeFeeder,
      cutGraceMs: driver.cutGraceMs,
      kind: this.#kind(),
      isTakenOver: taken !== undefined || isFirstOfEndpoint,
      clock,
      log: this.#log,
      show: (health, reason) => this.#show(health, reason),
    });
    this.#run = run;
    if (running.hasBegun) this.#begun(running);
    const end = await run.watch(this.#leaving.signal);
    await this.#finish(run, end);
    this.#run = undefined;
  }

  /** Goes on with the copy of an earlier server; undefined: there is none, or not any more. */
  async #takeOver(): Promise<Running | undefined> {
    const survivor = this.#survivor;
    this.#survivor = undefined;
    if (survivor === undefined) return undefined;
    try {
      const running = await survivor.adopt(this.#launch());
      this.#askedAt = survivor.startedAt;
      return running;
    } catch (error) {
      this.#log.warn({ error }, 'a copy of an earlier server cannot be taken over');
      await survivor.end();
      return undefined;
    }
  }

  #launch(): Launch {
    const { name: service, number, revision, instances } = this.#wanted;
    return {
      service,
      number,
      instance: this.name,
      key: this.#key,
      revision,
      source: instances.source,
      url: this.url,
      resources: this.hold.resources,
      devices: this.hold.devices,
      tell: ({ state, text }) => {
        this.#askedAt = this.#options.clock.now().wall;
        if (!this.isLeaving) this.#enter(state, text);
      },
      signal: this.#leaving.signal,
    };
  }

  #begun({ pid, url }: Running): void {
    const isTakenOver = this.#isTakenOver;
    this.#startedAt = this.#askedAt;
    this.#isOutside = false;
    if (!this.isLeaving) this.#enter('Starting', '');
    const words = isTakenOver ? 'taken over' : 'started';
    this.#log.info({ url: url.href, ...(pid === undefined ? {} : { pid }) }, words);
    this.#story.begun({ pid, url, isTakenOver, startedAt: this.#startedAt });
  }

  #show(health: Health, reason: string): void {
    if (this.#isUnchecked) this.#options.changed();
    this.#isUnchecked = false;
    if (this.isLeaving) return;
    switch (health) {
      case 'starting':
        this.#enter('Starting', reason);
        return;
      case 'ready':
        this.#enter('Running', '');
        return;
      case 'busy':
        this.#enter('Busy', `too busy for its health check: ${reason}`);
        return;
      case 'unhealthy':
        this.#enter('Unhealthy', `its health check failed: ${reason}`);
        return;
    }
  }

  async #finish(run: Run, end: RunEnd): Promise<void> {
    switch (end.kind) {
      case 'ended':
        return this.#crashed(run, end.ending, end.reason);
      case 'unfit': {
        this.#log.warn({ reason: end.reason }, 'ending an instance that fails its checks');
        this.#enter('Unhealthy', end.reason);
        // Nothing is running; what may have come since the check goes back uncounted.
        await run.drain(AbortSignal.abort());
        await run.running.stop(this.#graceMs());
        return this.#crashed(run, await run.running.ended, end.reason);
      }
      case 'leave':
        return this.#depart(run);
    }
  }

  /** The time to end by itself begins when its last request has ended, or at once when it hurries. */
  async #depart(run: Run): Promise<void> {
    const { drainTimeoutMs } = this.#wanted.instances;
    const { held } = run;
    this.#enter('Draining', '');
    this.#story.draining(held, this.#hurry.signal.aborted);
    const limit =
      drainTimeoutMs > 0
        ? this.#options.clock.after(drainTimeoutMs, () => this.#overdue(run))
        : undefined;
    await run.drain(this.#hurry.signal);
    limit?.cancel();
    this.#enter('Draining', 'asked to end');
    if (this.#isKilled) run.running.kill();
    await run.running.stop(this.#graceMs());
  }

  #overdue(run: Run): void {
    const { drainTimeoutMs } = this.#wanted.instances;
    this.#log.warn({ held: run.held, drainTimeoutMs }, 'giving back what an instance works on');
    this.#story.overdue(run.held, drainTimeoutMs);
    this.hurry();
  }

  async #crashed(run: Run, ending: Ending, reason: string): Promise<void> {
    const { clock, driver, crashed } = this.#options;
    const endedAt = clock.now().wall;
    const { readyAt } = run;
    this.#readyAt = readyAt;
    this.#isOutside = ending.isOutside === true;
    this.#enter(ending.problem === undefined ? 'CrashLoop' : 'Pending', reason);
    await run.died(`the ${this.#kind()} ${reason}`);
    await run.running.stop(this.#graceMs());
    const lines = await driver.lastLines(this.name, lastLinesShown).catch(() => []);
    const { code, signal } = ending;
    this.#last = { code, signal, reason, startedAt: this.#startedAt, endedAt, lines };
    const readyMs = readyAt === 0 ? 0 : endedAt - readyAt;
    this.#row.ended({ readyMs, isHopeless: ending.isFinal === true });
    const crashes = this.#row.inARow;
    this.#log.warn({ reason, crashes, lines }, 'an instance ended by itself');
    this.#story.crashed(this.#last, crashes, ending);
    crashed(this.#key, ending, `${reason}${wroteText(this.#last)}`);
  }

  async #backOff(): Promise<void> {
    const { clock, random } = this.#options;
    if (this.#isBlocked) return pause(clock, driverRetryMs, this.#leaving.signal);
    if (this.#wanted.instances.keepCrashed && this.#state === 'CrashLoop') {
      // Until it is replaced, or wanted otherwise.
      const until = AbortSignal.any([this.#leaving.signal, this.#unkept.signal]);
      await pause(clock, Number.MAX_SAFE_INTEGER, until);
    }
    const delayMs = this.#row.delayMs(random);
    this.#nextStartAt = clock.now().wall + delayMs;
    await pause(clock, delayMs, this.#leaving.signal);
    if (!this.isLeaving) this.#restarts += 1;
  }

  #why(feed: FeederView | undefined = this.#run?.view()): string {
    if (this.#state === 'Draining' && this.#reason === '') return drainText(this.held);
    const isWaiting = this.#state === 'CrashLoop' || this.#state === 'Pending';
    if (!isWaiting || this.#last === undefined || this.#isBlocked) {
      return this.#reason !== '' ? this.#reason : feedText(feed);
    }
    const { clock } = this.#options;
    const inMs = this.#nextStartAt === 0 ? undefined : this.#nextStartAt - clock.now().wall;
    const isKept = this.#wanted.instances.keepCrashed && this.#state === 'CrashLoop';
    return crashText(this.#last, this.#row.inARow, isKept ? 'kept' : inMs);
  }

  #kind(): 'process' | 'container' | 'endpoint' {
    if (this.url !== undefined) return 'endpoint';
    return this.#wanted.instances.source.kind === 'container' ? 'container' : 'process';
  }

  #graceMs(): number {
    return this.#wanted.instances.terminationGraceMs;
  }

  #enter(state: InstanceState, reason: string): void {
    const isNews = state !== this.#state || (state === 'Pending' && reason !== this.#reason);
    this.#state = state;
    this.#reason = reason;
    if (!isNews) return;
    this.#log.info({ state, ...(reason === '' ? {} : { reason }) }, 'instance changed');
    this.#story.entered(state, reason);
    this.#options.changed();
  }
}
