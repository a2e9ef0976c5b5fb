// `sluice processor` and `sluice dev` as people run them.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandWorld, openCommandWorld } from './cli-process.ts';

let world: CommandWorld;
beforeAll(() => {
  world = openCommandWorld();
});
afterAll(() => world.close());

const file = (name: string): string => join(world.home, name);

/** A module that answers a call when a second one has come. */
const meeting = `
let waiting;
export const load = ({ config }) => config.word;
export const predict = (input, { state }) => {
  if (input === 'go') { waiting?.(); return 'went'; }
  return new Promise((resolve) => { waiting = () => resolve(state); });
};
`;

const post = (url: string, value: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', body: JSON.stringify(value), headers: json });
const json = { 'content-type': 'application/json' };

it('serves on PORT, finishes what runs when told to end, and ends with 0', async () => {
  writeFileSync(file('meeting.mjs'), meeting);
  const server = world.start(['processor', 'node', file('meeting.mjs')], {
    environment: { PORT: '0', HOST: '127.0.0.1', SLUICE_MODEL_CONFIG: '{"word": "done"}' },
  });
  const url = (await server.says(/node meeting\.mjs on (http:\S+)/))[1] ?? '';
  const call = post(url, 'wait');
  // The first call has begun when the second one is answered.
  await expect.poll(async () => (await post(url, 'go')).text()).toBe('went');
  expect(await (await call).text()).toBe('done');
  server.child.kill('SIGTERM');
  expect(await server.ended).toMatchObject({ code: 0, signal: null });
});

it('says in one line why a model cannot be used, and ends with 78', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['node', file('none.mjs')], /^sluice processor: .*none\.mjs does not exist\n$/],
    [['caffe', file('none')], /^sluice processor: there is no processor caffe; there are .*node/],
  ];
  const ended = await Promise.all(
    cases.map(([args]) => world.run(['processor', ...args, '--port', '0'])),
  );
  for (const [at, { code, stderr }] of ended.entries()) {
    expect(code).toBe(78);
    expect(stderr).toMatch(cases[at]?.[1] ?? /x/);
  }
});

it('cuts its calls and ends when its Python is gone', async () => {
  writeFileSync(file('gone.py'), 'import os\ndef predict(input, context): os._exit(3)\n');
  const server = world.start(['processor', 'python', file('gone.py'), '--port', '0']);
  const url = (await server.says(/python gone\.py on (http:\S+)/))[1] ?? '';
  await expect(post(url, 1)).rejects.toThrow();
  const { code, stderr } = await server.ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining('Python ended by itself (code 3)')]);
});

it('loads a module anew when it changes, says what is wrong, and ends by Ctrl-C', async () => {
  const module = (text: string): void => writeFileSync(file('dev.mjs'), text);
  rmSync(file('dev.mjs'), { force: true });
  module(`export const predict = () => 'first';`);
  const dev = world.start(['dev', file('dev.mjs'), '--port', '0']);
  const url = (await dev.says(/node dev\.mjs on (http:\S+)/))[1] ?? '';
  const answer = async (input = 1): Promise<string> => (await post(url, input)).text();
  await expect.poll(answer).toBe('first');
  const oops = `throw new Error('oops')`;
  module(
    `import './other.mjs'; export const predict = (at) => { if (at === 1) return word; ${oops}; };`,
  );
  await expect.poll(answer).toMatch(/"status":503.*Cannot find module.*other\.mjs/);
  await dev.says(/not loaded: .*Cannot find module/);
  // What it imports counts too.
  writeFileSync(file('other.mjs'), `globalThis.word = 'second';`);
  await expect.poll(answer).toBe('second');
  expect(await answer(2)).toMatch(/"status":500,"detail":"oops"/);
  await dev.says(/POST \/ {2}500 {2}\S+ ms {2}1 B in {2}oops/);
  dev.child.kill('SIGINT');
  expect(await dev.ended).toMatchObject({ code: 0, signal: null });
});
