// What the stream protocol takes and refuses of a client that means no good, over real sockets, on
// the engine that writes to disk: names, paths, texts, numbers at their edges, room.

import type { ServerOperation } from '@sluice/sdk/wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getOf, putOf, Speaker, watchOf } from './speaker.ts';
import { openWorld, tokenOf, type World } from './world.ts';

let world: World;
let speaker: Speaker;
beforeAll(async () => {
  world = await openWorld({
    engine: 'lmdb',
    queue: { source: { max_payload_size_kb: 512 }, sink: { max_payload_size_kb: 512 } },
    limits: ['stream.transferBytesMax=1000000', 'stream.bytesMax=1000000'],
  });
  speaker = await Speaker.open(world.port);
});
afterAll(async () => {
  speaker.close();
  await world.close();
  expect(world.errors).toEqual([]);
});

let lastNumber = 100;
const next = (): number => ++lastNumber;

/** `done`, or the code of the refusal. */
function outcomeOf(said: ServerOperation): string {
  return said.kind === 'error' ? said.code : said.kind;
}

/** A message under lease, and its fencing token. */
async function delivered(holder: Speaker): Promise<number> {
  const watch = next();
  holder.say(putOf(next()), watchOf(watch));
  const said = await holder.find((each) => each.kind === 'deliver' && each.watch === watch);
  return said.kind === 'deliver' ? said.deliveryId : 0;
}

describe('a request path in a put', () => {
  it.each([
    '/..',
    '/a/../b',
    '..',
    'a/..',
    '/%2e%2e/a',
    '/%2E%2e',
    '/.%2e/x',
    '/a/./b',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/a%00b',
    '/a\0b',
    '//host/x',
    '/a//b',
    '/a?x=1',
    '/a#b',
    '/a b',
    '/é',
    '/%zz',
    '/%c0%ae%c0%ae/x',
    'http://host/x',
  ])('%j is refused', async (path) => {
    const number = next();
    speaker.say(putOf(number, { path }));
    expect(outcomeOf(await speaker.answer(number))).toBe('bad_request');
  });

  it.each(['', '/', '/v1/x', 'v1/x', '/a/', '/%41', '/...'])('%j is taken', async (path) => {
    const number = next();
    speaker.say(putOf(number, { path }));
    expect(outcomeOf(await speaker.answer(number))).toBe('putDone');
  });
});

it('takes a request path of 2048 characters, and none of 2049', async () => {
  const outcomes: string[] = [];
  for (const length of [2047, 2048, 2049]) {
    const number = next();
    speaker.say(putOf(number, { path: `/${'x'.repeat(length - 1)}` }));
    outcomes.push(outcomeOf(await speaker.answer(number)));
  }
  expect(outcomes).toEqual(['putDone', 'putDone', 'bad_request']);
});

describe('what a client says of itself', () => {
  const long = (bytes: number) => 'x'.repeat(bytes);

  it.each(['uid', 'gid', 'token', 'resume', 'agent'] as const)(
    'a hello is taken with 1024 bytes of %s, and closed with 4400 at one more',
    async (field) => {
      for (const bytes of [1023, 1024]) {
        const good = await Speaker.connect(world.port);
        good.hello({ [field]: long(bytes) });
        await good.find((said) => said.kind === 'welcome');
        good.close();
      }
      const bad = await Speaker.connect(world.port);
      bad.hello({ [field]: long(1025) });
      expect(await bad.closed()).toBe(4400);
      expect(bad.reason).toContain('stream.nameBytesMax = 1024');
    },
  );

  it.each(['service', 'gid', 'uid'] as const)(
    'an open is answered with 1024 bytes of %s, and closed with 4400 at one more',
    async (field) => {
      const open = { kind: 'open', service: 'one', queue: 'input', gid: '', uid: '' } as const;
      const other = await Speaker.open(world.port);
      other.say({ ...open, number: 10, [field]: long(1024) });
      await other.answer(10);
      other.say({ ...open, number: 11, [field]: long(1025) });
      expect(await other.closed()).toBe(4400);
    },
  );

  it('says nothing of a session to one who has no good token, and forgets it', async () => {
    const stranger = await Speaker.connect(world.port);
    stranger.hello({ token: 'wrong' });
    const welcome = await stranger.find((said) => said.kind === 'welcome');
    const session = welcome.kind === 'welcome' ? welcome.session : '';
    stranger.close();
    await stranger.closed();
    const again = await Speaker.connect(world.port);
    again.hello({ token: 'wrong', resume: session });
    expect(await again.find((said) => said.kind === 'welcome')).not.toMatchObject({ session });
    again.close();
  });
});

