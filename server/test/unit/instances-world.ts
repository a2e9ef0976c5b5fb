// The instance manager on a virtual clock, with a driver and feeders that live in the test.

import { onTestFinished } from 'vitest';
import type { HealthCheck, InstanceSettings } from '../../src/deployment/instances.ts';
import type { DeployedService } from '../../src/deployment/service.ts';
import type { Driver, Ending, Launch, Running, Survivor } from '../../src/instances/driver.ts';
import type { Feeder, FeederView, FeedOrder } from '../../src/instances/feeder.ts';
import { InstanceManager } from '../../src/instances/manager.ts';
import type { ManagerOptions } from '../../src/instances/options.ts';
import type { InstanceStatus } from '../../src/instances/status.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { deployed } from '../deployed.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

export type Health = 'passes' | 'fails' | 'hangs';

const ended = (code: number): Ending => ({ code, signal: undefined, problem: undefined });

/** Copies that exist in the test only; their check is a command whose answer the test sets. */
export class HandDriver implements Driver {
  readonly cutGraceMs = 0;
  readonly launches: Launch[] = [];
  readonly starts: number[] = [];
  /** Names of the copies that were asked to end, with the time they got. */
  readonly stops: { readonly instance: string; readonly graceMs: number }[] = [];
  health: Health = 'passes';
  healthOf: (launch: Launch) => Health = () => this.health;
  /** Held up until it resolves, as a pull would. */
  beforeStart: (launch: Launch) => Promise<void> = async () => undefined;
  /** How a copy ends at once, if it does. */
  failing: (launch: Launch) => Ending | undefined = () => undefined;
  trouble: string | undefined;
  readonly #clock: VirtualClock;
  readonly #ends = new Map<string, (ending: Ending) => void>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(launch: Launch): Promise<Running> {
    this.launches.push(launch);
    this.starts.push(this.#clock.now().mono);
    await this.beforeStart(launch);
    return this.run(launch);
  }

  run(launch: Launch): Running {
    const { instance } = launch;
    let end: (ending: Ending) => void = () => undefined;
    const over = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    this.#ends.set(instance, end);
    const failure = this.failing(launch);
    if (failure !== undefined) end(failure);
    return {
      url: new URL('http://127.0.0.1:1'),
      pid: this.launches.length,
      port: 1,
      hasBegun: failure?.problem === undefined,
      ended: over,
      stop: async (graceMs) => {
        this.stops.push({ instance, graceMs });
        end(ended(0));
      },
      kill: () => undefined,
      exec: (_argv, signal) => this.#check(launch, signal),
    };
  }

  /** Ends a copy; without a name the one started last. */
  crash(code: number, instance: string = this.launches.at(-1)?.instance ?? ''): void {
    this.#ends.get(instance)?.(ended(code));
  }

  logs(): undefined {
    return undefined;
  }

  async lastLines(): Promise<readonly string[]> {
    return ['first words', 'last words'];
  }

  async forget(): Promise<void> {}

  /** What an earlier server has left. */
  left: readonly Survivor[] = [];
  /** Of these, the ones that were ended. */
  readonly endedLeft: string[] = [];

  async survivors(): Promise<readonly Survivor[]> {
    const found = this.left;
    this.left = [];
    return found;
  }

  /** A copy that an earlier server started at 5 by the wall clock. */
  survivor(instance: string, key: string): Survivor {
    const number = Number(key.split('.')[0]);
    return {
      service: 'reader',
      number,
      instance,
      key,
      revision: number,
      startedAt: 5,
      devices: [],
      adopt: async (launch) => this.run(launch),
      end: async () => void this.endedLeft.push(instance),
    };
  }

  async problem(): Promise<string | undefined> {
    return this.trouble;
  }

  #check(launch: Launch, signal: AbortSignal): Promise<{ ok: boolean; reason: string }> {
    const health = this.healthOf(launch);
    if (health !== 'hangs') {
      return Promise.resolve({ ok: health === 'passes', reason: 'check ended with code 1' });
    }
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ ok: false, reason: 'killed' }));
    });
  }
}

