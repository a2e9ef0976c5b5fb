// Events and the logs of whole services over HTTP, through the SDK's client.

import { setMaxListeners } from 'node:events';
import { AdminClient, type EventInfo, PlatformError } from '@sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServiceEvent } from '../../src/kernel/events.ts';
import { type ApiWorld, adminToken, openApiWorld } from './api-world.ts';

let world: ApiWorld;

beforeEach(async () => {
  world = await openApiWorld();
  await world.client.applyService('m', { metadata: { name: 'm', type: 'Async', instance: 0 } });
});

afterEach(() => world.close());

function record(service: string, text: string, kind: ServiceEvent['kind'] = 'instance'): void {
  world.events.record({ service, kind, what: 'ready', text });
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

const textsOf = (events: readonly EventInfo[]): string[] => events.map(({ text }) => text);

test('events are read by service, number, count and kind', async () => {
  const before = (await all(world.client.events())).at(-1)?.number ?? 0;
  record('m', 'one');
  record('other', 'two');
  record('m', 'three', 'scaling');
  expect(textsOf(await all(world.client.events(undefined, { after: before })))).toEqual([
    'one',
    'two',
    'three',
  ]);
  const ofService = await all(world.client.events('m', { after: before }));
  expect(textsOf(ofService)).toEqual(['one', 'three']);
  expect(ofService[0]).toMatchObject({ service: 'm', kind: 'instance', what: 'ready', facts: {} });
  expect(textsOf(await all(world.client.events('m', { limit: 1 })))).toEqual(['three']);
  const scaling = await all(world.client.events(undefined, { kind: 'scaling', after: before }));
  expect(textsOf(scaling)).toEqual(['three']);
});

test('events need the admin token, a known service and sensible parameters', async () => {
  const stranger = new AdminClient({ url: world.url, token: 'wrong' });
  await expect(all(stranger.events())).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(all(world.client.events('nobody'))).rejects.toMatchObject({ code: 'not_found' });
  for (const query of ['kind=missed', 'kind=x', 'after=-1', 'limit=1e9', 'follow=maybe']) {
    const response = await fetch(`${world.url}/v1/events?${query}`, {
      headers: { Authorization: `Bearer ${adminToken}` },
    });
    expect([query, response.status]).toEqual([query, 400]);
  }
});

test('a deleted service still tells what has become of it', async () => {
  await world.client.deleteService('m');
  record('m', 'it was deleted', 'service');
  world.events.gone('m');
  expect(textsOf(await all(world.client.events('m')))).toContain('it was deleted');
});

test('a follower hears at once what happens, and ends by its signal without an error', async () => {
  const end = new AbortController();
  const options = { follow: true, after: 0, kind: 'message', signal: end.signal } as const;
  record('m', 'one', 'message');
  const events = world.client.events('m', options);
  expect((await events.next()).value).toMatchObject({ text: 'one' });
  const next = events.next();
  record('m', 'two', 'message');
  expect((await next).value).toMatchObject({ text: 'two' });
  const last = events.next();
  end.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

test('a follower is told when the server ends, and goes on after the last number', async () => {
  record('m', 'one', 'message');
  const events = world.client.events('m', { follow: true, kind: 'message' });
  const { number = 0 } = (await events.next()).value ?? {};
  const next = events.next();
  record('m', 'two', 'message');
  world.closing.abort();
  expect((await next).value).toMatchObject({ text: 'two' });
  await expect(events.next()).rejects.toBeInstanceOf(PlatformError);
  const rest = await all(world.client.events('m', { after: number, kind: 'message' }));
  expect(textsOf(rest)).toEqual(['two']);
});

test('more followers than the limit are refused, and leave room when they go', async () => {
  const end = new AbortController();
  setMaxListeners(64, end.signal);
  record('m', 'one');
  const followers = Array.from({ length: 64 }, () =>
    world.client.events('m', { follow: true, signal: end.signal }),
  );
  await Promise.all(followers.map((each) => each.next()));
  const follow = { follow: true, limit: 1 };
  await expect(world.client.events('m', follow).next()).rejects.toMatchObject({
    code: 'rate_limited',
  });
  expect(await all(world.client.events('m', { limit: 1 }))).toHaveLength(1);
  end.abort();
  await Promise.all(followers.map((each) => each.next()));
  await expect
    .poll(async () => {
      const one = world.client.events('m', follow);
      const value = await one.next().catch((error: PlatformError) => error.code);
      await one.return(undefined);
      return value;
    })
    .toMatchObject({ done: false });
});

test('the metrics count what happens and say how many instances are wanted', async () => {
  record('m', 'one');
  record('m', 'two');
  record('m', 'three', 'scaling');
  const metrics = await world.client.metrics();
  expect(metrics).toContain('sluice_events_total{service="m",kind="instance",what="ready"} 2');
  expect(metrics).toContain('sluice_events_total{service="m",kind="scaling",what="ready"} 1');
  const last = /sluice_last_event_timestamp_seconds{service="m",kind="scaling",what="ready"} (.*)/;
  expect(Math.abs(Number(last.exec(metrics)?.[1]) - Date.now() / 1000)).toBeLessThan(60);
  expect(metrics).toContain('sluice_instances_wanted{service="m"} 0');
  expect(metrics).toContain('sluice_service_status{service="m",status="Running"} 1');
});

test('the log of a service comes as lines with their instance', async () => {
  world.log.pieces = (async function* () {
    yield Buffer.from('one\ntwo\n');
  })();
  expect(await all(world.client.serviceLogs('m', { tail: 5 }))).toEqual([
    { instance: 'm-0', line: 'one' },
    { instance: 'm-0', line: 'two' },
  ]);
  const gone = world.client.serviceLogs('m', { instance: 'm-7' });
  await expect(all(gone)).rejects.toMatchObject({ code: 'not_found' });
  await expect(all(world.client.serviceLogs('nobody'))).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('a followed log goes on until the reader leaves', async () => {
  let isClosed = false;
  world.log.pieces = (async function* () {
    try {
      for (let at = 0; ; at += 1) {
        yield Buffer.from(`line ${at} ${'x'.repeat(1000)}\n`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      isClosed = true;
    }
  })();
  const lines = world.client.serviceLogs('m', { follow: true });
  for (let at = 0; at < 5000; at += 1) {
    expect((await lines.next()).value?.line.startsWith(`line ${at} `)).toBe(true);
  }
  await lines.return(undefined);
  await expect.poll(() => isClosed).toBe(true);
});
