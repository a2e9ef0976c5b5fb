// The registry with the real broker: what is declared becomes queues that keep their messages over
// restarts and lose them with their service.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Registry } from '../../src/services/registry.ts';
import { Runtime } from './services-world.ts';

const kernel = { clock: systemClock, random: systemRandom, log: silentLog };
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
    callback: undefined,
  });
}