export class HandFeeder implements Feeder {
  readonly order: FeedOrder | undefined;
  readonly said: string[] = [];
  held = 0;
  #drained: () => void = () => undefined;

  constructor(order?: FeedOrder) {
    this.order = order;
  }

  start(): void {
    this.said.push('start');
  }

  update(): void {
    this.said.push('update');
  }

  holdBack(): void {
    if (this.said.at(-1) !== 'holdBack') this.said.push('holdBack');
  }

  letThrough(): void {
    if (this.said.at(-1) === 'holdBack') this.said.push('letThrough');
  }

  checked(): void {}

  drain(signal: AbortSignal): Promise<void> {
    this.said.push(signal.aborted ? 'cut' : 'drain');
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.held === 0 || signal.aborted) resolve();
      signal.addEventListener('abort', () => {
        this.said.push('cut');
        resolve();
      });
    });
  }

  async died(reason: string): Promise<void> {
    this.said.push(`died: ${reason}`);
    this.#drained();
  }

  finish(): void {
    this.held = 0;
    this.#drained();
  }

  view(): FeederView {
    const call = { deliveryId: 1, index: 1, id: 'x', deliveries: 1, startedAt: 1 };
    const running = Array.from({ length: this.held }, () => call);
    return {
      running,
      abandoned: 0,
      holds: [],
      refusedUntil: 0,
      isWatching: true,
      lost: undefined,
    };
  }
}

export const commandCheck: HealthCheck = {
  probe: { kind: 'exec', argv: ['check'] },
  port: undefined,
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 5000,
  successThreshold: 1,
  failureThreshold: 3,
};

export interface Stage {
  readonly clock: VirtualClock;
  readonly driver: HandDriver;
  readonly feeders: HandFeeder[];
  readonly manager: InstanceManager;
  readonly events: ServiceEvent[];
  /** What was told of failed updates. */
  readonly failures: { readonly sourceRevision: number; readonly reason: string }[];
  /** Of the first instance of the service that a test is about. */
  status(): InstanceStatus | undefined;
  feeder(at?: number): HandFeeder;
  want(
    more?: Partial<InstanceSettings>,
    facts?: number | Partial<Omit<DeployedService, 'instances'>>,
  ): Promise<void>;
}

export async function stage(
  options: Partial<ManagerOptions> = {},
  prepare: (driver: HandDriver) => void = () => undefined,
  /** What is wanted before the manager starts. */
  first?: DeployedService,
): Promise<Stage> {
  const random = new SeededRandom(4);
  const clock = new VirtualClock(random);
  const driver = new HandDriver(clock);
  prepare(driver);
  const feeders: HandFeeder[] = [];
  const events: ServiceEvent[] = [];
  const failures: { sourceRevision: number; reason: string }[] = [];
  const manager = new InstanceManager({
    drivers: { process: driver, endpoint: driver },
    makeFeeder: (order) => {
      const feeder = new HandFeeder(order);
      feeders.push(feeder);
      return feeder;
    },
    clock,
    random,
    log: silentLog,
    record: (event) => void events.push(event),
    rolloutFailed: (_service, _number, sourceRevision, reason) => {
      failures.push({ sourceRevision, reason });
    },
    ...options,
  });
  if (first !== undefined) await manager.apply(first);
  const opened = manager.start();
  await clock.settle();
  await opened;
  onTestFinished(() => clock.run(manager.stop({ deadlineMs: 0 })));
  return {
    clock,
    driver,
    feeders,
    manager,
    events,
    failures,
    status: () => manager.status('reader')[0],
    feeder: (at = 0) => {
      const feeder = feeders[at];
      if (feeder === undefined) throw new Error('not fed');
      return feeder;
    },
    want: async (more = {}, facts = 1) => {
      const given = typeof facts === 'number' ? { revision: facts } : facts;
      await manager.apply(deployed({ healthCheck: commandCheck, ...more }, given));
      await clock.settle();
    },
  };
}
