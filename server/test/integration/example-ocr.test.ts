// examples/ocr for real: text recognition in processes of Node, as its manual page says.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/ocr/', import.meta.url));
const installMs = 120_000;

/** The blocks of the manual page: commands, what they print, a refusal. */
const [commands = '', printed, refusal = ''] = readFileSync(join(example, 'README.md'), 'utf8')
  .split('```\n')
  .filter((_, at) => at % 2 === 1);

/** A line of the manual page, run as it stands. */
const words = (line: string): string[] => line.replace(/^\$? ?sluice /, '').split(' ');

let world: CommandWorld;
let server: RunningCommand;

beforeAll(async () => {
  if (!existsSync(join(example, 'node_modules'))) {
    await promisify(execFile)('npm', ['ci', '--prefix', example]);
  }
  world = openCommandWorld();
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', join(world.home, 'data')]);
  await server.says(/Ready/);
}, installMs);
afterAll(async () => {
  // It takes its model processes along.
  server?.child.kill('SIGTERM');
  await server?.ended;
  await world?.close();
});

it('reads a page, and refuses what is none, as its manual page says', async () => {
  const [install, serve, create = '', put = ''] = commands.split('\n');
  expect([install, serve]).toEqual(['npm ci --prefix examples/ocr', 'sluice serve &']);
  const created = await world.run(words(create));
  expect(created.stdout).toMatch(/\[OK\] Service is running\n$/);
  expect((await world.run(words(put))).stdout).toBe(printed);
  const [nonsense = '', answer] = refusal.split('\n');
  const refused = await world.run(words(nonsense));
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(answer ?? '') });
  const { stdout } = await world.run(['w', 'ocr', '--json']);
  expect(JSON.parse(stdout)).toMatchObject([
    { kind: 'process', ready: true },
    { kind: 'process', ready: true },
    { kind: 'queue' },
  ]);
});
