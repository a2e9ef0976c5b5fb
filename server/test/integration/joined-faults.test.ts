// Joined workers when something breaks: the worker, its connection, the server. A request whose
// work goes on has one result and one call of the model; that of a dead worker goes to another.

import type { Client, Message } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  adminToken,
  type HeldModel,
  type JoinedWorld,
  openJoinedWorld,
  type RunningServer,
  seen,
} from './joined-world.ts';

const service = 'faults';

let world: JoinedWorld;
let server: RunningServer;
let model: HeldModel;
beforeEach(async () => {
  world = openJoinedWorld();
  server = await world.serve();
  model = await world.model();
});
afterEach(() => world.close());

const endpoint = (): readonly string[] => ['--endpoint', model.url];

async function counts(): Promise<{ readonly completed: number; readonly stale: number }> {
  const queues = await server.client.queues(service);
  const input = queues.find(({ name }) => name === 'input');
  return { completed: input?.counters.completed ?? 0, stale: input?.counters.stale ?? 0 };
}

/** Every result that there is, after one has come. */
async function results(queues: Client): Promise<readonly string[]> {
  const found: Message[] = await queues.sink.get({ waitMs: 20_000, autoDelete: false });
  const all = await queues.sink.get({ length: 10, autoDelete: false });
  expect(found.length).toBe(1);
  return all.map(({ payload }) => Buffer.from(payload).toString());
}

test('a cut costs nothing: the model goes on and its answer is the one result', async () => {
  const token = await world.queues(server, service);
  const network = await world.network(server.url);
  const worker = world.worker({ url: network.url, service, token, args: endpoint() });
  const queues = await world.submit(server, service);
  await queues.input.put('a');
  const request = await model.request(1);
  network.cut();
  await worker.says(/Connection lost, working on and trying again/);
  expect(await seen(server, service, ({ state }) => state === 'Unhealthy')).toMatchObject({
    message: expect.stringContaining('connection is lost'),
    ready: false,
  });
  request.answer('done meanwhile');
  network.mend();
  await worker.says(/Connected again after \d/);
  expect(await results(queues)).toEqual(['done meanwhile']);
  await seen(server, service, ({ state, ready }) => state === 'Running' && ready);
  expect(await counts()).toEqual({ completed: 1, stale: 0 });
  expect(model.requests.length).toBe(1);
});

test('after a long cut the request is another one’s, and the late answer is refused', async () => {
  const token = await world.queues(server, service, { resume: '500ms' });
  const network = await world.network(server.url);
  const late = world.worker({ url: network.url, service, token, args: endpoint() });
  const queues = await world.submit(server, service);
  await queues.input.put('a');
  const first = await model.request(1);
  world.worker({ url: server.url, service, token, args: endpoint() });
  await seen(server, service, ({ state, pid }) => state === 'Running' && pid !== late.child.pid);
  network.cut();
  const second = await model.request(2);
  second.answer('the result');
  expect(await results(queues)).toEqual(['the result']);
  first.answer('too late');
  network.mend();
  await late.says(/Connected again after \d/);
  await seen(server, service, ({ state, pid }) => state === 'Running' && pid === late.child.pid);
  expect(await results(queues)).toEqual(['the result']);
  expect((await counts()).completed).toBe(1);
});

test('work of a killed worker goes to another when its lease is over, and counts', async () => {
  const token = await world.queues(server, service, { resume: '500ms', max_delivery: 2 });
  const queues = await world.submit(server, service);
  await queues.input.put('a');
  for (const number of [1, 2]) {
    const worker = world.worker({ url: server.url, service, token, args: endpoint() });
    await model.request(number);
    worker.child.kill('SIGKILL');
    await worker.ended;
  }
  // Two bad deliveries are all it may have: it is dead, and the notice says why.
  const [notice] = await queues.sink.get({ waitMs: 10_000 });
  expect(notice?.tags.get('lastCode')).toBe('ConnectionLost');
  expect(model.requests.length).toBe(2);
});

test('a server that is killed and comes back finds the work going on', async () => {
  const token = await world.queues(server, service);
  const worker = world.worker({ url: server.url, service, token, args: endpoint() });
  const before = await world.submit(server, service);
  await before.input.put('a');
  const request = await model.request(1);
  server.command.child.kill('SIGKILL');
  await server.command.ended;
  await worker.says(/Connection lost/);
  request.answer('done without a server');
  server = await world.serve(Number(new URL(server.url).port));
  await worker.says(/Connected again/);
  expect(await results(before)).toEqual(['done without a server']);
  expect(model.requests.length).toBe(1);
  // And it goes on working there, and is seen.
  await before.input.put('b');
  (await model.request(2)).answer('more');
  await seen(server, service, ({ state, ready }) => state === 'Running' && ready);
});

test('a server that stops takes its time, and the worker waits for its successor', async () => {
  const token = await world.queues(server, service);
  const worker = world.worker({ url: server.url, service, token, args: endpoint() });
  const queues = await world.submit(server, service);
  await queues.input.put('a');
  const request = await model.request(1);
  server.command.child.kill('SIGTERM');
  await server.command.ended;
  server = await world.serve(Number(new URL(server.url).port));
  await worker.says(/Connected again/);
  request.answer('done');
  expect(await results(queues)).toEqual(['done']);
  expect(model.requests.length).toBe(1);
  worker.child.kill('SIGINT');
  expect(await worker.ended).toMatchObject({ code: 0 });
});

test('a stopped service is waited for, and a deleted one ends its workers', async () => {
  const token = await world.queues(server, service);
  const worker = world.worker({
    ...{ url: server.url, service, token },
    args: [...endpoint(), '--window', '1'],
  });
  const queues = await world.submit(server, service);
  await queues.input.put('a');
  const request = await model.request(1);
  await queues.input.put('b');
  await server.client.stopService(service);
  expect(await server.client.service(service)).toMatchObject({ status: 'Stopping' });
  request.answer('done before it stopped');
  await seen(server, service, ({ state, message }) => {
    return state === 'Pending' && message === 'its service is stopped';
  });
  expect(await server.client.service(service)).toMatchObject({ status: 'Stopped' });

  await server.client.startService(service);
  (await model.request(2)).answer('done after its start');
  await queues.sink.get({ from: 2, waitMs: 20_000, autoDelete: false });
  expect(await results(queues)).toEqual(['done before it stopped', 'done after its start']);
  await server.client.deleteService(service);
  expect(await worker.ended).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/error: the server refuses this worker: .*faults/),
  });
});

test('asks in vain until there is a server, and says so', async () => {
  const { port } = new URL(server.url);
  const token = await world.queues(server, service);
  server.command.child.kill('SIGTERM');
  await server.command.ended;
  const worker = world.worker({ url: server.url, service, token, args: endpoint() });
  await worker.says(/Waiting for faults: No connection to ws:\S+ connect ECONNREFUSED/);
  server = await world.serve(Number(port));
  await worker.says(/Joined faults/);
  expect(await seen(server, service, ({ state }) => state === 'Running')).toBeDefined();
  expect(adminToken).not.toBe(token);
});