describe('how a delivery ends', () => {
  it('takes a code of 64 characters, and none of 65', async () => {
    for (const [length, outcome] of [
      [63, 'done'],
      [64, 'done'],
      [65, 'bad_request'],
    ] as const) {
      const holder = await Speaker.open(world.port, 'two', { uid: `holder-${length}` });
      const deliveryId = await delivered(holder);
      const number = next();
      const how = { again: false, counted: false, occupies: false } as const;
      const end = { deliveryId, ...how, reason: '', delayMs: 0 };
      holder.say({ kind: 'giveBack', number, channel: 1, code: 'x'.repeat(length), ...end });
      expect(outcomeOf(await holder.answer(number))).toBe(outcome);
      holder.say({ kind: 'truncate', number: next(), channel: 1, index: 2 ** 53 - 1 });
      await holder.answer(lastNumber);
      holder.say({ kind: 'leave' });
      await holder.closed();
    }
  });

  it('cuts a reason at 4096 characters', async () => {
    const holder = await Speaker.open(world.port, 'two', { uid: 'holder' });
    const deliveryId = await delivered(holder);
    const number = next();
    const body = { payload: new Uint8Array(0), transfer: 0, size: 0 };
    const what = { code: '500', reason: 'y'.repeat(100_000), contentType: 'z'.repeat(300) };
    const rest = {
      deliveryId,
      again: false,
      outcome: 'failed',
      firstOutputAt: 2 ** 53 - 1,
    } as const;
    holder.say({ kind: 'complete', number, channel: 1, ...rest, ...what, ...body });
    expect(outcomeOf(await holder.answer(number))).toBe('completed');
    const get = next();
    holder.say(getOf(get, { channel: 2 }));
    const said = await holder.find((each) => each.kind === 'message' && each.number === get);
    if (said.kind !== 'message') throw new Error('no message');
    expect(said.tags.get('lastReason')).toBe('y'.repeat(4096));
    expect(said.contentType).toBeUndefined();
    holder.close();
  });

  it('gives back for the longest time that there is, and goes on', async () => {
    const holder = await Speaker.open(world.port, 'two', { uid: 'holder' });
    const deliveryId = await delivered(holder);
    const number = next();
    const how = { again: false, counted: true, occupies: false } as const;
    const end = { deliveryId, ...how, code: '', reason: '' };
    holder.say({ kind: 'giveBack', number, channel: 1, delayMs: 2 ** 53 - 1, ...end });
    expect(outcomeOf(await holder.answer(number))).toBe('done');
    const put = next();
    holder.say(putOf(put));
    expect(outcomeOf(await holder.answer(put))).toBe('putDone');
    holder.close();
  });
});

