// A joined worker over a network that fails again and again in the midst of everything, payloads in
// parts included: every request has one result and one call of the model, and the model never gets
// more at a time than its window.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JoinedWorld, openJoinedWorld, type RunningServer, seen } from './joined-world.ts';

const service = 'cuts';
const requests = 120;
const window = 4;
/** Every so many calls of the model the network goes for a while, longer than a call takes. */
const cutEvery = 7;
const cutMs = 40;
const workMs = 15;
/** Of every fifth payload and its result: more than travels in one piece. */
const largeBytes = 400_000;

let world: JoinedWorld;
let server: RunningServer;
beforeAll(async () => {
  world = openJoinedWorld();
  server = await world.serve();
});
afterAll(() => world.close());

test('loses nothing and does nothing twice on a network that is cut again and again', async () => {
  const token = await world.queues(server, service, {
    source: { max_payload_size_kb: 1024 },
    sink: { max_payload_size_kb: 1024 },
  });
  const network = await world.network(server.url);
  const seenAtModel = new Map<string, number>();
  let underWay = 0;
  let most = 0;
  let cuts = 0;
  const model = createServer(async (request, response) => {
    underWay += 1;
    most = Math.max(most, underWay);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    const [name = ''] = body.subarray(0, 40).toString('latin1').split(' ');
    seenAtModel.set(name, (seenAtModel.get(name) ?? 0) + 1);
    if (seenAtModel.size % cutEvery === 0) {
      cuts += 1;
      network.cut();
      setTimeout(() => network.mend(), cutMs);
    }
    setTimeout(() => {
      underWay -= 1;
      response.end(body);
    }, workMs);
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  // A listening TCP server has an address with a port.
  const { port } = model.address() as AddressInfo;
  const endpoint = ['--endpoint', `http://127.0.0.1:${port}`, '--window', String(window)];
  const worker = world.worker({ url: network.url, service, token, args: endpoint });
  await seen(server, service, ({ state }) => state === 'Running');

  const queues = await world.submit(server, service);
  const payload = (number: number): string =>
    `r${number} ${'x'.repeat(number % 5 === 0 ? largeBytes : 10)}`;
  const put = Array.from({ length: requests }, (_, number) => ({ payload: payload(number) }));
  await queues.input.putMany(put);
  const results = new Map<string, number>();
  for (let count = 0; count < requests; count += 1) {
    const [result] = await queues.sink.get({ waitMs: 20_000 });
    const text = Buffer.from(result?.payload ?? []).toString();
    const [name = ''] = text.split(' ');
    expect(text).toBe(payload(Number(name.slice(1))));
    results.set(name, (results.get(name) ?? 0) + 1);
  }
  expect(results.size).toBe(requests);
  expect(await queues.sink.get()).toEqual([]);
  expect([...seenAtModel.values()].filter((calls) => calls !== 1)).toEqual([]);
  expect(most).toBe(window);
  expect(cuts).toBeGreaterThan(10);
  worker.child.kill('SIGINT');
  expect(await worker.ended).toMatchObject({ code: 0 });
  model.closeAllConnections();
  model.close();
});
