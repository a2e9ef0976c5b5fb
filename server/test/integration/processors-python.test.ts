// A user's Python module as a processor, in a real Python.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import {
  type Call,
  InputError,
  LostError,
  ModelError,
  type Processor,
} from '../../src/processors/processor.ts';
import { load } from '../../src/processors/python/load.ts';
import { failure, textOf } from '../unit/processor-answers.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-python-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const opened: Processor[] = [];
afterEach(async () => {
  for (const processor of opened.splice(0)) await processor.close();
});

let count = 0;

async function loaded(text: string, config?: unknown): Promise<Processor> {
  count += 1;
  const model = join(folder, `model${count}.py`);
  writeFileSync(model, text);
  const processor = await load({
    model,
    code: undefined,
    entry: undefined,
    config,
    batching: undefined,
    window: 2,
    clock: systemClock,
    log: silentLog,
  });
  opened.push(processor);
  return processor;
}

function call(value: unknown, more: Partial<Call> = {}): Call {
  return {
    method: 'POST',
    path: '/',
    query: new URLSearchParams('q=1'),
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
    signal: new AbortController().signal,
    ...more,
  };
}

it('answers what predict returns, in every form', async () => {
  const processor = await loaded(
    `"""Tries everything.

    In two paragraphs."""
import dataclasses, datetime, math

@dataclasses.dataclass
class Point:
    x: int

class Number:
    def item(self): return 3

async def load(context):
    return context.config["start"]

def gen():
    yield "a"
    yield "b"

async def agen():
    yield {"a": 1}
    yield Point(2)

def predict(input, context):
    return {
        "text": lambda: "text", "bytes": lambda: b"\\x00\\xff", "none": lambda: None,
        "json": lambda: {"state": context.state, "point": Point(1), "n": Number(), "u": "é",
                         "path": context.path, "q": context.query["q"], "set": {1}},
        "response": lambda: context.response("no", status=418, content_type="text/x"),
        "generator": gen, "async generator": agen, "empty": lambda: iter(()),
        "nan": lambda: math.nan, "odd": lambda: object(),
    }[input]()
`,
    { start: 5 },
  );
  expect(processor.description).toMatchObject({
    kind: 'python',
    about: 'Tries everything.\n\nIn two paragraphs.',
    details: { python: expect.stringMatching(/^3\.\d+/) },
  });
  const ask = async (what: string): Promise<readonly unknown[]> => {
    const answer = await processor.answer(call(what, { path: '/p' }));
    return [answer.status, answer.contentType, await textOf(answer)];
  };
  const text = 'text/plain; charset=utf-8';
  expect(await ask('text')).toEqual([200, text, 'text']);
  expect((await ask('bytes')).slice(0, 2)).toEqual([200, 'application/octet-stream']);
  expect(await ask('none')).toEqual([204, 'application/octet-stream', '']);
  const json = (await ask('json'))[2];
  expect(JSON.parse(String(json))).toEqual({
    ...{ state: 5, point: { x: 1 }, n: 3, u: 'é' },
    ...{ path: '/p', q: '1', set: [1] },
  });
  expect(await ask('response')).toEqual([418, 'text/x', 'no']);
  expect(await ask('generator')).toEqual([200, text, 'ab']);
  expect(await ask('async generator')).toEqual([
    ...[200, 'application/x-ndjson', '{"a": 1}\n{"x": 2}\n'],
  ]);
  expect(await ask('empty')).toEqual([200, 'text/plain', '']);
  expect(await failure(ask('nan'))).toMatchObject({
    message: expect.stringMatching(/^ValueError/),
  });
  expect(await failure(ask('odd'))).toMatchObject({ message: expect.stringMatching(/is no JSON/) });
});

it('asks for a status by what it raises', async () => {
  const processor = await loaded(`
class Bad(Exception):
    status, field, row = 422, "age", 3

def predict(input, context):
    if input == "late":
        def run():
            yield "begun"
            raise KeyError("gone")
        return run()
    raise Bad("too old") if input == "bad" else KeyError("x")
`);
  const bad = await failure(processor.answer(call('bad')));
  expect(bad).toBeInstanceOf(InputError);
  expect(bad).toMatchObject({ message: 'too old', status: 422, field: 'age', row: 3 });
  const bug = await failure(processor.answer(call('other')));
  expect(bug).not.toBeInstanceOf(InputError);
  expect(bug).toMatchObject({ message: "KeyError: 'x'" });
  const cut = await failure(processor.answer(call('late')).then(textOf));
  expect(cut).toMatchObject({ message: "KeyError: 'gone'" });
});

