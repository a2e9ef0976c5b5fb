// The life of instances on a virtual clock, with a driver and a model that live in the test.

import { afterEach, expect, it } from 'vitest';
import type { HealthCheck, InstanceSettings } from '../../src/deployment/instances.ts';
import type { Driver, Ending, Launch, Running, Survivor } from '../../src/instances/driver.ts';
import type { Feeder, FeederView } from '../../src/instances/feeder.ts';
import { InstanceManager } from '../../src/instances/manager.ts';
import type { InstanceStatus } from '../../src/instances/status.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { unsaid } from '../deployed.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Health = 'passes' | 'fails' | 'hangs';

/** Copies that exist in the test only; their check is a command whose answer the test sets. */
class HandDriver implements Driver {
  readonly cutGraceMs = 0;
  readonly launches: Launch[] = [];
  readonly starts: number[] = [];
  health: Health = 'passes';
  readonly #clock: VirtualClock;
  #ends: ((ending: Ending) => void)[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(launch: Launch): Promise<Running> {
    this.launches.push(launch);
    this.starts.push(this.#clock.now().mono);
    let end: (ending: Ending) => void = () => undefined;
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    this.#ends.push(end);
    return {
      url: new URL('http://127.0.0.1:1'),
      pid: this.launches.length,
      port: 1,
      ended,
      stop: async () => end({ code: 0, signal: undefined, problem: undefined }),
      kill: () => undefined,
      exec: (_argv, signal) => this.#check(signal),
    };
  }

  /** Ends the copy started last. */
  crash(code: number): void {
    this.#ends.at(-1)?.({ code, signal: undefined, problem: undefined });
  }

  logs(): undefined {
    return undefined;
  }

  async lastLines(): Promise<readonly string[]> {
    return ['first words', 'last words'];
  }

  async forget(): Promise<void> {}

  async survivors(): Promise<readonly Survivor[]> {
    return [];
  }

  async problem(): Promise<undefined> {
    return undefined;
  }

  #check(signal: AbortSignal): Promise<{ ok: boolean; reason: string }> {
    if (this.health !== 'hangs') {
      return Promise.resolve({ ok: this.health === 'passes', reason: 'check ended with code 1' });
    }
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ ok: false, reason: 'killed' }));
    });
  }
}

class HandFeeder implements Feeder {
  readonly said: string[] = [];
  held = 0;
  #drained: () => void = () => undefined;

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
    this.said.push('drain');
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.held === 0 || signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve());
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

const commandCheck: HealthCheck = {
  probe: { kind: 'exec', argv: ['check'] },
  port: undefined,
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 5000,
  successThreshold: 1,
  failureThreshold: 3,
};

interface Stage {
  readonly clock: VirtualClock;
  readonly driver: HandDriver;
  readonly feeders: HandFeeder[];
  readonly manager: InstanceManager;
  status(): InstanceStatus | undefined;
  want(more?: Partial<InstanceSettings>, revision?: number): Promise<void>;
}

async function stage(): Promise<Stage> {
  const random = new SeededRandom(4);
  const clock = new VirtualClock(random);
  const driver = new HandDriver(clock);
  const feeders: HandFeeder[] = [];
  const manager = new InstanceManager({
    drivers: { process: driver, endpoint: driver },
    makeFeeder: () => {
      const feeder = new HandFeeder();
      feeders.push(feeder);
      return feeder;
    },
    clock,
    random,
    log: silentLog,
  });
  await manager.start();
  closers.push(() => clock.run(manager.stop({ deadlineMs: 0 })));
  const source = { kind: 'process', form: 'command', text: 'x', env: {} } as const;
  const instances = plainInstances({ ...source, port: 0, workDir: undefined });
  return {
    clock,
    driver,
    feeders,
    manager,
    status: () => manager.status('reader')[0],
    want: async (more = {}, revision = 1) => {
      const all = { ...instances, ...more };
      await manager.apply({
        number: 1,
        name: 'reader',
        revision,
        sourceRevision: 1,
        instances: all,
      });
      await clock.settle();
    },
  };
}

