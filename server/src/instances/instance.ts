// One instance from the wish for it to its end: starts its copy, checks it, feeds it, starts it
// anew after a crash, and lets it finish its work before it goes. It ends a copy only when that is
// to leave, or holds no work and fails its checks.

import type { DeployedService } from '../deployment/service.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Driver, Ending, Running } from './driver.ts';
import type { Feeder, MakeFeeder } from './feeder.ts';
import { probe } from './probe.ts';
import { endingText, type InstanceState, type InstanceStatus, type LastRun } from './status.ts';
import { type Health, Vitals } from './vitals.ts';
import { launchKey } from './wanted.ts';

export interface InstanceOptions {
  readonly name: string;
  readonly wanted: DeployedService;
  /** The address, of an endpoint. */
  readonly url: string | undefined;
  readonly driver: Driver;
  readonly makeFeeder: MakeFeeder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Its state has changed. */
  readonly changed: () => void;
}

const firstRestartMs = 500;
const longestRestartMs = 60_000;
/** A copy that was ready for so long starts the row of crashes anew. */
const steadyMs = 60_000;
const lastLinesShown = 5;

/** Why one run of the copy is over. */
type RunEnd =
  | { readonly kind: 'ended'; readonly ending: Ending }
  | { readonly kind: 'leave' }
  | { readonly kind: 'unfit'; readonly reason: string };

