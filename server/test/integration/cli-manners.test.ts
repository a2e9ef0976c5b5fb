// How commands behave in a shell: closed pipes, Ctrl-C, exit codes, JSON for programs, and what is
// said to somebody who mistypes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

let world: CommandWorld;

beforeAll(async () => {
  world = openCommandWorld();
  const server = world.start([
    ...['serve', '--engine', 'memory', '--listen', '127.0.0.1:0'],
    ...['--data', join(world.home, 'data')],
  ]);
  await server.says(/Ready/);
  await create('queues', { instance: 0 });
});
afterAll(() => world.close());

async function create(name: string, metadata: object, rest: object = {}): Promise<void> {
  const file = join(world.home, `${name}.json`);
  writeFileSync(file, JSON.stringify({ metadata: { name, type: 'Async', ...metadata }, ...rest }));
  const { code, stderr } = await world.run(['create', '--no-wait', file]);
  expect({ name, code, stderr }).toMatchObject({ code: 0 });
}

async function putResult(id: string): Promise<void> {
  const put = await world.run(['put', 'queues', '--data', `data of ${id}`, '--id', id]);
  expect(put.code).toBe(0);
}

async function lengthOf(service: string): Promise<string> {
  const { stdout } = await world.run(['attrs', service, '--json']);
  return JSON.parse(stdout)['stream.length'];
}

describe('a reader that leaves', () => {
  test.each([
    [['ls'], 0],
    [['ls', '--json'], 0],
    [['--help'], 0],
    [['get', 'queues', '--input', '--keep', '--timeout', '20s'], 141],
    [['init', '--file', '-'], 141],
  ])('ends %j quietly', async (args, code) => {
    if (args.includes('get')) await putResult('pipe');
    const command = world.start(args);
    command.child.stdout?.destroy();
    const ended = await command.ended;
    expect(ended).toMatchObject({ code });
    expect(ended.stderr).not.toMatch(/EPIPE|error|at /);
    if (args.includes('get')) await world.run(['get', 'queues', '--input']);
  });

  test('of watch leaves what could not be printed in the queue', async () => {
    const watch = world.start(['watch', 'queues', '--input', '--window', '1']);
    await putResult('read');
    await watch.says(/data of read/);
    watch.child.stdout?.destroy();
    await putResult('unread');
    expect((await watch.ended).code).toBe(141);
    const left = await world.run(['get', 'queues', '--input', '--timeout', '20s']);
    expect(left.stdout).toBe('data of unread');
    expect(await lengthOf('queues')).toBe('0');
  });
});

describe('Ctrl-C', () => {
  const interrupt = async (
    command: RunningCommand,
    signal: NodeJS.Signals = 'SIGINT',
  ): Promise<{ code: number | null; stderr: string }> => {
    command.child.kill(signal);
    const { code, stderr } = await command.ended;
    return { code, stderr };
  };

  test('ends a get that waits, and SIGTERM too, each with its own code', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const get = world.start(['get', 'queues', '--timeout', '60s', '--json']);
      await get.says(/Waiting at most 1 m/);
      expect((await interrupt(get, signal)).code).toBe(code);
    }
  });

  test('ends a put that waits and says how to go on', async () => {
    const put = world.start(['put', 'queues', '--data', 'x', '--wait', '--id', 'waits']);
    await put.says(/Next in line|Waiting behind|Running/);
    const { code, stderr } = await interrupt(put);
    expect(code).toBe(130);
    expect(stderr).toContain('the request goes on: sluice get queues --id waits');
    await world.run(['get', 'queues', '--input']);
  });

  test('ends a put whose input does not come', async () => {
    const put = world.start(['put', 'queues'], { input: { kind: 'open' } });
    // More than a pipe holds: once it is gone the command has begun to read.
    await new Promise((resolve) => put.child.stdin?.write('x'.repeat(2 ** 22), resolve));
    expect(await interrupt(put)).toEqual({ code: 130, stderr: '' });
    expect(await lengthOf('queues')).toBe('0');
  });

  test('ends a create that waits; the service stays', async () => {
    const file = join(world.home, 'slow.json');
    const command = `${process.execPath} -e "setInterval(() => 0, 1e6)"`;
    const metadata = { name: 'slow', type: 'Async', instance: 1 };
    writeFileSync(file, JSON.stringify({ metadata, containers: [{ command }] }));
    const creating = world.start(['create', file]);
    await creating.says(/nothing listens on port/);
    const { code, stderr } = await interrupt(creating);
    expect(code).toBe(130);
    expect(stderr).toContain('sluice desc slow');
    expect((await world.run(['desc', 'slow'])).stdout).toMatch(/Status \| Starting/);
    await world.run(['delete', 'slow', '--yes']);
  });
});

