// A broker on the memory engine and a virtual clock, with short ways to do what clients do: the
// stage on which the tests of the rules play.

import { type ErrorCode, PlatformError } from '@sluice/sdk/wire';
import { expect } from 'vitest';
import { Broker, type BrokerOptions } from '../../src/broker/broker.ts';
import type {
  Delivery,
  Handout,
  PutAnswer,
  Queues,
  QueueView,
  Watch,
  WatchEnd,
  WatchRequest,
} from '../../src/broker/queues.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { QueueName } from '../../src/queue/message.ts';
import type { RequestRecord } from '../../src/queue/record.ts';
import {
  defaultSettings,
  type QueueSettings,
  type ServiceSettings,
} from '../../src/queue/settings.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { type ProcessClock, VirtualClock } from '../simulation/virtual-clock.ts';
import {
  bytes,
  type GetChange,
  getRequest,
  type PutChange,
  putRequest,
  text,
  type WatchChange,
  watchRequest,
} from './queue-requests.ts';

export const serviceName = 'scan';

export type SettingsChange = Partial<Omit<ServiceSettings, 'source' | 'sink'>> & {
  readonly source?: Partial<QueueSettings>;
  readonly sink?: Partial<QueueSettings>;
};

export function settingsOf(change: SettingsChange): ServiceSettings {
  return {
    ...defaultSettings,
    ...change,
    source: { ...defaultSettings.source, ...change.source },
    sink: { ...defaultSettings.sink, ...change.sink },
  };
}

/** The watching end of a test: it remembers all that it was told. */
export class Consumer {
  readonly deliveries: Delivery[] = [];
  readonly voids: { readonly deliveryId: number; readonly reason: string }[] = [];
  /** Deliveries and the end in the order in which they came. */
  readonly told: string[] = [];
  ended: WatchEnd | undefined;
  bufferedBytes = 0;
  #watch: Watch | undefined;
  readonly request: WatchRequest;
  readonly queue: QueueName;

  constructor(queue: QueueName, request: WatchRequest) {
    this.queue = queue;
    this.request = request;
  }

  get by(): { gid: string; uid: string } {
    return this.request.by;
  }

  get watch(): Watch {
    if (this.#watch === undefined) throw new Error('the watch is not open');
    return this.#watch;
  }

  set watch(watch: Watch) {
    this.#watch = watch;
  }

  get indexes(): number[] {
    return this.deliveries.map((delivery) => delivery.index);
  }

  /** The newest delivery of a message to this consumer. */
  of(index: number): Delivery {
    const found = this.deliveries.findLast((delivery) => delivery.index === index);
    if (found === undefined) throw new Error(`message ${index} was not delivered`);
    return found;
  }
}

export class World {
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  #engine: Engine;
  #broker: Broker;
  #queues: Queues | undefined;
  #process: ProcessClock;
  #settings: ServiceSettings;
  /** Hears of what each turn has changed. */
  turned: BrokerOptions['turned'];

  constructor(settings: ServiceSettings, seed: number, engine: Engine = new MemoryEngine()) {
    this.random = new SeededRandom(seed);
    this.clock = new VirtualClock(this.random.fork());
    this.#settings = settings;
    this.#engine = engine;
    this.#process = this.clock.process();
    this.#broker = this.#newBroker();
  }