export class Instance {
  readonly name: string;
  readonly url: string | undefined;
  /** Which launch it is a copy of. */
  readonly key: string;
  readonly #options: InstanceOptions;
  readonly #log: Log;
  #wanted: DeployedService;
  #state: InstanceState = 'Starting';
  #reason = '';
  #running: Running | undefined;
  #feeder: Feeder | undefined;
  #startedAt = 0;
  #readyAt = 0;
  #restarts = 0;
  #crashes = 0;
  #nextStartAt = 0;
  #last: LastRun | undefined;
  readonly #leaving = new AbortController();
  readonly #hurry = new AbortController();
  #life: Promise<void> | undefined;
  #isKilled = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = options.url;
    this.key = launchKey(options.wanted);
    this.#wanted = options.wanted;
    this.#log = options.log.child({ service: options.wanted.name, instance: options.name });
  }

  get isLeaving(): boolean {
    return this.#leaving.signal.aborted;
  }

  get isReady(): boolean {
    return this.#state === 'Running' || this.#state === 'Busy';
  }

  get isGone(): boolean {
    return this.#state === 'Terminated';
  }

  /** Requests its model has or may have. */
  get held(): number {
    const view = this.#feeder?.view();
    return view === undefined ? 0 : view.running.length + view.abandoned;
  }

  start(): void {
    this.#life ??= this.#live().catch(async (error: unknown) => {
      this.#log.error({ error }, 'an instance failed unexpectedly');
      this.#enter('Terminated', 'a bug in Sluice; see its log');
      await this.#running?.stop(0);
    });
  }

  /** New settings; what is wanted of the copy itself stays. */
  update(wanted: DeployedService): void {
    this.#wanted = wanted;
    this.#feeder?.update(wanted.instances);
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
    this.#running?.kill();
  }

  status(): InstanceStatus {
    const feed = this.#feeder?.view();
    const pid = this.#running?.pid;
    return {
      service: this.#wanted.name,
      name: this.name,
      kind: this.url === undefined ? 'process' : 'endpoint',
      state: this.#state,
      reason: this.#reason !== '' ? this.#reason : feedReason(feed),
      url: this.url ?? (pid === undefined ? '' : (this.#running?.url.origin ?? '')),
      pid,
      revision: this.#wanted.revision,
      startedAt: this.#startedAt,
      readyAt: this.#readyAt,
      restarts: this.#restarts,
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
    this.#enter('Terminated', '');
    await this.#options.driver.forget(this.name);
  }

  async #runOnce(): Promise<void> {
    const { driver, clock } = this.#options;
    const { name: service, number, revision, instances } = this.#wanted;
    this.#startedAt = clock.now().wall;
    this.#readyAt = 0;
    this.#nextStartAt = 0;
    this.#enter('Starting', '');
    const running = await driver.start({
      service,
      number,
      instance: this.name,
      key: this.key,
      revision,
      source: instances.source,
      url: this.url,
      resources: instances.resources,
      devices: [],
      tell: ({ state, text }) => this.#enter(state, text),
      signal: this.#leaving.signal,
    });
    this.#running = running;
    const { pid } = running;
    this.#log.info({ url: running.url.href, ...(pid === undefined ? {} : { pid }) }, 'started');
    const over = new AbortController();
    const end = await this.#firstEnd(running, over.signal);
    over.abort();
    await this.#finish(running, end);
    this.#running = undefined;
  }

  #firstEnd(running: Running, over: AbortSignal): Promise<RunEnd> {
    return new Promise((resolve, reject) => {
      running.ended.then((ending) => resolve({ kind: 'ended', ending }), reject);
      const leave = (): void => resolve({ kind: 'leave' });
      if (this.isLeaving) leave();
      this.#leaving.signal.addEventListener('abort', leave, { once: true });
      over.addEventListener('abort', () => {
        this.#leaving.signal.removeEventListener('abort', leave);
      });
      this.#watchHealth(running, over).then((reason) => {
        if (reason !== undefined) resolve({ kind: 'unfit', reason });
      }, reject);
    });
  }

  /** Checks it until the run is over; answers only when it has to be ended. */
  async #watchHealth(running: Running, over: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#options;
    const bornAt = clock.now().mono;
    let check = this.#wanted.instances.healthCheck;
    let vitals = new Vitals(check);
    while (!over.aborted) {
      const newest = this.#wanted.instances.healthCheck;
      if (JSON.stringify(newest) !== JSON.stringify(check)) {
        check = newest;
        vitals = new Vitals(check);
      }
      const startedAt = clock.now().mono;
      const result = await probe(check, running, { clock, signal: over });
      if (over.aborted) return undefined;
      const ageMs = clock.now().mono - bornAt;
      const { health, isLost } = vitals.judge(result, { holdsWork: this.held > 0, ageMs });
      if (isLost && running.pid !== undefined) return `its health check failed: ${result.reason}`;
      this.#show(running, health, result.reason);
      this.#feeder?.checked(result.ok, startedAt);
      await pause(clock, vitals.nextInMs(), over);
    }
    return undefined;
  }

  #show(running: Running, health: Health, reason: string): void {
    switch (health) {
      case 'starting':
        if (this.#readyAt === 0) this.#enter('Starting', reason);
        return;
      case 'ready':
        if (!this.#feed(running)) return;
        this.#enter('Running', '');
        this.#feeder?.letThrough();
        return;
      case 'busy':
        this.#enter('Busy', `too busy for its health check: ${reason}`);
        this.#feeder?.holdBack();
        return;
      case 'unhealthy':
        this.#enter('Unhealthy', `its health check failed: ${reason}`);
        this.#feeder?.holdBack();
        return;
    }
  }

  /** False: its queues are not there now; the next check tries again. */
  #feed(running: Running): boolean {
    if (this.#feeder !== undefined) return true;
    const { makeFeeder, driver, clock } = this.#options;
    try {
      this.#feeder = makeFeeder({
        service: this.#wanted.name,
        instance: this.name,
        url: running.url,
        settings: this.#wanted.instances,
        cutGraceMs: driver.cutGraceMs,
      });
    } catch (error) {
      this.#log.warn({ error }, 'an instance cannot be fed');
      this.#enter('Starting', `it cannot be fed: ${error instanceof Error ? error.message : ''}`);
      return false;
    }
    this.#readyAt = clock.now().wall;
    this.#feeder.start();
    return true;
  }

  async #finish(running: Running, end: RunEnd): Promise<void> {
    switch (end.kind) {
      case 'ended':
        await this.#crashed(running, end.ending, endingText(end.ending));
        return;
      case 'unfit': {
        this.#log.warn({ reason: end.reason }, 'ending an instance that fails its checks');
        this.#enter('Draining', end.reason);
        // Nothing is running; what may have come since the check goes back uncounted.
        await this.#feeder?.drain(AbortSignal.abort());
        this.#feeder = undefined;
        await running.stop(this.#wanted.instances.terminationGraceMs);
        await this.#crashed(running, await running.ended, end.reason);
        return;
      }
      case 'leave':
        await this.#depart(running);
        return;
    }
  }

  async #depart(running: Running): Promise<void> {
    const feeder = this.#feeder;
    this.#enter('Draining', '');
    if (feeder !== undefined) {
      running.ended
        .then((ending) => feeder.died(`the process ${endingText(ending)}`))
        .catch((error: unknown) => this.#log.error({ error }, 'reporting a death failed'));
      await feeder.drain(this.#hurry.signal);
    }
    this.#enter('Draining', 'asked to end');
    if (this.#isKilled) running.kill();
    await running.stop(this.#wanted.instances.terminationGraceMs);
    this.#feeder = undefined;
  }

  async #crashed(running: Running, ending: Ending, reason: string): Promise<void> {
    const { clock, driver } = this.#options;
    const endedAt = clock.now().wall;
    this.#enter(ending.problem === undefined ? 'CrashLoop' : 'Pending', reason);
    const feeder = this.#feeder;
    this.#feeder = undefined;
    await feeder?.died(`the process ${reason}`);
    await running.stop(this.#wanted.instances.terminationGraceMs);
    const lines = await driver.lastLines(this.name, lastLinesShown).catch(() => []);
    const { code, signal } = ending;
    this.#last = { code, signal, reason, startedAt: this.#startedAt, endedAt, lines };
    if (this.#readyAt > 0 && endedAt - this.#readyAt >= steadyMs) this.#crashes = 0;
    this.#crashes += 1;
    this.#log.warn({ reason, crashes: this.#crashes, lines }, 'an instance ended by itself');
  }

  async #backOff(): Promise<void> {
    const { clock, random } = this.#options;
    const reason = this.#last?.reason ?? '';
    const last = this.#last?.lines.at(-1);
    const wrote = last === undefined ? '' : `; it wrote last: ${last.slice(0, 200)}`;
    if (this.#wanted.instances.keepCrashed === true && this.#state === 'CrashLoop') {
      this.#enter('CrashLoop', `${reason}; it is kept as it is${wrote}`);
      await pause(clock, Number.MAX_SAFE_INTEGER, this.#leaving.signal);
      return;
    }
    const doubled = firstRestartMs * 2 ** Math.min(this.#crashes - 1, 16);
    const delayMs = Math.min(doubled, longestRestartMs) * (0.75 + 0.25 * random.fraction());
    this.#nextStartAt = clock.now().wall + delayMs;
    const times = this.#crashes === 1 ? '' : ` (${this.#crashes} times in a row)`;
    this.#enter(this.#state, `${reason}${times}${wrote}`);
    await pause(clock, delayMs, this.#leaving.signal);
    if (!this.isLeaving) this.#restarts += 1;
  }

  #enter(state: InstanceState, reason: string): void {
    const changed = state !== this.#state;
    this.#state = state;
    this.#reason = reason;
    if (!changed) return;
    this.#log.info({ state, ...(reason === '' ? {} : { reason }) }, 'instance changed');
    this.#options.changed();
  }
}

function feedReason(feed: InstanceStatus['feed']): string {
  if (feed === undefined) return '';
  if (feed.lost === 'replaced') return 'another worker uses the name of this instance';
  if (feed.lost === 'deleted') return 'its queues are gone';
  if (feed.refusedUntil > 0) {
    return `it refuses work; asked again at ${new Date(feed.refusedUntil).toISOString()}`;
  }
  if (feed.holds.includes('full')) return 'calls that were cut may still fill its window';
  return feed.isWatching ? '' : 'waiting for its queue';
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer: Timer = clock.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
