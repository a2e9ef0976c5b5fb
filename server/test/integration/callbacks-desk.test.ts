// What owners and administrators may do about callbacks: refuse a target at submission, rotate
// secrets, send again by hand; and how much of a long outbox is in memory.

import type { PlatformError } from '@sluice/sdk/wire';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { allowList } from '../../src/kernel/address-filter.ts';
import { callbackWorld, type Received, receiver } from './callbacks-world.ts';

const none = allowList([], 'callbacks.allow');

describe('at submission', () => {
  it('refuses a forbidden target and names the setting that allows it', async () => {
    const { callbacks } = await callbackWorld();
    const error: PlatformError = await callbacks
      .check({ url: 'http://169.254.169.254/latest', events: [] }, none)
      .then(
        () => expect.fail('let through'),
        (reason) => reason,
      );
    expect(error.status).toBe(422);
    expect(error.message).toContain('callbacks.allow');
  });

  it('refuses events that nobody knows', async () => {
    const { callbacks } = await callbackWorld();
    const wish = { url: 'https://192.0.80.1/', events: ['succeeded', 'finished'] };
    await expect(callbacks.check(wish, none)).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('lets a name through that can not be looked up now', async () => {
    const { callbacks, clock } = await callbackWorld();
    await callbacks.check({ url: 'https://hooks.example.org/', events: [] }, none);
    const stuck = await callbackWorld({ resolve: () => new Promise(() => undefined) });
    const checked = stuck.callbacks.check({ url: 'https://hooks.example.org/', events: [] }, none);
    await stuck.clock.advance(1000);
    await checked;
    expect(clock.now().wall).toBeGreaterThan(0);
  });
});

describe('rotated secrets', () => {
  it('sign beside the old ones until the overlap is over, also after a restart', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    const [old] = (await world.callbacks.webhooks('ocr')).keys;
    const { keys } = await world.callbacks.rotate('ocr', 60_000);
    expect(keys.map(({ secret }) => secret)).toEqual([keys[0]?.secret, old?.secret]);
    expect(keys[0]?.secret).not.toBe(old?.secret);
    await world.restart();
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(target.calls.length).toBe(1));
    const [first] = target.calls;
    for (const { secret } of keys) expect(() => verified(secret, first)).not.toThrow();
    await world.clock.advance(60_000);
    expect((await world.callbacks.webhooks('ocr')).keys.length).toBe(1);
    expect(await world.callbacks.publicKeys()).toEqual(await world.callbacks.publicKeys('ocr'));
    world.rest(2, { url: target.url });
    await vi.waitFor(() => expect(target.calls.length).toBe(2));
    const [, second] = target.calls;
    expect(() => verified(keys[0]?.secret ?? '', second)).not.toThrow();
    expect(() => verified(old?.secret ?? '', second)).toThrow();
  });
});

describe('by hand', () => {
  it('sends a delivered callback again, with the same id', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    const again = await world.callbacks.replay('ocr', 1);
    expect(again).toMatchObject({ attempt: 2, replay: true, outcome: 'delivered', status: 204 });
    const ids = target.calls.map(({ headers }) => headers['webhook-id']);
    expect(ids).toEqual([ids[0], ids[0]]);
  });

  it('delivers a pending one before its time, once', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 500 };
    world.rest(1, { url: target.url });
    await vi.waitFor(async () => {
      expect((await world.callbacks.attempts('ocr', 1)).attempts.length).toBe(1);
    });
    const failed = await world.callbacks.replay('ocr', 1);
    expect(failed).toMatchObject({ outcome: 'failed', nextAt: null, status: 500 });
    expect((await world.callbacks.attempts('ocr', 1)).pending).toBe(true);
    target.reply = { status: 200 };
    await world.callbacks.replay('ocr', 1);
    expect(world.outbox.size).toBe(0);
    await world.clock.advance(600_000);
    // Whatever was due before comes before this one.
    world.rest(2, { url: target.url });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    const told = target.calls.map(({ body }) => JSON.parse(body).data.index);
    expect(told).toEqual([1, 1, 1, 2]);
  });

  it('opens a closed address again when it is taken there', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    target.reply = { status: 410 };
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    target.reply = { status: 200 };
    await world.callbacks.replay('ocr', 1);
    expect((await world.callbacks.webhooks('ocr')).closed).toEqual([]);
  });

  it('sends nothing of a request that is not at rest', async () => {
    const { callbacks } = await callbackWorld();
    await expect(callbacks.replay('ocr', 9)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('for metrics', () => {
  it('counts attempts by outcome, and what is pending', async () => {
    const world = await callbackWorld();
    const target = await receiver();
    world.rest(1, { url: target.url });
    await vi.waitFor(() => expect(world.outbox.size).toBe(0));
    target.reply = { status: 500 };
    world.rest(2, { url: target.url });
    await vi.waitFor(() => {
      const [figures] = [...world.callbacks.observed()];
      expect(figures).toMatchObject({ service: 'ocr', pending: 1 });
      expect(Object.fromEntries(figures?.attempts ?? [])).toEqual({
        delivered: 1,
        failed: 1,
        givenUp: 0,
        closed: 0,
      });
    });
    await world.callbacks.close('ocr');
    expect([...world.callbacks.observed()][0]?.pending).toBe(0);
  });
});

describe('a long outbox', () => {
  it('is delivered whole with a part of it in memory, whatever order it came in', async () => {
    const world = await callbackWorld({ limits: { pendingMax: 20 } });
    const target = await receiver();
    target.reply = 'hang';
    for (let index = 200; index > 0; index--) {
      world.rest(index, { url: target.url });
    }
    await vi.waitFor(() => expect(target.calls.length).toBe(8));
    expect((await world.callbacks.webhooks('ocr')).pending).toBe(20);
    target.reply = { status: 200 };
    await world.clock.advance(world.settings.timeoutMs);
    await world.clock.advance(6000);
    await vi.waitFor(() => expect(world.outbox.size).toBe(0), { timeout: 60_000 });
    const ids = target.calls.map(({ body }) => JSON.parse(body).data.index);
    expect(new Set(ids).size).toBe(200);
    // The first eight were cut off and came again.
    expect(ids.length).toBe(208);
  });
});

function verified(secret: string, call: Received | undefined): unknown {
  return new Webhook(secret).verify(call?.body ?? '', call?.headers as Record<string, string>);
}
