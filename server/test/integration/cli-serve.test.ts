// The life of `sluice serve`: what survives it, what it waits for, what it refuses.

import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { AdminClient } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

let world: CommandWorld;
beforeEach(() => {
  world = openCommandWorld();
});
afterEach(() => world.close());

interface Server {
  readonly command: RunningCommand;
  readonly url: string;
  readonly token: string;
  readonly client: AdminClient;
}

async function serve(...args: string[]): Promise<Server> {
  const token = 'the-admin-token-of-the-test';
  const data = join(world.home, 'data');
  const command = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data, ...args], {
    environment: { SLUICE_ADMIN_TOKEN: token },
  });
  const url = (await command.says(/on (http:\S+)\n[\s\S]*Ready/))[1] ?? '';
  return { command, url, token, client: new AdminClient({ url, token }) };
}

async function put({ url, token }: Server, service: string, body: string): Promise<string> {
  const headers = { Authorization: token };
  const response = await fetch(`${url}/api/predict/${service}`, { method: 'POST', body, headers });
  expect(response.status).toBe(200);
  return response.text();
}

async function get({ url, token }: Server, service: string, wait: string): Promise<string> {
  const address = `${url}/api/predict/${service}/sink?_timeout_=${wait}`;
  const response = await fetch(address, { headers: { Authorization: token } });
  return response.text();
}