describe('JSON', () => {
  test('is what every command answers, whether the flag comes first or last', async () => {
    await putResult('json');
    const commands = [
      ['ls'],
      ['desc', 'queues'],
      ['attrs', 'queues'],
      ['token', 'queues'],
      ['reopen', 'queues'],
      ['put', 'queues', '--data', 'x', '--id', 'x'],
      ['get', 'queues', '--input', '--length', '5'],
      ['get', 'queues', '--input'],
      ['init', '--file', '-'],
      ['apply', join(world.home, 'queues.json')],
      ['apply', join(world.home, 'queues.json'), '--dry-run'],
      ['modify', 'queues', '-Dqueue.max_delivery=3'],
      ['version', 'queues'],
      ['version', 'queues', '1'],
      ['autoscale', 'queues'],
      ['w', 'queues'],
      ['stop', 'queues'],
      ['start', 'queues'],
      ['token', 'queues', '--add', 'web', '--scope', 'read'],
      ['token', 'queues', '--remove', 'web'],
      ['token', 'queues', '--rotate'],
      ['delete', 'queues', '--yes'],
    ];
    for (const args of commands) {
      const { stdout } = await world.run([...args, '--json']);
      expect(() => JSON.parse(stdout), `${args.join(' ')}: ${stdout}`).not.toThrow();
    }
    const { stdout } = await world.run(['--json', 'ls']);
    expect(JSON.parse(stdout)).toEqual([]);
    await create('queues', { instance: 0 });
  });

  test('has the same fields for an answer that is empty', async () => {
    const model = world.start(['mock-model', '--answer', ''], {
      environment: { HOST: '127.0.0.1', PORT: '0' },
    });
    const [, url] = await model.says(/Mock model on (http:\S+)/);
    await create('empty', { instance: 1 }, { endpoint: url });
    const done = await world.run(['put', 'empty', '--data', 'x', '--wait', '--json', '--id', 'e']);
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('answer was empty') });
    expect(JSON.parse(done.stdout)).toEqual({ index: 0, id: 'e', tags: {}, text: '' });
  });

  test('carries any bytes there and back', async () => {
    const file = join(world.home, 'bytes');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    writeFileSync(file, bytes);
    await world.run(['put', 'queues', file]);
    const { stdout } = await world.run(['get', 'queues', '--input', '--json']);
    expect(Buffer.from(JSON.parse(stdout)[0].base64, 'base64')).toEqual(bytes);
  });
});

describe('whoever mistypes', () => {
  test.each([
    [['sevre'], 'Did you mean serve?'],
    [['put', 'queues', '--dta', 'x'], 'Did you mean --data?'],
    [['put', 'quues', '--data', 'x'], 'there is no service quues; did you mean queues?'],
    [['desc', 'quues'], 'did you mean queues?'],
    [['watch', 'quues'], 'did you mean queues?'],
    [['stop', 'quues'], 'did you mean queues?'],
    [['modify', 'quues', '-Da.b=1'], 'did you mean queues?'],
    [['autoscale', 'rm', 'quues'], 'did you mean queues?'],
    [['dw', 'queues', 'queues-nobody'], 'queues-nobody'],
    [['version', 'queues', 'first'], 'Not a whole number'],
    [['apply', '/no/such'], '/no/such: there is no such file'],
    [['logs', 'other'], 'there is no service other; there are: '],
    [['token', 'queues', '--remove', 'nobody'], 'there is no token "nobody"'],
    [['logs', 'queues'], 'sluice desc queues'],
    [['put', 'queues', '/no/such'], '/no/such: there is no such file'],
    [['put', 'queues', '/'], '/: is a folder'],
    [['create', '-'], 'standard input is empty'],
    [['get', 'queues', '--timeout', 'soon'], 'sluice get --help'],
    [['mock-model', '--fail', '200=1'], 'such as 503=0.1'],
    [['mock-model', '--fail', '500=2'], 'share from 0 to 1'],
    [['mock-model', '--latency', 'slow'], 'such as 50ms'],
    [['get', 'queues', '--id', 'none'], '--timeout 30s waits for it'],
  ])('%j is told what to do', async (args, advice) => {
    const { code, stdout, stderr } = await world.run(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(advice);
  });

  test('an empty payload is put with a remark', async () => {
    const put = await world.run(['put', 'queues'], { input: '' });
    expect(put).toMatchObject({ code: 0, stderr: 'remark: the payload is empty\n' });
  });
});

describe('a server', () => {
  test('serves where no file for other commands can be written', async () => {
    const file = join(world.home, 'a-file');
    writeFileSync(file, '');
    const args = ['serve', '--engine', 'memory', '--data', join(world.home, 'other')];
    const server = world.start([...args, '--listen', '127.0.0.1:0'], {
      environment: { XDG_CONFIG_HOME: file },
    });
    await server.says(/Ready/);
    expect(server.stderr()).toMatch(/give them --url http:\S+ and --token, which is in \S+token/);
    server.child.kill('SIGINT');
    expect((await server.ended).code).toBe(0);
  });

  test('shows every mistake in a service that it is to serve', async () => {
    const file = join(world.home, 'wrong.json');
    writeFileSync(file, '{"metadata": {"name": "wrong", "instance": -1}, "token": 5}');
    const args = ['serve', '--engine', 'memory', '--data', join(world.home, 'more')];
    const refused = await world.run([...args, '--listen', '127.0.0.1:0', '--service', file]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/wrong.json: service.json has 2 mistakes/);
    expect(refused.stderr).toMatch(/ {2}metadata.instance: [\s\S]* {2}token: /);
  });

  test('that is away is told from one that refuses', async () => {
    const elsewhere = ['--url', 'http://127.0.0.1:8', '--token', 'x'];
    for (const args of [['ls'], ['put', 'queues', '--data', 'x']]) {
      const { code, stderr } = await world.run([...args, ...elsewhere]);
      expect(code).toBe(1);
      expect(stderr).toContain('`sluice serve` starts a server, --url names another one');
    }
  });

  test('says that its data folder is none', async () => {
    const file = join(world.home, 'a-file');
    writeFileSync(file, '');
    const { code, stderr } = await world.run(['serve', '--listen', '127.0.0.1:0', '--data', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('name another one with --data');
  });
});