describe('numbers at their edges', () => {
  const edges = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1];

  it.each(edges)(
    'indexes, windows, lengths, priorities and times of %d are answered',
    async (n) => {
      const other = await Speaker.open(world.port, 'one', { uid: `edge-${n}` });
      const from = Math.min(n, 2 ** 53 - 2);
      other.say(
        { kind: 'search', number: 10, channel: 1, index: n },
        { kind: 'truncate', number: 11, channel: 2, index: n },
        { kind: 'delete', number: 12, channel: 2, indexes: [n, n, 0] },
        { kind: 'commitIndexes', number: 13, channel: 1, indexes: [n, n] },
        { kind: 'negative', number: 14, channel: 1, indexes: [n], code: '', reason: '' },
        { kind: 'touch', number: 15, channel: 1, deliveryId: n },
        { kind: 'commit', number: 16, channel: 1, deliveryId: n, again: true },
        { kind: 'freed', channel: 1, deliveryId: n },
        { kind: 'unwatch', number: 17, watch: n, how: 'cut' },
        { kind: 'pause', watch: n },
        { kind: 'taken', number: n },
        { kind: 'cancel', number: n },
        { kind: 'credit', bytes: n },
        { kind: 'abandon', transfer: n },
        getOf(18, { from, length: n, timeoutMs: 0 }),
        getOf(19, { from: -1, length: 1, timeoutMs: n }),
        { kind: 'cancel', number: 19 },
        putOf(20, { priority: n, channel: 2 }),
        watchOf(21, { window: n, from, holding: [n], channel: 2 }),
        { kind: 'count', number: 22, channel: 1, tags: new Map(), id: '', priority: n },
        { kind: 'ping', number: 23 },
      );
      const outcomes: string[] = [];
      for (const number of [10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23]) {
        outcomes.push(outcomeOf(await other.answer(number)));
      }
      const isPriority = n < 2 ** 31;
      const isWindow = n >= 1 && n <= 65_536;
      expect(outcomes.slice(1, 5)).toEqual(['done', 'done', 'done', 'done']);
      expect(outcomes.slice(5, 7)).toEqual(['stale_delivery', 'stale_delivery']);
      expect(outcomes.slice(9)).toEqual([
        isPriority ? 'putDone' : 'bad_request',
        isWindow ? 'watching' : 'bad_request',
        'counted',
        'done',
      ]);
      other.close();
    },
  );
});

describe('room', () => {
  it('counts lists of indexes among the bytes under way', async () => {
    const other = await Speaker.open(world.port);
    const indexes = Array.from({ length: 60_000 }, () => 2 ** 53 - 1);
    const commit = (number: number) =>
      ({ kind: 'commitIndexes', number, channel: 1, indexes }) as const;
    // 480,000 bytes each: two fit into a million, three do not.
    other.say(commit(10));
    other.say(commit(11));
    other.say(commit(12));
    const outcomes = [10, 11, 12].map((number) => other.answer(number));
    const [first, second, third] = (await Promise.all(outcomes)).map(outcomeOf);
    expect([first, second]).toEqual(['done', 'done']);
    expect(['done', 'rate_limited']).toContain(third);
    other.close();
  });

  it('takes payloads in parts as long as all of them together have room', async () => {
    const begin = (number: number, size: number) =>
      putOf(number, { payload: new Uint8Array(0), transfer: number, size });
    const first = await Speaker.open(world.port);
    const second = await Speaker.open(world.port, 'two');
    first.say(begin(10, 500_000), { kind: 'ping', number: 11 });
    await first.answer(11);
    second.say(begin(10, 500_001), { kind: 'ping', number: 11 });
    await second.answer(11);
    const refused = await second.answer(10);
    expect(refused).toMatchObject({ kind: 'error', code: 'rate_limited', retryAfterMs: 1000 });
    expect(refused).toMatchObject({
      text: expect.stringContaining('stream.transferBytesMax = 1000000 (sluice serve --limit)'),
    });
    second.say({ kind: 'abandon', transfer: 10 }, begin(12, 500_000), { kind: 'ping', number: 13 });
    await second.answer(13);
    expect(second.heard.some((said) => 'number' in said && said.number === 12)).toBe(false);
    // What is lost gives its room back.
    first.close();
    await first.closed();
    const third = await Speaker.open(world.port);
    for (let number = 20; ; number += 2) {
      third.say(begin(number, 500_000), { kind: 'ping', number: number + 1 });
      await third.answer(number + 1);
      if (!third.heard.some((said) => said.kind === 'error')) break;
      third.heard.length = 0;
      third.say({ kind: 'abandon', transfer: number });
    }
    second.close();
    third.close();
  });

  it('closes the connection of a guesser after five wrong tokens', async () => {
    const guesser = await Speaker.connect(world.port);
    guesser.hello({ token: tokenOf('two') });
    for (let number = 1; number <= 5; number++) {
      const open = { kind: 'open', number, service: 'one', queue: 'input', gid: '', uid: '' };
      guesser.say(open as Parameters<Speaker['say']>[0]);
    }
    expect(await guesser.closed()).toBe(4401);
    expect(guesser.heard.filter((said) => said.kind === 'error').length).toBeGreaterThanOrEqual(5);
  });
});
