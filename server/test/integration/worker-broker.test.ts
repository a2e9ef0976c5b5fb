// Workers on the real broker: what the two promise together.

import type { ServerResponse } from 'node:http';
import { PlatformError } from '@sluice/sdk/wire';
import { afterEach, expect, it } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import type { Queues } from '../../src/broker/queues.ts';
import { type Fault, FaultyEngine } from '../../src/engine/faulty.ts';
import { MemoryEngine } from '../../src/engine/memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { RecordEvent } from '../../src/kernel/events.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { defaultSettings, type ServiceSettings } from '../../src/queue/settings.ts';
import { HttpModelClient } from '../../src/worker/model-client.ts';
import type { WorkerSettings } from '../../src/worker/settings.ts';
import type { WorkSource } from '../../src/worker/source.ts';
import { Worker } from '../../src/worker/worker.ts';
import { type Answer, type Model, plainSettings, startModel } from './worker-world.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly queues: Queues;
  /** Starts a worker in front of a new model server. */
  instance(answer: Answer, settings?: Partial<WorkerSettings>): Promise<Instance>;
  put(...bodies: readonly string[]): Promise<readonly number[]>;
  /** All results, oldest first, once there are so many. */
  results(count: number): Promise<readonly Result[]>;
  /** What the owner of the service was told of its messages. */
  readonly events: readonly string[];
}

interface Instance {
  readonly model: Model;
  readonly worker: Worker;
}

interface Result {
  readonly body: string;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly id: string;
}

async function world(
  settings: Partial<ServiceSettings> = {},
  fault: () => Fault = () => 'none',
): Promise<World> {
  const engine = new FaultyEngine({ inner: new MemoryEngine(), fault });
  const [clock, random, log] = [systemClock, systemRandom, silentLog];
  const events: string[] = [];
  const record: RecordEvent = ({ kind, what, instance }) => {
    events.push(`${kind} ${what} ${instance}`);
  };
  const broker = new Broker({ engine, clock, random, log, record });
  closers.push(() => broker.stop());
  const all = { ...defaultSettings, declaresInstances: true, ...settings };
  const queues = await broker.open({ number: 1, name: 'reader', settings: all });
  const source: WorkSource = queues;
  let instances = 0;
  return {
    queues,
    events,
    instance: async (answer, more = {}) => {
      const model = await startModel(answer);
      closers.push(() => model.close());
      instances += 1;
      const worker = new Worker({
        service: 'reader',
        instance: `reader-${instances}`,
        source,
        model: new HttpModelClient({ origin: model.origin, clock }),
        basePath: '/',
        settings: { ...plainSettings, ...more },
        answerBytesMax: () => queues.view('sink').payloadBytesMax,
        cutGraceMs: 0,
        ...{ clock, random, log },
      });
      closers.push(() => worker.drain(AbortSignal.abort()));
      worker.start();
      return { model, worker };
    },
    put: async (...bodies) => {
      const answers = bodies.map((body) => queues.put('input', putRequest(body)));
      return (await Promise.all(answers)).map(({ index }) => index);
    },
    results: async (length) => {
      const by = { gid: 'client', uid: 'client' };
      const options = { from: 0, length, timeoutMs: 20_000, autoDelete: false };
      const request = { ...options, tags: new Map(), id: undefined, by };
      const { messages } = await patiently(() => queues.get('sink', request, undefined));
      return messages.map(({ payload, tags, id }) => ({
        body: Buffer.from(payload).toString(),
        code: tags.get('lastCode'),
        reason: tags.get('lastReason'),
        id,
      }));
    },
  };
}

function putRequest(body: string): Parameters<Queues['put']>[1] {
  return {
    payload: Buffer.from(body),
    id: `id-${body}`,
    tags: new Map(),
    priority: 0,
    by: { gid: 'client', uid: 'client' },
    path: undefined,
    contentType: undefined,
    home: 'sink',
    expiresAt: 0,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
  };
}

const echo: Answer = ({ body }, response) => void response.end(`echo ${body}`);

it('turns every request into exactly one result with its request id', async () => {
  const { put, results, instance, queues } = await world();
  const bodies = Array.from({ length: 200 }, (_, number) => `body-${number}`);
  await put(...bodies.slice(0, 100));
  const instances = [await instance(echo, { window: 4 }), await instance(echo, { window: 2 })];
  await put(...bodies.slice(100));
  const all = await results(200);
  expect(new Set(all.map(({ id, body }) => `${id} ${body}`))).toEqual(
    new Set(bodies.map((body) => `id-${body} echo ${body}`)),
  );
  expect(instances.map(({ model }) => model.most()).every((most) => most <= 4)).toBe(true);
  expect(instances[1]?.model.most()).toBeLessThanOrEqual(2);
  expect(queues.view('input')).toMatchObject({ length: 0, leased: 0 });
});

it('passes a request on to another instance when one refuses it', async () => {
  const { put, results, instance, queues } = await world();
  const full = await instance((_request, response) => void response.writeHead(503).end());
  await put('a');
  while (full.worker.view().holds.length === 0) await turn();
  await instance(echo);
  expect(await results(1)).toMatchObject([{ body: 'echo a', code: undefined }]);
  expect(queues.counters('input').dead).toBe(0);
  expect(full.model.seen.length).toBe(1);
});

it('fails with code and reason, and counts what is tried again until it is dead', async () => {
  const { put, results, instance, queues } = await world({ deliveryMax: 2 });
  await instance(({ body }, response) => {
    if (body === 'bad') response.writeHead(422).end('what?');
    else response.destroy();
  });
  await put('bad');
  expect(await results(1)).toMatchObject([{ body: 'what?', code: '422' }]);
  await put('poison');
  const [, dead] = await results(2);
  expect(dead).toMatchObject({ id: 'id-poison', body: '', code: '502' });
  expect(queues.view('inputRear').length).toBe(1);
});

