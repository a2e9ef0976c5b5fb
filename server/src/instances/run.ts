// One run of a copy, from the moment it exists to its end: it is checked, and once a check has
// passed it is fed. What its ends mean for the instance is decided by that.

import type { HealthCheck } from '../deployment/instances.ts';
import type { DeployedService } from '../deployment/service.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { pause } from '../kernel/pause.ts';
import type { Ending, Running } from './driver.ts';
import type { Feeder, FeederView, MakeFeeder, RevisedSettings } from './feeder.ts';
import { probe } from './probe.ts';
import { endingText } from './reasons.ts';
import { type Health, Vitals } from './vitals.ts';

export interface RunOptions {
  readonly running: Running;
  readonly instance: string;
  /** The newest settings. */
  readonly wanted: () => DeployedService;
  readonly makeFeeder: MakeFeeder;
  readonly cutGraceMs: number;
  /** Endpoints are not ours to end when they fail their checks. */
  readonly kind: 'process' | 'container' | 'endpoint';
  /** It may still work on calls of an earlier server. */
  readonly isTakenOver: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** What a check has shown. */
  readonly show: (health: Health, reason: string) => void;
}

/** Why a run is over. */
export type RunEnd =
  | { readonly kind: 'ended'; readonly ending: Ending; readonly reason: string }
  | { readonly kind: 'leave' }
  | { readonly kind: 'unfit'; readonly reason: string };

export class Run {
  readonly running: Running;
  readonly #options: RunOptions;
  #feeder: Feeder | undefined;
  /** Why its feeder wanted it to end. */
  #endedFor: string | undefined;
  /** Wall clock of its first success, 0 = none yet. */
  #readyAt = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.running = options.running;
  }

  get readyAt(): number {
    return this.#readyAt;
  }

  /** Requests its model has or may have. */
  get held(): number {
    const view = this.view();
    return view === undefined ? 0 : view.running.length + view.abandoned;
  }

  view(): FeederView | undefined {
    return this.#feeder?.view();
  }

  update(wanted: DeployedService): void {
    this.#feeder?.update(revised(wanted));
  }

  /** Checks and feeds it until it has ended, has to be ended, or `leaving` is aborted. */
  async watch(leaving: AbortSignal): Promise<RunEnd> {
    const over = new AbortController();
    try {
      return await this.#firstEnd(leaving, over.signal);
    } finally {
      over.abort();
    }
  }

  /** Takes nothing more; resolves when what it works on has ended, or was given back uncounted
   * because of `hurry`. Should the copy end meanwhile, that counts for what it holds. */
  async drain(hurry: AbortSignal): Promise<void> {
    const feeder = this.#feeder;
    if (feeder === undefined) return;
    this.running.ended
      .then((ending) => this.died(`the ${this.#options.kind} ${this.#reasonOf(ending)}`))
      .catch((error: unknown) => this.#options.log.error({ error }, 'reporting a death failed'));
    await feeder.drain(hurry);
    this.#feeder = undefined;
  }

  /** It has ended by itself, with what it held. */
  async died(reason: string): Promise<void> {
    const feeder = this.#feeder;
    this.#feeder = undefined;
    await feeder?.died(reason);
  }

  #firstEnd(leaving: AbortSignal, over: AbortSignal): Promise<RunEnd> {
    return new Promise((resolve, reject) => {
      this.running.ended.then((ending) => {
        resolve({ kind: 'ended', ending, reason: this.#reasonOf(ending) });
      }, reject);
      const leave = (): void => resolve({ kind: 'leave' });
      if (leaving.aborted) leave();
      leaving.addEventListener('abort', leave, { once: true });
      over.addEventListener('abort', () => leaving.removeEventListener('abort', leave));
      this.#watchHealth(over).then((reason) => {
        if (reason !== undefined) resolve({ kind: 'unfit', reason });
      }, reject);
    });
  }

  /** Checks it until the run is over; answers only when it has to be ended. */
  async #watchHealth(over: AbortSignal): Promise<string | undefined> {
    const { clock, show } = this.#options;
    const bornAt = clock.now().mono;
    let check = this.#check();
    let vitals = new Vitals(check);
    while (!over.aborted) {
      const newest = this.#check();
      if (JSON.stringify(newest) !== JSON.stringify(check)) {
        check = newest;
        vitals = new Vitals(check);
      }
      const startedAt = clock.now().mono;
      const result = await probe(check, this.running, { clock, signal: over });
      if (over.aborted) return undefined;
      const ageMs = clock.now().mono - bornAt;
      const { health, isLost } = vitals.judge(result, { holdsWork: this.held > 0, ageMs });
      if (isLost && this.#options.kind !== 'endpoint')
        return `its health check failed: ${result.reason}`;
      this.#act(health, result.reason, show);
      this.#feeder?.checked(result.ok, startedAt);
      await pause(clock, vitals.nextInMs(), over);
    }
    return undefined;
  }

  #check(): HealthCheck {
    return this.#options.wanted().instances.healthCheck;
  }

  #act(health: Health, reason: string, show: RunOptions['show']): void {
    if (health === 'ready') {
      const problem = this.#feed();
      if (problem !== undefined) {
        show('starting', problem);
        return;
      }
      show('ready', '');
      this.#feeder?.letThrough();
      return;
    }
    if (health !== 'starting') this.#feeder?.holdBack();
    if (health !== 'starting' || this.#readyAt === 0) show(health, reason);
  }

  /** Why it cannot be fed: its queues are not there now; the next check tries again. */
  #feed(): string | undefined {
    if (this.#feeder !== undefined) return undefined;
    const { makeFeeder, instance, cutGraceMs, isTakenOver, kind, clock, log } = this.#options;
    const wanted = this.#options.wanted();
    const { name: service } = wanted;
    const settings = revised(wanted);
    const { url } = this.running;
    try {
      const end = kind === 'endpoint' ? undefined : (reason: string) => this.#end(reason);
      const order = { service, instance, url, settings, cutGraceMs, isTakenOver, kind, end };
      this.#feeder = makeFeeder(order);
    } catch (error) {
      log.warn({ error }, 'an instance cannot be fed');
      return `it cannot be fed: ${error instanceof Error ? error.message : ''}`;
    }
    this.#readyAt = clock.now().wall;
    this.#feeder.start();
    return undefined;
  }

  /** What we have done to it ourselves is not put down to others. */
  #reasonOf(ending: Ending): string {
    return this.#endedFor === undefined ? endingText(ending) : `was ended: ${this.#endedFor}`;
  }

  /** Its feeder wants it gone: it ends as if by itself, and another one takes its place. */
  #end(reason: string): void {
    const { log, wanted } = this.#options;
    log.warn({ reason }, 'ending an instance');
    this.#endedFor = reason;
    this.running
      .stop(wanted().instances.terminationGraceMs)
      .catch((error: unknown) => log.error({ error }, 'an instance was not ended'));
  }
}

function revised({ revision, instances }: DeployedService): RevisedSettings {
  return { ...instances, revision };
}
