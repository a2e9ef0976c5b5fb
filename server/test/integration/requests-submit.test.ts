// Submissions over HTTP: what is accepted, what is refused and how, and what comes back.

import type { RequestInfo } from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { onLeaveHeader, wishHeaders } from '../../src/http/requests/submit-headers.ts';
import { defaultSettings } from '../../src/queue/settings.ts';
import { closeWorld, signal } from './eas-world.ts';
import { openRequests } from './requests-world.ts';

afterEach(closeWorld);

describe('a submission', () => {
  it('is accepted with the request as it stands and where to find it', async () => {
    const world = await openRequests();
    const answer = await world.ask('POST', 'requests', {
      body: 'hello',
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer.status).toBe(202);
    const info = answer.json<RequestInfo>();
    expect(info).toMatchObject({
      service: 'svc',
      index: 1,
      state: 'queued',
      cause: null,
      position: 0,
      sizeIn: 5,
      priority: 0,
      tags: {},
      owner: null,
      path: null,
      home: 'record',
      doneAt: null,
    });
    const at = `/v1/services/svc/requests/${info.id}`;
    expect(answer.headers.location).toBe(at);
    expect(info.links).toEqual({
      status: at,
      result: `${at}/result`,
      events: `${at}/events`,
      cancel: `${at}/cancel`,
    });
    expect((await world.ask('GET', at)).json()).toMatchObject({ id: info.id, state: 'queued' });
  });

  it('hands body, content type and path to the model as they are', async () => {
    const world = await openRequests();
    const model = await world.echo();
    const body = Buffer.from([0, 255, 10, 13, 128]);
    const answer = await world.ask('POST', 'requests/v1/chat%20x/completions', {
      body,
      headers: { 'content-type': 'application/x-own; q="a b"', prefer: 'wait=20' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/x-own; q="a b"');
    expect(model.seen).toMatchObject([
      {
        url: '/v1/chat%20x/completions',
        headers: { 'content-type': 'application/x-own; q="a b"' },
      },
    ]);
  });

  it('keeps all that is asked for', async () => {
    const world = await openRequests();
    const before = Date.now();
    const info = await world.submit('x', {
      'sluice-priority': '7',
      'sluice-tags': 'a=1, %C3%A4=two%2C%20three, empty=',
      'sluice-start-within': '2h',
      'sluice-finish-within': '3h',
      'sluice-delay': '1h',
      'sluice-retention': '48h',
      'sluice-callback': 'https://example.com/hook?x=1',
      'sluice-callback-events': 'succeeded, failed',
      'idempotency-key': '"a \\"key\\""',
    });
    expect(info).toMatchObject({
      priority: 7,
      tags: { a: '1', ä: 'two, three', empty: '' },
      idempotencyKey: 'a "key"',
      callback: { url: 'https://example.com/hook?x=1', events: ['succeeded', 'failed'] },
    });
    const hour = 3_600_000;
    const from = (text: string | null): number =>
      Math.round((Date.parse(text ?? '') - before) / hour);
    expect(from(info.delayUntil)).toBe(1);
    expect(from(info.finishBy)).toBe(3);
  });

  it('says all that is wrong with it at once, each by its header', async () => {
    const world = await openRequests();
    const answer = await world.ask('POST', 'requests', {
      body: 'x',
      headers: {
        'idempotency-key': '"open',
        'sluice-priority': '-1',
        'sluice-tags': 'a=1, b',
        'sluice-start-within': 'soon',
        'sluice-finish-within': '0',
        'sluice-delay': '9999999h',
        'sluice-retention': 'ever',
        'sluice-callback': 'ftp://example.com/',
        'sluice-callback-events': 'succeeded, born',
        'sluice-body-address': 'nowhere',
        'sluice-on-leave': 'perhaps',
        'sluice-priorty': '1',
      },
    });
    expect(answer.status).toBe(400);
    const { code, mistakes } = answer.json<{ code: string; mistakes: string[] }>();
    expect(code).toBe('bad_request');
    expect(mistakes.map((line) => line.split(':')[0]).sort()).toEqual([
      'Idempotency-Key',
      'Sluice-Body-Address',
      'Sluice-Callback',
      'Sluice-Callback-Events',
      'Sluice-Delay',
      'Sluice-Finish-Within',
      'Sluice-On-Leave',
      'Sluice-Priority',
      'Sluice-Retention',
      'Sluice-Start-Within',
      'Sluice-Tags',
      'sluice-priorty',
    ]);
    expect(world.queues.view('input').length).toBe(0);
  });

  it.each([
    [{ 'sluice-delay': '2h', 'sluice-start-within': '1h' }, 'Sluice-Start-Within'],
    [{ 'sluice-delay': '2h', 'sluice-finish-within': '2h' }, 'Sluice-Finish-Within'],
    [{ 'sluice-tags': 'requestId=1' }, 'Sluice-Tags'],
    [{ 'sluice-tags': 'a=1,a=2' }, 'Sluice-Tags'],
    [{ 'sluice-tags': 'a=%zz' }, 'Sluice-Tags'],
    [{ 'sluice-callback-events': 'failed' }, 'Sluice-Callback-Events'],
    [{ 'idempotency-key': 'k'.repeat(256) }, 'Idempotency-Key'],
    [{ 'idempotency-key': '' }, 'Idempotency-Key'],
  ])('is refused with %j', async (headers: Record<string, string>, named) => {
    const world = await openRequests();
    const answer = await world.ask('POST', 'requests', { body: 'x', headers });
    expect(answer.status).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toContain(`${named}: `);
  });

  it('is refused when it would reach the model as something else', async () => {
    const world = await openRequests();
    const packed = await world.ask('POST', 'requests', {
      body: 'x',
      headers: { 'content-encoding': 'gzip' },
    });
    expect(packed.status).toBe(415);
    expect((await world.ask('POST', 'requests?seed=1', { body: 'x' })).status).toBe(400);
    const both = { 'sluice-body-address': 'https://example.com/x' };
    expect((await world.ask('POST', 'requests', { body: 'x', headers: both })).status).toBe(400);
    expect(world.queues.view('input').length).toBe(0);
  });

  it('with a body that lies elsewhere may be empty', async () => {
    const world = await openRequests();
    const headers = { 'sluice-body-address': 's3://bucket/key' };
    const answer = await world.ask('POST', 'requests', { body: '', headers });
    expect(answer.status).toBe(202);
  });

  it('answers 503 with a time to come back when the queue is full, not 450', async () => {
    const source = { ...defaultSettings.source, capacity: 1 };
    const world = await openRequests({ settings: { source } });
    await world.submit();
    const answer = await world.ask('POST', 'requests', { body: 'x' });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.json()).toMatchObject({ code: 'queue_full', status: 503 });
  });

  it('answers 413 to a body over the limit', async () => {
    const world = await openRequests();
    const size = world.queues.payloadBytesMax('input') + 1;
    const answer = await world.ask('POST', 'requests', { body: Buffer.alloc(size) });
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({ code: 'too_large' });
  });
});

describe('an idempotency key', () => {
  it('answers the first request again in whatever state, and refuses another body', async () => {
    const world = await openRequests();
    const key = { 'idempotency-key': 'k1' };
    const first = await world.submit('one', key);
    const again = await world.ask('POST', 'requests', { body: 'one', headers: key });
    expect(again.status).toBe(202);
    expect(again.headers['sluice-repeated']).toBe('true');
    expect(again.json()).toMatchObject({ id: first.id });
    const other = await world.ask('POST', 'requests', { body: 'two', headers: key });
    expect(other.status).toBe(422);
    expect(other.json()).toMatchObject({ code: 'key_reused' });
    await world.echo();
    await world.ask('GET', `requests/${first.id}/result`, { headers: { prefer: 'wait=20' } });
    const waits = { ...key, prefer: 'wait=20' };
    const late = await world.ask('POST', 'requests', { body: 'one', headers: waits });
    expect([late.status, late.text]).toEqual([200, 'one']);
    expect(late.headers['sluice-repeated']).toBe('true');
    expect(world.meters.waiting).toBe(0);
    expect([...world.meters.counts()]).toEqual([
      ['svc', 'accepted', 1],
      ['svc', 'repeated', 2],
    ]);
  });

  it('is the same with quotes and without', async () => {
    const world = await openRequests();
    const bare = await world.submit('x', { 'idempotency-key': 'k-1' });
    const quoted = await world.submit('x', { 'idempotency-key': '"k-1"' });
    expect(quoted.id).toBe(bare.id);
  });
});

describe('a submitter that waits', () => {
  it('gets the result, and is told what of its preferences was followed', async () => {
    const world = await openRequests();
    await world.echo();
    const answer = await world.ask('POST', 'requests', {
      body: 'ping',
      headers: { prefer: 'respond-async, wait=20' },
    });
    expect([answer.status, answer.text]).toEqual([200, 'ping']);
    expect(answer.headers['preference-applied']).toBe('wait=20');
    expect(answer.headers.location).toMatch(/^\/v1\/services\/svc\/requests\/1-[0-9a-f]{8}$/);
  });

  it('gets 202 when its time is up', async () => {
    const world = await openRequests();
    const answer = await world.ask('POST', 'requests', {
      body: 'x',
      headers: { prefer: 'wait=1; foo, respond-async' },
    });
    expect(answer.status).toBe(202);
    expect(answer.headers['preference-applied']).toBe('respond-async, wait=1');
    expect(answer.json()).toMatchObject({ state: 'queued' });
  });

  it('may leave: its request is canceled if it said so, and goes on otherwise', async () => {
    const canceled = signal();
    const world = await openRequests({
      change: {
        cancel: (real, ...of) => real.cancel(...of).finally(() => canceled.resolve()),
      },
    });
    const leave = async (how: string): Promise<string> => {
      const left = new AbortController();
      const headers = { authorization: 'token-of-the-service', prefer: 'wait=60' };
      const all = { ...headers, 'sluice-on-leave': how, 'idempotency-key': how };
      const url = `http://127.0.0.1:${world.port}/v1/services/svc/requests`;
      const waiting = fetch(url, { method: 'POST', body: 'x', headers: all, signal: left.signal });
      while (world.meters.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
      left.abort();
      await waiting.catch(() => undefined);
      while (world.meters.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
      return (await world.submit('x', { 'idempotency-key': how })).id;
    };
    const kept = await leave('keep');
    const gone = await leave('cancel');
    await canceled.promise;
    expect((await world.ask('GET', `requests/${gone}`)).json()).toMatchObject({
      state: 'canceled',
    });
    expect((await world.ask('GET', `requests/${kept}`)).json()).toMatchObject({ state: 'queued' });
  });

  it('may leave while another waits for the same request, which goes on', async () => {
    const canceled = signal();
    const world = await openRequests({
      change: { cancel: (real, ...of) => real.cancel(...of).finally(() => canceled.resolve()) },
    });
    const url = `http://127.0.0.1:${world.port}/v1/services/svc/requests`;
    const wait = { prefer: 'wait=60', 'sluice-on-leave': 'cancel', 'idempotency-key': 'both' };
    const headers = { authorization: 'token-of-the-service', ...wait };
    const submitters = [new AbortController(), new AbortController()];
    const left = submitters.map(({ signal: leave }) =>
      fetch(url, { method: 'POST', body: 'x', headers, signal: leave }).catch(() => undefined),
    );
    const waiting = async (count: number): Promise<void> => {
      while (world.meters.waiting !== count) await new Promise((resolve) => setImmediate(resolve));
    };
    await waiting(2);
    submitters[0]?.abort();
    await waiting(1);
    const { id, state } = await world.submit('x', { 'idempotency-key': 'both' });
    expect(state).toBe('queued');
    submitters[1]?.abort();
    await canceled.promise;
    expect((await world.ask('GET', `requests/${id}`)).json()).toMatchObject({ state: 'canceled' });
    await Promise.all(left);
  });

  it('is answered when the server stops', async () => {
    const world = await openRequests();
    const waiting = world.ask('POST', 'requests', { body: 'x', headers: { prefer: 'wait=60' } });
    while (world.meters.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    await world.stop();
    expect((await waiting).status).toBe(202);
  });

  it('is answered at once when too many wait already', async () => {
    const world = await openRequests({ limits: { pollsMax: 1 } });
    const first = world.ask('POST', 'requests', { body: 'x', headers: { prefer: 'wait=60' } });
    while (world.meters.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    const headers = { prefer: 'wait=60' };
    const second = await world.ask('POST', 'requests', { body: 'x', headers });
    expect(second.status).toBe(202);
    expect(second.headers['preference-applied']).toBeUndefined();
    await world.stop();
    await first;
  });
});

describe('a page of another origin', () => {
  const origin = 'https://app.example';

  it('may send and read every header of the request API once it is allowed', async () => {
    const access = { loopback: true, allowHosts: [], allowOrigins: [origin] };
    const world = await openRequests({ access });
    const preflight = await world.ask('OPTIONS', 'requests', {
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    const listed = (name: string, of = preflight): string[] =>
      String(of.headers[name]).toLowerCase().split(', ');
    const sent = listed('access-control-allow-headers');
    for (const name of [...Object.values(wishHeaders), onLeaveHeader, 'Prefer', 'If-None-Match']) {
      expect(sent).toContain(name.toLowerCase());
    }
    const answer = await world.ask('POST', 'requests', { body: 'x', headers: { origin } });
    expect(answer.status).toBe(202);
    const read = listed('access-control-expose-headers', answer);
    for (const name of [
      'location',
      'etag',
      'preference-applied',
      'sluice-repeated',
      'retry-after',
    ]) {
      expect(read).toContain(name);
    }
    const other = await world.ask('POST', 'requests', {
      body: 'x',
      headers: { origin: 'https://evil.example' },
    });
    expect(other.status).toBe(403);
  });
});
