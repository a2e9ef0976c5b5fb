// `sluice events` and `sluice logs` for real: what happens to a service is told as it happens, also
// through crashes of its instances, new instances and a restart of the server.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

let world: CommandWorld;
let server: RunningCommand;
let address: string;

const model = `node -e '
  const server = require("http").createServer((request, response) => response.end("ok"));
  server.listen(process.env.PORT, process.env.HOST, () => console.log("hello from", process.pid));
'`;

beforeAll(async () => {
  world = openCommandWorld();
  address = '127.0.0.1:0';
  await serve();
  await apply(1);
});
afterAll(async () => {
  // It takes its model processes along.
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
});

async function serve(): Promise<void> {
  server = world.start(['serve', '--listen', address, '--data', join(world.home, 'data')]);
  const [, url = ''] = await server.says(/on (http:\S+)\n[\s\S]*Ready/);
  address = new URL(url).host;
}

async function apply(instance: number): Promise<void> {
  const file = join(world.home, 'service.json');
  const metadata = { name: 'demo', type: 'Async', instance };
  writeFileSync(file, JSON.stringify({ metadata, containers: [{ command: model, port: 0 }] }));
  expect(await world.run(['apply', file])).toMatchObject({ code: 0 });
}

async function pids(): Promise<number[]> {
  const { stdout } = await world.run(['w', 'demo', '--json']);
  return JSON.parse(stdout).map(({ pid }: { pid: number }) => pid);
}

test('events are lines with time, service, kind and reason, or JSON', async () => {
  const events = await world.run(['events', 'demo', '--kind', 'instance']);
  expect(events.code).toBe(0);
  expect(events.stdout).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}demo {2}instance {2}ready {9}demo-\w{5}: \S.*$/m,
  );
  const json = await world.run(['events', '--json', '--tail', '1']);
  const { number, ...event } = JSON.parse(json.stdout);
  expect(event).toMatchObject({ service: 'demo', text: expect.stringMatching(/\S/) });
  const none = await world.run(['events', 'demo', '--after', String(number)]);
  expect(none).toMatchObject({ code: 0, stdout: '' });
  const nobody = await world.run(['events', 'dema']);
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('did you mean demo?') });
  expect(await world.run(['events', '--kind', 'missed'])).toMatchObject({ code: 1 });
});

test('followed events tell of a crash and go on after a restart of the server', async () => {
  const follow = world.start(['events', 'demo', '-f', '--tail', '0']);
  const logs = world.start(['logs', 'demo', '-f']);
  await logs.says(/^demo-\w{5} \| hello from \d+$/m);
  const [before = 0] = await pids();
  process.kill(before, 'SIGKILL');
  await follow.says(/ instance {2}crash .*SIGKILL/);
  // The same instance once more, in the same log.
  await logs.says(/^(demo-\w{5}) \| hello from \d+\n\1 \| hello from \d+$/m);
  server.child.kill('SIGINT');
  expect((await server.ended).code).toBe(0);
  await Promise.all([follow, logs].map((each) => each.says(/does not answer/)));
  await serve();
  await follow.says(/ instance {2}gone [\s\S]* instance {2}ready /);
  await logs.says(/^(demo-\w{5}) [\s\S]*\n(?!\1)demo-\w{5} \| hello from \d+$/m);
  for (const each of [follow, logs]) {
    each.child.kill('SIGINT');
    const { code, stdout, stderr } = await each.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^Waiting for the server: [\s\S]*^The server is back$/m);
    const lines = stdout.trim().split('\n');
    expect(new Set(lines).size).toBe(lines.length);
    // It was to begin with none of the earlier ones.
    expect(stdout).not.toContain(' created ');
  }
});

test('a log that is followed goes on where it was when the server was killed', async () => {
  const { stdout } = await world.run(['w', 'demo', '--json']);
  const [{ name, pid }] = JSON.parse(stdout);
  const logs = [
    world.start(['logs', 'demo', name, '-f', '-n', '1']),
    world.start(['logs', 'demo', '-f', '-n', '1']),
  ];
  for (const each of logs) await each.says(new RegExp(`hello from ${pid}`));
  server.child.kill('SIGKILL');
  await server.ended;
  for (const each of logs) await each.says(/does not answer/);
  await serve();
  for (const each of logs) await each.says(/The server is back/);
  expect((await pids())[0]).toBe(pid);
  process.kill(pid, 'SIGKILL');
  for (const each of logs) {
    await each.says(/hello from \d+\n[\s\S]*hello from \d+\n/);
    each.child.kill('SIGINT');
    const lines = (await each.ended).stdout.trim().split('\n');
    expect(lines.filter((line) => line.endsWith(`hello from ${pid}`))).toHaveLength(1);
    expect(lines).toHaveLength(2);
  }
});

test('followed logs take up instances that start later, and end with the service', async () => {
  const logs = world.start(['logs', 'demo', '--follow', '--tail', '1']);
  await logs.says(/^demo-\w{5} \| hello/m);
  await apply(3);
  await logs.says(/-(\w{5}) \| hello[\s\S]*-(?!\1)(\w{5}) \| hello[\s\S]*-(?!\1|\2)\w{5} \| hello/);
  const plain = await world.run(['logs', 'demo', '--tail', '1']);
  expect(plain.stdout.trim().split('\n').toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => expect.stringMatching(/^demo-\w{5} \| hello from \d+$/)),
  ]);
  expect(await world.run(['delete', 'demo', '--yes'])).toMatchObject({ code: 0 });
  const ended = await logs.ended;
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('demo is deleted') });
  const events = await world.run(['events', 'demo']);
  expect(events.stdout).toMatch(/ instance {2}gone /);
});
