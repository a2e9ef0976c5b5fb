// The client of the request API in front of a real server: results survive a crash in the midst of
// a wait, streams are followed, and strangers see nothing.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AdminClient, RequestClient, type RequestEvent, verifyWebhook } from '@sluice/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRequestService, type RequestService } from './request-service.ts';

// Each command is a process, and each world a server.

let service: RequestService;
let requests: RequestClient;

beforeAll(async () => {
  service = await openRequestService();
  requests = clientOf(service.token);
});
afterAll(() => service.close());

function clientOf(token: string): RequestClient {
  return new RequestClient({ url: service.url, service: 'demo', token });
}

it('runs a request, and shows it with all that was asked for', async () => {
  const result = await requests.run({ page: 1 }, { tags: { user: 'ä=1' }, priority: 2 });
  expect([result.ok, result.contentType]).toEqual([true, 'application/json']);
  expect(await result.json()).toEqual({ page: 1 });
  const info = await requests.status(result.id);
  expect(info).toMatchObject({
    state: 'succeeded',
    priority: 2,
    tags: { user: 'ä=1' },
    code: '200',
  });
  const refused = await requests.run('status 404');
  expect([refused.ok, refused.modelStatus, await refused.text()]).toEqual([false, 404, 'said 404']);
});

it('carries bytes as they are', async () => {
  const bytes = new Uint8Array(4096).map((_, at) => at * 7);
  const blob = new Blob([bytes], { type: 'image/png' });
  const { size } = await requests.run(blob);
  expect(size).toBeGreaterThan(0);
});

it('has the result of a request that ran while the server was killed', async () => {
  const running = requests.run('wait through a crash', { idempotencyKey: 'crash-1' });
  await expect.poll(() => service.model.calls).toContain('wait through a crash');
  await service.crash();
  service.model.holds = false;
  service.model.release();
  const result = await running;
  service.model.holds = true;
  expect(await result.text()).toBe('wait through a crash');
  const again = await requests.submit('wait through a crash', { idempotencyKey: 'crash-1' });
  expect([again.id, again.repeated]).toEqual([result.id, true]);
  await expect(requests.submit('another', { idempotencyKey: 'crash-1' })).rejects.toMatchObject({
    code: 'key_reused',
  });
});

it('follows a stream from its beginning, and again from where one was', async () => {
  const { id } = await requests.submit('stream one two three');
  const events: RequestEvent[] = [];
  for await (const event of requests.events(id)) {
    events.push(event);
    if (event.event === 'output') service.model.release();
  }
  const text = events.map((event) =>
    event.event === 'output' && 'text' in event.data ? event.data.text : '',
  );
  expect(text.join('')).toBe('data: stream\n\ndata: one\n\ndata: two\n\ndata: three\n\n');
  expect(events.at(-1)).toMatchObject({ event: 'done', data: { state: 'succeeded' } });
  const first = events.findIndex(({ event }) => event === 'output');
  const rest: RequestEvent[] = [];
  for await (const event of requests.events(id, { after: events[first]?.id })) rest.push(event);
  expect(rest).toEqual(events.slice(first + 1));
});

it('tells each step until a request is at rest, and cancels one that runs', async () => {
  const { id } = await requests.submit('wait to be canceled');
  const states: string[] = [];
  for await (const info of requests.changes(id)) {
    states.push(info.state);
    if (info.state === 'running') await requests.cancel(id, { reason: 'enough' });
  }
  expect(states.at(-1)).toBe('canceled');
  await expect(requests.result(id)).rejects.toMatchObject({
    name: 'RequestError',
    code: 'gone',
    request: { id, state: 'canceled' },
  });
  const info = await requests.wait(id);
  expect(info.cancel).toMatchObject({ requestedAt: expect.stringMatching(/Z$/) });
  await expect(requests.cancel(id)).resolves.toMatchObject({ state: 'canceled' });
});

