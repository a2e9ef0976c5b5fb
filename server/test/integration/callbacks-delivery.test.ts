// Callbacks reach a real receiver, signed so that others can verify them, on the schedule that they
// promise, and nowhere else.

import { createPublicKey, verify } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallbackAttempt } from '@sluice/sdk/wire';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { attemptDelaysMs } from '../../src/callbacks/schedule.ts';
import type { Resolve } from '../../src/kernel/address-filter.ts';
import { type CallbackWorld, callbackWorld, type Received, receiver } from './callbacks-world.ts';

/** The attempts for a request, once there are so many. */
async function attempts(
  { callbacks }: CallbackWorld,
  index: number,
  count: number,
): Promise<readonly CallbackAttempt[]> {
  return vi.waitFor(async () => {
    const found = await callbacks.attempts('ocr', index);
    expect(found.attempts.length).toBe(count);
    return found.attempts;
  });
}

function verifiedBy(secret: string, { body, headers }: Received): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}

/** As a receiver does that has the public key only. */
function isSignedBy(publicKey: string, { body, headers }: Received): boolean {
  const raw = Buffer.from(publicKey.slice('whpk_'.length), 'base64');
  const head = Buffer.from('302a300506032b6570032100', 'hex');
  const key = createPublicKey({ key: Buffer.concat([head, raw]), format: 'der', type: 'spki' });
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  return String(headers['webhook-signature'])
    .split(' ')
    .map((signature) => signature.split(','))
    .some(
      ([version, bytes = '']) =>
        version === 'v1a' && verify(null, Buffer.from(content), key, Buffer.from(bytes, 'base64')),
    );
}

describe('a callback', () => {
  it('tells of the request, signed as the public package and the public key expect', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    const payload = Buffer.from('{"text":"hello"}');
    const result = { contentType: 'application/json; charset=utf-8', payload };
    world.rest(7, { url: `${target.url}?from=sluice`, result });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    const [call] = target.calls;
    if (call === undefined) return expect.fail('nothing was sent');
    expect(call.path).toBe('/hook?from=sluice');
    expect(call.headers['content-type']).toBe('application/json');
    const [keys] = (await world.callbacks.webhooks('ocr')).keys;
    expect(verifiedBy(keys?.secret ?? '', call)).toMatchObject({
      type: 'request.succeeded',
      data: {
        id: '7-0123abcd',
        service: 'ocr',
        state: 'succeeded',
        result: { contentType: result.contentType, json: { text: 'hello' } },
      },
    });
    expect(isSignedBy(keys?.publicKey ?? '', call)).toBe(true);
    expect(() => verifiedBy(keys?.secret ?? '', { ...call, body: `${call.body} ` })).toThrow();
    expect(isSignedBy(keys?.publicKey ?? '', { ...call, body: `${call.body} ` })).toBe(false);
    expect(target.calls.length).toBe(1);
  });

  it('is sent for the ends that were asked for only', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    world.rest(1, { url: target.url, state: 'succeeded', events: ['failed', 'dead'] });
    world.rest(2, { url: target.url, state: 'dead', events: ['failed', 'dead'] });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    expect(target.calls.map(({ body }) => JSON.parse(body).type)).toEqual(['request.dead']);
  });

  it('is sent once although its end could not be noted at first', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    world.failures.done = 2;
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(world.failures.done).toBe(1));
    await world.clock.advance(10_000);
    await vi.waitFor(() => expect(world.failures.done).toBe(0));
    await world.clock.advance(10_000);
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    expect(target.calls.length).toBe(1);
  });

  it('keeps its secrets to the owner of the files', async () => {
    const { callbacks, folder } = await callbackWorld();
    await callbacks.webhooks('ocr');
    expect((await readdir(join(folder, 'ocr'))).sort()).toEqual(['keys.json', 'service.json']);
    expect((await stat(join(folder, 'ocr', 'keys.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'ocr'))).mode & 0o777).toBe(0o700);
    await callbacks.forget('ocr');
    expect(await readdir(folder)).toEqual(['ocr']);
    await callbacks.close('ocr');
    await callbacks.forget('ocr');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a callback that is not taken', () => {
  it('is tried at once and nine times more, on the schedule, then given up', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 500 };
    world.rest(1, { url: target.url });
    for (let count = 1; count < attemptDelaysMs.length; count++) {
      const last = (await attempts(world, 1, count)).at(-1);
      expect(last).toMatchObject({ attempt: count, status: 500, outcome: 'failed' });
      const delay = Date.parse(last?.nextAt ?? '') - world.clock.now().wall;
      const wanted = attemptDelaysMs[count] ?? 0;
      expect(delay).toBeGreaterThanOrEqual(0.9 * wanted - 2);
      expect(delay).toBeLessThanOrEqual(1.1 * wanted + 2);
      expect(target.calls.length).toBe(count);
      await world.clock.advance(delay - 10);
      expect((await world.callbacks.attempts('ocr', 1)).pending).toBe(true);
      expect(target.calls.length).toBe(count);
      await world.clock.advance(20);
    }
    const all = await attempts(world, 1, attemptDelaysMs.length);
    expect(all.at(-1)).toMatchObject({ attempt: 10, outcome: 'givenUp', nextAt: null });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    expect(world.events.map(({ what }) => what)).toEqual(['given-up']);
    // Every attempt is the same message, signed anew.
    expect(new Set(target.calls.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(target.calls.map(({ headers }) => headers['webhook-signature'])).size).toBe(10);
  });

  it('goes on where it was after a restart, and is not sent before its time', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 500 };
    world.rest(1, { url: target.url });
    await attempts(world, 1, 1);
    await world.clock.advance(6000);
    await attempts(world, 1, 2);
    await world.restart();
    target.reply = { status: 200 };
    await world.clock.advance(60_000);
    expect(target.calls.length).toBe(2);
    await world.clock.advance(attemptDelaysMs[2] ?? 0);
    expect((await attempts(world, 1, 3)).at(-1)).toMatchObject({ attempt: 3, status: 200 });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
  });

  it('is found in the outbox by the next process when nobody told of it', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    world.restSilently(1, { url: target.url });
    world.restSilently(2, { url: target.url });
    await world.restart();
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    expect(target.calls.length).toBe(2);
  });

  it('waits as long as the receiver says when that is longer', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 503, headers: { 'retry-after': '3600' } };
    world.rest(1, { url: target.url });
    const [first] = await attempts(world, 1, 1);
    const delay = Date.parse(first?.nextAt ?? '') - world.clock.now().wall;
    expect(delay).toBeGreaterThan(3_599_000);
    expect(delay).toBeLessThan(3_601_000);
  });

  it('is over after 410, which closes the address, also after a restart', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 410 };
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    expect(world.events.map(({ kind, what }) => `${kind} ${what}`)).toEqual(['callback closed']);
    target.reply = { status: 200 };
    await world.restart();
    world.rest(2, { url: target.url });
    expect((await attempts(world, 2, 1))[0]).toMatchObject({ outcome: 'closed', status: null });
    expect(target.calls.length).toBe(1);
    const { closed } = await world.callbacks.webhooks('ocr');
    expect(closed.map(({ url }) => url)).toEqual([target.url]);
    await world.callbacks.openAddress('ocr', target.url);
    world.rest(3, { url: target.url });
    await vi.waitFor(() => expect(target.calls.length).toBe(2));
  });

  it('is not carried along a redirect', async () => {
    const world = await callbackWorld();
    const [target, elsewhere] = [await receiver(), await receiver()];
    target.reply = { status: 307, headers: { location: elsewhere.url } };
    world.rest(1, { url: target.url });
    const [first] = await attempts(world, 1, 1);
    expect(first).toMatchObject({ status: 307, outcome: 'failed' });
    expect(first?.error).toContain('redirects are not followed');
    expect(elsewhere.calls).toEqual([]);
  });
});

