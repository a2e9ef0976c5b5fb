// A request that runs on another machine, seen from here: its stream and reports reach who follows
// it over HTTP and over the stream protocol, and a cancel reaches its model.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, RequestClient, type RequestEvent } from '@sluice/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  adminToken,
  type JoinedWorld,
  openJoinedWorld,
  type RunningServer,
} from './joined-world.ts';

let world: JoinedWorld;
let server: RunningServer;
let model: Server;
let modelUrl = '';
/** Calls that are not answered, and what the cancel hook was told. */
const calls: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
const canceled: (string | string[] | undefined)[] = [];

beforeAll(async () => {
  model = createServer((request, response) => {
    request.resume();
    if (request.url === '/stop') {
      canceled.push(request.headers['sluice-index']);
      response.writeHead(204).end();
    } else calls.push({ request, response });
  });
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an object with a port.
  modelUrl = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
  world = openJoinedWorld();
  server = await world.serve();
  await server.client.createService({
    metadata: { name: 'far', type: 'Async', instance: 0, rpc: { worker_threads: 1 } },
    requests: { cancel: { path: '/stop' } },
  });
  const { token } = await server.client.addToken('far', 'worker', ['consume']);
  const args = ['--endpoint', modelUrl];
  world.worker({ url: server.url, service: 'far', token, args });
});
afterAll(async () => {
  await world.close();
  model.closeAllConnections();
  await new Promise((resolve) => model.close(resolve));
});

const requests = (): RequestClient =>
  new RequestClient({ url: server.url, service: 'far', token: adminToken });

async function called(): Promise<(typeof calls)[number]> {
  await expect.poll(() => calls.length).toBe(1);
  const [call] = calls.splice(0);
  if (call === undefined) throw new Error('not called');
  return call;
}

/** What is told besides the states. */
async function tellingOf(events: AsyncIterable<RequestEvent>): Promise<string[]> {
  const told: string[] = [];
  for await (const { event, id, data } of events) {
    if (event !== 'state') told.push(`${id} ${event} ${JSON.stringify(data)}`);
  }
  return told;
}

it('tells what a model elsewhere streams and reports, while it does', async () => {
  const { id } = await requests().submit('question');
  const overHttp = tellingOf(requests().events(id));
  const client = await connect(server.url, { service: 'far', token: adminToken });
  const overStream = client.events(id);
  const { request, response } = await called();
  const first: string[] = [];
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
  while (first.at(-1) !== 'output') {
    const { value } = await overStream.next();
    first.push(value?.event ?? 'end');
  }
  const report = await fetch(String(request.headers['sluice-report-url']), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ percent: 50, stage: 'half' }),
  });
  expect(report.status).toBe(204);
  const { value } = await overStream.next();
  expect([value?.event, value?.data]).toEqual(['progress', { percent: 50, stage: 'half' }]);
  response.end('data: b\n\n');
  const told = await overHttp;
  expect(told).toEqual([
    '1.9 output {"text":"data: a\\n\\n"}',
    '1.11 progress {"percent":50,"stage":"half"}',
    '1.20 output {"text":"data: b\\n\\n"}',
    '1.20 done {"state":"succeeded","cause":"completed","code":"200"}',
  ]);
  expect(await tellingOf(overStream)).toEqual(told.slice(2));
  // Its worker follows the service as it was created.
  const { instance, revision, firstOutputAt } = await requests().status(id);
  expect([instance, revision]).toEqual([expect.stringContaining('far-'), 1]);
  expect(Date.parse(firstOutputAt ?? '')).toBeGreaterThan(0);
  await client.close();
  // Late, and from the middle.
  expect(await tellingOf(requests().events(id, { after: '1.15' }))).toEqual([
    '1.20 output {"text":": b\\n\\n"}',
    told.at(-1),
  ]);
});

it('tells a model elsewhere that its request was canceled', async () => {
  const { id, index } = await requests().submit('long work');
  const { response } = await called();
  const cut = new Promise((resolve) => response.once('close', resolve));
  await requests().cancel(id);
  await cut;
  await expect.poll(() => canceled).toEqual([String(index)]);
  const free = async (): Promise<boolean | undefined> =>
    (await requests().status(id)).cancel?.unconfirmed;
  await expect.poll(free).toBe(false);
});
