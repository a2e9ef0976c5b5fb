// Who gets into a whole server, and what of its secrets gets out: tried on real processes.

import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const adminToken = 'the-admin-token-of-this-test';
const clientToken = 'a-token-for-commands-of-this-test';
const secretValue = 'the-secret-of-somebody-else';

let world: CommandWorld;
beforeEach(() => {
  world = openCommandWorld();
});
afterEach(() => world.close());

interface Server {
  readonly command: RunningCommand;
  readonly url: string;
}

async function serve(...args: string[]): Promise<Server> {
  const data = join(world.home, 'data');
  const command = world.start(['serve', '--data', data, '--log-level', 'debug', ...args], {
    environment: {
      SLUICE_ADMIN_TOKEN: adminToken,
      SLUICE_TOKEN: clientToken,
      FOREIGN_SECRET: secretValue,
    },
  });
  const [, url = ''] = await command.says(/Sluice \S+ on (\S+)\n[\s\S]*Ready/);
  return { command, url };
}

async function stop({ command }: Server): Promise<void> {
  command.child.kill('SIGTERM');
  expect((await command.ended).code).toBe(0);
}

async function run(server: Server, ...args: string[]) {
  return world.run(args, { environment: { SLUICE_URL: server.url, SLUICE_TOKEN: adminToken } });
}

function file(name: string, definition: object): string {
  const path = join(world.home, `${name}.json`);
  const metadata = { name, type: 'Async', instance: 0 };
  writeFileSync(path, JSON.stringify({ metadata, ...definition }));
  return path;
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

// node:http, because fetch sets Host and Origin itself.
function ask(
  { url }: Server,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, method, path, headers, agent: false });
    call.on('error', reject);
    call.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve({ status: 101, text: '' });
    });
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    call.end(method === 'POST' ? 'x' : undefined);
  });
}

describe('an open service', () => {
  test('is possible on loopback, where it gives no rights beyond its queues', async () => {
    const server = await serve('--listen', '127.0.0.1:0');
    const created = await run(server, 'create', file('open', { token: '' }));
    expect(created.stdout).toContain('(none: an open service)');
    expect(await ask(server, 'POST', '/api/predict/open')).toEqual({ status: 200, text: '1' });
    const put = await world.run(['put', 'open', '--data', 'x', '--url', server.url], {
      environment: { SLUICE_TOKEN: 'anything' },
    });
    expect(put.stdout).toMatch(/^index 2 /);
    expect((await ask(server, 'GET', '/v1/services/open')).status).toBe(401);
  });

  test('is not made beyond loopback, and one kept from before lets nobody in', async () => {
    const inside = await serve('--listen', '127.0.0.1:0');
    await run(inside, 'create', file('open', { token: '' }));
    await ask(inside, 'POST', '/api/predict/open');
    await stop(inside);
    const outside = await serve('--listen', '0.0.0.0:0', '--plaintext');
    expect(outside.command.stderr()).toContain('WARNING: listening beyond this machine');
    expect((await ask(outside, 'POST', '/api/predict/open')).status).toBe(401);
    expect((await run(outside, 'ls')).stdout).toMatch(/open is Failed: .*set "token" in its file/);
    const refused = await run(outside, 'create', file('another', { token: '' }));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('only while Sluice listens on loopback alone');
    await run(outside, 'apply', file('open', { token: 'a-token-of-its-own' }));
    const headers = { Authorization: 'a-token-of-its-own' };
    const put = await ask(outside, 'POST', '/api/predict/open', headers);
    expect(put).toEqual({ status: 200, text: '2' });
  });
});

