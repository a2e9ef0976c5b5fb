// The autoscaler at work: looks at every service with a policy once in a period, decides, and has
// the number of instances changed. A service at 0 is looked at as soon as a message comes. Whatever
// it changes or holds back becomes an event with its reason.

import type { ScalingPolicy } from '../deployment/scaling.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Component } from '../kernel/component.ts';
import type { Log } from '../kernel/log.ts';
import { type Decision, decide, firstMemory, type Held, type Memory } from './decide.ts';
import { gather, isGathered } from './gather.ts';
import { type Gathered, nothingGathered, Observer } from './observer.ts';
import type { ScaledService, ScalerPorts } from './ports.ts';
import { type ScrapeLimits, scrapeLimits } from './scrape.ts';

export interface ScalerOptions {
  readonly ports: ScalerPorts;
  readonly clock: Clock;
  readonly log: Log;
  /** From one look to the next. */
  readonly periodMs?: number;
  readonly limits?: ScrapeLimits;
}

/** What the scaler measured and decided last. */
export interface ScalingView {
  /** One for each strategy, in the order of the policy and in the unit in which it was written;
   * undefined: not known. */
  readonly values: readonly (number | undefined)[];
  readonly decision: {
    /** Wall clock. */
    readonly at: number;
    /** Instances that are wanted. */
    readonly count: number;
    /** Why not another number. */
    readonly reason: string;
  };
}

const defaultPeriodMs = 5000;
/** The same thing, gone and come again, is told again after this long. */
const toldAgainMs = 600_000;

/** What is kept of one service from look to look. */
interface Kept {
  readonly observer: Observer;
  /** The policy that the memory is about. */
  policy: ScalingPolicy | undefined;
  memory: Memory;
  gathered: Gathered;
  decision: Decision | undefined;
  /** Wall clock. */
  decidedAt: number;
  /** A look or a change is under way: the next look comes after it. */
  isBusy: boolean;
  /** Takes back the wish to be told of the next message. */
  disarm: (() => void) | undefined;
  /** The change that could not be done last time. */
  failed: string | undefined;
  /** When each reason for holding back was told last; anew with each change of the count. */
  readonly told: Map<Held['by'], number>;
}

export class Scaler implements Component {
  readonly #options: ScalerOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #closing = new AbortController();
  readonly #working = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #isOpen = false;

  constructor(options: ScalerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#isOpen || this.#closing.signal.aborted) return;
    this.#isOpen = true;
    this.#period();
  }

  async stop(): Promise<void> {
    this.#isOpen = false;
    this.#closing.abort();
    this.#timer?.cancel();
    for (const kept of this.#kept.values()) kept.disarm?.();
    await Promise.all(this.#working);
    this.#kept.clear();
  }

  /** A call to the model of a service has ended: for the time that requests take. */
  served(service: string, durationMs: number): void {
    this.#kept.get(service)?.observer.served(durationMs);
  }

  /** What is wanted of a service has changed: it is looked at soon, not with the next period. */
  changed(service: string): void {
    this.#options.clock.defer(() => this.#wake(service));
  }

  /** From memory, at once; undefined: it has not looked at such a service. */
  view(service: string): ScalingView | undefined {
    const kept = this.#kept.get(service);
    if (kept?.decision === undefined || kept.policy === undefined) return undefined;
    const { count, reason, held, wishes } = kept.decision;
    const values = kept.policy.strategies.map(({ label }, at) => {
      const value = wishes[at]?.value;
      return label === 'qps1k' && value !== undefined ? value * 1000 : value;
    });
    const texts = wishes.map(({ text }) => text).join('; ');
    return {
      values,
      decision: {
        at: kept.decidedAt,
        count,
        reason: held?.text ?? (reason === '' ? texts : reason),
      },
    };
  }

  #period(): void {
    const { ports, clock, periodMs = defaultPeriodMs } = this.#options;
    const services = ports.services();
    // Services that others look at keep their meters.
    const names = services.flatMap(({ name, policy: { strategies } }) => [
      name,
      ...strategies.flatMap(({ service }) => (service === undefined ? [] : [service])),
    ]);
    const used = new Set(names);
    for (const [name, kept] of this.#kept) {
      if (used.has(name)) continue;
      kept.disarm?.();
      this.#kept.delete(name);
    }
    for (const service of services) this.#follow(this.#look(service, 'gather'));
    this.#timer = clock.after(periodMs, () => this.#period());
  }

  #follow(work: Promise<void>): void {
    const watched = work
      .catch((error: unknown) => this.#options.log.error({ error }, 'scaling failed'))
      .finally(() => this.#working.delete(watched));
    this.#working.add(watched);
  }

  #keptOf(name: string): Kept {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const kept: Kept = {
      observer: new Observer(),
      policy: undefined,
      memory: firstMemory(this.#options.clock.now().mono),
      gathered: nothingGathered,
      decision: undefined,
      decidedAt: 0,
      isBusy: false,
      disarm: undefined,
      failed: undefined,
      told: new Map(),
    };
    this.#kept.set(name, kept);
    return kept;
  }

  /** One look; `gather`: with figures that have to be asked for, else with those from last time. */
  async #look(service: ScaledService, how: 'gather' | 'at once'): Promise<void> {
    const kept = this.#keptOf(service.name);
    if (kept.isBusy) return;
    const { ports, clock, limits = scrapeLimits } = this.#options;
    kept.isBusy = true;
    try {
      if (how === 'gather' && service.policy.strategies.some(isGathered)) {
        const { signal } = this.#closing;
        kept.gathered = await gather(service, { ports, clock, limits, signal });
        // What was known of the service is old by now.
        const now = ports.services().find(({ name }) => name === service.name);
        if (now === undefined || !this.#isOpen) return;
        await this.#decide(now, kept);
      } else await this.#decide(service, kept);
    } finally {
      kept.isBusy = false;
      this.#arm(service.name, kept);
    }
  }

  async #decide(service: ScaledService, kept: Kept): Promise<void> {
    const { ports, clock } = this.#options;
    const queue = ports.queue(service.name);
    if (queue === undefined) return;
    const now = clock.now();
    if (JSON.stringify(kept.policy) !== JSON.stringify(service.policy)) {
      // What was wanted by another policy says nothing; for how long it has been idle does.
      const { idleSince, puts } = kept.memory;
      const isFirst = kept.policy === undefined;
      kept.memory = isFirst ? kept.memory : { ...firstMemory(now.mono), idleSince, puts };
      kept.policy = service.policy;
      kept.told.clear();
    }
    const instances = ports.instances(service.name);
    const { gathered } = kept;
    const other = (name: string): ReturnType<Observer['glance']> | undefined => {
      const theirs = ports.queue(name);
      return theirs && this.#keptOf(name).observer.glance(theirs, now);
    };
    const observation = kept.observer.look({ service, queue, instances, gathered, other }, now);
    const decision = decide(service.policy, observation, kept.memory, now);
    const wasHeld = kept.decision?.held?.by;
    kept.memory = decision.memory;
    kept.decision = decision;
    kept.decidedAt = now.wall;
    if (decision.held !== undefined) this.#tellHeld(service, kept, decision.held, wasHeld);
    if (decision.count !== service.count) await this.#change(service, kept, decision);
  }

