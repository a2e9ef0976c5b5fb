// Many requests at a time over HTTP: batches, and the dead, seen to one by one and all together.

import type {
  BatchOutcome,
  DeadDescription,
  DeadExport,
  DeadList,
  RedriveStep,
  RequestInfo,
} from '@sluice/sdk/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { closeWorld, Peer, token } from './eas-world.ts';
import { openRequests, type RequestsWorld, type RequestsWorldOptions } from './requests-world.ts';

afterEach(closeWorld);

const wait = { prefer: 'wait=20' };

/** Times and timers of a clock that is moved by hand. */
function timersOf(clock: VirtualClock): Pick<Clock, 'now' | 'after'> {
  return { now: () => clock.now(), after: (ms, run) => clock.after(ms, run) };
}

function lines<Line>(text: string): Line[] {
  const each = text.split('\n').filter((line) => line !== '');
  return each.map((line): Line => JSON.parse(line));
}

async function batch(world: RequestsWorld, body: string): Promise<BatchOutcome[]> {
  const headers = { 'content-type': 'application/x-ndjson' };
  const answer = await world.ask('POST', 'batches', { body, headers });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
  return lines(answer.text);
}

function problemOf(outcome: BatchOutcome | undefined): { code: string; detail: string } {
  if (outcome === undefined || !('problem' in outcome)) throw new Error('it was taken');
  return outcome.problem;
}

