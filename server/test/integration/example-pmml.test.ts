// examples/credit-scoring for real: a PMML file, served by processes of a real server, with the
// answers that its page promises.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type CommandWorld,
  type Ended,
  openCommandWorld,
  type RunningCommand,
} from './cli-process.ts';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const read = (path: string): string => readFileSync(join(examples, path), 'utf8');

/** The blocks of a page that hold an answer: all that stands between ``` and begins so. */
const blocks = (page: string, start: string): readonly string[] =>
  read(page)
    .split('```')
    .filter((_, at) => at % 2 === 1)
    .map((block) => block.trim())
    .filter((block) => block.startsWith(start));

let world: CommandWorld;
let server: RunningCommand;

beforeAll(async () => {
  world = openCommandWorld();
  const folder = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', folder]);
  await server.says(/Ready/);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
});

async function put(service: string, ...args: readonly string[]): Promise<Ended> {
  const ended = await world.run(['put', service, '--wait', ...args]);
  return { ...ended, stdout: ended.stdout.trim() };
}

test('a tree ensemble scores rows of JSON and CSV as scikit-learn does', async () => {
  const page = 'credit-scoring/README.md';
  const example = join(examples, 'credit-scoring');
  expect(await world.run(['create', join(example, 'service.json')])).toMatchObject({ code: 0 });
  const json = await put('credit_scoring', join(example, 'applicants.json'));
  const expected: readonly { probability: number }[] = JSON.parse(
    read('credit-scoring/expected.json'),
  );
  expect(JSON.parse(json.stdout)).toEqual(
    expected.map((row) => ({ ...row, probability: expect.closeTo(row.probability, 12) })),
  );
  expect(JSON.parse(json.stdout)).toEqual(JSON.parse(blocks(page, '[')[0] ?? ''));
  const csv = ['--content-type', 'text/csv', join(example, 'applicants.csv')];
  expect((await put('credit_scoring', ...csv)).stdout).toBe(blocks(page, 'outcome,')[0]);
  const refused = await put('credit_scoring', '--data', '{"age": 30, "housing": "tent"}');
  expect(refused.code).toBe(1);
  expect(blocks(page, '$ sluice')[0]).toContain(refused.stdout);
});