  get queues(): Queues {
    if (this.#queues === undefined) throw new Error('the world is not open');
    return this.#queues;
  }

  get engine(): Engine {
    return this.#engine;
  }

  async open(): Promise<void> {
    await this.run(this.#engine.start());
    await this.run(this.#broker.start());
    const declared = { number: 1, name: serviceName, settings: this.#settings };
    this.#queues = await this.run(this.#broker.open(declared));
  }

  async close(): Promise<void> {
    await this.run(this.#broker.stop());
    await this.run(this.#engine.stop());
  }

  /** The process is killed and started again on what the engine keeps. */
  async crash(): Promise<void> {
    this.#process.cut();
    this.#process = this.clock.process();
    this.#broker = this.#newBroker();
    await this.run(this.#broker.start());
    const declared = { number: 1, name: serviceName, settings: this.#settings };
    this.#queues = await this.run(this.#broker.open(declared));
    await this.settle();
  }

  /** Leaves cleanly and comes back. */
  async restart(): Promise<void> {
    await this.run(this.#broker.stop());
    await this.crash();
  }

  async change(change: SettingsChange): Promise<void> {
    this.#settings = settingsOf({
      ...this.#settings,
      ...change,
      source: { ...this.#settings.source, ...change.source },
      sink: { ...this.#settings.sink, ...change.sink },
    });
    await this.run(this.#broker.change(serviceName, this.#settings));
    await this.settle();
  }

  /** The service is deleted. */
  drop(): Promise<void> {
    return this.#broker.drop(serviceName);
  }

  /** Waits for one answer, moving time only when nothing else can run. */
  async run<Value>(promise: Promise<Value>): Promise<Value> {
    const value = await this.clock.run(promise);
    return value;
  }

  settle(): Promise<void> {
    return this.clock.settle();
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  async putAnswer(queue: QueueName, body: string, change: PutChange = {}): Promise<PutAnswer> {
    const answer = await this.run(this.queues.put(queue, putRequest(body, change)));
    await this.settle();
    return answer;
  }

  /** Puts into the input queue; answers the index. */
  async put(body: string, change: PutChange = {}): Promise<number> {
    return (await this.putAnswer('input', body, change)).index;
  }

  /** Puts so many at once into the input queue. */
  async putMany(count: number, change: PutChange = {}): Promise<void> {
    const bodies = Array.from({ length: count }, (_, at) => `${at}`);
    const puts = bodies.map((body) => this.queues.put('input', putRequest(body, change)));
    await this.run(Promise.all(puts));
    await this.settle();
  }

  async handout(queue: QueueName, change: GetChange = {}): Promise<Handout> {
    const handout = await this.run(this.queues.get(queue, getRequest(change), undefined));
    await this.settle();
    return handout;
  }

  /** Reads without deleting: index and text of each message. */
  async read(queue: QueueName, change: GetChange = {}): Promise<[number, string][]> {
    const handout = await this.handout(queue, { length: 1000, ...change, autoDelete: false });
    handout.taken();
    return handout.messages.map((message) => [message.index, text(message.payload)]);
  }

  async watch(uid: string, change: WatchChange = {}): Promise<Consumer> {
    const { queue, request } = watchRequest(uid, change);
    const consumer = new Consumer(queue, request);
    const opened = this.queues.watch(queue, request, {
      deliver: (delivery) => {
        consumer.deliveries.push(delivery);
        consumer.told.push(`delivered ${delivery.index}`);
      },
      voided: (deliveryId, reason) => consumer.voids.push({ deliveryId, reason }),
      closed: (reason) => {
        consumer.ended = reason;
        consumer.told.push(`closed ${reason}`);
      },
      buffered: () => consumer.bufferedBytes,
    });
    consumer.watch = await this.run(opened);
    await this.settle();
    return consumer;
  }

  /** A worker of the service's own working group. */
  worker(uid: string, change: WatchChange = {}): Promise<Consumer> {
    return this.watch(uid, { by: { gid: serviceName, uid }, kind: 'worker', ...change });
  }

  async complete(consumer: Consumer, index: number, body: string): Promise<number> {
    const answer = await this.run(
      this.queues.complete({
        deliveryId: consumer.of(index).deliveryId,
        payload: bytes(body),
        contentType: undefined,
        outcome: 'succeeded',
        code: '',
        reason: '',
        firstOutputAt: 0,
      }),
    );
    await this.settle();
    return answer;
  }

  async giveBack(
    consumer: Consumer,
    index: number,
    how: { counted: boolean; delayMs?: number; code?: string; reason?: string },
  ): Promise<void> {
    const { deliveryId } = consumer.of(index);
    const request = { delayMs: 0, code: '', reason: '', ...how, deliveryId };
    await this.run(this.queues.giveBack(consumer.queue, request));
    await this.settle();
  }

  async commit(consumer: Consumer, ...indexes: number[]): Promise<void> {
    await this.run(this.queues.commit(consumer.queue, indexes, consumer.by));
    await this.settle();
  }

  async negative(consumer: Consumer, index: number, code = '', reason = ''): Promise<void> {
    await this.run(this.queues.negative(consumer.queue, [index], consumer.by, code, reason));
    await this.settle();
  }

  async closeWatch(consumer: Consumer, how: 'cut' | 'dead' | 'drain'): Promise<void> {
    await this.run(consumer.watch.close(how));
    await this.settle();
  }

  view(queue: QueueName): QueueView {
    return this.queues.view(queue);
  }

  async record(index: number): Promise<RequestRecord | undefined> {
    const [record] = await this.run(this.#engine.records(1, index, 1));
    return record?.index === index ? record : undefined;
  }

  #newBroker(): Broker {
    return new Broker({
      engine: this.#engine,
      clock: this.#process,
      random: this.random.fork(),
      log: silentLog,
      turned: (service, changes) => this.turned?.(service, changes),
    });
  }
}

/** Plays `act` in a world of its own and closes it. */
export async function inWorld(
  change: SettingsChange,
  act: (world: World) => Promise<void>,
  seed = 1,
): Promise<void> {
  const world = new World(settingsOf(change), seed);
  await world.open();
  await act(world);
  await world.close();
}

/** The same on an engine of the test's own. */
export async function inWorldOn(
  engine: Engine,
  change: SettingsChange,
  act: (world: World) => Promise<void>,
): Promise<void> {
  const world = new World(settingsOf(change), 1, engine);
  await world.open();
  await act(world);
  await world.close();
}

/** Expects a refusal with this code. */
export async function refused(code: ErrorCode, attempt: Promise<unknown>): Promise<void> {
  const answer = await attempt.then(
    () => 'it was accepted',
    (error: unknown) => (error instanceof PlatformError ? error.code : error),
  );
  expect(answer).toBe(code);
}
