// Everything at once, by seed: services change, crash, grow, shrink and go while the machine is too
// small for all. What must always hold is looked at after every step; at the end it grows calm.

import { expect, it } from 'vitest';
import type { Resources } from '../../src/deployment/instances.ts';
import type { DeployedService } from '../../src/deployment/service.ts';
import type { Launch, Running } from '../../src/instances/driver.ts';
import { deployed } from '../deployed.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import {
  commandCheck,
  type HandDriver,
  type HandFeeder,
  type Stage,
  stage,
} from './instances-world.ts';

const capacity = { cpuMillis: 8000, memoryBytes: 64, devices: [0, 1, 2] };
const names = ['one', 'two', 'three'];
const steps = 150;

/** A driver that knows what is alive. */
interface Life {
  readonly launch: Launch;
  isOver: boolean;
}

function watched(driver: HandDriver): Life[] {
  const lives: Life[] = [];
  const run = driver.run.bind(driver);
  driver.run = (launch): Running => {
    const before = lives.find(
      ({ launch: old, isOver }) => old.instance === launch.instance && !isOver,
    );
    if (before !== undefined) throw new Error(`${launch.instance} runs twice`);
    const life: Life = { launch, isOver: false };
    lives.push(life);
    const running = run(launch);
    void running.ended.then(() => {
      life.isOver = true;
    });
    return running;
  };
  return lives;
}

const nothing: Resources = { cpuMillis: 0, memoryBytes: 0, gpus: 0 };
const small: Resources = { cpuMillis: 1000, memoryBytes: 8, gpus: 0 };
const needs: readonly Resources[] = [
  nothing,
  small,
  { cpuMillis: 3000, memoryBytes: 1, gpus: 0 },
  { cpuMillis: 500, memoryBytes: 0, gpus: 1 },
];

class Storm {
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  readonly #lives: readonly Life[];
  readonly wanted = new Map<string, DeployedService>();
  /** Launches that end soon after they were started. */
  readonly bad = new Set<string>();
  #revision = 0;

  constructor(made: Stage, lives: readonly Life[], random: SeededRandom) {
    this.#stage = made;
    this.#lives = lives;
    this.#random = random;
    made.driver.failing = ({ key }) =>
      this.bad.has(key) ? { code: 1, signal: undefined, problem: undefined } : undefined;
  }

  alive(): readonly Life[] {
    return this.#lives.filter(({ isOver }) => !isOver);
  }

  async step(): Promise<void> {
    const { clock } = this.#stage;
    switch (this.#below(8)) {
      case 0:
      case 1:
        await this.#apply();
        break;
      case 2:
        await this.#scale();
        break;
      case 3:
        this.#crash();
        break;
      case 4:
        this.#replace();
        break;
      case 5:
        this.#work();
        break;
      default:
        await clock.advance(this.#below(20_000));
    }
    await clock.settle();
  }

  /** Everything that holds work lets go of it. */
  calm(): void {
    for (const feeder of this.#stage.feeders) feeder.finish();
  }

  #below(limit: number): number {
    return this.#random.between(0, limit - 1);
  }

  #any<One>(from: readonly One[]): One | undefined {
    return from[this.#below(Math.max(1, from.length))];
  }

  /** A new launch, or back to an older one. */
  async #apply(): Promise<void> {
    const name = this.#any(names) ?? '';
    this.#revision += 1;
    const before = this.wanted.get(name);
    const isBack = before !== undefined && this.#below(4) === 0;
    const sourceRevision = isBack ? Math.max(1, before.sourceRevision - 1) : this.#revision;
    const number = names.indexOf(name) + 1;
    if (!isBack && this.#below(4) === 0) this.bad.add(`${number}.${sourceRevision}`);
    const share = (): { kind: 'count'; value: number } => ({
      kind: 'count',
      value: this.#below(3),
    });
    const service = deployed(
      {
        healthCheck: commandCheck,
        count: this.#below(4),
        // A launch that comes back needs what it needed.
        resources: needs[sourceRevision % needs.length] ?? nothing,
        rolling: { maxSurge: share(), maxUnavailable: share(), readyTimeoutMs: 30_000 },
      },
      { number, name, revision: this.#revision, sourceRevision },
    );
    this.wanted.set(name, service);
    await this.#stage.manager.apply(service);
  }

  async #scale(): Promise<void> {
    const service = this.#any([...this.wanted.values()]);
    if (service === undefined) return;
    const instances = { ...service.instances, count: this.#below(5) };
    const scaled = { ...service, instances };
    this.wanted.set(service.name, scaled);
    await this.#stage.manager.apply(scaled);
  }

  #crash(): void {
    const life = this.#any(this.alive());
    if (life !== undefined) this.#stage.driver.crash(1, life.launch.instance);
  }

  #replace(): void {
    const life = this.#any(this.alive());
    if (life === undefined) return;
    const how = this.#below(2) === 0 ? 'now' : 'drain';
    this.#stage.manager.replace(life.launch.service, life.launch.instance, how);
  }

  /** An instance gets work, or ends what it has. */
  #work(): void {
    const feeder: HandFeeder | undefined = this.#any(this.#stage.feeders);
    if (feeder === undefined) return;
    if (feeder.held === 0) feeder.held = 1;
    else feeder.finish();
  }
}

function expectBounds(storm: Storm): void {
  const alive = storm.alive().map(({ launch }) => launch);
  const sum = (of: (resources: Resources) => number): number =>
    alive.reduce((all, { resources }) => all + of(resources), 0);
  expect(sum(({ cpuMillis }) => cpuMillis)).toBeLessThanOrEqual(capacity.cpuMillis);
  expect(sum(({ memoryBytes }) => memoryBytes)).toBeLessThanOrEqual(capacity.memoryBytes);
  const devices = alive.flatMap((launch) => launch.devices);
  expect(new Set(devices).size).toBe(devices.length);
  for (const { devices: own, resources } of alive) expect(own.length).toBe(resources.gpus);
}

async function play(seed: number): Promise<void> {
  let lives: Life[] = [];
  const made = await stage({ capacity: async () => capacity }, (driver) => {
    lives = watched(driver);
  });
  const storm = new Storm(made, lives, new SeededRandom(seed));
  for (let step = 0; step < steps; step += 1) {
    await storm.step();
    expectBounds(storm);
  }
  // Grown calm: what is wanted now fits, and works.
  storm.bad.clear();
  storm.calm();
  for (const { name, number, instances } of [...storm.wanted.values()]) {
    const settings = { ...instances, count: Math.min(instances.count, 2), resources: small };
    const last = deployed(settings, { name, number, revision: 1000, sourceRevision: 1000 });
    storm.wanted.set(name, last);
    await made.manager.apply(last);
  }
  for (let round = 0; round < 20; round += 1) {
    await made.clock.advance(30_000);
    storm.calm();
    expectBounds(storm);
  }
  for (const { name, number, instances } of storm.wanted.values()) {
    const statuses = made.manager.status(name);
    const states = statuses.map(({ state, revision }) => `${revision} ${state}`);
    expect(states).toEqual(Array(instances.count).fill('1000 Running'));
    expect(made.manager.report(name)?.rollout).toEqual({ state: 'done' });
    const own = storm.alive().filter(({ launch }) => launch.number === number);
    expect(own.length).toBe(instances.count);
  }
}

it.each(Array.from({ length: 40 }, (_, seed) => seed + 1))(
  'keeps its bounds and ends as wanted after storm %i',
  async (seed) => {
    await play(seed);
  },
);