it('submits a batch, lists it page after page, and says which line is wrong', async () => {
  const items = Array.from({ length: 25 }, (_, page) => ({ body: { page }, tags: { job: 'b' } }));
  const wrong = { body: 'x', priority: -1, tags: { job: 'b' } };
  const outcomes: string[] = [];
  for await (const outcome of requests.batch([...items, wrong])) {
    outcomes.push('request' in outcome ? 'accepted' : outcome.problem.code);
  }
  expect(outcomes).toEqual([...items.map(() => 'accepted'), 'bad_request']);
  const seen: number[] = [];
  for await (const { index } of requests.list({ tags: { job: 'b' }, limit: 10 })) seen.push(index);
  expect(seen).toHaveLength(25);
  expect(seen).toEqual([...seen].sort((one, other) => other - one));
});

it('shows a token its own requests only', async () => {
  const admin = new AdminClient({ url: service.url, token: service.adminToken });
  const { token } = await admin.addToken('demo', 'web', ['submit', 'read']);
  const web = clientOf(token);
  const theirs = await requests.submit('theirs');
  const own = await web.submit('own');
  const found: string[] = [];
  for await (const { id } of web.list()) found.push(id);
  expect(found).toEqual([own.id]);
  await expect(web.status(theirs.id)).rejects.toMatchObject({ code: 'not_found' });
  await expect(web.cancel(theirs.id)).rejects.toMatchObject({ code: 'not_found' });
  await expect(web.dead.page()).rejects.toMatchObject({ code: 'forbidden' });
  await expect(clientOf('wrong').list().next()).rejects.toMatchObject({ code: 'unauthorized' });
});

it('trusts the callbacks of the server, and nobody else’s', async () => {
  const admin = new AdminClient({ url: service.url, token: service.adminToken });
  const received: { headers: IncomingMessage['headers']; body: Buffer }[] = [];
  const receiver = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    received.push({ headers: request.headers, body: Buffer.concat(pieces) });
    response.writeHead(received.length === 1 ? 500 : 204).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  // What listens is an address with a port.
  const callback = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const { id } = await requests.submit('to be told', { callback });
  await expect.poll(() => received.length).toBe(1);
  await requests.replayCallback(id);
  const { pending, attempts } = await requests.callbacks(id);
  expect(pending).toBe(false);
  expect(attempts.map(({ status }) => status)).toEqual([500, 204]);
  const shown = await service.sluice('status', 'demo', id);
  expect(shown.stdout).toMatch(/\| request\.succeeded \| +500 \| failed +\|/);
  const [{ secret, publicKey } = { secret: '', publicKey: '' }] = (await admin.webhooks('demo'))
    .keys;
  for (const { headers, body } of received) {
    for (const secrets of [secret, publicKey]) {
      const { event } = await verifyWebhook({ body, headers, secrets });
      expect(event).toMatchObject({
        type: 'request.succeeded',
        data: { id, state: 'succeeded', result: { text: 'to be told' } },
      });
    }
    const forged = Buffer.concat([body, Buffer.from(' ')]);
    await expect(verifyWebhook({ body: forged, headers, secrets: secret })).rejects.toMatchObject({
      code: 'unauthorized',
    });
  }
  receiver.closeAllConnections();
  receiver.close();
});

it('puts a dead request anew with another body', async () => {
  service.model.isBroken = true;
  const { id } = await requests.submit('to die');
  expect((await requests.wait(id)).state).toBe('dead');
  service.model.isBroken = false;
  const all = (await requests.dead.page()).dead;
  const dead = all.find((each) => each.id === id);
  expect(dead).toMatchObject({ id, deliveries: 2, code: '502' });
  const rearIndex = dead?.rearIndex ?? 0;
  expect(new TextDecoder().decode(await requests.dead.payload(rearIndex))).toBe('to die');
  expect((await requests.dead.look(rearIndex)).outcomes).toHaveLength(2);
  const anew = await requests.dead.redrive(rearIndex, { body: 'to live' });
  const result = await requests.result(anew.id, { waitMs: 20_000 });
  expect(await result?.text()).toBe('to live');
  await expect(requests.dead.look(rearIndex)).rejects.toMatchObject({ code: 'not_found' });
});
