// The commands that manage services, run for real against a real server with a real model process.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

let world: CommandWorld;
let server: RunningCommand;
let url: string;

beforeAll(async () => {
  world = openCommandWorld();
  const data = join(world.home, 'data');
  server = world.start(['serve', '--engine', 'memory', '--listen', '127.0.0.1:0', '--data', data], {
    environment: { DOCKER_HOST: `unix://${world.home}/no-such-socket` },
  });
  url = (await server.says(/on (http:\S+)\n[\s\S]*Ready/))[1] ?? '';
});
afterAll(() => world.close());

function file(name: string): string {
  return join(world.home, name);
}

test('a loopback server leaves its address and token for its user only', () => {
  const folder = join(world.home, '.config', 'sluice', 'servers');
  const [name = ''] = readdirSync(folder);
  expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  const entry = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  expect(entry.url).toBe(url);
  expect(entry.token).toBe(readFileSync(join(world.home, 'data/admin/token'), 'utf8').trim());
});

describe('a service', () => {
  test('is written by init, created, and runs', async () => {
    const written = await world.run(['init', 'demo', '--file', file('service.json')]);
    expect(written.code).toBe(0);
    const again = await world.run(['init', 'demo', '--file', file('service.json')]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain('--force');
    const created = await world.run(['create', file('service.json')]);
    expect(created).toMatchObject({ code: 0 });
    expect(created.stdout).toContain(`Endpoint | ${url}/api/predict/demo `);
    expect(created.stdout).toMatch(/\| +Token \| \S+ \|/);
    expect(created.stdout).toMatch(/\[OK\] Waiting \[Total: 1, Pending: 1, Running: 0\]\n/);
    expect(created.stdout).toMatch(/\[OK\] Service is running\n$/);
  });

  test('is not created twice, but applied any number of times', async () => {
    const twice = await world.run(['create', file('service.json')]);
    expect(twice).toMatchObject({ code: 1, stdout: '' });
    expect(twice.stderr).toMatch(/exists already.*sluice apply FILE/);
    const applied = await world.run(['apply', '--json', file('service.json')]);
    expect(JSON.parse(applied.stdout)).toMatchObject({
      services: [{ name: 'demo', outcome: 'unchanged', status: 'Running' }],
      deleted: [],
    });
  });

  test('is listed and described, for people and as JSON', async () => {
    const list = await world.run(['ls']);
    const rows = list.stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
    expect(rows[1]?.slice(1, 9)).toEqual([
      ...['SERVICENAME', 'REGION', 'INSTANCE', 'CREATETIME', 'UPDATETIME'],
      ...['STATUS', 'WEIGHT', 'SERVICEPATH'],
    ]);
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(rows[3]?.slice(1, 9)).toEqual([
      ...['demo', 'local', '1', instant, instant, 'Running', '0', '/api/predict/demo'],
    ]);
    expect((await world.run(['ls', '-l'])).stdout).toMatch(/WAITING .* RESULTS/);
    const description = await world.run(['desc', 'demo', '--json']);
    const { name, endpoint, instanceList, queues } = JSON.parse(description.stdout);
    expect({ name, endpoint }).toEqual({ name: 'demo', endpoint: `${url}/api/predict/demo` });
    expect(instanceList).toMatchObject([{ kind: 'process', state: 'Running', window: 4 }]);
    expect(queues.map((queue: { name: string }) => queue.name)).toContain('sinkRear');
    const people = await world.run(['desc', 'demo']);
    expect(people.stdout).toMatch(/^\| +IntranetEndpoint \| http/m);
    expect(people.stdout).toMatch(/^\| +TotalInstance \| 1 /m);
    expect(people.stdout).toMatch(/^\| +ServiceConfig \| \{ /m);
  });

  test('has its instances listed, and that of its queues', async () => {
    const { stdout } = await world.run(['showworkers', 'demo']);
    expect(stdout).toMatch(/INSTANCENAME .* INNERIP .* HOSTIP .* READY .* REASON .* LASTSTATE/);
    expect(stdout).toMatch(/^\| demo-\w+ +\| 127\.0\.0\.1:\d+ .*\| Running \| \[1\/1\] /m);
    expect(stdout).toMatch(/^\| demo-queue +\| .*\| \d{4}-\S+Z \| .*\| Running \| \[1\/1\] /m);
    const listed = JSON.parse((await world.run(['w', 'demo', '--json'])).stdout);
    expect(listed.map(({ kind }: { kind: string }) => kind)).toEqual(['process', 'queue']);
  });

  test('shows what its instances wrote', async () => {
    const logs = await world.run(['logs', 'demo']);
    expect(logs.stdout).toMatch(/Mock model on http:/);
    const follow = world.start(['logs', 'demo', '--follow', '--tail', '1']);
    await follow.says(/Mock model on http:/);
    follow.child.kill('SIGINT');
    expect((await follow.ended).code).toBe(130);
    const nobody = await world.run(['logs', 'demo', 'demo-nobody']);
    expect(nobody).toMatchObject({ code: 1 });
    expect(nobody.stderr).toMatch(/has no instance demo-nobody; it has: demo-\w+/);
  });

  test('has tokens that are added, removed and rotated', async () => {
    const added = await world.run(['token', 'demo', '--add', 'web', '--scope', 'submit,read']);
    expect(added.stdout.trim()).toMatch(/^[0-9a-f]{20,}$/);
    const shown = await world.run(['token', 'demo', '--json']);
    const { token, tokens } = JSON.parse(shown.stdout);
    expect(tokens).toContainEqual({ name: 'web', scopes: ['submit', 'read'] });
    const rotated = await world.run(['token', 'demo', '--rotate']);
    expect(rotated.stdout.trim()).not.toBe(token);
    expect((await world.run(['token', 'demo', '--remove', 'web'])).code).toBe(0);
    expect((await world.run(['token', 'demo', '--add', 'x'])).stderr).toContain('--scope');
    const lone = await world.run(['token', 'demo', '--scope', 'read']);
    expect(lone).toMatchObject({ code: 1, stderr: expect.stringContaining('--add NAME') });
  });

  test('that needs something missing is created and says what', async () => {
    const definition = {
      metadata: { name: 'later', type: 'Async', instance: 1 },
      containers: [{ image: 'registry.example/ocr:1', script: 'serve', port: 8000 }],
    };
    writeFileSync(file('later.json'), JSON.stringify(definition));
    const created = await world.run(['create', file('later.json'), '--timeout', '1s']);
    expect(created.code).toBe(1);
    expect(created.stderr).toMatch(/error: Service is .*no Docker Engine answers.* not waiting/);
    const list = await world.run(['ls']);
    expect(list.stdout).toMatch(/^later is \w+: .*no Docker Engine answers/m);
    const workers = await world.run(['w', 'later']);
    expect(workers.stdout).toMatch(/\| Pending \| \[0\/1\] \| no Docker Engine answers/);
  });

  test('with mistakes is refused with all of them', async () => {
    writeFileSync(file('wrong.json'), '{"metadata": {"name": "x", "instance": -1}, "token": 5}');
    const refused = await world.run(['create', file('wrong.json')]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('metadata.instance');
    expect(refused.stderr).toContain('token');
    writeFileSync(file('broken.json'), '{\n  metadata: {}}');
    const broken = await world.run(['create', file('broken.json')]);
    expect(broken.stderr).toMatch(/broken.json: line 2, column 3/);
  });

  test('is deleted only when told so twice', async () => {
    const asked = await world.run(['delete', 'demo']);
    expect(asked).toMatchObject({ code: 1, stdout: '' });
    expect(asked.stderr).toMatch(/0 results\)\? \[Y\/n\] \nerror: demo was not deleted .*--yes/);
    const refused = await world.run(['delete', 'demo'], { input: 'n\n' });
    expect(refused.code).toBe(1);
    const deleted = await world.run(['delete', 'demo'], { input: 'y\n' });
    expect(deleted.stdout).toContain('Service demo is deleted');
    expect((await world.run(['desc', 'demo'])).stderr).toContain(
      'there is no service demo; there are: later',
    );
  });
});

describe('mistakes', () => {
  test('go to standard error with exit code 1', async () => {
    const unknown = await world.run(['frobnicate']);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('frobnicate');
    const elsewhere = await world.run(['ls', '--url', 'http://127.0.0.1:1', '--token', 'x']);
    expect(elsewhere).toMatchObject({ code: 1, stdout: '' });
    expect(elsewhere.stderr).toContain('does not answer');
    const stranger = await world.run(['ls', '--token', 'not-the-admin-token']);
    expect(stranger.stderr).toContain('not the admin token');
  });
});

test('a gentle end leaves nothing behind', async () => {
  server.child.kill('SIGTERM');
  const { code, stderr } = await server.ended;
  expect(code).toBe(0);
  expect(stderr).toContain('Stopped');
  expect(readdirSync(join(world.home, '.config', 'sluice', 'servers'))).toEqual([]);
});