it('starts again after a crash, later each time, at most a minute later', async () => {
  const { clock, driver, want, status } = await stage();
  driver.health = 'fails';
  await want({ healthCheck: { ...commandCheck, initialDelayMs: 1e9 } });
  const waits: number[] = [];
  for (let crashes = 1; crashes <= 10; crashes += 1) {
    driver.crash(crashes);
    await clock.settle();
    expect(status()).toMatchObject({ state: 'CrashLoop', restarts: crashes - 1 });
    const crashedAt = clock.now().mono;
    while (driver.starts.length === crashes) await clock.advance(100);
    waits.push((driver.starts.at(-1) ?? 0) - crashedAt);
  }
  const longest = [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
  for (const [at, most] of longest.entries()) {
    expect(waits[at]).toBeLessThanOrEqual(most + 100);
    expect(waits[at]).toBeGreaterThanOrEqual(most * 0.75);
  }
});

it('shows what it wrote last, and starts the row anew once it was steady', async () => {
  const { clock, driver, want, status } = await stage();
  await want();
  driver.crash(1);
  await clock.settle();
  expect(status()?.reason).toBe(
    'ended with code 1, starts again in 1 s; it wrote last: last words',
  );
  await clock.advance(1000);
  driver.crash(1);
  await clock.settle();
  expect(status()?.reason).toContain('2 times in a row');
  await clock.advance(2000 + 60_000);
  driver.crash(137);
  await clock.settle();
  expect(status()?.reason).toMatch(/^ended with code 137 \(signal 9\), starts again/);
  expect(status()?.last).toMatchObject({ code: 137, lines: ['first words', 'last words'] });
});

it('keeps a crashed copy as it is when that is asked for', async () => {
  const { clock, driver, want, status } = await stage();
  await want({ keepCrashed: true });
  driver.crash(1);
  await clock.advance(3_600_000);
  expect(driver.starts.length).toBe(1);
  expect(status()).toMatchObject({ state: 'CrashLoop' });
  await want({ count: 0 }, 2);
  expect(status()).toBeUndefined();
});

it('feeds a copy with its first success and tells its feeder when it dies', async () => {
  const { clock, driver, feeders, want, status } = await stage();
  driver.health = 'fails';
  await want({ healthCheck: { ...commandCheck, initialDelayMs: 60_000 } });
  await clock.advance(5000);
  expect([status()?.state, feeders.length]).toEqual(['Starting', 0]);
  driver.health = 'passes';
  await clock.advance(1000);
  expect([status()?.state, feeders[0]?.said]).toEqual(['Running', ['start']]);
  driver.crash(9);
  await clock.settle();
  expect(feeders[0]?.said).toEqual(['start', 'died: the process ended with code 9']);
  await clock.advance(1000);
  expect(feeders.length).toBe(2);
});

it('is busy and gets no work while work keeps it from answering, and is never ended', async () => {
  const { clock, driver, feeders, want, status } = await stage();
  await want();
  const [feeder] = feeders;
  if (feeder === undefined) throw new Error('not fed');
  feeder.held = 1;
  driver.health = 'hangs';
  await clock.advance(3_600_000);
  expect(status()).toMatchObject({ state: 'Busy', restarts: 0 });
  expect(feeder.said).toEqual(['start', 'holdBack']);
  driver.health = 'passes';
  await clock.advance(15_000);
  expect(status()).toMatchObject({ state: 'Running' });
  expect(feeder.said).toEqual(['start', 'holdBack', 'letThrough']);
});

it('is ended and started anew when it fails its checks and holds no work', async () => {
  const { clock, driver, feeders, want, status } = await stage();
  await want();
  const [feeder] = feeders;
  if (feeder === undefined) throw new Error('not fed');
  feeder.held = 1;
  driver.health = 'fails';
  await clock.advance(120_000);
  expect(status()).toMatchObject({ state: 'Unhealthy', restarts: 0 });
  feeder.held = 0;
  await clock.advance(11_000);
  expect(feeder.said).toContain('drain');
  expect(driver.starts.length).toBe(2);
  expect(status()?.last?.reason).toContain('health check failed: check ended with code 1');
});

it('waits without end for work when scaled in, and not beyond the deadline of a stop', async () => {
  const { clock, driver, feeders, manager, want, status } = await stage();
  await want();
  const [feeder] = feeders;
  if (feeder === undefined) throw new Error('not fed');
  feeder.held = 1;
  await want({ count: 0 }, 2);
  await clock.advance(24 * 3_600_000);
  expect(status()).toMatchObject({ state: 'Draining' });
  await clock.run(manager.stop({ deadlineMs: 1000 }));
  expect(driver.starts.length).toBe(1);
});

it('replaces an instance by a new one on request', async () => {
  const { clock, feeders, manager, want, status } = await stage();
  await want();
  const first = status()?.name ?? '';
  expect(manager.replace('reader', first, 'drain')).toBe(true);
  await clock.settle();
  await clock.advance(1000);
  expect(status()?.name).not.toBe(first);
  expect(feeders.length).toBe(2);
  expect(manager.replace('reader', first, 'drain')).toBe(false);
});

it('lists what cannot run as pending, with the reason', async () => {
  const { manager, want } = await stage();
  const missing = 'a container driver';
  await want({ source: { kind: 'pending', missing }, count: 2 });
  expect(manager.status('reader').map(({ state, reason }) => [state, reason])).toEqual([
    ['Pending', missing],
    ['Pending', missing],
  ]);
  expect(manager.report('reader')).toMatchObject({ wanted: 2, pending: 2, message: missing });
});

it('starts no process before those of a killed server are gone', async () => {
  const clock = new VirtualClock(new SeededRandom(5));
  const driver = new HandDriver(clock);
  const clearing: (() => void)[] = [];
  driver.survivors = () => new Promise((resolve) => clearing.push(() => resolve([])));
  const manager = new InstanceManager({
    drivers: { process: driver, endpoint: driver },
    makeFeeder: () => new HandFeeder(),
    clock,
    random: new SeededRandom(5),
    log: silentLog,
  });
  const starting = manager.start();
  const instances = plainInstances({ kind: 'endpoint', urls: ['http://127.0.0.1:1'] });
  await manager.apply({ number: 1, name: 'reader', revision: 1, sourceRevision: 1, instances });
  await clock.advance(10_000);
  expect(driver.launches).toEqual([]);
  for (const cleared of clearing) cleared();
  await starting;
  await clock.settle();
  expect(driver.launches.length).toBe(1);
  await clock.run(manager.stop({ deadlineMs: 0 }));
});

function plainInstances(source: InstanceSettings['source']): InstanceSettings {
  return {
    ...unsaid,
    source,
    count: 1,
    window: 1,
    keepaliveMs: 0,
    request: { path: '/', paths: [], method: 'POST', contentType: '' },
    retryStatuses: [],
    releaseAfterMs: 0,
    healthCheck: commandCheck,
    terminationGraceMs: 0,
  };
}