  async #change(service: ScaledService, kept: Kept, { count, reason }: Decision): Promise<void> {
    const { ports, log } = this.#options;
    const { name, count: from } = service;
    const change = `${from} → ${count} instances`;
    if (kept.failed !== change) {
      const what = whatOf(from, count);
      const text = `${change}: ${reason}`;
      ports.record({ service: name, kind: 'scaling', what, text, facts: { from, to: count } });
      log.info({ service: name, from, to: count, reason }, 'instances wanted');
    }
    try {
      await ports.scale(name, count, reason);
      kept.failed = undefined;
      kept.told.clear();
    } catch (error) {
      log.warn({ service: name, to: count, error }, 'scaling failed');
      if (kept.failed === change) return;
      kept.failed = change;
      const why = error instanceof Error ? error.message : String(error);
      const text = `${change} could not be done, and will be tried again: ${why}`;
      ports.record({ service: name, kind: 'scaling', what: 'failed', text });
    }
  }

  /** Once for each reason, not with every look. */
  #tellHeld(
    { name, count }: ScaledService,
    { told }: Kept,
    held: Held,
    before: Held['by'] | undefined,
  ): void {
    const { ports, clock } = this.#options;
    const now = clock.now().mono;
    const last = told.get(held.by);
    const isNew = last === undefined || (before !== held.by && now - last >= toldAgainMs);
    if (!isNew) return;
    told.set(held.by, now);
    const text = `${count} instances stay: ${held.text}`;
    const facts = { count, wanted: held.count, by: held.by };
    ports.record({ service: name, kind: 'scaling', what: 'held', text, facts });
  }

  /** At 0 the next message is waited for, not the next period. */
  #arm(name: string, kept: Kept): void {
    const { ports, clock } = this.#options;
    const service = ports.services().find((one) => one.name === name);
    kept.disarm?.();
    kept.disarm = undefined;
    if (service?.count !== 0 || !this.#isOpen || this.#kept.get(name) !== kept) return;
    const wake = (): void => {
      kept.disarm = undefined;
      // The turn in which the message came goes on first.
      clock.defer(() => this.#wake(name));
    };
    const queue = ports.queue(name);
    if (queue === undefined) return;
    // It came while the last look or change was under way.
    const isLate = queue.puts !== kept.memory.puts;
    if (isLate && queue.waiting > 0) clock.defer(() => this.#wake(name));
    // What waits although it has been looked at waits for more than a message.
    else if (queue.waiting === 0) kept.disarm = ports.whenInputComes(name, wake);
  }

  #wake(name: string): void {
    if (!this.#isOpen) return;
    const service = this.#options.ports.services().find((one) => one.name === name);
    if (service !== undefined) this.#follow(this.#look(service, 'at once'));
  }
}

function whatOf(from: number, to: number): string {
  if (from === 0) return 'from-zero';
  if (to === 0) return 'to-zero';
  return to > from ? 'scale-out' : 'scale-in';
}
