// Workers on other machines, as processes of their own: what they do for a service that has no
// instances itself, how they are seen there, and how they leave.

import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InstanceInfo } from '@sluice/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive as isLiving, processFacts } from '../../src/instances/proc.ts';
import {
  adminToken,
  type HeldModel,
  type JoinedWorld,
  openJoinedWorld,
  type RunningServer,
  seen,
} from './joined-world.ts';

let world: JoinedWorld;
let server: RunningServer;
let model: HeldModel;
beforeAll(async () => {
  world = openJoinedWorld();
  server = await world.serve();
  model = await world.model();
});
afterAll(() => world.close());

const endpoint = (): readonly string[] => ['--endpoint', model.url];
const isRunning = ({ state }: InstanceInfo): boolean => state === 'Running';

test('works for a service without instances, as its file says, and leaves when done', async () => {
  const token = await world.queues(server, 'alone');
  const worker = world.worker({ url: server.url, service: 'alone', token, args: endpoint() });
  const ready = await seen(server, 'alone', isRunning);
  expect(ready).toMatchObject({ kind: 'joined', host: hostname(), address: model.url });
  expect(ready).toMatchObject({ window: 3, busy: 0, ready: true, pid: worker.child.pid });
  expect(ready.version).toMatch(/^\d+\.\d+\.\d+$/);

  const queues = await world.submit(server, 'alone');
  const number = model.requests.length + 1;
  const { index } = await queues.input.put('a page');
  const request = await model.request(number);
  expect(request).toMatchObject({ method: 'PUT', path: '/predict', body: 'a page' });
  // A working group is in use, because there is a consumer of it: the result's place is kept.
  const sink = (await server.client.queues('alone')).find(({ name }) => name === 'sink');
  expect(sink).toMatchObject({ reserved: 1, length: 0 });
  expect((await server.client.instances('alone'))[0]).toMatchObject({ busy: 1, ready: true });

  worker.child.kill('SIGINT');
  await seen(server, 'alone', ({ state }) => state === 'Draining');
  await worker.says(/Waiting for 1 running request/);
  request.answer('its text');
  expect(await worker.ended).toMatchObject({ code: 0, signal: null });
  const [result] = await queues.sink.get({ waitMs: 5000 });
  expect(result).toMatchObject({ index, payload: new TextEncoder().encode('its text') });
  expect(await server.client.instances('alone')).toEqual([]);
});

test('follows changes of the service, but not in what its own command line says', async () => {
  const token = await world.queues(server, 'changed');
  const args = [...endpoint(), '--path', '/own'];
  const worker = world.worker({ url: server.url, service: 'changed', token, args });
  await seen(server, 'changed', isRunning);
  await server.client.applyService('changed', {
    metadata: { name: 'changed', type: 'Async', instance: 0, rpc: { worker_threads: 1 } },
    request: { path: '/theirs', method: 'POST' },
  });
  await seen(server, 'changed', ({ window, revision }) => window === 1 && revision === 2);
  const queues = await world.submit(server, 'changed');
  const number = model.requests.length + 1;
  await queues.input.put('a');
  await queues.input.put('b');
  const request = await model.request(number);
  expect(request).toMatchObject({ method: 'POST', path: '/own', body: 'a' });
  const input = (await server.client.queues('changed')).find(({ name }) => name === 'input');
  expect(input).toMatchObject({ leased: 1, waiting: 1 });
  request.answer('');
  (await model.request(number + 1)).answer('');
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
});

test('gives running work back uncounted when it is interrupted twice', async () => {
  const token = await world.queues(server, 'twice', { max_delivery: 1 });
  const queues = await world.submit(server, 'twice');
  const options = { url: server.url, service: 'twice', token, args: endpoint() };
  const first = world.worker(options);
  const number = model.requests.length + 1;
  await queues.input.put('a');
  await model.request(number);
  first.child.kill('SIGINT');
  await first.says(/Waiting for 1 running request/);
  first.child.kill('SIGINT');
  expect(await first.ended).toMatchObject({ code: 0 });
  // Had it counted, the message would be dead now: one bad delivery is all it may have.
  const second = world.worker(options);
  (await model.request(number + 1)).answer('done');
  const [result] = await queues.sink.get({ waitMs: 5000 });
  expect(Buffer.from(result?.payload ?? []).toString()).toBe('done');
  second.child.kill('SIGINT');
  await second.ended;
});

