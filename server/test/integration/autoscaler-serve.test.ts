// A real server with model processes that come and go with the load: from nothing to one, to many,
// and back to nothing, each step with its event, and no request the worse for it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient, type EventInfo } from '@sluice/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { type CommandWorld, openCommandWorld, type RunningCommand } from './cli-process.ts';

const adminToken = 'the-admin-token-of-the-scaling-test';
const name = 'swarm';

/** Takes 400 ms for a request, 9 s for a long one, and writes down which it was given. */
const model = `
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
createServer(async (request, response) => {
  if (request.url === '/metrics') return response.end('depth 1\\n');
  let body = '';
  for await (const piece of request) body += piece;
  appendFileSync(process.env.BOOK, body + '\\n');
  setTimeout(() => response.end('did ' + body), body.startsWith('long') ? 9000 : 400);
}).listen(Number(process.env.PORT), process.env.HOST);
`;

let world: CommandWorld;
let server: RunningCommand;
let admin: AdminClient;
let url: string;
let address = '127.0.0.1:0';

beforeAll(async () => {
  world = openCommandWorld();
  writeFileSync(join(world.home, 'model.mjs'), model);
  await serve();
  await admin.createService({
    metadata: { name, type: 'Async', rpc: { worker_threads: 1 } },
    token: '',
    containers: [
      {
        command: `${process.execPath} ${join(world.home, 'model.mjs')}`,
        env: [{ name: 'BOOK', value: book() }],
      },
    ],
    autoscaler: {
      min: 0,
      max: 5,
      strategies: { 'queue[avgbacklog]': 3 },
      behavior: {
        scaleDown: { stabilizationWindowSeconds: 2 },
        onZero: { scaleDownGracePeriodSeconds: 2 },
      },
    },
  });
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  await world.close();
});

function book(): string {
  return join(world.home, 'book');
}

async function serve(): Promise<void> {
  const data = join(world.home, 'data');
  const environment = { SLUICE_ADMIN_TOKEN: adminToken };
  server = world.start(['serve', '--listen', address, '--data', data], { environment });
  [, url = ''] = await server.says(/on (http:\S+)\n[\s\S]*Ready/);
  address = new URL(url).host;
  admin = new AdminClient({ url, token: adminToken });
}

/** When the put was accepted. */
async function put(body: string): Promise<number> {
  const response = await fetch(`${url}/api/predict/${name}`, { method: 'POST', body });
  expect(response.status).toBe(200);
  return systemClock.now().wall;
}

async function scalings(): Promise<readonly EventInfo[]> {
  const found: EventInfo[] = [];
  for await (const event of admin.events(name)) if (event.kind === 'scaling') found.push(event);
  return found;
}

/** Looks until it is so; the time limit of the test is the limit of the wait. */
async function until<Value>(
  look: () => Promise<Value>,
  fact: (value: Value) => boolean,
): Promise<Value> {
  for (;;) {
    const value = await look();
    if (fact(value)) return value;
    await new Promise<void>((resolve) => systemClock.after(50, resolve));
  }
}

async function results(count: number): Promise<readonly string[]> {
  const query = '_index_=0&_length_=100&_timeout_=100ms&_auto_delete_=false&_raw_=false';
  const found = await until(
    async (): Promise<readonly { readonly data: string }[]> => {
      const headers = { accept: 'application/json' };
      const answer = await fetch(`${url}/api/predict/${name}/sink?${query}`, { headers });
      const text = await answer.text();
      return text === '' ? [] : JSON.parse(text);
    },
    (all) => all.length >= count,
  );
  return found.map(({ data }) => Buffer.from(data, 'base64').toString());
}

test('a service at 0 starts its first instance as soon as a request is accepted', async () => {
  expect(await admin.instances(name)).toEqual([]);
  const acceptedAt = await put('first');
  const [event] = await until(scalings, (all) => all.length > 0);
  expect(event).toMatchObject({
    what: 'from-zero',
    text: '0 → 1 instances: a request waits and there are no instances',
    facts: { from: 0, to: 1 },
  });
  // Not with the next look of the autoscaler, which may be seconds away.
  expect(Date.parse(event?.at ?? '') - acceptedAt).toBeLessThan(1000);
  expect(await results(1)).toEqual(['did first']);
});

test('more come with more, and go when it is done, without touching what runs', async () => {
  const bodies = [...Array(30).keys()].map((number) => `request ${number}`);
  await put('long one');
  await put('long two');
  for (const body of bodies) await put(body);
  const done = await results(33);
  expect(new Set(done)).toEqual(
    new Set(['first', 'long one', 'long two', ...bodies].map((body) => `did ${body}`)),
  );
  const all = await until(scalings, (events) => events.at(-1)?.what === 'to-zero');
  const changes = all.filter(({ facts }) => facts.from !== undefined);
  const numbers = changes.map(({ facts }) => [facts.from, facts.to]);
  expect(Math.max(...numbers.map(([, to]) => Number(to)))).toBe(5);
  for (const [at, [from]] of numbers.entries()) {
    expect(from).toBe(at === 0 ? 0 : numbers[at - 1]?.[1]);
  }
  const kinds = changes.map(({ what }) => what);
  expect(kinds).toContain('scale-out');
  expect(kinds).toContain('scale-in');
  expect(changes.find(({ what }) => what === 'scale-out')?.text).toMatch(
    /^\d → 5 instances: queue\[avgbacklog\] is [\d.]+, above 3: that takes \d+$/,
  );
  await until(
    () => admin.instances(name),
    (instances) => instances.length === 0,
  );
  // Each request was given to an instance once: none was ended at work.
  const given = readFileSync(book(), 'utf8').trim().split('\n');
  expect([...given].sort()).toEqual(['first', 'long one', 'long two', ...bodies].sort());
});

test('what was decided and measured last is shown', async () => {
  const shown = await until(
    () => admin.autoscaler(name),
    (info) => info?.decision?.count === 0,
  );
  expect(shown).toMatchObject({
    wanted: 0,
    strategies: [{ metric: 'queue[avgbacklog]', threshold: 3, value: 0 }],
    decision: { count: 0, reason: expect.stringMatching(/\S/) },
  });
});

test('a restarted server knows that there are none, and starts one for a request', async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  await serve();
  expect(await admin.instances(name)).toEqual([]);
  await put('after');
  expect(await results(34)).toContain('did after');
  const last = (await scalings()).findLast(({ what }) => what === 'from-zero');
  expect(last?.facts).toEqual({ from: 0, to: 1 });
});