describe('a server beyond loopback', () => {
  test.each([
    [['--listen', '0.0.0.0:0'], 'error: listen: 0.0.0.0 '],
    [['--listen', '127.0.0.1:0', '--root-queue', 'm=0.0.0.0:0'], 'error: root_queue: 0.0.0.0 '],
  ])('needs TLS or --plaintext: %j', async (args, message) => {
    const refused = await world.run(['serve', '--data', join(world.home, 'data'), ...args]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(message);
    expect(refused.stderr).toContain('--plaintext');
    const server = await serve(...args, '--plaintext');
    expect(server.command.stderr()).toContain('WARNING: listening beyond this machine');
  });
});

interface Described {
  readonly security: readonly object[];
}

test('every administrative call is refused on loopback without the admin token', async () => {
  const server = await serve('--listen', '127.0.0.1:0');
  await run(server, 'create', file('m', { token: 'the-token-of-m' }));
  const { paths } = JSON.parse((await ask(server, 'GET', '/openapi.json')).text);
  let calls = 0;
  for (const [path, methods] of Object.entries<Record<string, Described>>(paths)) {
    if (path === '/metrics') continue;
    for (const [method, { security }] of Object.entries(methods)) {
      if (!security.some((scheme) => 'adminToken' in scheme)) continue;
      const concrete = path.replaceAll(/\{\w+\}/g, 'm');
      for (const Authorization of ['', 'Bearer the-token-of-m', 'wrong']) {
        const answer = await ask(server, method.toUpperCase(), concrete, { Authorization });
        expect(answer, `${method} ${concrete}`).toMatchObject({ status: 401 });
        calls += 1;
      }
    }
  }
  expect(calls).toBeGreaterThan(30);
  expect((await run(server, 'ls')).stdout).toContain('m ');
});

test('web pages get nothing: 421 for foreign hosts, 403 for origins, upgrades too', async () => {
  const server = await serve('--listen', '127.0.0.1:0');
  await run(server, 'create', file('open', { token: '' }));
  const upgrade = {
    ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
    ...{ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
  };
  const calls = [
    ['POST', '/api/predict/open', {}],
    ['GET', '/v1/services', { Authorization: adminToken }],
    ['GET', '/metrics', {}],
    ['GET', '/api/predict/open?_watch_=true', upgrade],
    ['GET', '/v1/stream', upgrade],
  ] as const;
  for (const [method, path, headers] of calls) {
    const status = async (extra: object): Promise<number | undefined> =>
      (await ask(server, method, path, { ...headers, ...extra })).status;
    expect(await status({ Host: 'evil.example' }), path).toBe(421);
    expect(await status({ Origin: 'https://evil.example' }), path).toBe(403);
    expect(await status({ Origin: 'null' }), path).toBe(403);
    expect(await status({}), path).toBe(headers === upgrade ? 101 : 200);
  }
});

test('secrets stay in files that only their owner may read', async () => {
  const server = await serve('--listen', '127.0.0.1:0');
  const seen = join(world.home, 'seen');
  const script = `env > ${seen}; exec ${process.execPath} ${modelFile()}`;
  const definition = {
    metadata: { name: 'm', type: 'Async', instance: 1 },
    token: 'the-token-of-m',
    containers: [{ command: script, env: [{ name: 'OWN', value: 'its-own-secret' }] }],
  };
  const created = await run(server, 'create', file('m', definition));
  expect(created.stdout).toContain('[OK] Service is running');
  await run(server, 'token', 'm', '--rotate');
  const { stdout } = await run(server, 'token', 'm', '--add', 'web', '--scope', 'submit');
  const secrets = [adminToken, clientToken, secretValue, 'the-token-of-m', stdout.trim()];
  expect(stdout.trim()).toMatch(/^\w{20,}$/);

  const environment = readFileSync(seen, 'utf8');
  expect(environment).toContain('OWN=its-own-secret');
  const log = server.command.stdout() + server.command.stderr();
  const lines = childrenOf(server.command.child.pid ?? 0).map((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
  );
  expect(lines.length).toBeGreaterThan(0);
  for (const secret of secrets) {
    expect(environment).not.toContain(secret);
    expect(log).not.toContain(secret);
    expect(lines.join('\n')).not.toContain(secret);
  }
  expect(lines.join('\n')).not.toContain('its-own-secret');
  expect(modesBelow(join(world.home, 'data'))).toEqual([]);
  expect(modesBelow(join(world.home, '.config', 'sluice'))).toEqual([]);
  // The world ends its server the hard way; the model process would stay behind.
  const deleted = await run(server, 'delete', 'm', '--yes');
  expect(deleted.code).toBe(0);
  await waitUntilGone(server.command.child.pid ?? 0);
});

test('the admin token is made at the first start, for its owner alone', async () => {
  const data = join(world.home, 'data');
  const command = world.start(['serve', '--data', data, '--listen', '127.0.0.1:0']);
  await command.says(/Ready/);
  const token = readFileSync(join(data, 'admin', 'token'), 'utf8').trim();
  expect(token).toMatch(/^\w{32,}$/);
  expect(modesBelow(data)).toEqual([]);
  expect(command.stdout() + command.stderr()).not.toContain(token);
});

/** A model server that is ready at once. */
function modelFile(): string {
  const path = join(world.home, 'model.cjs');
  writeFileSync(
    path,
    "require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT, '127.0.0.1');",
  );
  return path;
}

/** Resolves when a process has no children any more. */
async function waitUntilGone(parent: number): Promise<void> {
  await expect.poll(() => childrenOf(parent)).toEqual([]);
}

/** Processes that another one started, and what those started. */
function childrenOf(parent: number): readonly number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number);
  return children.flatMap((pid) => [pid, ...childrenOf(pid)]);
}

/** Folders that are not 0700 and files that others may read, from `folder` downwards. */
function modesBelow(folder: string): readonly string[] {
  const inner = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = [folder, ...inner.map((entry) => join(entry.parentPath, entry.name))];
  return paths.flatMap((path) => {
    const found = lstatSync(path);
    // What the socket allows is decided by its folder.
    if (found.isSocket()) return [];
    const mode = (found.mode & 0o777).toString(8);
    return mode === (found.isDirectory() ? '700' : '600') ? [] : [`${path} has ${mode}`];
  });
}