test('starts and restarts a model server, and ends what a killed worker left', async () => {
  const token = await world.queues(server, 'own', { max_delivery: 1 });
  const queues = await world.submit(server, 'own');
  const program = fileURLToPath(new URL('./process-model.js', import.meta.url));
  const command = ['--command', `node ${program}`, '--env', 'COLOUR=blue', '--grace', '1s'];
  const options = { url: server.url, service: 'own', token };
  const args = [...command, '--data', join(world.commands.home, 'workers')];
  const first = world.worker({ ...options, args });
  await seen(server, 'own', isRunning);
  const said = async (word: string): Promise<string> => {
    await queues.input.put(word);
    const [result] = await queues.sink.get({ waitMs: 20_000 });
    return Buffer.from(result?.payload ?? []).toString();
  };
  const { COLOUR, SLUICE_TOKEN, SLUICE_SERVICE } = JSON.parse(await said('environment'));
  expect({ COLOUR, SLUICE_TOKEN, SLUICE_SERVICE }).toEqual({
    COLOUR: 'blue',
    SLUICE_TOKEN: undefined,
    SLUICE_SERVICE: 'own',
  });
  const before = Number(await said('pid'));

  // It died with the request, which may have one bad delivery only: an empty result says so.
  expect(await said('exit')).toBe('');
  const back = await seen(server, 'own', (each) => each.state === 'Running' && each.restarts > 0);
  expect(back.lastExit).toMatchObject({ code: 3, reason: 'ended with code 3' });
  const after = Number(await said('pid'));
  expect(isAlive(before)).toBe(false);

  first.child.kill('SIGKILL');
  await first.ended;
  expect(isAlive(after)).toBe(true);
  const second = world.worker({ ...options, args });
  const ready = await seen(server, 'own', (each) => {
    return each.state === 'Running' && each.pid === second.child.pid;
  });
  await expect(collected(server.client.logs('own', ready.name))).rejects.toThrow(
    `runs on ${hostname()}: its log is there`,
  );
  expect(isAlive(after)).toBe(false);
  second.child.kill('SIGINT');
  await second.ended;
});

async function collected(pieces: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function isAlive(pid: number): boolean {
  const facts = processFacts(pid);
  return facts !== undefined && isLiving(facts);
}

test('starts its model server anew when it is told to, its work done first', async () => {
  const token = await world.queues(server, 'anew');
  const queues = await world.submit(server, 'anew');
  const program = fileURLToPath(new URL('./process-model.js', import.meta.url));
  const args = ['--command', `node ${program}`, '--grace', '1s'];
  const own = [...args, '--data', join(world.commands.home, 'anew')];
  const worker = world.worker({ url: server.url, service: 'anew', token, args: own });
  const { name, address } = await seen(server, 'anew', isRunning);
  const said = async (word: string): Promise<string> => {
    await queues.input.put(word);
    const [result] = await queues.sink.get({ waitMs: 20_000 });
    return Buffer.from(result?.payload ?? []).toString();
  };
  const before = Number(await said('pid'));
  const held = said('hold');
  await seen(server, 'anew', ({ busy }) => busy === 1);
  await server.client.deleteInstances('anew', [name]);
  await seen(server, 'anew', ({ state }) => state === 'Draining');
  await worker.says(/The server wants the instance started anew, when its work is done/);
  await fetch(address, { method: 'PUT', body: 'release' });
  expect(await held).toBe('held');
  const ready = await seen(server, 'anew', isRunning);
  expect(ready).toMatchObject({ name, pid: worker.child.pid, ready: true });
  const after = Number(await said('pid'));
  expect([isAlive(before), after === before]).toEqual([false, false]);
  // What it did there is counted here.
  const headers = { authorization: `Bearer ${adminToken}` };
  const metrics = async (): Promise<string> =>
    (await fetch(`${server.url}/metrics`, { headers })).text();
  const counted = /^inference_request_duration_seconds_count\{.*service_name="anew".*\} 3$/m;
  await expect.poll(metrics).toMatch(counted);
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
});