describe('a batch', () => {
  it('has an outcome for each line, in order, and a bad one stops no other', async () => {
    const world = await openRequests();
    const outcomes = await batch(
      world,
      [
        '{"body": {"n": 1}, "priority": 3, "tags": {"a": "1"}}',
        'this is no JSON',
        '',
        '{"text": "two", "path": "v1/x", "idempotencyKey": "k"}',
        '{"text": "two", "path": "v1/x", "idempotencyKey": "k"}',
        '{"text": "other", "path": "v1/x", "idempotencyKey": "k"}',
        '{"base64": "AP8=", "contentType": "image/x"}',
        '{"body": 1, "text": "2"}',
        '{"body": 1, "path": "../secret"}',
        '{"body": 1, "delay": "soon", "priority": 1, "startWithin": "-1s"}',
        '{"body": 1, "what": 2}',
        '[]',
        '{}',
      ].join('\n'),
    );
    expect(outcomes.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const kinds = outcomes.map((one) => ('problem' in one ? one.problem.code : one.request.index));
    const bad = 'bad_request';
    expect(kinds).toEqual([1, bad, 2, 2, 'key_reused', 3, bad, bad, bad, bad, bad, 4]);
    expect(outcomes[3]).toMatchObject({ repeated: true });
    expect(outcomes[0]).toMatchObject({ request: { priority: 3, tags: { a: '1' } } });
    expect(outcomes[2]).toMatchObject({ request: { path: '/v1/x' } });
    expect(problemOf(outcomes[8]).detail).toContain('startWithin');
    expect(problemOf(outcomes[8]).detail).toContain('delay');
  });

  it('brings each body to the model as it was written', async () => {
    const world = await openRequests();
    const written = '{"n": 12345678901234567890, "s": "\\u00e9\\"}" , "x": [1]}';
    await batch(
      world,
      [
        `{"tags": {"body": "no"}, "body": ${written} }`,
        '{"text": "zwölf"}',
        '{"base64": "AP8K"}',
        '{"body": null}',
      ].join('\n'),
    );
    const model = await world.echo();
    for (const index of [1, 2, 3, 4]) {
      const { id } = await infoOf(world, index);
      await world.ask('GET', `requests/${id}/result`, { headers: wait });
    }
    const seen = model.seen.map(({ body, headers }) => [body, headers['content-type']]);
    expect(seen).toEqual([
      [written, 'application/json'],
      ['zwölf', 'text/plain; charset=utf-8'],
      [Buffer.from([0, 255, 10]).toString(), 'application/octet-stream'],
      ['null', 'application/json'],
    ]);
  });

  it('may come in pieces of any size, and is answered as it comes', async () => {
    const world = await openRequests();
    const peer = await Peer.connect(world.port);
    peer.head('POST /v1/services/svc/batches HTTP/1.1', 'Transfer-Encoding: chunked');
    const send = (text: string): void => {
      peer.send(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    };
    for (const character of '{"text":"eins"}\n') send(character);
    for (let at = 2; at <= 65; at++) send(`{"text":"${at}"}\n`);
    // The first of them is answered while the last is still to come.
    await peer.until('"line":1,');
    expect(peer.text).toMatch(/^HTTP\/1.1 200 /);
    send('{"text":"');
    send('last"}');
    peer.send('0\r\n\r\n');
    await peer.until('"line":66,');
    await peer.until('\r\n0\r\n\r\n');
    expect(world.queues.view('input').length).toBe(66);
  });

  it('refuses a line over the limit, and goes on', async () => {
    const world = await openRequests();
    const most = world.queues.payloadBytesMax('input');
    const outcomes = await batch(
      world,
      [
        JSON.stringify({ text: 'x'.repeat(most + 1) }),
        JSON.stringify({ text: 'x'.repeat(most) }),
        JSON.stringify({ text: 'x'.repeat(most * 8) }),
        '{"text": "small"}',
      ].join('\n'),
    );
    const kinds = outcomes.map((one) => ('problem' in one ? one.problem.code : one.request.index));
    expect(kinds).toEqual(['too_large', 1, 'too_large', 2]);
  });
});

async function infoOf(world: RequestsWorld, index: number): Promise<RequestInfo> {
  const page = (await world.ask('GET', 'requests')).json<{ requests: RequestInfo[] }>();
  const found = page.requests.find((one) => one.index === index);
  if (found === undefined) throw new Error(`there is no request ${index}`);
  return found;
}

describe('the dead', () => {
  /** A world in which so many requests are dead, each with its number as body and tag. */
  async function dead(
    count: number,
    more: Pick<RequestsWorldOptions, 'clock'> = {},
  ): Promise<RequestsWorld> {
    const world = await openRequests({ settings: { deliveryMax: 1 }, ...more });
    for (let at = 1; at <= count; at++) {
      const headers = { 'sluice-tags': `n=${at}, kind=${at % 2}`, 'content-type': 'text/x-own' };
      await world.submit(`body ${at}`, headers);
    }
    const model = await world.instance((_request, response) => response.writeHead(504).end());
    const { id } = await infoOf(world, count);
    await world.ask('GET', `requests/${id}/result`, { headers: wait });
    await model.close();
    return world;
  }

  it('are listed, looked at, put anew and dropped', async () => {
    const world = await dead(3);
    const first = (await world.ask('GET', 'dead?limit=2')).json<DeadList>();
    expect(first.dead.map(({ tags }) => tags.n)).toEqual(['3', '2']);
    const rest = (await world.ask('GET', `dead?cursor=${first.next}`)).json<DeadList>();
    expect([rest.dead.map(({ tags }) => tags.n), rest.next]).toEqual([['1'], null]);
    const [one] = rest.dead;
    const look = (await world.ask('GET', `dead/${one?.rearIndex}`)).json<DeadDescription>();
    expect(look).toMatchObject({ index: 1, code: '504', deliveries: 1, contentType: 'text/x-own' });
    const payload = await world.ask('GET', `dead/${one?.rearIndex}/payload`);
    expect([payload.text, payload.headers['content-type']]).toEqual(['body 1', 'text/x-own']);
    const anew = await world.ask('POST', `dead/${one?.rearIndex}/redrive`, {
      body: 'better',
      headers: { 'content-type': 'text/x-new', 'sluice-tags': 'n=one', 'sluice-priority': '4' },
    });
    expect(anew.status).toBe(202);
    expect(anew.json()).toMatchObject({ redriveOf: 1, priority: 4, tags: { n: 'one' } });
    expect((await world.ask('GET', `dead/${one?.rearIndex}`)).status).toBe(404);
    const [last] = first.dead;
    expect((await world.ask('DELETE', `dead/${last?.rearIndex}`)).status).toBe(204);
    expect((await world.ask('GET', 'dead')).json<DeadList>().dead.length).toBe(1);
    const model = await world.echo();
    const result = await world.ask('GET', `${anew.headers.location}/result`, { headers: wait });
    expect([result.status, result.text]).toEqual([200, 'better']);
    expect(model.seen).toMatchObject([{ headers: { 'content-type': 'text/x-new' } }]);
  });

  it('are put anew as they were when nothing is changed', async () => {
    const world = await dead(1);
    const { dead: all } = (await world.ask('GET', 'dead')).json<DeadList>();
    const anew = await world.ask('POST', `dead/${all[0]?.rearIndex}/redrive`);
    expect(anew.json()).toMatchObject({ tags: { n: '1', kind: '1' }, sizeIn: 6 });
  });

  it('are exported with their bodies', async () => {
    const world = await dead(2);
    const exported = await world.ask('GET', 'dead/export');
    const found = lines<DeadExport>(exported.text);
    expect(found).toMatchObject([{ text: 'body 2' }, { text: 'body 1' }]);
  });

  it('are put anew many at a time, the oldest first, no faster than asked for', async () => {
    const world = await dead(4);
    const { dead: all } = (await world.ask('GET', 'dead')).json<DeadList>();
    const begunAt = performance.now();
    const body = JSON.stringify({ tags: { kind: '1' }, code: '504', perSecond: 5 });
    const answer = await world.ask('POST', 'dead/redrive', { body });
    // The second of them is due after 1/5 s.
    expect(performance.now() - begunAt).toBeGreaterThan(190);
    const steps = lines<RedriveStep>(answer.text);
    expect(steps).toMatchObject([
      { kind: 'redriven', request: { tags: { n: '1' } } },
      { kind: 'redriven', request: { tags: { n: '3' } } },
      { kind: 'done', redriven: 2, failed: 0 },
    ]);
    const indexes = all.map(({ rearIndex }) => rearIndex);
    const again = JSON.stringify({ indexes });
    const second = lines<RedriveStep>(
      (await world.ask('POST', 'dead/redrive', { body: again })).text,
    );
    expect(second.at(-1)).toEqual({ kind: 'done', redriven: 2, failed: 2 });
    const failed = second.filter(({ kind }) => kind === 'failed');
    expect(failed).toMatchObject([
      { problem: { code: 'not_found' } },
      { problem: { code: 'not_found' } },
    ]);
  });

  it('are put anew so slowly that an empty line now and then keeps the answer alive', async () => {
    const virtual = new VirtualClock(new SeededRandom(1));
    const world = await dead(3, { clock: { ...systemClock, ...timersOf(virtual) } });
    const body = '{"perSecond": 0.02}';
    const peer = await Peer.connect(world.port);
    const size = `Content-Length: ${body.length}`;
    peer.head('POST /v1/services/svc/dead/redrive HTTP/1.1', size);
    peer.send(body);
    const come = (what: RegExp) => peer.until(() => what.test(peer.text));
    await come(/"kind":"redriven"/);
    for (let beat = 1; beat <= 3; beat += 1) {
      await virtual.advance(15_000);
      await come(new RegExp(`(\\r\\n1\\r\\n\\n){${beat}}`));
    }
    expect(peer.text.match(/"kind":"redriven"/g)).toHaveLength(1);
    await virtual.advance(5_000);
    await come(/"kind":"redriven".*"kind":"redriven"/s);
    // The last of them is due long after the server has stopped.
    const stopping = world.stop();
    await peer.closed();
    await virtual.advance(1_000);
    await stopping;
    expect(peer.text).not.toContain('"kind":"done"');
    expect(world.queues.view('inputRear').length).toBe(1);
  });

  it('answer what is not there and what is not understood', async () => {
    const world = await openRequests();
    for (const path of ['dead/7', 'dead/x', 'dead/7/payload', 'dead/0']) {
      expect((await world.ask('GET', path)).status).toBe(404);
    }
    expect((await world.ask('POST', 'dead/7/redrive')).status).toBe(404);
    const headers = { 'sluice-delay': '1h', 'idempotency-key': 'k', traceparent: 'x' };
    const unheeded = await world.ask('POST', 'dead/7/redrive', { headers });
    expect(unheeded.json()).toMatchObject({
      status: 400,
      mistakes: [/^Idempotency-Key: /, /^Sluice-Delay: /].map((text) =>
        expect.stringMatching(text),
      ),
    });
    expect((await world.ask('PUT', 'dead/7')).status).toBe(405);
    for (const body of ['{"index": 1}', '{"perSecond": 0}', '{"indexes": [0]}', 'no']) {
      expect((await world.ask('POST', 'dead/redrive', { body })).status).toBe(400);
    }
    const nothing = await world.ask('POST', 'dead/redrive', { headers: { authorization: token } });
    expect(lines(nothing.text)).toEqual([{ kind: 'done', redriven: 0, failed: 0 }]);
  });
});