/** A model that holds every request until it is told to answer. */
async function openModel() {
  const waiting: (() => void)[] = [];
  let arrived = (): void => undefined;
  const server = createServer((request, response) => {
    if (request.method !== 'POST') {
      response.end('ok');
      return;
    }
    request.resume();
    waiting.push(() => response.end('answered'));
    arrived();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    waiting,
    async until(count: number): Promise<void> {
      while (waiting.length < count) await new Promise<void>((resolve) => (arrived = resolve));
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function definition(name: string, endpoint: string) {
  return { metadata: { name, type: 'Async', instance: 1 }, endpoint: [endpoint] };
}

test('services and messages are there again after a restart', async () => {
  const first = await serve();
  await first.client.createService({ metadata: { name: 'kept', type: 'Async', instance: 0 } });
  expect(await put(first, 'kept', 'hello')).toBe('1');
  first.command.child.kill('SIGKILL');
  await first.command.ended;
  const second = await serve();
  const services = await second.client.services();
  expect(services).toMatchObject([{ name: 'kept', status: 'Running', waiting: 1 }]);
  expect(await put(second, 'kept', 'again')).toBe('2');
});

test('verify reads a folder that no server uses, and no other', async () => {
  const server = await serve();
  await server.client.createService({ metadata: { name: 'm', type: 'Async', instance: 0 } });
  await put(server, 'm', 'hello');
  const data = ['--data', join(world.home, 'data')];
  const busy = await world.run(['verify', ...data]);
  expect(busy).toMatchObject({ code: 1, stdout: '' });
  expect(busy.stderr).toContain('in use');
  server.command.child.kill('SIGTERM');
  await server.command.ended;
  const whole = await world.run(['verify', ...data, '--json']);
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({ services: 1, damageCount: 0 });
  const nothing = await world.run(['verify', '--data', join(world.home, 'nothing')]);
  expect(nothing).toMatchObject({ code: 1, stdout: '' });
  expect(existsSync(join(world.home, 'nothing'))).toBe(false);
});

test('--service creates, updates, and leaves an equal service alone', async () => {
  const file = join(world.home, 'service.json');
  const write = (delivery: number) =>
    writeFileSync(
      file,
      `{ // ours
        "metadata": { "name": "m", "type": "Async", "instance": 0 },
        "queue": { "max_delivery": ${delivery} },
      }`,
    );
  const outcome = async () => {
    const server = await serve('--service', file);
    const [, word] = await server.command.says(/service m is (\w+)/);
    const { revision } = await server.client.service('m');
    server.command.child.kill('SIGTERM');
    await server.command.ended;
    return `${word} ${revision}`;
  };
  write(3);
  expect(await outcome()).toBe('created 1');
  expect(await outcome()).toBe('unchanged 1');
  write(4);
  expect(await outcome()).toBe('updated 2');
});

test('Ctrl-C waits for running requests and says so; their results are kept', async () => {
  const model = await openModel();
  try {
    const server = await serve();
    await server.client.createService(definition('m', model.url));
    await put(server, 'm', 'x');
    await model.until(1);
    server.command.child.kill('SIGINT');
    await server.command.says(/Waiting for 1 running request, at most \d+ s/);
    const ready = await fetch(`${server.url}/readyz`);
    expect(ready.status).toBe(503);
    for (const answer of model.waiting) answer();
    expect((await server.command.ended).code).toBe(0);
    const again = await serve();
    expect(await get(again, 'm', '10s')).toBe('answered');
  } finally {
    model.close();
  }
});

test('after --stop-timeout open calls are given back uncounted', async () => {
  const model = await openModel();
  try {
    const server = await serve('--stop-timeout', '300ms');
    const once = { ...definition('m', model.url), queue: { max_delivery: 1 } };
    await server.client.createService(once);
    await put(server, 'm', 'x');
    await model.until(1);
    server.command.child.kill('SIGTERM');
    expect((await server.command.ended).code).toBe(0);
    // A counted delivery would have been the last one of this service.
    const again = await serve();
    await model.until(2);
    for (const answer of model.waiting) answer();
    expect(await get(again, 'm', '10s')).toBe('answered');
  } finally {
    model.close();
  }
});

test('a second Ctrl-C ends at once and takes the model processes along', async () => {
  const server = await serve();
  const sleeper = {
    metadata: { name: 'm', type: 'Async', instance: 1 },
    containers: [{ command: `${process.execPath} ${model(world)}` }],
  };
  await server.client.createService(sleeper);
  await put(server, 'm', 'x');
  const pid = await busyInstance(server.client);
  server.command.child.kill('SIGINT');
  await server.command.says(/Waiting for 1 running request/);
  server.command.child.kill('SIGINT');
  expect((await server.command.ended).code).toBe(1);
  await untilGone(pid);
});

test('a busy port is waited for with a line that says so', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', () => resolve()));
  const address = blocker.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const data = join(world.home, 'data');
  const args = ['serve', '--engine', 'memory', '--data', data, '--listen', `127.0.0.1:${port}`];
  const command = world.start(args);
  await command.says(new RegExp(`127.0.0.1:${port} is in use by another program; waiting`));
  await new Promise((resolve) => blocker.close(resolve));
  await command.says(/Ready/);
});

test('a busy data folder is waited for with a line that says so', async () => {
  const first = await serve();
  const data = join(world.home, 'data');
  const second = world.start(['serve', '--data', data, '--listen', '127.0.0.1:0']);
  await second.says(/data folder .* is in use; waiting/);
  first.command.child.kill('SIGTERM');
  await second.says(/Ready/);
});

test('wrong settings are shown all at once, and nothing is made', async () => {
  const data = join(world.home, 'data');
  const args = ['serve', '--data', data, '--listen', '0.0.0.0:0', '--stop-timeout', 'soon'];
  const { code, stdout, stderr } = await world.run([...args, '--engine', 'redis']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/error: stop_timeout: /);
  expect(stderr).toMatch(/error: engine: /);
  expect(existsSync(data)).toBe(false);
});

test('a server beyond loopback warns and leaves no file for the commands', async () => {
  const data = join(world.home, 'data');
  const args = ['serve', '--engine', 'memory', '--data', data, '--listen', '0.0.0.0:0'];
  const command = world.start([...args, '--plaintext']);
  await command.says(/Ready/);
  expect(command.stderr()).toContain('WARNING');
  expect(existsSync(join(world.home, '.config/sluice/servers'))).toBe(false);
  const listed = readdirSync(data);
  expect(listed).toContain('admin');
  expect(statSync(data).mode & 0o077).toBe(0);
});

test('--root-queue serves one service at the root of its own address', async () => {
  const server = await serve('--engine', 'memory', '--root-queue', 'm=127.0.0.1:0');
  await server.client.createService({ metadata: { name: 'm', type: 'Async', instance: 0 } });
  const [, root = ''] = await server.command.says(/queue {3}m (http:\S+)/);
  const headers = { Authorization: server.token };
  const response = await fetch(root, { method: 'POST', body: 'x', headers });
  expect(await response.text()).toBe('1');
});

/** A model server that never answers. */
function model({ home }: CommandWorld): string {
  const file = join(home, 'model.cjs');
  const text = `require('http').createServer((q, r) => {
    if (q.method !== 'POST') r.end();
  }).listen(process.env.PORT, process.env.HOST);`;
  writeFileSync(file, text);
  return file;
}

async function busyInstance(client: AdminClient): Promise<number> {
  for (;;) {
    const [instance] = await client.instances('m');
    if (instance !== undefined && instance.busy > 0) return instance.pid;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
