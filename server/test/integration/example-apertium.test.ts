// examples/apertium for real: Debian's translation server behind the queue, as processes that are
// started here and as an endpoint that somebody else has started.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseJsonc } from '../../src/config/jsonc.ts';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/apertium/', import.meta.url));
const isInstalled = spawnSync('apertium-apy', ['--help']).status === 0;

let world: CommandWorld;
let server: RunningCommand;
let theirs: ChildProcess | undefined;

beforeAll(async () => {
  world = openCommandWorld();
  const folder = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', folder]);
  await server.says(/Ready/);
});
afterAll(async () => {
  if (theirs?.pid !== undefined) {
    // Its pipeline of programs is in a process group of its own.
    process.kill(-theirs.pid, 'SIGTERM');
    await once(theirs, 'exit');
  }
  // It takes its model processes along.
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
});

/** Each line of the manual page that begins with `{`. */
const promised = readFileSync(join(example, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{'));

async function translated(service: string, langpair: string, text: string): Promise<string> {
  const form = `langpair=${langpair}&q=${text}`;
  const put = await world.run(['put', service, '--wait', '--data', form]);
  expect(put).toMatchObject({ code: 0 });
  return put.stdout.trim();
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', () => resolve()));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe.runIf(isInstalled)('apertium', () => {
  test('translates as processes, also what was asked while one of them is killed', async () => {
    expect(await world.run(['create', join(example, 'service.json')])).toMatchObject({ code: 0 });
    const sentence = 'The house is big and the garden is green.';
    expect(await translated('translate', 'eng|spa', sentence)).toBe(promised[0]);
    const words = ['house', 'garden', 'river', 'night'];
    const asked = words.map((word) => translated('translate', 'eng|spa', `the ${word}`));
    const { stdout } = await world.run(['w', 'translate', '--json']);
    const [{ pid }] = JSON.parse(stdout);
    process.kill(pid, 'SIGKILL');
    const answers = (await Promise.all(asked)).map((text) => JSON.parse(text).responseData);
    expect(answers.map(({ translatedText }) => translatedText)).toEqual([
      ...['La casa', 'El jardín', 'El río', 'La noche'],
    ]);
    const logs = await world.run(['logs', 'translate']);
    expect(logs.stdout).toMatch(/^translate-\w{5} \| .*3 pair modes found$/m);
    const events = await world.run(['events', 'translate', '--kind', 'instance']);
    expect(events.stdout).toMatch(/ crash .*SIGKILL/);
  });

  test('what it refuses has failed with its status and its words', async () => {
    const form = 'langpair=spa|xyz&q=hola';
    const put = await world.run(['put', 'translate', '--wait', '--data', form]);
    expect(put.code).toBe(1);
    expect(put.stdout.trim()).toBe(promised[1]);
    expect(put.stderr).toContain('error: the request failed with 400: the model answered 400');
  });

  test('translates as an endpoint, which is left as it was', async () => {
    const port = await freePort();
    theirs = spawn('apertium-apy', ['--port', String(port), '/usr/share/apertium'], {
      detached: true,
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
      stdio: 'ignore',
    });
    const text = readFileSync(join(example, 'endpoint.json'), 'utf8');
    const file = join(world.home, 'endpoint.json');
    writeFileSync(file, text.replace(':2737/', `:${port}/`));
    expect(parseJsonc(readFileSync(file, 'utf8'))).toMatchObject({
      endpoint: `http://127.0.0.1:${port}/translate`,
    });
    expect(await world.run(['create', file])).toMatchObject({ code: 0 });
    expect(await translated('translate-there', 'spa|eng', 'hola mundo')).toBe(promised[2]);
    expect(await world.run(['delete', 'translate-there', '--yes'])).toMatchObject({ code: 0 });
    const response = await fetch(`http://127.0.0.1:${port}/listPairs`);
    expect(response.status).toBe(200);
  });
});
