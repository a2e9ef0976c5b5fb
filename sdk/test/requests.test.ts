// The client of the request API against a server with faults: nothing is doubled, nothing is waited
// for in vain, and everything can be given up.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultClock } from '../src/platform.ts';
import { RequestError } from '../src/requests/request-transport.ts';
import { RequestClient } from '../src/requests/requests.ts';
import { cut, openRequestServer, type RequestServer, refuse, send } from './request-server.ts';

setFlagsFromString('--expose-gc');
// What the flag adds to new contexts only.
const collect = runInNewContext('gc') as () => void;

/** Pauses and deadlines pass twenty times as fast. */
const clock = {
  ...defaultClock,
  after: (ms: number, fire: () => void) => defaultClock.after(ms / 20, fire),
};

let server: RequestServer;
let requests: RequestClient;

beforeEach(async () => {
  server = await openRequestServer();
  requests = new RequestClient({
    url: server.url,
    service: 'ocr',
    token: 'secret',
    platform: { clock },
  });
});

afterEach(() => server.close());

it('sends a body with its type and every wish', async () => {
  await requests.submit(
    { page: 1 },
    {
      idempotencyKey: '"k"\\1',
      path: '/v1/read it?fast=1',
      priority: 7,
      tags: { user: 'a, b=c', naïve: '1' },
      startWithinMs: 30_000,
      finishWithinMs: 60_000,
      delayMs: 1500,
      retentionMs: 3_600_000,
      callback: { url: 'https://example.com/hook', events: ['failed', 'dead'] },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  );
  const [call] = server.calls;
  expect(call?.path).toBe('/requests/v1/read%20it?fast=1');
  expect(call?.body).toBe('{"page":1}');
  expect(call?.headers).toMatchObject({
    authorization: 'Bearer secret',
    'content-type': 'application/json',
    'idempotency-key': '"\\"k\\"\\\\1"',
    'sluice-priority': '7',
    'sluice-tags': 'user=a%2C%20b%3Dc, na%C3%AFve=1',
    'sluice-start-within': '30000ms',
    'sluice-finish-within': '60000ms',
    'sluice-delay': '1500ms',
    'sluice-retention': '3600000ms',
    'sluice-callback': 'https://example.com/hook',
    'sluice-callback-events': 'failed, dead',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
});

it('gives text, bytes and files the types they have', async () => {
  await requests.submit('text');
  await requests.submit(new Uint8Array([1]));
  await requests.submit(new Blob(['x'], { type: 'image/png' }));
  await requests.submit('{}', { contentType: 'application/json' });
  expect(server.calls.map(({ headers }) => headers['content-type'])).toEqual([
    'text/plain; charset=utf-8',
    'application/octet-stream',
    'image/png',
    'application/json',
  ]);
});

it.each([
  [new URLSearchParams('a=1'), {}],
  [new Map([['a', 1]]), {}],
  ['x', { idempotencyKey: 'k\n' }],
  ['x', { idempotencyKey: 'k'.repeat(256) }],
  ['x', { traceparent: 'é' }],
  ['x', { delayMs: Number.NaN }],
] as const)('refuses what can not be sent: %o %o', async (body, options) => {
  await expect(requests.submit(body, options)).rejects.toMatchObject({ code: 'bad_request' });
  expect(server.calls).toEqual([]);
});

it('does not double a request whose answer was lost', async () => {
  server.faults.push(cut, (_call, response) => {
    // Accepted, and then the connection is gone.
    response.end = () => response.destroy();
    return 'pass';
  });
  const info = await requests.submit('x');
  expect(server.calls).toHaveLength(3);
  expect(server.accepted.map(({ id }) => id)).toEqual([info.id]);
  // It was told as repeated, which says nothing to who gave no key.
  expect(info.repeated).toBe(false);
});

it('says that a request of the caller’s key was there before', async () => {
  const first = await requests.submit('x', { idempotencyKey: 'mine' });
  const second = await requests.submit('x', { idempotencyKey: 'mine' });
  expect([first.repeated, second.repeated, second.id]).toEqual([false, true, first.id]);
});

it('comes back when there is no room, as late as it was told', async () => {
  const times: number[] = [];
  const note = (status: number, code: string, retryAfter: number) => {
    const refusal = refuse(status, code, retryAfter);
    server.faults.push((call, response) => {
      times.push(defaultClock.now().mono);
      return refusal(call, response);
    });
  };
  note(503, 'queue_full', 2);
  note(429, 'rate_limited', 4);
  note(507, 'disk_full', 6);
  server.faults.push(() => {
    times.push(defaultClock.now().mono);
    return 'pass';
  });
  await requests.submit('x');
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  // Of 2, 4 and 6 seconds on a clock that is twenty times as fast.
  expect(pauses.map((pause, at) => pause >= 99 * (at + 1))).toEqual([true, true, true]);
  expect(server.accepted).toHaveLength(1);
});

it('does not come back for what will not change, nor later than its patience', async () => {
  server.faults.push(refuse(422, 'key_reused'), refuse(503, 'queue_full', 61));
  await expect(requests.submit('x')).rejects.toMatchObject({ code: 'key_reused' });
  await expect(requests.submit('x')).rejects.toMatchObject({
    code: 'queue_full',
    retryAfterMs: 61_000,
  });
  expect(server.calls).toHaveLength(2);
});

it('gives up after its patience when nobody answers', async () => {
  const impatient = new RequestClient({
    url: server.url,
    service: 'ocr',
    patienceMs: 20,
    platform: { clock },
  });
  for (let nth = 0; nth < 50; nth += 1) server.faults.push(cut);
  await expect(impatient.submit('x')).rejects.toMatchObject({ code: 'outcome_unknown' });
  expect(server.calls.length).toBeGreaterThan(1);
});

it('gives up on a server that says nothing', async () => {
  const impatient = new RequestClient({
    url: server.url,
    service: 'ocr',
    timeoutMs: 2000,
    patienceMs: 0,
    platform: { clock },
  });
  server.faults.push(() => 'answered');
  await expect(impatient.status('1-00000000')).rejects.toMatchObject({ code: 'timeout' });
});

it('runs a request to its result, whatever the model says', async () => {
  const running = requests.run('x');
  await expect.poll(() => server.accepted.length).toBe(1);
  server.finish('1-00000000', { state: 'succeeded', body: '{"text":"read"}' });
  const result = await running;
  expect([result.ok, result.modelStatus, result.contentType]).toEqual([true, 200, 'text/plain']);
  expect(await result.json()).toEqual({ text: 'read' });

  const refused = requests.run('y');
  await expect.poll(() => server.accepted.length).toBe(2);
  server.finish('2-00000000', { state: 'failed', body: 'no such page', modelStatus: 422 });
  const answer = await refused;
  expect([answer.ok, answer.modelStatus, await answer.text()]).toEqual([
    false,
    422,
    'no such page',
  ]);
});

it('runs a request that has nothing to say', async () => {
  const running = requests.run('x');
  await expect.poll(() => server.accepted.length).toBe(1);
  server.finish('1-00000000', { state: 'succeeded', body: '' });
  const result = await running;
  expect([result.ok, result.size, await result.bytes()]).toEqual([true, 0, new Uint8Array()]);
});

it('says of which request there is no result, and why', async () => {
  await requests.submit('x');
  await requests.submit('y');
  server.finish('1-00000000', { state: 'dead' });
  server.finish('2-00000000', { state: 'canceled' });
  const dead = await requests.result('1-00000000').catch((error: unknown) => error);
  expect(dead).toBeInstanceOf(RequestError);
  expect(dead).toMatchObject({ code: 'no_result', id: '1-00000000', message: 'it died' });
  await expect(requests.result('2-00000000')).rejects.toMatchObject({ code: 'gone' });
  await expect(requests.result('3-00000000')).rejects.toMatchObject({ code: 'not_found' });
});

it('leaves a request to itself when the time is over, or cancels it', async () => {
  await expect(requests.run('x', { waitMs: 50 })).rejects.toMatchObject({
    code: 'timeout',
    id: '1-00000000',
    request: { state: 'queued' },
  });
  expect(await requests.result('1-00000000')).toBeUndefined();
  await expect(requests.run('x', { waitMs: 50, cancelOnLeave: true })).rejects.toThrow();
  expect((await requests.status('1-00000000')).state).toBe('queued');
  expect((await requests.status('2-00000000')).state).toBe('canceled');
});

it('cancels a request whose submitter gives up, if told to', async () => {
  const over = new AbortController();
  const running = requests.run('x', { signal: over.signal, cancelOnLeave: true });
  const ended = expect(running).rejects.toThrow('enough');
  await expect.poll(() => server.calls.length).toBe(2);
  over.abort(new Error('enough'));
  await ended;
  expect((await requests.status('1-00000000')).state).toBe('canceled');
});

it('waits by asking what changed, and ends at rest', async () => {
  await requests.submit('x');
  const seen: string[] = [];
  const following = (async () => {
    for await (const { state, instance } of requests.changes('1-00000000')) {
      seen.push(`${state} ${instance}`);
    }
  })();
  const waiting = requests.wait('1-00000000');
  await expect.poll(() => seen.length).toBe(1);
  server.change('1-00000000', { state: 'running', instance: 'a' });
  await expect.poll(() => seen.length).toBe(2);
  server.finish('1-00000000', { state: 'succeeded', body: 'read' });
  await following;
  expect((await waiting).state).toBe('succeeded');
  expect(seen).toEqual(['queued ', 'running a', 'succeeded a']);
  const polls = server.calls.filter(({ headers }) => headers['if-none-match'] !== undefined);
  expect(polls.every(({ headers }) => headers.prefer === 'wait=50')).toBe(true);
  expect(polls.length).toBeGreaterThan(1);
});

it('ends a wait whose time is over', async () => {
  await requests.submit('x');
  await expect(requests.wait('1-00000000', { waitMs: 10_000 })).rejects.toMatchObject({
    code: 'timeout',
    request: { state: 'queued' },
  });
});

it('gives up a wait when told to, also once memory was collected', async () => {
  await requests.submit('x');
  const over = new AbortController();
  const waits = [
    requests.wait('1-00000000', { signal: over.signal }),
    requests.result('1-00000000', { waitMs: 1e9, signal: over.signal }),
  ].map((wait) => wait.catch((error: unknown) => error));
  await expect.poll(() => server.calls.length).toBe(4);
  for (let nth = 0; nth < 5; nth += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const reason = new Error('enough');
  over.abort(reason);
  expect(await Promise.all(waits)).toEqual([reason, reason]);
});

it('reads a result whole although its connection is cut', async () => {
  await requests.submit('x');
  server.finish('1-00000000', { state: 'succeeded', body: 'the whole result' });
  server.faults.push((_call, response) => {
    response.writeHead(200, { 'Content-Length': '16' });
    response.write('the wh');
    setImmediate(() => response.destroy());
    return 'answered';
  });
  const result = await requests.result('1-00000000');
  expect(await result?.text()).toBe('the whole result');
});

it('says that a result was cut to who reads it as it comes', async () => {
  server.faults.push((_call, response) => {
    response.writeHead(200, { 'Content-Length': '16' });
    response.write('the wh');
    setImmediate(() => response.destroy());
    return 'answered';
  });
  const result = await requests.result('1-00000000');
  const read = async (): Promise<void> => {
    for await (const piece of result?.stream() ?? []) expect(piece.byteLength).toBe(6);
  };
  await expect(read()).rejects.toMatchObject({ code: 'unavailable' });
});

it('lists page after page', async () => {
  const page = (ids: readonly string[], next: string | null) =>
    server.faults.push((_call, response) => {
      send(response, 200, { requests: ids.map((id) => ({ id })), next });
      return 'answered';
    });
  page(['3-a', '2-a'], 'c2');
  page(['1-a'], null);
  const ids: string[] = [];
  const wanted = {
    states: ['queued', 'running'],
    tags: { user: 'a=b' },
    from: new Date(0),
    limit: 2,
  } as const;
  for await (const { id } of requests.list(wanted)) ids.push(id);
  expect(ids).toEqual(['3-a', '2-a', '1-a']);
  const asked = 'state=queued&state=running&tag=user%3Da%3Db&from=1970-01-01T00%3A00%3A00.000Z';
  expect(server.calls.map(({ path }) => path)).toEqual([
    `/requests?${asked}&limit=2`,
    `/requests?${asked}&limit=2&cursor=c2`,
  ]);
});
