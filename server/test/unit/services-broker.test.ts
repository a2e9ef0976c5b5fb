// The registry with the real broker: what is declared becomes queues that keep their messages over
// restarts and lose them with their service.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import type { Delivery, Queues, Watch, WatchSink } from '../../src/broker/queues.ts';
import type { RuntimeReport } from '../../src/deployment/service.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Registry } from '../../src/services/registry.ts';
import { Runtime } from './services-world.ts';

const kernel = { clock: systemClock, random: systemRandom, log: silentLog };
const nothingRuns: RuntimeReport = {
  revision: 1,
  wanted: 0,
  running: 0,
  pending: 0,
  waiting: 0,
  failed: 0,
  leaving: 0,
  rollout: { state: 'done' },
  message: '',
};
let engine: MemoryEngine;
let broker: Broker;
let registry: Registry;

beforeEach(async () => {
  engine = new MemoryEngine();
  await boot();
});
afterEach(halt);

it('opens the queues with the capacity that was declared', async () => {
  await registry.apply(file({ source: { max_length: 10 } }));
  expect(queues().view('input')).toMatchObject({ capacity: 10, length: 0 });
  expect(queues().view('sink')).toMatchObject({ capacity: 230_399 });
});

it('changes them live and keeps what is in them', async () => {
  await registry.apply(file({ source: { max_length: 10 } }));
  await put('one');
  await registry.apply(file({ source: { max_length: 20 } }));
  expect(queues().view('input')).toMatchObject({ capacity: 20, length: 1 });
});

it('brings them back after a restart', async () => {
  await registry.apply(file({ source: { max_length: 20 } }));
  await put('one');
  await put('two');
  await halt();
  await boot();
  expect(queues().view('input')).toMatchObject({ capacity: 20, length: 2 });
  expect(registry.get('a')).toMatchObject({ status: 'Running' });
});

it('gives a new service of an old name empty queues', async () => {
  await registry.apply(file({}));
  await put('one');
  const before = registry.get('a')?.number ?? 0;
  await registry.delete('a');
  expect(broker.find('a')).toBeUndefined();
  await registry.apply(file({}));
  expect(registry.get('a')?.number).toBeGreaterThan(before);
  expect(queues().view('input')).toMatchObject({ length: 0, lastIndex: 0 });
});

async function boot(): Promise<void> {
  broker = new Broker({ engine, ...kernel });
  await broker.start();
  const runtime = new Runtime();
  runtime.reports.set('a', nothingRuns);
  registry = new Registry({
    store: engine,
    queues: broker,
    runtime,
    ...kernel,
    openAllowed: false,
  });
  await registry.start();
}

async function halt(): Promise<void> {
  await registry.stop();
  await broker.stop();
}

function file(queue: object): object {
  return { metadata: { name: 'a', instance: 0, type: 'Async' }, queue };
}

function queues(): Queues {
  const found = broker.find('a');
  if (found === undefined) throw new Error('the queues are not open');
  return found;
}

async function put(text: string): Promise<void> {
  await queues().put('input', {
    payload: new TextEncoder().encode(text),
    id: undefined,
    tags: new Map(),
    priority: 0,
    by: { gid: 'eas', uid: 'tester' },
    path: undefined,
    contentType: undefined,
    home: 'sink',
    expiresAt: 0,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
  });
}

it('closes the queues of a stopped service and opens them with all that is in them', async () => {
  await registry.apply(file({}));
  await put('one');
  await registry.halt('a', { now: false });
  await until(() => registry.get('a')?.status === 'Stopped');
  expect(broker.find('a')).toBeUndefined();
  const resting = registry.resting('a');
  expect(resting?.view('input')).toMatchObject({ isClosed: true, length: 1, lastIndex: 1 });
  await expect(resting?.reopen('input')).rejects.toThrow('start it with: sluice start a');
  await halt();
  await boot();
  expect(registry.resting('a')?.view('input')).toMatchObject({ length: 1 });
  await registry.resume('a');
  expect(queues().view('input')).toMatchObject({ length: 1, lastIndex: 1 });
});

it('holds the input back while a service is being stopped, for those who come too', async () => {
  await registry.apply(file({}));
  const first = new Taker();
  await first.watch(1);
  broker.hold('a', true);
  await put('one');
  const { leased, waiting } = queues().view('input');
  expect([leased, waiting, first.taken]).toEqual([0, 1, []]);
  await expect(async () => new Taker().watch(1)).rejects.toThrow('a is being stopped');
  broker.hold('a', false);
  await until(() => first.taken.length === 1);
});

/** A consumer that keeps what it is given. */
class Taker implements WatchSink {
  readonly taken: number[] = [];

  async watch(window: number): Promise<Watch> {
    const by = { gid: 'eas', uid: systemRandom.id() };
    const rest = { from: 0, indexOnly: false, autoCommit: false, tags: new Map(), id: undefined };
    return queues().watch('input', { by, kind: 'eas', window, holding: [], ...rest }, this);
  }

  deliver({ index }: Delivery): void {
    this.taken.push(index);
  }

  voided(): void {}

  closed(): void {}

  buffered(): number {
    return 0;
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
