// A user's own module as a processor: what it is given, what its answers become, how it fails.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { load } from '../../src/processors/module/load.ts';
import {
  type Call,
  InputError,
  type LoadOptions,
  ModelError,
  type Processor,
} from '../../src/processors/processor.ts';
import { failure, textOf } from './processor-answers.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;

function write(text: string): string {
  count += 1;
  const file = join(folder, `${count}.mjs`);
  writeFileSync(file, text);
  return file;
}

function options(more: Partial<LoadOptions>): LoadOptions {
  return {
    model: '',
    code: undefined,
    entry: undefined,
    config: undefined,
    batching: undefined,
    window: 1,
    clock: systemClock,
    log: silentLog,
    ...more,
  };
}

const loaded = (text: string, more: Partial<LoadOptions> = {}): Promise<Processor> =>
  load(options({ model: write(text), ...more }));

function call(body = '', type = 'application/json', more: Partial<Call> = {}): Call {
  return {
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: { 'content-type': type },
    body: Buffer.from(body),
    signal: new AbortController().signal,
    ...more,
  };
}

it('is given what load made, its settings and the call', async () => {
  const processor = await loaded(
    `export const load = async ({ config, model }) => ({ sum: config.start, model });
     export const predict = (input, { state, config, path, headers }) =>
       ({ sum: (state.sum += input), step: config.step, path, kind: headers.kind,
          inFolder: state.model === ${JSON.stringify(folder)} });`,
    { config: { start: 10, step: 2 } },
  );
  await processor.answer(call('1'));
  const headers = { 'content-type': 'application/json', kind: 'x' };
  const answer = await processor.answer(call('2', '', { headers, path: '/more' }));
  expect(JSON.parse(await textOf(answer))).toEqual({
    sum: 13,
    step: 2,
    path: '/more',
    kind: 'x',
    inFolder: true,
  });
});

it.each([
  ['application/json', '{"a":1}', 'object'],
  ['application/x-www-form-urlencoded', '{"a":1}', 'object'],
  ['text/plain; charset=utf-8', '{"a":1}', 'string'],
  ['application/octet-stream', '{"a":1}', 'Uint8Array'],
  ['image/png', 'x', 'Uint8Array'],
])('gets a body of %s as what it is', async (type, body, expected) => {
  const text = `export const predict = (input) =>
    input instanceof Uint8Array ? 'Uint8Array' : typeof input;`;
  const processor = await loaded(text);
  expect(await textOf(await processor.answer(call(body, type)))).toBe(expected);
});

it.each([
  [`'text'`, 200, 'text/plain; charset=utf-8', 'text'],
  [`Promise.resolve('later')`, 200, 'text/plain; charset=utf-8', 'later'],
  [`new Uint8Array([65, 66])`, 200, 'application/octet-stream', 'AB'],
  [`({ a: [1] })`, 200, 'application/json', '{"a":[1]}'],
  [`[1, 2]`, 200, 'application/json', '[1,2]'],
  [`null`, 200, 'application/json', 'null'],
  [`undefined`, 204, 'application/octet-stream', ''],
  [
    `new Response('no', { status: 418, headers: { 'content-type': 'text/x' } })`,
    418,
    'text/x',
    'no',
  ],
  [`(function* () { yield 'a'; yield 'b'; })()`, 200, 'text/plain; charset=utf-8', 'ab'],
  [
    `(async function* () { yield { a: 1 }; yield 2; })()`,
    200,
    'application/x-ndjson',
    '{"a":1}\n2\n',
  ],
  [`(async function* () {})()`, 200, 'text/plain; charset=utf-8', ''],
  [`new Blob(['of', 'a blob']).stream()`, 200, 'application/octet-stream', 'ofa blob'],
])('answers with %s', async (expression, status, contentType, text) => {
  const processor = await loaded(`export const predict = () => ${expression};`);
  const answer = await processor.answer(call('1'));
  expect(answer).toMatchObject({ status, contentType });
  expect(await textOf(answer)).toBe(text);
});

