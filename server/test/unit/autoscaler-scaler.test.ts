// The scaler as a component, on the real broker in virtual time: when it looks, what it has done,
// what it tells.

import { afterEach, expect, test } from 'vitest';
import type { InstanceFacts, ScalerPorts } from '../../src/autoscaler/ports.ts';
import { Scaler } from '../../src/autoscaler/scaler.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import type { ScalingPolicy } from '../../src/deployment/scaling.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { policyOf, strategy } from './autoscaler-world.ts';
import { getRequest, putRequest } from './queue-requests.ts';
import { settingsOf } from './queue-world.ts';

interface World {
  readonly clock: VirtualClock;
  readonly queues: Queues;
  readonly scaler: Scaler;
  readonly events: ServiceEvent[];
  /** Every change that was asked for, with its time. */
  readonly changes: { readonly count: number; readonly at: number }[];
  count: number;
  policy: ScalingPolicy;
  instances: InstanceFacts[];
  /** How long a change takes to be durable. */
  scaleMs: number;
  failure: Error | undefined;
  put(body: string): Promise<void>;
  advance(seconds: number): Promise<void>;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function world(policy: Partial<ScalingPolicy>, count: number): Promise<World> {
  const random = new SeededRandom(5);
  const clock = new VirtualClock(random.fork());
  const engine = new MemoryEngine();
  const broker = new Broker({ engine, clock, random, log: silentLog });
  await clock.run(engine.start());
  const queues = await clock.run(broker.open({ number: 1, name: 's', settings: settingsOf({}) }));
  const events: ServiceEvent[] = [];
  const changes: World['changes'] = [];
  const ports: ScalerPorts = {
    services: () => [{ name: 's', policy: own.policy, count: own.count, window: 1 }],
    queue: (name) => {
      const found = broker.find(name);
      if (found === undefined) return undefined;
      const { waiting, backingOff, leased } = found.view('input');
      return { waiting, backingOff, leased, puts: found.counters('input').put };
    },
    instances: () => own.instances,
    usage: async () => new Map(),
    gpuPercent: async () => new Map(),
    cpuMillis: () => 0,
    scale: async (_, wanted) => {
      changes.push({ count: wanted, at: clock.now().mono });
      await clock.sleep(own.scaleMs);
      if (own.failure !== undefined) throw own.failure;
      own.count = wanted;
    },
    whenInputComes: (name, fire) => broker.whenInputComes(name, fire),
    record: (event) => events.push(event),
  };
  const scaler = new Scaler({ ports, clock, log: silentLog });
  const own: World = {
    clock,
    queues,
    scaler,
    events,
    changes,
    count,
    policy: policyOf(policy),
    instances: [],
    scaleMs: 0,
    failure: undefined,
    put: async (body) => void (await clock.run(queues.put('input', putRequest(body)))),
    advance: (seconds) => clock.advance(seconds * 1000),
  };
  closers.push(async () => {
    await clock.run(scaler.stop());
    await clock.run(broker.stop());
  });
  await scaler.start();
  return own;
}

test('the first message of a service at 0 starts an instance at once', async () => {
  const one = await world({}, 0);
  // Right after a look, when the next one is furthest away.
  await one.advance(10.001);
  expect(one.changes).toEqual([]);
  await one.put('a');
  const accepted = one.clock.now().mono;
  await one.clock.settle();
  expect(one.changes).toHaveLength(1);
  expect(one.changes[0]?.count).toBe(1);
  expect((one.changes[0]?.at ?? 0) - accepted).toBeLessThan(1);
  expect(one.events).toEqual([
    {
      service: 's',
      kind: 'scaling',
      what: 'from-zero',
      text: '0 → 1 instances: a request waits and there are no instances',
      facts: { from: 0, to: 1 },
    },
  ]);
});

test('a message that comes while the way to 0 is being made durable is not forgotten', async () => {
  const one = await world({ zeroGraceMs: 20_000 }, 1);
  one.scaleMs = 2000;
  await one.advance(21);
  expect(one.changes.at(-1)?.count).toBe(0);
  await one.put('a');
  expect(one.changes.at(-1)?.count).toBe(0);
  await one.advance(2);
  expect(one.changes.at(-1)?.count).toBe(1);
});

test('every time anew: to 0 after the grace, back with the next message', async () => {
  const one = await world({ zeroGraceMs: 20_000 }, 0);
  for (let round = 1; round <= 3; round += 1) {
    await one.put('a');
    await one.clock.settle();
    expect(one.count).toBe(1);
    await one.clock.run(
      one.queues.get('input', getRequest({ autoDelete: true }), undefined).then((h) => h.taken()),
    );
    await one.advance(19);
    expect(one.count).toBe(1);
    await one.advance(10);
    expect(one.count).toBe(0);
  }
  expect(one.events.filter(({ what }) => what === 'to-zero')).toHaveLength(3);
});

test('a service that was just declared need not wait for the next look', async () => {
  const one = await world({}, 1);
  await one.advance(1);
  one.count = 0;
  one.scaler.changed('s');
  await one.clock.settle();
  await one.put('a');
  await one.clock.settle();
  expect(one.count).toBe(1);
});

test('messages that nobody may be started for cost one look, not one each', async () => {
  const cron = {
    jobs: [{ name: 'off', schedule: '0 0 * * *', targetSize: 0 }],
    excludeDates: [],
    timeZone: 'UTC',
  };
  const one = await world({ strategies: [], cron }, 0);
  await one.advance(5.001);
  const before = one.clock.steps;
  for (let at = 0; at < 50; at += 1) await one.put('a');
  const each = (one.clock.steps - before) / 50;
  expect(one.changes).toEqual([]);
  // A put takes its turn; looks would come on top.
  expect(each).toBeLessThan(4);
});

test('what is held back is told once for each reason, and again after a change', async () => {
  const one = await world({ min: 1, max: 4 }, 4);
  for (let at = 0; at < 100; at += 1) await one.put('a');
  one.events.length = 0;
  await one.advance(60);
  const held = (): readonly unknown[] => one.events.map(({ what, facts }) => [what, facts?.by]);
  expect(held()).toEqual([['held', 'max']]);
  expect(one.events[0]?.text).toBe(
    '4 instances stay: queue[avgbacklog] is 25, above 10: that takes 10, but max is 4',
  );
  one.policy = policyOf({ min: 1, max: 5 });
  await one.advance(60);
  expect(held()).toEqual([
    ['held', 'max'],
    ['scale-out', undefined],
    ['held', 'max'],
  ]);
});

test('crashes of new instances hold back, with the reason that they give', async () => {
  const one = await world({}, 2);
  one.instances = [
    instance({ state: 'Running', readyAt: 1 }),
    instance({ state: 'CrashLoop', reason: 'ended with code 3' }),
  ];
  for (let at = 0; at < 60; at += 1) await one.put('a');
  one.events.length = 0;
  await one.advance(30);
  expect(one.changes).toEqual([]);
  expect(one.events.map(({ text }) => text)).toEqual([
    '2 instances stay: queue[avgbacklog] is 30, above 10: that takes 6, ' +
      'but 1 of 2 crash before they are ready: ended with code 3',
  ]);
  // One that has worked before is on its way back and holds nobody up.
  one.instances = [
    instance({ state: 'Running', readyAt: 1 }),
    instance({ state: 'CrashLoop', readyAt: 1 }),
  ];
  await one.advance(5);
  expect(one.count).toBe(6);
});

test('a change that fails is told once and tried again', async () => {
  const one = await world({}, 0);
  one.failure = new Error('the disk is full');
  await one.put('a');
  await one.advance(30);
  expect(one.changes.length).toBeGreaterThan(3);
  expect(one.changes.length).toBeLessThan(12);
  expect(one.events.map(({ what }) => what)).toEqual(['from-zero', 'failed']);
  expect(one.events[1]?.text).toContain('the disk is full');
  one.failure = undefined;
  await one.advance(6);
  expect(one.count).toBe(1);
});

test('another policy begins its windows anew', async () => {
  const one = await world({ min: 1, scaleInWindowMs: 60_000 }, 5);
  await one.advance(50);
  one.policy = policyOf({ min: 2, scaleInWindowMs: 60_000 });
  await one.advance(50);
  expect(one.count).toBe(5);
  await one.advance(20);
  expect(one.count).toBe(2);
});

test('shows what it measured last, and what it holds back', async () => {
  const one = await world({ min: 1, strategies: [strategy('backlog-average', 10)] }, 2);
  for (let at = 0; at < 4; at += 1) await one.put('a');
  await one.advance(6);
  expect(one.scaler.view('s')).toEqual({
    values: [2],
    decision: {
      at: one.clock.now().wall - 1000,
      count: 2,
      reason:
        'queue[avgbacklog] is 2, below 10: that takes 1, ' +
        'but not yet for the 300 s of the scale-in window',
    },
  });
  expect(one.scaler.view('other')).toBeUndefined();
});

test('once stopped it does nothing any more', async () => {
  const one = await world({}, 0);
  await one.advance(10);
  await one.clock.run(one.scaler.stop());
  await one.put('a');
  await one.advance(60);
  expect(one.changes).toEqual([]);
});

function instance(facts: Partial<InstanceFacts>): InstanceFacts {
  return {
    name: 'i',
    state: 'Running',
    reason: '',
    url: '',
    startedAt: 0,
    readyAt: 0,
    feed: undefined,
    ...facts,
  };
}
