// The world of a simulated run: one data folder that outlives every process, and one process after
// another that serves it until it is killed. Clients reach the process only through `ask`.

import { PlatformError } from '@sluice/sdk/wire';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import type { Fault } from '../../src/engine/faulty.ts';
import { FaultyEngine } from '../../src/engine/faulty.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { ServiceSettings } from '../../src/queue/settings.ts';
import { type Answer, refusalOf } from './answer.ts';
import { doorway } from './doorway.ts';
import { JudgedQueues, type Judges } from './judged.ts';
import { Network } from './network.ts';
import { SeededRandom } from './seeded-random.ts';
import { serviceName, serviceNumber } from './service.ts';
import { SlowEngine } from './slow-engine.ts';
import type { Trace } from './trace.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

/** One process that serves. */
export interface Life {
  readonly number: number;
  readonly clock: ProcessClock;
  readonly broker: Broker;
  readonly random: SeededRandom;
  readonly queues: JudgedQueues;
  /** Rejects when the process is killed. */
  readonly death: Promise<never>;
  readonly die: () => void;
}

class ProcessDied extends Error {}

export class Stage {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly disk = new MemoryEngine();
  readonly network: Network;
  settings: ServiceSettings;
  /** Faults end here; what is left must come to rest. */
  isCalm = false;
  /** Everything ends here. */
  isOver = false;
  failure: unknown;
  /** Who judges what passes; set before the first process begins. */
  judges: Judges | undefined;
  /** Virtual times of crashes and of faults that made the broker recover. */
  readonly upsets: number[] = [];
  #engine: FaultyEngine;
  #life: Life | undefined;
  #starting: ProcessClock | undefined;
  #waiters: ((life: Life) => void)[] = [];
  #lives = 0;
  #isFull = false;
  #deathListeners: (() => void)[] = [];

  constructor(clock: VirtualClock, random: SeededRandom, settings: ServiceSettings, trace: Trace) {
    this.clock = clock;
    this.random = random;
    this.settings = settings;
    this.trace = trace;
    this.network = new Network(this, new SeededRandom(random.uint32()));
    this.#engine = new FaultyEngine({
      inner: this.disk,
      fault: () => this.#fault(),
      onWaiting: () => this.#flushLater(),
      hasRoom: () => !this.#isFull,
    });
  }

  get now(): number {
    return this.clock.now().mono;
  }

  get life(): number {
    return this.#lives;
  }

  /** Starts a process on what the disk holds. */
  async boot(): Promise<void> {
    this.#lives += 1;
    const number = this.#lives;
    const clock = this.clock.process();
    this.#starting = clock;
    const random = this.random.fork();
    const engine = new SlowEngine(this.#engine, clock, this.random.fork());
    const broker = new Broker({ engine, clock, random, log: silentLog });
    let die: () => void = () => undefined;
    const death = new Promise<never>((_, reject) => {
      die = () => reject(new ProcessDied('the process was killed'));
    });
    death.catch(() => undefined);
    await engine.start();
    await broker.start();
    const { settings } = this;
    const opened = await broker.open({ number: serviceNumber, name: serviceName, settings });
    if (number !== this.#lives) return;
    const queues = new JudgedQueues(opened, this, this.#judged());
    this.network.listener = doorway({ queues, clock, random });
    this.#life = { number, clock, random: random.fork(), broker, queues, death, die };
    this.note(`process ${number} serves`);
    this.upset();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake(this.#life);
  }

  /** Kills the process and begins the next one after a while. */
  async crash(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.upset();
    this.#life = undefined;
    life.clock.cut();
    const kept = this.random.between(0, this.#engine.waiting);
    this.note(`process ${life.number} dies, ${kept} of ${this.#engine.waiting} appends kept`);
    life.queues.died();
    this.network.crashed();
    for (const listener of this.#deathListeners) listener();
    life.die();
    this.#engine = await this.#engine.crash(kept);
    await this.clock.sleep(this.random.between(1, 2_000));
    while (!(await this.#survives(this.boot()))) {
      await this.clock.sleep(this.random.between(1, 500));
    }
  }

  /** Some processes are killed while they recover. */
  async #survives(boot: Promise<void>): Promise<boolean> {
    if (this.isCalm || !this.random.chance(0.4)) {
      await boot;
      return true;
    }
    await this.clock.sleep(this.random.fraction() * 12);
    if (this.#life !== undefined) return true;
    const kept = this.random.between(0, this.#engine.waiting);
    this.note(`process ${this.#lives} dies as it starts, ${kept} appends kept`);
    this.#starting?.cut();
    this.#engine = await this.#engine.crash(kept);
    return false;
  }

  /** Calls back at each death of a process, before its callers learn of it. */
  onDeath(listener: () => void): void {
    this.#deathListeners.push(listener);
  }

  /** Changes the settings; the next process begins with them whatever becomes of the call.
   * Answers whether it certainly has happened. */
  async change(settings: ServiceSettings): Promise<boolean> {
    this.settings = settings;
    const life = await this.up();
    try {
      await Promise.race([life.broker.change(serviceName, settings), life.death]);
      return true;
    } catch (error) {
      if (!(error instanceof PlatformError) && !(error instanceof ProcessDied)) throw error;
      this.note('the change of settings was not answered');
      return false;
    }
  }

  /** One call of a client; waits for a process that serves. */
  async ask<Value>(call: (queues: Queues) => Promise<Value>): Promise<Answer<Value>> {
    const life = await this.up();
    try {
      return { kind: 'ok', value: await Promise.race([call(life.queues), life.death]) };
    } catch (error) {
      return error instanceof ProcessDied ? { kind: 'unknown', code: 'died' } : refusalOf(error);
    }
  }

  /** The queues of the process that serves now, for calls that answer at once. */
  get queues(): Queues | undefined {
    return this.#life?.queues;
  }

  async sleep(lowMs: number, highMs: number): Promise<void> {
    await this.clock.sleep(lowMs + this.random.fraction() * (highMs - lowMs));
  }

  /** A disk without room for new messages, or with room again. */
  fill(isFull: boolean): void {
    this.#isFull = isFull;
  }

  calm(): void {
    this.isCalm = true;
    this.#isFull = false;
    this.network.heal();
    this.note('faults end');
  }

  /** Whether no process died and no write failed since then. */
  isSteadySince(mono: number): boolean {
    return !this.upsets.some((at) => at >= mono);
  }

  upset(): void {
    this.upsets.push(this.now);
  }

  note(line: string): void {
    this.trace.add(this.now, line);
  }

  #judged(): Judges {
    if (this.judges === undefined) throw new Error('a run has judges from its beginning');
    return this.judges;
  }

  /** The process that serves, as soon as there is one. */
  up(): Promise<Life> {
    if (this.#life !== undefined) return Promise.resolve(this.#life);
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #fault(): Fault {
    if (this.isCalm || !this.random.chance(0.012)) return 'none';
    const fault = this.random.pick<Fault>(['full', 'unknownLost', 'unknownWritten']);
    this.upset();
    this.note(`append: ${fault}`);
    return fault;
  }

  #flushLater(): void {
    const engine = this.#engine;
    const count = this.random.between(1, 2);
    const delayMs = this.random.chance(0.1) ? 30 : this.random.fraction() * 3;
    this.clock.after(delayMs, () => {
      engine.release(count).catch((error: unknown) => {
        this.failure ??= error;
      });
    });
  }
}