it('hands out a stream piece by piece, and ends it where nobody reads', async () => {
  const processor = await loaded(
    `globalThis.moduleTest = [];
     export async function* predict() {
       try {
         for (let at = 0; ; at += 1) { globalThis.moduleTest.push(at); yield String(at); }
       } finally { globalThis.moduleTest.push('ended'); }
     }`,
  );
  const { stream } = await processor.answer(call('1'));
  const pieces = stream?.[Symbol.asyncIterator]();
  expect(String((await pieces?.next())?.value)).toBe('0');
  await pieces?.return?.();
  expect(Reflect.get(globalThis, 'moduleTest')).toEqual([0, 'ended']);
});

it.each(['throw', 'return Promise.reject', 'yield Promise.reject'])(
  'asks for a status by what it throws (%s)',
  async (how) => {
    const star = how.startsWith('yield') ? '*' : '';
    const thrown = `(Object.assign(new Error('too old'), { status: 422, field: 'age', row: 3 }))`;
    const processor = await loaded(`export async function${star} predict() { ${how} ${thrown}; }`);
    const error = await failure(processor.answer(call('1')));
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ message: 'too old', status: 422, field: 'age', row: 3 });
  },
);

it.each([`new Error('x')`, `Object.assign(new Error('x'), { status: 200 })`, `'x'`, `null`])(
  'fails of itself when it throws %s',
  async (thrown) => {
    const processor = await loaded(`export function predict() { throw ${thrown}; }`);
    const error = await processor.answer(call('1')).catch((each: unknown) => each);
    expect(error).not.toBeInstanceOf(InputError);
  },
);

it('checks input against its schema and describes itself by it', async () => {
  const schema = { input: { type: 'object', properties: { age: { type: 'number' } } } };
  const processor = await loaded(
    `export const schema = ${JSON.stringify(schema)};
     export const about = 'Ages';
     export const predict = ({ age }) => age;`,
  );
  expect(processor.description).toMatchObject({ kind: 'node', about: 'Ages', input: schema.input });
  const error = await failure(processor.answer(call('{"age":"x"}', 'application/octet-stream')));
  expect(error).toMatchObject({ message: 'field age: must be number', field: 'age', status: 400 });
  expect(await textOf(await processor.answer(call('{"age":7}', 'application/octet-stream')))).toBe(
    '7',
  );
});

it('finds its entry in a folder, and takes its model from elsewhere', async () => {
  const program = join(folder, 'program');
  mkdirSync(join(program, 'app'), { recursive: true });
  writeFileSync(
    join(program, 'index.mjs'),
    `export const predict = (_, { model }) => 'i' + model;`,
  );
  writeFileSync(join(program, 'app/other.mjs'), `export default { predict: () => 'other' };`);
  const answer = async (more: Partial<LoadOptions>): Promise<string> =>
    textOf(await (await load(options(more))).answer(call('1')));
  expect(await answer({ model: program })).toBe(`i${program}`);
  expect(await answer({ code: program, model: '/weights' })).toBe('i/weights');
  expect(await answer({ model: program, entry: 'app/other.mjs' })).toBe('other');
  symlinkSync(write('export const predict = () => 1;'), join(program, 'out.mjs'));
  const outside = await failure(load(options({ model: program, entry: 'out.mjs' })));
  expect(outside).toBeInstanceOf(ModelError);
  const none = await failure(load(options({ model: join(program, 'app') })));
  expect(none).toMatchObject({ message: expect.stringContaining('index.mjs, index.js') });
});

it.each([
  ['export const other = 1;', /exports no function predict/],
  [`import 'no-such-package'; export const predict = () => 1;`, /no-such-package/],
  ['export const schema = { inptu: {} }; export const predict = () => 1;', /it has no inptu/],
  ['export const schema = { input: { type: "nix" } }; export const predict = () => 1;', /schema/],
])('can never be used: %s', async (text, why) => {
  const error = await failure(loaded(text));
  expect(error).toBeInstanceOf(ModelError);
  expect(error).toMatchObject({ message: expect.stringMatching(why) });
});

it('may be tried again when its load fails', async () => {
  const text = `export const load = () => { throw new Error('no answer yet'); };
    export const predict = () => 1;`;
  const error = await failure(loaded(text));
  expect(error).not.toBeInstanceOf(ModelError);
  expect(error).toMatchObject({ message: 'no answer yet' });
});