describe('a target', () => {
  it('that takes its time holds up nobody else, up to the time-out', async () => {
    const world = await callbackWorld({ limits: { perTargetMax: 2 } });
    const [slow, quick] = [await receiver(), await receiver()];
    slow.reply = 'hang';
    for (let index = 1; index <= 5; index++) world.rest(index, { url: slow.url });
    for (let index = 6; index <= 10; index++) world.rest(index, { url: quick.url });
    await vi.waitFor(() => expect(quick.calls.length).toBe(5));
    await vi.waitFor(() => expect(world.outbox.size).toBe(5));
    expect(slow.calls.length).toBe(2);
    slow.reply = { status: 200 };
    await world.clock.advance(world.settings.timeoutMs);
    await vi.waitFor(() => expect(world.outbox.size).toBe(2));
    const [first] = await attempts(world, 1, 1);
    expect(first).toMatchObject({ status: null, error: 'no answer within 20 s' });
    await world.clock.advance(6000);
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
  });

  it('that never comes to the end of its answer has answered', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = 'drip';
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(target.calls.length).toBe(1));
    await vi.waitFor(async () => {
      await world.clock.advance(world.settings.timeoutMs);
      expect(world.outbox.size).toBe(0);
    });
    expect((await attempts(world, 1, 1))[0]).toMatchObject({ outcome: 'delivered', status: 200 });
  });

  it('that moved to a forbidden address is not called', async () => {
    const target = await receiver('127.0.0.1');
    let at = '127.0.0.2';
    const resolve: Resolve = () => Promise.resolve([{ address: at, family: 4 }]);
    const world = await callbackWorld({ resolve });
    world.settings.allow = ['127.0.0.2/32'];
    const wish = { url: `http://hooks.example.org:${target.port}/`, events: [] };
    const { allow } = world.settings;
    const list = (await import('../../src/kernel/address-filter.ts')).allowList;
    await world.callbacks.check(wish, list(allow, 'callbacks.allow'));
    at = '127.0.0.1';
    await world.clock.advance(11_000);
    world.rest(1, { url: wish.url });
    const [first] = await attempts(world, 1, 1);
    expect(first?.error).toContain('callbacks.allow');
    expect(target.calls).toEqual([]);
  });
});
