// Processors behind the queue of a real server: a module of Node and one of Python, from
// service.json to results, streams and refusals; what is said of one that cannot be used; and that
// they outlive the server. The Python one is examples/language, as its manual page says.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const example = fileURLToPath(new URL('../../../examples/language/', import.meta.url));
const readme = readFileSync(join(example, 'README.md'), 'utf8');

/** The blocks of the manual page: commands, and what they print. */
const [commands = '', printed = '', refusals = '', refused = ''] = readme
  .split(/```(?:sh|text)?\n/)
  .filter((_, at) => at % 2 === 1);

/** The requests among some commands: their paths and bodies. */
const requestsOf = (block: string): readonly { path: string; body: string }[] =>
  [...block.matchAll(/submit language --wait(?: --path (\S+))? -d '(.*)'/g)].map(
    ([, path = '', body = '']) => ({ path, body }),
  );

const module = `
export const schema = {
  input: { type: 'array', items: { type: 'object', required: ['x'],
    properties: { x: { type: 'number' } } } },
};
export const load = ({ config }) => config.factor;
export const predict = (rows, { state }) => rows.map(({ x }) => ({ y: x * state }));
`;

/** Dies at the first delivery, and goes on from there at the second. */
const resumingNode = `
export const predict = async (input, { checkpoint, saveCheckpoint, report }) => {
  const earlier = await checkpoint();
  await report({ percent: earlier === undefined ? 50 : 90 });
  if (earlier !== undefined) return 'resumed at ' + new TextDecoder().decode(earlier);
  await saveCheckpoint('step 5');
  process.exit(1);
};
`;
const resumingPython = `
import os
async def predict(input, context):
    earlier = context.checkpoint()
    context.report(percent=50 if earlier is None else 90)
    if earlier is not None:
        return "resumed at " + earlier.decode()
    context.save_checkpoint("step 5")
    os._exit(1)
`;

let world: CommandWorld;
let server: RunningCommand;
let url: string;
let token: string;

function file(name: string, text: string): string {
  const path = join(world.home, name);
  writeFileSync(path, text);
  return path;
}

function service(name: string, fields: object): string {
  const metadata = { name, type: 'Async', instance: 1 };
  return file(`${name}.json`, JSON.stringify({ metadata, ...fields }));
}

async function serve(...services: readonly string[]): Promise<void> {
  const flags = services.flatMap((path) => ['--service', path]);
  const data = join(world.home, 'data');
  server = world.start(['serve', '--listen', '127.0.0.1:0', '--data', data, ...flags], {
    environment: { DOCKER_HOST: `unix://${world.home}/no-such-socket` },
  });
  url = (await server.says(/on (http:\S+)\n[\s\S]*Ready/))[1] ?? '';
  token = readFileSync(join(data, 'admin/token'), 'utf8').trim();
}

interface Result {
  readonly status: number;
  readonly modelStatus: string | null;
  readonly text: string;
  /** Of the request. */
  readonly place: string | null;
}

async function submit(name: string, body: string, path = ''): Promise<Result> {
  const response = await fetch(`${url}/v1/services/${name}/requests${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, prefer: 'wait=25' },
    body,
  });
  const modelStatus = response.headers.get('sluice-model-status');
  const place = response.headers.get('location');
  return { status: response.status, modelStatus, place, text: await response.text() };
}

interface InstanceRow {
  readonly kind: string;
  readonly state: string;
  readonly message: string;
  readonly pid: number;
}

async function instances(name: string): Promise<readonly InstanceRow[]> {
  const response = await fetch(`${url}/v1/services/${name}/instances`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return (await response.json()) as readonly InstanceRow[];
}

beforeAll(async () => {
  world = openCommandWorld();
  // The path is relative, to the folder of its file.
  mkdirSync(join(world.home, 'app'));
  writeFileSync(join(world.home, 'app/model.mjs'), module);
  file('broken.mjs', 'export const predict = (');
  file('resuming.mjs', resumingNode);
  file('resuming.py', resumingPython);
  await serve(
    join(example, 'service.json'),
    service('doubles', {
      processor_path: './app',
      processor_entry: 'model.mjs',
      model_config: { factor: 2 },
    }),
    service('resuming-node', { processor_path: 'resuming.mjs' }),
    service('resuming-python', { processor_path: 'resuming.py' }),
    service('broken', { processor: 'node', model_path: 'broken.mjs' }),
    service('far', { processor: 'pmml', model_path: '/no/such.pmml' }),
  );
});
afterAll(() => world.close());

it('answers through the queue what a Node module returns, refuses what does not fit', async () => {
  expect(await submit('doubles', '[{"x":1},{"x":2.5}]')).toMatchObject({
    status: 200,
    modelStatus: '200',
    text: '[{"y":2},{"y":5}]',
  });
  const wrong = await submit('doubles', '[{"x":1},{"x":"2"}]');
  expect(wrong.modelStatus).toBe('400');
  expect(JSON.parse(wrong.text)).toMatchObject({ field: 'x', row: 1 });
});

it('runs the Python example as its manual page says, streams and refusals included', async () => {
  const answers: string[] = [];
  for (const { path, body } of requestsOf(commands)) {
    answers.push((await submit('language', body, path)).text.trimEnd());
  }
  expect(answers.join('\n')).toBe(printed.trimEnd());
  const documents: string[] = [];
  for (const { body } of requestsOf(refusals)) {
    documents.push((await submit('language', body)).text);
  }
  expect(documents).toHaveLength(2);
  for (const [at, line] of refused.trimEnd().split('\n').entries()) {
    expect(documents[at]).toContain(line);
  }
});

it('lets modules report how far they are, and go on from a checkpoint', async () => {
  const modules = ['resuming-node', 'resuming-python'];
  const results = await Promise.all(modules.map((name) => submit(name, 'x')));
  for (const { text, place } of results) {
    expect(text).toBe('resumed at step 5');
    const headers = { authorization: `Bearer ${token}` };
    const events = await fetch(`${url}${place}/events`, { headers });
    expect(await events.text()).toMatch(/event: progress\n.*\n?data: .*"percent":90/);
  }
});

it('says of one that cannot be used why, once, instead of starting it over and over', async () => {
  await expect
    .poll(async () => (await instances('broken'))[0]?.message)
    .toMatch(/broken\.mjs cannot be loaded: SyntaxError: .*\(line 1\), starts again in [45]\d s/);
  await expect
    .poll(async () => (await instances('far'))[0]?.message)
    .toMatch(/no\/such\.pmml.*, starts again in [45]\d s/);
});

it('goes on with a processor when the server was killed', async () => {
  const [before] = await instances('language');
  expect(before).toMatchObject({ kind: 'process', state: 'Running' });
  server.child.kill('SIGKILL');
  await server.ended;
  await serve();
  const { body = '' } = requestsOf(commands)[0] ?? {};
  expect((await submit('language', body)).text).toBe(printed.split('\n')[0]);
  const [after] = await instances('language');
  expect(after?.pid).toBe(before?.pid);
});