it('works on as many calls at a time as the window is wide, and on any coroutines', async () => {
  const meet = `
import threading, asyncio
barrier = threading.Barrier(2, timeout=20)
def predict(input, context):
    return barrier.wait()
`;
  const threads = await loaded(meet);
  const met = await Promise.all([call(1), call(2)].map((each) => threads.answer(each)));
  expect((await Promise.all(met.map(textOf))).sort()).toEqual(['0', '1']);
  const loop = await loaded(`
import asyncio
waiting = []
async def predict(input, context):
    if not waiting:
        waiting.append(asyncio.get_running_loop().create_future())
        return await waiting[0]
    waiting[0].set_result("met")
    return "meets"
`);
  const texts = await Promise.all([1, 2].map(async (at) => textOf(await loop.answer(call(at)))));
  expect(texts).toEqual(['met', 'meets']);
});

it('tells a thread and cancels a coroutine when nobody waits any more', async () => {
  const threads = await loaded(`
import threading
seen = threading.Event()
def predict(input, context):
    if input == "seen":
        return seen.wait(20)
    yield "begun"
    context.canceled.wait(20)
    seen.set()
`);
  const leaving = new AbortController();
  const { stream } = await threads.answer(call('run', { signal: leaving.signal }));
  const pieces = stream?.[Symbol.asyncIterator]();
  expect(Buffer.from((await pieces?.next())?.value ?? []).toString()).toBe('begun');
  leaving.abort();
  await pieces?.return?.();
  // It answers once the other call has seen that.
  expect(await textOf(await threads.answer(call('seen')))).toBe('');
  const loop = await loaded(`
import asyncio
begun, ended = asyncio.Event(), asyncio.Event()
async def predict(input, context):
    if input != "run":
        await (begun if input == "begun" else ended).wait()
        return input
    try:
        begun.set()
        await asyncio.Event().wait()
    finally:
        ended.set()
`);
  const going = new AbortController();
  const waiting = failure(loop.answer(call('run', { signal: going.signal })));
  await loop.answer(call('begun'));
  going.abort();
  expect(await waiting).toBeInstanceOf(LostError);
  expect(await textOf(await loop.answer(call('ended')))).toBe('ended');
});

it('sends no more of a stream than is read', async () => {
  const processor = await loaded(`
count = 0
def predict(input, context):
    global count
    if input == "count":
        return iter([str(count)])
    def run():
        global count
        for count in range(1, 1000):
            yield "x" * 100
    return run()
`);
  const { stream } = await processor.answer(call('run'));
  const pieces = stream?.[Symbol.asyncIterator]();
  for (let at = 0; at < 100; at += 1) await pieces?.next();
  const made = Number(await textOf(await processor.answer(call('count'))));
  expect(made).toBeGreaterThanOrEqual(100);
  expect(made).toBeLessThan(140);
  await pieces?.return?.();
});

it('loses the calls that it worked on when it ends, and says so', async () => {
  const processor = await loaded(`
import os
def predict(input, context):
    os._exit(3)
`);
  expect(await failure(processor.answer(call(1)))).toBeInstanceOf(LostError);
  expect(await processor.lost).toBe('Python ended by itself (code 3); it may have said why above');
});

it('is never tried again when it cannot be used, and is when its load fails', async () => {
  const [syntax, missing, empty, failed] = await Promise.all(
    [
      'def predict(:',
      'import no_such_module\ndef predict(i, c): pass',
      'x = 1',
      'def load(c): raise OSError("no answer")\ndef predict(i, c): 1',
    ].map((text) => failure(loaded(text))),
  );
  for (const error of [syntax, missing, empty]) expect(error).toBeInstanceOf(ModelError);
  expect(syntax).toMatchObject({ message: expect.stringMatching(/SyntaxError.*line 1/) });
  expect(empty).toMatchObject({ message: expect.stringMatching(/has no function predict/) });
  expect(failed).not.toBeInstanceOf(ModelError);
  expect(failed).toMatchObject({ message: 'load failed: OSError: no answer' });
});
