// The life of a request over HTTP: its status, its result, its cancel, and lists of many.

import type { RequestInfo, RequestList, ResultProblem } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { closeWorld, signal, token } from './eas-world.ts';
import { adminToken, openRequests, type RequestsWorld } from './requests-world.ts';

afterEach(closeWorld);

const wait = { prefer: 'wait=20' };

/** Resolves when an answer is being held back. */
async function held(world: RequestsWorld): Promise<void> {
  while (world.meters.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('the status of a request', () => {
  it('has a tag under which nothing is sent again', async () => {
    const world = await openRequests();
    const { id } = await world.submit();
    const first = await world.ask('GET', `requests/${id}`);
    const { etag } = first.headers;
    expect(etag).toMatch(/^"[0-9a-f]{16}"$/);
    for (const known of [String(etag), `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await world.ask('GET', `requests/${id}`, {
        headers: { 'if-none-match': known },
      });
      expect([known, again.status, again.text]).toEqual([known, 304, '']);
    }
    const other = await world.ask('GET', `requests/${id}`, { headers: { 'if-none-match': '"x"' } });
    expect(other.status).toBe(200);
  });

  it('is held back until something changes', async () => {
    const world = await openRequests();
    const { id } = await world.submit();
    const { etag } = (await world.ask('GET', `requests/${id}`)).headers;
    const headers = { ...wait, 'if-none-match': String(etag) };
    const polling = world.ask('GET', `requests/${id}`, { headers });
    await held(world);
    const [begun, go] = [signal(), signal()];
    await world.instance((_request, response) => {
      begun.resolve();
      void go.promise.then(() => response.end('done'));
    });
    await begun.promise;
    const running = await polling;
    expect(running.json()).toMatchObject({ state: 'running', deliveries: 1, position: null });
    expect(running.headers['preference-applied']).toBe('wait=20');
    const after = { ...wait, 'if-none-match': String(running.headers.etag) };
    const next = world.ask('GET', `requests/${id}`, { headers: after });
    await held(world);
    go.resolve();
    expect((await next).json()).toMatchObject({ state: 'succeeded', cause: 'completed' });
  });

  it('is 304 when nothing changed while it was held back', async () => {
    const world = await openRequests();
    const { id } = await world.submit();
    const { etag } = (await world.ask('GET', `requests/${id}`)).headers;
    const headers = { prefer: 'wait=1', 'if-none-match': String(etag) };
    const answer = await world.ask('GET', `requests/${id}`, { headers });
    expect([answer.status, answer.headers['preference-applied']]).toEqual([304, 'wait=1']);
  });
});

describe('the result of a request', () => {
  it('is there as soon as it is, and stays', async () => {
    const world = await openRequests();
    const { id } = await world.submit('ping', { 'content-type': 'text/x-ping' });
    const early = await world.ask('GET', `requests/${id}/result`);
    expect(early.status).toBe(202);
    expect(Number(early.headers['retry-after'])).toBeGreaterThan(0);
    expect(early.json()).toMatchObject({ id, state: 'queued' });
    const waiting = world.ask('GET', `requests/${id}/result`, { headers: wait });
    await held(world);
    await world.echo();
    for (const answer of [await waiting, await world.ask('GET', `requests/${id}/result`)]) {
      expect([answer.status, answer.text]).toEqual([200, 'ping']);
      expect(answer.headers['content-type']).toBe('text/x-ping');
      expect(answer.headers['content-security-policy']).toContain('sandbox');
    }
    const { state, sizeOut } = (await world.ask('GET', `requests/${id}`)).json<RequestInfo>();
    expect([state, sizeOut]).toEqual(['succeeded', 4]);
    const head = await world.ask('HEAD', `requests/${id}/result`);
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '4']);
  });

  it('is 204 when the model had nothing to say', async () => {
    const world = await openRequests();
    await world.instance((_request, response) => response.end());
    const answer = await world.ask('POST', 'requests', { body: 'x', headers: wait });
    expect([answer.status, answer.text]).toEqual([204, '']);
  });

  it('of a failure is what the model said, with its status', async () => {
    const world = await openRequests();
    await world.instance((_request, response) => response.writeHead(422).end('no such voice'));
    const answer = await world.ask('POST', 'requests', { body: 'x', headers: wait });
    expect([answer.status, answer.text]).toEqual([200, 'no such voice']);
    expect(answer.headers['sluice-model-status']).toBe('422');
  });

  it('of a failure without one is a problem with the cause and the request', async () => {
    const world = await openRequests();
    await world.instance((_request, response) => response.writeHead(500).end());
    const answer = await world.ask('POST', 'requests', { body: 'x', headers: wait });
    expect(answer.status).toBe(409);
    expect(answer.headers['sluice-model-status']).toBe('500');
    const { code, detail, request } = answer.json<ResultProblem>();
    expect([code, request.state]).toEqual(['no_result', 'failed']);
    expect(detail).toContain('500');
  });

  it('put through a queue is seen without being taken, and says how it left', async () => {
    const world = await openRequests();
    await world.echo();
    const { index } = await world.queues.put('input', message('eas'));
    const [info] = (await world.ask('GET', 'requests?requestId=mine')).json<RequestList>().requests;
    expect(info).toMatchObject({ index, home: 'sink', requestId: 'mine' });
    const result = `requests/${info?.id}/result`;
    const read = await world.ask('GET', result, { headers: wait });
    expect([read.status, read.text]).toEqual([200, 'eas']);
    await world.queues.delete('sink', [1]);
    const gone = await world.ask('GET', result);
    expect(gone.status).toBe(410);
    expect(gone.json()).toMatchObject({ code: 'gone', request: { state: 'succeeded' } });
    expect(gone.json<ResultProblem>().detail).toMatch(/deleted from the sink at 2/);
  });
});

describe('a cancel', () => {
  it('takes out what waits, once and for all', async () => {
    const world = await openRequests();
    const { id } = await world.submit();
    const body = JSON.stringify({ reason: 'not needed' });
    const canceled = await world.ask('POST', `requests/${id}/cancel`, { body });
    expect(canceled.status).toBe(200);
    expect(canceled.json()).toMatchObject({
      state: 'canceled',
      cause: 'canceled',
      cancel: { unconfirmed: false, wastedMs: 0 },
    });
    expect((await world.ask('POST', `requests/${id}/cancel`)).status).toBe(200);
    const result = await world.ask('GET', `requests/${id}/result`);
    expect(result.status).toBe(410);
    expect(result.json<ResultProblem>().detail).toMatch(/^the request was canceled at 2/);
  });

  it('is refused once there is a result', async () => {
    const world = await openRequests();
    await world.echo();
    const done = await world.ask('POST', 'requests', { body: 'x', headers: wait });
    const at = String(done.headers.location);
    const answer = await world.ask('POST', `${at}/cancel`);
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({ code: 'conflict' });
  });

  it('is no submission, even of an id that there never was', async () => {
    const world = await openRequests();
    expect((await world.ask('POST', 'requests/nonsense/cancel')).status).toBe(404);
    expect((await world.ask('POST', 'requests/1-00000000/cancel')).status).toBe(404);
    const wrong = await world.ask('POST', 'requests/1-00000000/cancel', { body: '{"why":1}' });
    expect(wrong.status).toBe(400);
    expect(world.queues.view('input').lastIndex).toBe(0);
  });
});

describe('a list of requests', () => {
  it('goes from the newest to the oldest, page by page', async () => {
    const world = await openRequests();
    for (let at = 1; at <= 5; at++) await world.submit(String(at));
    const seen: number[] = [];
    let next: string | null = '';
    while (next !== null) {
      const cursor: string = next === '' ? '' : `&cursor=${next}`;
      const page = (await world.ask('GET', `requests?limit=2${cursor}`)).json<RequestList>();
      expect(page.requests.length).toBeLessThanOrEqual(2);
      seen.push(...page.requests.map(({ index }) => index));
      next = page.next;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  it('is narrowed by state, cause, tags, time and request id', async () => {
    const world = await openRequests();
    const first = await world.submit('1', { 'sluice-tags': 'a=1, b=2' });
    const second = await world.submit('2', { 'sluice-tags': 'a=1' });
    await world.ask('POST', `requests/${second.id}/cancel`);
    const third = await world.submit('3');
    const listed = async (query: string): Promise<number[]> => {
      const answer = await world.ask('GET', `requests?${query}`);
      return answer.json<RequestList>().requests.map(({ index }) => index);
    };
    expect(await listed('')).toEqual([3, 2, 1]);
    expect(await listed('state=queued')).toEqual([3, 1]);
    expect(await listed('state=queued&state=canceled')).toEqual([3, 2, 1]);
    expect(await listed('cause=canceled')).toEqual([2]);
    expect(await listed('tag=a=1')).toEqual([2, 1]);
    expect(await listed('tag=a=1&tag=b=2')).toEqual([1]);
    expect(await listed('tag=a=')).toEqual([]);
    expect(await listed(`requestId=${third.requestId}`)).toEqual([3]);
    expect(await listed('from=2999-01-01T00:00:00Z')).toEqual([]);
    expect(await listed(`to=${encodeURIComponent(first.acceptedAt)}`)).toEqual([]);
  });

  it.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'state=asleep',
    'cause=none',
    'from=yesterday',
    'tag=a',
    'tag==a',
    'cursor=MTox',
    'cursor=',
    'limit=1&limit=2',
    'what=1',
    '__proto__=1',
  ])('refuses %s', async (query) => {
    const world = await openRequests();
    const answer = await world.ask('GET', `requests?${query}`);
    expect([query, answer.status]).toEqual([query, 400]);
    const name = query.split('=')[0] ?? '';
    expect(answer.json<{ detail: string }>().detail).toContain(name);
  });
});

describe('who sees what', () => {
  const tokens = [
    { name: 'main', secret: token, scopes: undefined },
    { name: 'ann', secret: 'token-of-ann', scopes: new Set(['submit'] as const) },
    { name: 'ben', secret: 'token-of-ben', scopes: new Set(['submit', 'read'] as const) },
    { name: 'eye', secret: 'token-of-eye', scopes: new Set(['read'] as const) },
    { name: 'ops', secret: 'token-of-ops', scopes: new Set(['admin'] as const) },
    { name: 'gpu', secret: 'token-of-gpu', scopes: new Set(['consume'] as const) },
  ];
  const as = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` });

  it('is their own for further tokens, and everything for the other two', async () => {
    const world = await openRequests({ service: { tokens } });
    const ann = await world.submit('a', as('token-of-ann'));
    const main = await world.submit('m');
    expect([ann.owner, main.owner]).toEqual(['ann', null]);
    const status = async (id: string, secret: string): Promise<number> =>
      (await world.ask('GET', `requests/${id}`, { headers: as(secret) })).status;
    const calls = ['', '/result'].map((what) => `requests/${ann.id}${what}`);
    for (const path of calls) {
      const answer = await world.ask('GET', path, { headers: as('token-of-ben') });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect(await status(ann.id, 'token-of-ann')).toBe(200);
    expect(await status(main.id, 'token-of-ann')).toBe(404);
    expect(await status(ann.id, 'token-of-eye')).toBe(404);
    for (const secret of [token, adminToken, 'token-of-ops']) {
      expect([await status(ann.id, secret), await status(main.id, secret)]).toEqual([200, 200]);
    }
    expect(await status(ann.id, 'token-of-gpu')).toBe(403);
    expect(await status(ann.id, 'wrong')).toBe(401);
    const theirs = await world.ask('POST', `requests/${ann.id}/cancel`, {
      headers: as('token-of-ben'),
    });
    expect(theirs.status).toBe(404);
    expect((await world.ask('GET', `requests/${ann.id}`)).json()).toMatchObject({
      state: 'queued',
    });
  });

  it('is held to in lists', async () => {
    const world = await openRequests({ service: { tokens } });
    await world.submit('a', as('token-of-ann'));
    await world.submit('b', as('token-of-ben'));
    await world.submit('m');
    const owners = async (query: string, secret: string): Promise<unknown[]> => {
      const answer = await world.ask('GET', `requests${query}`, { headers: as(secret) });
      if (answer.status !== 200) return [answer.status];
      return answer.json<RequestList>().requests.map(({ owner }) => owner);
    };
    expect(await owners('', 'token-of-ann')).toEqual(['ann']);
    expect(await owners('?owner=ann', 'token-of-ann')).toEqual(['ann']);
    expect(await owners('?owner=ben', 'token-of-ann')).toEqual([403]);
    expect(await owners('', token)).toEqual([null, 'ben', 'ann']);
    expect(await owners('?owner=ben', 'token-of-ops')).toEqual(['ben']);
    expect(await owners('?owner=', adminToken)).toEqual([null]);
  });

  it('also says who may submit, and who may see to the dead', async () => {
    const world = await openRequests({ service: { tokens } });
    const submits = async (secret: string): Promise<number> =>
      (await world.ask('POST', 'requests', { body: 'x', headers: as(secret) })).status;
    expect(await submits('token-of-eye')).toBe(403);
    expect(await submits('token-of-gpu')).toBe(403);
    expect(await submits('token-of-ops')).toBe(202);
    expect((await world.ask('GET', 'dead', { headers: as('token-of-ann') })).status).toBe(403);
    expect((await world.ask('GET', 'dead', { headers: as('token-of-ops') })).status).toBe(200);
    const nobody = await world.ask('POST', 'requests', {
      body: 'x',
      headers: { authorization: '' },
    });
    expect([nobody.status, nobody.headers['www-authenticate']]).toEqual([
      401,
      'Bearer realm="sluice"',
    ]);
  });

  it('is nobody asked for in an open service', async () => {
    const world = await openRequests({ service: { open: true, tokens: [] } });
    const answer = await world.ask('POST', 'requests', {
      body: 'x',
      headers: { authorization: '' },
    });
    expect(answer.status).toBe(202);
  });

  it('of a stopped service can be read, but not added to', async () => {
    const world = await openRequests({ service: { stopped: 'the service is stopped' } });
    const answer = await world.ask('POST', 'requests', { body: 'x' });
    expect([answer.status, answer.json<{ detail: string }>().detail]).toEqual([
      503,
      'the service is stopped',
    ]);
    expect((await world.ask('POST', 'batches', { body: '{}' })).status).toBe(503);
    expect((await world.ask('GET', 'requests')).status).toBe(200);
  });
});

function message(text: string) {
  return {
    payload: Buffer.from(text),
    id: 'mine',
    tags: new Map(),
    priority: 0,
    by: { gid: 'default', uid: '' },
    path: undefined,
    contentType: undefined,
    home: 'sink',
    expiresAt: 0,
    owner: undefined,
    idempotencyKey: undefined,
    terms: undefined,
  } as const;
}
