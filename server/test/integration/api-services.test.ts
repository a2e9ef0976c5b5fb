// The administrative API over real HTTP, mostly through the SDK's own client.

import { AdminClient, PlatformError } from '@sluice/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiWorld, adminToken, openApiWorld } from './api-world.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await openApiWorld();
});
afterEach(() => world.close());

const queuesOnly = { metadata: { name: 'm', type: 'Async', instance: 0 } };

async function failure(promise: Promise<unknown>): Promise<PlatformError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof PlatformError) return error;
  throw new Error(`expected a PlatformError, not ${String(error)}`);
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: adminToken, ...init.headers };
  return fetch(`${world.url}${path}`, { ...init, headers });
}

/** A test reads what it asserts; `any` spares it the shape of every answer. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
async function json(response: Response): Promise<any> {
  return response.json();
}

describe('services', () => {
  test('are created once, applied any number of times, listed and deleted', async () => {
    const { client } = world;
    const created = await client.createService(queuesOnly);
    expect(created).toMatchObject({ outcome: 'created', name: 'm', revision: 1 });
    expect(created.endpoint).toBe(`${world.url}/api/predict/m`);
    expect(created.token).not.toBe('');
    expect((await failure(client.createService(queuesOnly))).code).toBe('conflict');
    expect((await client.applyService('m', queuesOnly)).outcome).toBe('unchanged');
    const changed = { ...queuesOnly, queue: { max_delivery: 2 } };
    expect(await client.applyService('m', changed)).toMatchObject({
      outcome: 'updated',
      revision: 2,
      token: created.token,
    });
    expect((await client.services()).map((service) => service.name)).toEqual(['m']);
    expect(await client.service('m')).toMatchObject({
      status: 'Running',
      token: created.token,
      endpoint: created.endpoint,
    });
    await client.deleteService('m');
    expect(await client.services()).toEqual([]);
    expect((await failure(client.deleteService('m'))).code).toBe('not_found');
  });

  test('are refused with every mistake at once, as a problem document', async () => {
    const wrong = { metadata: { name: 'm', instance: -1 }, queue: { max_delivery: 'many' } };
    const response = await call('/v1/services', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(wrong),
    });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const problem = await json(response);
    expect(problem).toMatchObject({ code: 'bad_request', status: 400 });
    expect(problem.mistakes.length).toBeGreaterThan(1);
    const told = await failure(world.client.createService(wrong));
    expect(told.message).toContain('queue.max_delivery');
  });

  test('take comments, and say where the body is no JSON', async () => {
    const put = (body: string) =>
      call('/v1/services/m', {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body,
      });
    expect((await put(`// ours\n${JSON.stringify(queuesOnly)}`)).status).toBe(200);
    const broken = await put('{\n  "metadata": }');
    expect(broken.status).toBe(400);
    expect((await json(broken)).detail).toMatch(/line 2, column 15/);
    const form = await call('/v1/services/m', { method: 'PUT', body: 'x=1' });
    expect(form.status).toBe(415);
    const large = await put(`"${'x'.repeat(2 ** 20)}"`);
    expect(large.status).toBe(413);
  });

  test('are refused under another name than the address says', async () => {
    const error = await failure(world.client.applyService('other', queuesOnly));
    expect(error.message).toContain('other');
  });
});

describe('access', () => {
  test('needs the admin token, raw or as Bearer, also on loopback', async () => {
    const status = async (authorization: string | undefined) => {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const response = await fetch(`${world.url}/v1/services`, { headers });
      return response.status;
    };
    expect(await status(undefined)).toBe(401);
    expect(await status('')).toBe(401);
    expect(await status('Bearer ')).toBe(401);
    expect(await status(`${adminToken}x`)).toBe(401);
    expect(await status(adminToken)).toBe(200);
    expect(await status(`Bearer ${adminToken}`)).toBe(200);
  });

  test('does not let a service token administrate', async () => {
    const { token } = await world.client.createService(queuesOnly);
    const stranger = new AdminClient({ url: world.url, token });
    expect((await failure(stranger.services())).code).toBe('unauthorized');
  });

  test('is checked before anything is said about the address', async () => {
    const response = await fetch(`${world.url}/v1/services/none`, { method: 'DELETE' });
    expect(response.status).toBe(401);
  });

  test('gives metrics to this machine without a token, but not through a proxy', async () => {
    const metrics = (headers: Record<string, string>) =>
      fetch(`${world.url}/metrics`, { headers }).then((response) => response.status);
    expect(await metrics({})).toBe(200);
    expect(await metrics({ 'X-Forwarded-For': '203.0.113.9' })).toBe(401);
    expect(await metrics({ 'X-Forwarded-For': 'x', Authorization: adminToken })).toBe(200);
  });
});

describe('tokens', () => {
  test('are added with scopes, shown once, rotated and removed', async () => {
    const { client } = world;
    const { token } = await client.createService(queuesOnly);
    const web = await client.addToken('m', 'web', ['submit', 'read']);
    expect(web).toMatchObject({ name: 'web', scopes: ['submit', 'read'] });
    expect(await client.tokens('m')).toEqual([
      { name: 'main', scopes: [] },
      { name: 'web', scopes: ['submit', 'read'] },
    ]);
    expect((await failure(client.addToken('m', 'web', ['read']))).code).toBe('conflict');
    expect((await failure(client.addToken('m', 'main', ['read']))).code).toBe('bad_request');
    expect((await failure(client.addToken('m', 'x', []))).message).toContain('submit');
    const rotated = await client.rotateToken('m');
    expect(rotated.token).not.toBe(token);
    expect((await client.service('m')).token).toBe(rotated.token);
    await client.removeToken('m', 'web');
    expect((await failure(client.removeToken('m', 'web'))).code).toBe('not_found');
  });
});

describe('instances', () => {
  test('are listed, and their logs come as they are written', async () => {
    const { client, log } = world;
    await client.createService(queuesOnly);
    expect(await client.instances('m')).toMatchObject([{ name: 'm-0', busy: 3, window: 4 }]);
    log.pieces = pieces('one\n', 'two é\n');
    let text = '';
    for await (const piece of client.logs('m', 'm-0', { tail: 5 })) text += piece;
    expect(text).toBe('one\ntwo é\n');
    const nobody = client.logs('m', 'm-9').next();
    expect((await failure(nobody)).code).toBe('not_found');
    const badTail = await call('/v1/services/m/instances/m-0/logs?tail=x');
    expect(badTail.status).toBe(400);
  });

  test('may be quiet for long: the log of one is kept alive as that of all is', async () => {
    const body = '\n\n{"instance":"m-0","line":"one"}\n\n{"instance":"m-0","line":"two"}\n\n';
    const asked: string[] = [];
    const fetch = async (url: unknown): Promise<Response> => {
      asked.push(String(url));
      return new Response(body);
    };
    const client = new AdminClient({ url: 'http://127.0.0.1:1', token: 't', fetch });
    let text = '';
    for await (const piece of client.logs('m', 'm-0', { follow: true })) text += piece;
    expect(text).toBe('one\ntwo\n');
    // Empty lines come now and then on this path alone.
    expect(asked).toEqual(['http://127.0.0.1:1/v1/services/m/logs?follow=true&instance=m-0']);
  });

  test('stop writing to a follower who has left', async () => {
    const { client, log } = world;
    await client.createService(queuesOnly);
    let isEnded = false;
    let leave = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    log.pieces = (async function* () {
      try {
        yield Buffer.from('first\n');
        await left;
        yield Buffer.from('second\n');
      } finally {
        isEnded = true;
      }
    })();
    const end = new AbortController();
    const reader = client.logs('m', 'm-0', { follow: true, signal: end.signal });
    expect((await reader.next()).value).toBe('first\n');
    end.abort();
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    while (!isEnded) {
      leave();
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

describe('the server', () => {
  test('says whether it is alive, ready, and what it is', async () => {
    const text = async (path: string) => (await fetch(`${world.url}${path}`)).text();
    expect(await text('/healthz')).toBe('ok\n');
    expect(await text('/readyz')).toBe('ready\n');
    world.state.notReady = 'recovering';
    const response = await fetch(`${world.url}/readyz`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ code: 'unavailable', detail: 'recovering' });
    expect(await world.client.server()).toMatchObject({ name: 'sluice', version: '1.2.3' });
  });

  test('counts calls to models by service, for the usual query', async () => {
    await world.client.createService(queuesOnly);
    world.telemetry.inferenceDone('m', 'succeeded', 0.3);
    const metrics = await world.client.metrics();
    const bucket = /inference_request_duration_seconds_bucket\{le="0.5",service_name="m"[^}]*\} 1/;
    expect(metrics).toMatch(bucket);
    expect(metrics).toContain('sluice_instances{service="m",state="Running"} 1');
    expect(metrics).toContain('sluice_info{version="1.2.3",engine="memory"} 1');
    expect(metrics).toMatch(/process_resident_memory_bytes \d+/);
    await world.client.deleteService('m');
    expect(await world.client.metrics()).not.toContain('service_name="m"');
  });

  test('describes every call of its API', async () => {
    const response = await fetch(`${world.url}/v1/openapi.json`);
    const { openapi, paths, components } = await json(response);
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths['/v1/services/{name}'])).toEqual(['get', 'put', 'patch', 'delete']);
    const tail = paths['/v1/services/{name}/instances/{instance}/logs'].get.parameters;
    expect(tail.map((each: { name: string }) => each.name)).toContain('tail');
    expect(Object.keys(components.schemas)).toContain('ServiceDescription');
    const references = JSON.stringify(paths).match(/#\/components\/schemas\/\w+/g) ?? [];
    for (const reference of references) {
      expect(components.schemas).toHaveProperty(reference.split('/').at(-1) ?? '');
    }
  });

  test('answers an unknown address with a problem document', async () => {
    const response = await call('/v1/nothing');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'not_found' });
  });
});

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    const bytes = Buffer.from(text);
    // Cut inside of characters on purpose.
    for (const byte of bytes) yield Buffer.from([byte]);
  }
}
