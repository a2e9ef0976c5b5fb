// examples/pmml and examples/credit-scoring for real: PMML files, one from an address and one from
// its folder, served by processes of a real server, with the answers that their pages promise.

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
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
let files: Server;
let address: string;
const fetched: string[] = [];

beforeAll(async () => {
  world = openCommandWorld();
  files = createServer((request, response) => {
    fetched.push(request.url ?? '');
    response.end(read('pmml/lr.pmml'));
  });
  files.listen(0, '127.0.0.1');
  await once(files, 'listening');
  const bound = files.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  // What the sample asks for, whatever this machine has.
  const room = ['--capacity', 'cpu=8,memory=16G'];
  const folder = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', folder, ...room]);
  await server.says(/Ready/);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
  files.close();
});

async function put(service: string, ...args: readonly string[]): Promise<Ended> {
  const ended = await world.run(['put', service, '--wait', ...args]);
  return { ...ended, stdout: ended.stdout.trim() };
}

test('the sample of the EAS manual works, unchanged but for the address', async () => {
  const file = join(world.home, 'service.json');
  const sample = read('pmml/service.json');
  expect(JSON.parse(sample)).toMatchObject({
    processor: 'pmml',
    metadata: { type: 'Async', cpu: 4, instance: 1, memory: 8000 },
  });
  writeFileSync(file, sample.replace('http://127.0.0.1:8765', address));
  expect(await world.run(['create', file])).toMatchObject({ code: 0 });
  const [call] = blocks('pmml/README.md', 'python3 -m http.server');
  const [, rows = ''] = /--data '(.*)'/.exec(call ?? '') ?? [];
  const answer = await put('pump_failure', '--data', rows);
  expect(answer.stdout).toBe(blocks('pmml/README.md', '[')[0]);
  expect(fetched).toEqual(['/lr.pmml']);
  const refused = await put('pump_failure', '--data', rows.replace('88', '300'));
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({ status: 400, field: 'temperature', row: 0 });
});

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
