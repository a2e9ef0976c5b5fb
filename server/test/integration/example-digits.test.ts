// examples/digits for real: the model of its folder served by a process of a real server, with the
// answers that its page promises.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/digits/', import.meta.url));
const [, , answer = '', , , refusal = ''] = readFileSync(join(example, 'README.md'), 'utf8')
  .split('```')
  .filter((_, at) => at % 2 === 1)
  .flatMap((block, at) => (at === 0 ? [block, ''] : [block]))
  .map((block) => block.trim());

let world: CommandWorld;
let server: RunningCommand;

beforeAll(async () => {
  world = openCommandWorld();
  const folder = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', folder]);
  await server.says(/Ready/);
  expect(await world.run(['create', join(example, 'service.json')])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
});

test('a picture in gives the digit out', async () => {
  const ended = await world.run(['submit', 'digits', '--wait', join(example, 'pictures/7.png')]);
  expect(JSON.parse(ended.stdout)).toMatchObject({ label: JSON.parse(answer).label });
  const shown: { top: { score: number }[] } = JSON.parse(answer);
  const scores = shown.top.map(({ score }) => ({ score: expect.closeTo(score, 6) }));
  expect(JSON.parse(ended.stdout)).toMatchObject({ top: scores });
});

test('a folder of pictures gives a folder of answers', async () => {
  const out = join(world.home, 'read');
  const ended = await world.run(['submit', 'digits', join(example, 'pictures'), '--out', out]);
  expect(ended.code).toBe(0);
  const labels = readdirSync(out)
    .filter((name) => /^\d\.png/.test(name))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(out, name), 'utf8')).label);
  expect(labels).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test('what is no picture is refused in words', async () => {
  const ended = await world.run(['submit', 'digits', '--wait', '-d', 'nonsense']);
  expect(ended.code).toBe(1);
  expect(JSON.parse(ended.stdout)).toEqual(JSON.parse(refusal));
});
