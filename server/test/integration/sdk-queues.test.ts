// What a program does with queues means the same over both protocols.

import {
  type Client,
  type ClientPlatform,
  type ClientProtocol,
  connect,
  type Delivery,
} from '@sluice/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSdkWorld, type SdkWorld, service } from './sdk-world.ts';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const variants: [string, ClientProtocol, Partial<ClientPlatform>][] = [
  ['the stream protocol', 'stream', {}],
  ['the EAS protocol', 'eas', {}],
  // As in a browser, whose WebSocket cannot send the token.
  ['the EAS protocol with HTTP streams', 'eas', { socketHeaders: false }],
];

describe.each(variants)('a client of %s', (_, protocol, platform) => {
  let world: SdkWorld;
  let client: Client;

  beforeEach(async () => {
    world = await openSdkWorld();
    client = await world.connect({ protocol, platform, gid: service });
  });

  afterEach(() => world.close());

  it('puts and gets by id, by tags and in order', async () => {
    const first = await client.input.put('ä b&c=%', { id: 'id 1/é', tags: { 'a b': 'c&d=é%+' } });
    expect(first).toEqual({ index: 1, id: 'id 1/é', repeated: false });
    await client.input.put('second', { priority: 3, path: 'v2/read' });
    const [byId] = await client.input.get({ id: 'id 1/é', autoDelete: false });
    expect(byId).toMatchObject({ index: 1, id: 'id 1/é', tags: new Map([['a b', 'c&d=é%+']]) });
    expect(text(byId?.payload)).toBe('ä b&c=%');
    const tagged = await client.input.get({ tags: { 'a b': 'c&d=é%+' }, autoDelete: false });
    expect(tagged.map(({ index }) => index)).toEqual([1]);
    expect(await client.input.count({ priority: 3 })).toBe(1);
    expect((await client.input.get({ length: 10 })).map(({ index }) => index)).toEqual([1, 2]);
    expect(await client.input.get({ length: 10 })).toEqual([]);
  });

  it('puts many, answers in order and stops at the first failure', async () => {
    const answers = await client.input.putMany(
      Array.from({ length: 100 }, (_, at) => ({ payload: `m${at}`, id: `id-${at}` })),
    );
    expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, at) => `id-${at}`));
    const tooLarge = { payload: new Uint8Array(9000) };
    await expect(client.input.putMany([tooLarge, { payload: 'a' }])).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  it('waits for messages no longer than it was told', async () => {
    expect(await client.input.get({ waitMs: 50 })).toEqual([]);
    const found = client.input.get({ waitMs: 20_000 });
    await client.input.put('late');
    expect((await found).map(({ payload }) => text(payload))).toEqual(['late']);
  });

  it('delivers, completes and finds the result by request id', async () => {
    const work = client.input.watch({ window: 2 });
    const { id, index } = await client.input.put('page', { tags: { lang: 'de' } });
    const delivery = await work.next();
    expect(delivery).toMatchObject({ id, index });
    expect(await client.input.search(index)).toEqual({
      consumerId: `${service}.${client.uid}`,
      isPending: true,
      waitCount: 0,
    });
    expect(await delivery?.complete('the text')).toBe(1);
    const [result] = await client.sink.get({ id, waitMs: 5000 });
    expect(text(result?.payload)).toBe('the text');
    expect(await client.input.search(index)).toBeUndefined();
    await work.close();
  });

  it('writes a failure as a result with its code', async () => {
    const work = client.input.watch();
    const { id } = await client.input.put('page');
    await (await work.next())?.complete('', { outcome: 'failed', code: '500', reason: 'no ink' });
    const [result] = await client.sink.get({ id, waitMs: 5000 });
    expect(result?.tags.get('lastCode')).toBe('500');
    expect(result?.tags.get('lastReason')).toBe('no ink');
    expect(result?.payload.length).toBe(0);
  });

  it('writes nothing to the sink for a success without a body', async () => {
    const work = client.input.watch();
    await client.input.put('page');
    expect(await (await work.next())?.complete()).toBe(0);
    expect(await client.sink.count()).toBe(0);
    expect(await client.input.count()).toBe(0);
  });

  it('delivers again after a negative commit', async () => {
    const work = client.input.watch({ window: 1 });
    await client.input.put('hard');
    await (await work.next())?.negative({ reason: 'not now' });
    expect(await work.next()).toMatchObject({ index: 1 });
  });

  it('watches with auto commit, by tags, from an index, without payloads', async () => {
    for (const lang of ['de', 'en', 'de', 'de']) await client.input.put(lang, { tags: { lang } });
    const work = client.input.watch({
      autoCommit: true,
      indexOnly: true,
      from: 3,
      tags: { lang: 'de' },
    });
    const seen = [await work.next(), await work.next()];
    expect(seen.map((delivery) => delivery?.index)).toEqual([3, 4]);
    expect(seen[0]?.payload.length).toBe(0);
    await seen[0]?.commit();
  });

  it('reads attributes, deletes, truncates and ends', async () => {
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }, { payload: 'c' }]);
    expect((await client.input.attributes()).get('stream.length')).toBe('3');
    await client.input.delete([1, 77]);
    await client.input.truncate(3);
    expect((await client.input.attributes()).get('stream.firstEntry')).toBe('3');
    await client.input.end({ force: true });
    await expect(client.input.put('d')).rejects.toMatchObject({ code: 'ended', status: 410 });
    expect(await client.input.watch().next()).toBeUndefined();
  });

  it('puts to and reads from the rear queue on its own', async () => {
    await client.rear.put('dead');
    expect(await client.rear.count()).toBe(1);
    expect(await client.input.count()).toBe(0);
    expect((await client.rear.get()).map(({ payload }) => text(payload))).toEqual(['dead']);
  });

  it('comes back after cuts and hands nothing out twice that is being worked on', async () => {
    const work = client.input.watch({ window: 4 });
    await work.ready();
    const handed = new Map<number, number>();
    const held: Delivery[] = [];
    const take = async (): Promise<void> => {
      const delivery = await work.next();
      if (delivery === undefined) throw new Error('the watch is over');
      handed.set(delivery.index, (handed.get(delivery.index) ?? 0) + 1);
      held.push(delivery);
    };
    await client.input.putMany([{ payload: 'a' }, { payload: 'b' }]);
    await take();
    await take();
    for (let round = 0; round < 3; round++) {
      world.cut();
      await client.input.get({ from: 1000 }).catch(() => undefined);
      await client.input.put(`round ${round}`).catch(() => client.input.put('again'));
      await take();
      await held.shift()?.commit();
    }
    await Promise.all(held.map((delivery) => delivery.commit()));
    expect([...handed.values()].every((times) => times === 1)).toBe(true);
    expect(await client.input.count()).toBe(0);
  });

  it('tells errors by their codes', async () => {
    const wrong = { protocol, token: 'wrong' };
    await expect(world.connect(wrong).then((other) => other.input.count())).rejects.toMatchObject({
      code: 'unauthorized',
      status: 401,
    });
    await expect(
      world.connect({ protocol, service: 'none' }).then((other) => other.input.count()),
    ).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.input.put(new Uint8Array(8193))).rejects.toMatchObject({
      code: 'too_large',
    });
    await expect(client.input.put('a', { priority: 2 ** 31 })).rejects.toMatchObject({
      code: 'bad_request',
    });
    const late = client.input.get({ waitMs: 5000, timeoutMs: -4900 });
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    const controller = new AbortController();
    const aborted = client.input.get({ waitMs: 5000, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(
      client.input.get({ signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
  });

  it('cannot reach a server that is not there', async () => {
    const gone = await openSdkWorld();
    const { url } = gone;
    await gone.close();
    const reached = connect(url, { service, protocol }).then((other) => other.input.put('a'));
    await expect(reached).rejects.toMatchObject({ code: 'unavailable' });
    await expect(connect('ftp://x', { service, protocol })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });
});

describe('two clients of different protocols', () => {
  it('serve one another', async () => {
    const world = await openSdkWorld();
    const submitter = await world.connect({ protocol: 'eas' });
    const worker = await world.connect({ gid: service });
    const results = submitter.sink.watch({ autoCommit: true });
    const work = worker.input.watch();
    const { id } = await submitter.input.put('page');
    await (await work.next())?.complete('text');
    const result = await results.next();
    expect(result?.id).toBe(id);
    expect(text(result?.payload)).toBe('text');
    await world.close();
  });
});