it('convicts a request that kills three instances, and answers those beside it', async () => {
  const { put, results, instance, queues, events } = await world({ deliveryMax: 0 });
  await put('poison', 'one', 'two');
  for (const company of [['one', 'two'], ['one', 'two'], []]) {
    const { worker, model } = await instance(() => undefined, { window: 3 });
    while (model.open() < 1 + company.length) await turn();
    expect(model.seen.map(({ body }) => body)).toEqual(['poison', ...company]);
    await worker.died('killed by SIGSEGV');
  }
  await instance(echo, { window: 3 });
  const answers = await results(3);
  expect(answers.map(({ body, code }) => code ?? body)).toEqual([
    'PoisonConvicted',
    'echo one',
    'echo two',
  ]);
  expect(answers[0]?.reason).toContain('killed by SIGSEGV');
  expect(queues.view('inputRear').length).toBe(1);
  expect(events).toEqual([
    'message suspect reader-2',
    'message suspect reader-2',
    'message suspect reader-2',
    'message convicted reader-3',
    'message cleared reader-4',
    'message cleared reader-4',
  ]);
});

it('stops the call of a request that was deleted, and reuses its slot after a check', async () => {
  const { put, results, instance, queues } = await world();
  const { model, worker } = await instance(
    ({ body }, response) => void (body === 'slow' || response.end('done')),
    { releaseAfterMs: 0 },
  );
  const [index = 0] = await put('slow');
  while (model.open() === 0) await turn();
  await put('next');
  await queues.delete('input', [index]);
  while (model.open() === 1) await turn();
  while (worker.view().abandoned === 0) await turn();
  expect(queues.view('input').waiting).toBe(1);
  worker.checked(true, systemClock.now().mono + 1);
  expect(await results(1)).toMatchObject([{ id: 'id-next', body: 'done' }]);
});

it('hands its result in although the queues recover in the middle of the call', async () => {
  let next: Fault = 'none';
  const { put, results, instance } = await world({}, () => {
    const fault = next;
    next = 'none';
    return fault;
  });
  let answers = 0;
  const { model, worker } = await instance((_request, response) => {
    answers += 1;
    next = 'unknownWritten';
    response.end(`answer ${answers}`);
  });
  await put('a');
  expect(await results(1)).toMatchObject([{ body: 'answer 1' }]);
  next = 'unknownLost';
  await put('b').catch(() => undefined);
  while (!worker.view().isWatching) await turn();
  await put('b');
  expect(await results(2)).toMatchObject([{ id: 'id-a' }, { id: 'id-b' }]);
  expect(model.seen.length).toBe(answers);
});

it('gives back what it works on when it has to leave, for the next instance', async () => {
  const { put, results, instance } = await world({ deliveryMax: 1 });
  const { model, worker } = await instance(() => undefined, { window: 2 });
  await put('a', 'b');
  while (model.open() < 2) await turn();
  await worker.drain(AbortSignal.abort());
  const other = await instance(echo);
  expect((await results(2)).map(({ body }) => body)).toEqual(['echo a', 'echo b']);
  expect(other.model.seen.map(({ headers }) => headers['x-sluice-delivery'])).toEqual(['2', '2']);
});

it('follows a queue that was ended and reopened', async () => {
  const { put, results, instance, queues } = await world();
  await instance(echo);
  await put('a');
  await results(1);
  await queues.end('input', false);
  await queues.reopen('input');
  await put('b');
  expect(await results(2)).toMatchObject([{ body: 'echo a' }, { body: 'echo b' }]);
});

/** Asks again while the queues recover. */
async function patiently<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof PlatformError && error.retry)) throw error;
      await turn();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.after(2, resolve));
}

it('goes on with what it works on when its window and revision change', async () => {
  const { queues, instance, put, results } = await world();
  const open: ServerResponse[] = [];
  const wait: Answer = (_request, response) => void open.push(response);
  const { worker, model } = await instance(wait, { window: 1 });
  await put('a', 'b');
  await expect.poll(() => open.length).toBe(1);
  worker.update({ ...plainSettings, window: 2, revision: 7 });
  await expect.poll(() => open.length).toBe(2);
  expect(queues.view('input').consumers).toMatchObject([{ window: 2, pending: 2 }]);
  for (const response of open) response.end('once');
  expect((await results(2)).map(({ body }) => body)).toEqual(['once', 'once']);
  expect(model.seen.length).toBe(2);
  expect(queues.counters('input').delivered).toBe(2);
  const records = await queues.requests.records(1, 2);
  expect(records.map(({ revision }) => revision)).toEqual([0, 7]);
});

it('leaves nothing with a watch that it meant to replace and could not', async () => {
  const { queues, instance, put, results } = await world();
  const first = await instance((_request, response) => void response.end(), { window: 1 });
  const watching = (): boolean => first.worker.view().isWatching;
  await expect.poll(watching).toBe(true);
  for (const window of [2, 3, 4]) {
    first.worker.update({ ...plainSettings, window });
    await expect.poll(watching).toBe(true);
  }
  // One takeover too many within a few seconds: the watch before stays, and is given this.
  first.worker.update({ ...plainSettings, window: 5 });
  await put('a');
  await expect.poll(() => queues.view('input').leased).toBe(1);
  expect(watching()).toBe(false);
  await first.worker.drain(AbortSignal.abort());
  const second: Answer = ({ body }, response) => void response.end(`second ${body}`);
  const { worker } = await instance(second);
  expect((await results(1))[0]?.body).toBe('second a');
  expect(worker.view().running).toEqual([]);
});
