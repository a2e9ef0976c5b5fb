// Which bodies in files are named, over everything that may befall a request: wherever it is they
// are found, when nobody needs them they are gone, and nothing is said while it is not certain.

import { expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import type { Delivery, Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { noTerms, writeTerms } from '../../src/queue/terms.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { putRequest } from './queue-requests.ts';
import { settingsOf } from './queue-world.ts';

const settings = settingsOf({ declaresInstances: true, deliveryMax: 1 });
const file = (name: string) => ({ kind: 'file', name, size: 10 ** 6 }) as const;
const withBody = (name: string) => {
  return putRequest('', {
    home: 'record',
    terms: writeTerms({ ...noTerms, body: file(name) }),
    bodyHash: 1,
  });
};

class World {
  readonly random = new SeededRandom(1);
  readonly clock = new VirtualClock(this.random.fork());
  readonly engine = new MemoryEngine();
  broker: Broker = this.#start();
  readonly deliveries: Delivery[] = [];

  #start(): Broker {
    const { engine, clock, random } = this;
    return new Broker({ engine, clock, random, log: silentLog });
  }

  run<Value>(work: Promise<Value>): Promise<Value> {
    return this.clock.run(work);
  }

  /** Services 1 and up, each with its queues open. */
  async open(count: number): Promise<readonly Queues[]> {
    const opened: Queues[] = [];
    for (let number = 1; number <= count; number += 1) {
      const name = `s${number}`;
      await this.engine.saveDefinition({ number, name, definition: '' });
      opened.push(await this.run(this.broker.open({ number, name, settings })));
    }
    return opened;
  }

  async restart(): Promise<void> {
    await this.run(this.broker.stop());
    this.broker = this.#start();
  }

  async names(): Promise<readonly string[] | undefined> {
    const names = await this.run(this.broker.bodyNames());
    return names === undefined ? undefined : [...names].sort();
  }

  /** A worker of the service, who takes one at a time. */
  async watch(queues: Queues): Promise<void> {
    const sink = {
      deliver: (delivery: Delivery) => void this.deliveries.push(delivery),
      voided: () => undefined,
      closed: () => undefined,
      buffered: () => 0,
    };
    const by = { gid: queues.service, uid: 'w' };
    const rest = { from: 0, indexOnly: false, autoCommit: false, tags: new Map(), id: undefined };
    const request = { by, kind: 'worker', window: 1, holding: [], ...rest } as const;
    await this.run(queues.watch('input', request, sink));
  }

  async taken(): Promise<Delivery> {
    await this.clock.advance(100);
    const delivery = this.deliveries.shift();
    if (delivery === undefined) throw new Error('nothing was delivered');
    return delivery;
  }
}

it('names a body while its message waits, runs or is dead, and its result after it', async () => {
  const world = new World();
  const [queues] = await world.open(1);
  if (queues === undefined) throw new Error('one service');
  expect(await world.names()).toEqual([]);
  await world.run(queues.put('input', withBody('a')));
  await world.run(queues.put('input', withBody('b')));
  await world.run(queues.put('input', putRequest('small')));
  expect(await world.names()).toEqual(['a', 'b']);
  await world.watch(queues);
  const first = await world.taken();
  expect(await world.names()).toEqual(['a', 'b']);
  const done = { contentType: undefined, outcome: 'succeeded', code: '', reason: '' } as const;
  const { deliveryId } = first;
  const completion = { ...done, deliveryId, payload: undefined, firstOutputAt: 0 };
  await world.run(queues.complete({ ...completion, body: file('result') }));
  expect(await world.names()).toEqual(['b', 'result']);
  // The second one dies, is put anew, and is canceled.
  const second = await world.taken();
  const bad = { counted: true, code: '500', reason: 'no', delayMs: 0 };
  await world.run(queues.giveBack('input', { deliveryId: second.deliveryId, ...bad }));
  expect(queues.view('inputRear').length).toBe(1);
  expect(await world.names()).toEqual(['b', 'result']);
  await world.restart();
  const [again] = await world.open(1);
  if (again === undefined) throw new Error('one service');
  expect(await world.names()).toEqual(['b', 'result']);
  const anew = await world.run(again.requests.redrive(1, withBody('b'), second.index));
  expect(again.view('inputRear').length).toBe(0);
  expect(await world.names()).toEqual(['b', 'result']);
  expect(await world.run(again.requests.cancel(anew.index, 'not wanted'))).toBe(true);
  expect(await world.names()).toEqual(['result']);
  // The record is forgotten, and the result with it.
  await world.clock.advance(settings.recordRetentionMs + 3_600_000);
  expect(await world.names()).toEqual([]);
});

it('knows the bodies of services that are closed, also of those never opened', async () => {
  const world = new World();
  const [one, two] = await world.open(2);
  if (one === undefined || two === undefined) throw new Error('two services');
  await world.run(one.put('input', withBody('a')));
  await world.run(two.put('input', withBody('b')));
  await world.run(world.broker.close('s1'));
  expect(await world.names()).toEqual(['a', 'b']);
  await world.restart();
  expect(await world.names()).toEqual(['a', 'b']);
  await world.open(2);
  expect(await world.names()).toEqual(['a', 'b']);
  await world.run(world.broker.drop('s2'));
  expect(await world.names()).toEqual(['a']);
});

it('says nothing while the data of a service can not be read', async () => {
  const world = new World();
  const [queues] = await world.open(1);
  if (queues === undefined) throw new Error('one service');
  await world.run(queues.put('input', withBody('a')));
  await world.restart();
  const { engine } = world;
  const recover = engine.recover.bind(engine);
  engine.recover = () => {
    throw new Error('Damaged row');
  };
  await expect(world.open(1)).rejects.toThrow('Damaged row');
  expect(await world.names()).toBeUndefined();
  engine.recover = recover;
  await world.open(1);
  expect(await world.names()).toEqual(['a']);
});
