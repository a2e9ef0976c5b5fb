// Requests by command: put, get, watch and attrs, in front of a model that attach put a queue to.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

let world: CommandWorld;
let server: RunningCommand;
let model: string;

beforeAll(async () => {
  world = openCommandWorld();
  const mock = world.start(['mock-model', '--latency', '20ms'], {
    environment: { HOST: '127.0.0.1', PORT: '0' },
  });
  model = (await mock.says(/Mock model on (http:\S+)/))[1] ?? '';
  server = world.start([
    ...['attach', model, '--name', 'demo', '--window', '2', '--listen', '127.0.0.1:0'],
  ]);
  await server.says(/Service is running/);
  await server.says(/sluice put demo/);
});
afterAll(() => world.close());

test('attach becomes the server and prints lines that work as they are', async () => {
  const text = server.stdout();
  const [, token = ''] = /Authorization: (\w+)/.exec(text) ?? [];
  const [, endpoint = ''] = /'(http:\S+\/demo)'/.exec(text) ?? [];
  const headers = { Authorization: token };
  const put = await fetch(endpoint, { method: 'POST', body: 'by curl', headers });
  expect(put.status).toBe(200);
  const result = await fetch(`${endpoint}/sink?_timeout_=30s`, { headers });
  expect(await result.text()).toBe('by curl');
});

test('attach uses a server that runs, updates its own service and no other', async () => {
  const again = await world.run(['attach', model, '--name', 'demo', '--window', '3']);
  expect(again.code).toBe(0);
  const { stdout } = await world.run(['desc', 'demo', '--json']);
  expect(JSON.parse(stdout).definition.metadata.rpc.worker_threads).toBe(3);
  const file = join(world.home, 'other.json');
  writeFileSync(file, '{"metadata": {"name": "other", "type": "Async", "instance": 0}}');
  await world.run(['create', file]);
  const refused = await world.run(['attach', model, '--name', 'other']);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('choose another --name');
});

describe('put', () => {
  test('prints index and request id, and --wait the result alone', async () => {
    const put = await world.run(['put', 'demo', '--data', 'hello', '--id', 'mine']);
    expect(put.stdout).toMatch(/^index \d+ {2}request id mine\n$/);
    const got = await world.run(['get', 'demo', '--id', 'mine', '--timeout', '20s']);
    expect(got.stdout).toBe('hello');
    const waited = await world.run(['put', 'demo', '--wait'], { input: 'from a pipe' });
    expect(waited.stdout).toBe('from a pipe');
    expect(waited.stderr).toMatch(/^index \d+/);
  });

  test('tells a failed request from a good one by its exit code', async () => {
    const failing = world.start(['mock-model', '--fail', '500=1'], {
      environment: { HOST: '127.0.0.1', PORT: '0' },
    });
    const [, url = ''] = await failing.says(/Mock model on (http:\S+)/);
    await world.run(['attach', url, '--name', 'failing']);
    const failed = await world.run(['put', 'failing', '--data', 'x', '--wait']);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('failed with 500');
    await world.run(['put', 'failing', '--data', 'x', '--id', 'later']);
    const got = await world.run(['get', 'failing', '--id', 'later', '--timeout', '20s', '--json']);
    expect(JSON.parse(got.stdout)).toMatchObject([{ id: 'later', tags: { lastCode: '500' } }]);
    expect(got).toMatchObject({ code: 1, stderr: expect.stringContaining('failed with 500') });
  });

  test('names what is wrong', async () => {
    const nothing = await world.run(['put', 'demo', join(world.home, 'no-such-file')]);
    expect(nothing).toMatchObject({ code: 1, stdout: '' });
    expect(nothing.stderr).toContain('no-such-file');
    const unknown = await world.run(['put', 'nobody', '--data', 'x']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('nobody');
    const tag = await world.run(['put', 'demo', '--data', 'x', '--tag', 'novalue']);
    expect(tag.stderr).toContain('name=value');
    const large = await world.run(['put', 'demo'], { input: 'x'.repeat(9000) });
    expect(large.code).toBe(1);
    expect(large.stderr).toContain('8192');
  });
});

describe('get', () => {
  test('filters by tag, keeps what it is told to, and shows bytes as base64 in JSON', async () => {
    const file = join(world.home, 'bytes');
    writeFileSync(file, Buffer.from([0, 255, 1]));
    await world.run(['put', 'demo', file, '--tag', 'kind=bytes', '--tag', 'n=1']);
    const kept = ['get', 'demo', '--tag', 'kind=bytes', '--keep', '--json', '--timeout', '20s'];
    const first = await world.run(kept);
    const [message] = JSON.parse(first.stdout);
    expect(message).toMatchObject({ base64: 'AP8B', tags: { kind: 'bytes', n: '1' } });
    const second = await world.run(['get', 'demo', '--tag', 'kind=bytes', '--json']);
    expect(JSON.parse(second.stdout)).toEqual([message]);
    const third = await world.run(['get', 'demo', '--tag', 'kind=bytes']);
    expect(third).toMatchObject({ code: 1, stdout: '' });
    expect(third.stderr).toContain('nothing there');
  });
});

test('watch prints results as they come and commits them', async () => {
  const watch = world.start(['watch', 'demo', '--json']);
  await world.run(['put', 'demo', '--data', 'one', '--id', 'w1']);
  await watch.says(/"id":"w1".*"text":"one"/);
  await world.run(['put', 'demo', '--data', 'two', '--id', 'w2']);
  await watch.says(/"id":"w2"/);
  watch.child.kill('SIGINT');
  expect((await watch.ended).code).toBe(130);
  const { stdout } = await world.run(['attrs', 'demo', '--sink', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ 'stream.length': '0' });
});
