// Random and nearly right operations of the stream protocol, whole and damaged. What the server
// makes of them is an answer or the end of the connection, never a failure of its own.

import { ByteWriter, type ClientOperation, clientCodec } from '@sluice/sdk/wire';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getOf, putOf, Speaker, watchOf } from './speaker.ts';
import { openWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld({ engine: 'lmdb', queue: { source: { max_length: 1000 } } });
});
afterAll(async () => {
  const speaker = await Speaker.open(world.port, 'two');
  speaker.say(putOf(10));
  expect(await speaker.answer(10)).toMatchObject({ kind: 'putDone' });
  speaker.close();
  await world.close();
  expect(world.errors).toEqual([]);
});

describe('operations of the stream protocol', () => {
  const number = fc.oneof(
    fc.nat(30),
    fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1),
  );
  const text = fc.oneof(
    fc.constantFrom('', 'one', 'u', 'r1', '..', '\0'),
    fc.string({ maxLength: 30 }),
  );
  const tags = fc.array(fc.tuple(text, text), { maxLength: 3 }).map((pairs) => new Map(pairs));
  const channel = fc.constantFrom(1, 1, 2, 3, 99);
  const payload = fc.uint8Array({ maxLength: 50 });
  const indexes = fc.array(number, { maxLength: 5 });
  const call = { number: fc.nat(1000), channel };
  const body = fc.record({ payload, transfer: fc.constantFrom(0, 0, 1, 2), size: fc.nat(100) });
  const lease = {
    ...call,
    deliveryId: fc.oneof(number, fc.constant(2 ** 32 + 1)),
    again: fc.boolean(),
  };
  const cause = { code: text, reason: text };
  const kinds: readonly fc.Arbitrary<object>[] = [
    fc.record({
      kind: fc.constant('open'),
      number: fc.nat(5),
      service: text,
      queue: fc.constantFrom('input', 'sink', 'inputRear', 'sinkRear'),
      gid: text,
      uid: text,
    }),
    fc.record({ kind: fc.constantFrom('ping'), number }),
    fc.record({ kind: fc.constant('part'), transfer: number, part: number, data: payload }),
    fc.record({ kind: fc.constant('abandon'), transfer: number }),
    fc.record({ kind: fc.constant('credit'), bytes: number }),
    fc
      .tuple(
        fc.record({
          ...call,
          tags,
          id: text,
          priority: number,
          path: fc.option(text, { nil: undefined }),
        }),
        body,
      )
      .map(([put, with_]) => putOf(put.number, { ...put, ...with_ })),
    fc
      .record({
        ...call,
        from: number.map((each) => each - 1),
        length: number,
        timeoutMs: fc.constant(0),
        tags,
        id: text,
        autoDelete: fc.boolean(),
      })
      .map((get) => getOf(get.number, get)),
    fc
      .record({
        ...call,
        window: number,
        tags,
        id: text,
        holding: indexes,
        worker: fc.boolean(),
        autoCommit: fc.boolean(),
        indexOnly: fc.boolean(),
      })
      .map((watch) => watchOf(watch.number, watch)),
    fc.record({ kind: fc.constantFrom('taken', 'cancel'), number }),
    fc.record({ kind: fc.constantFrom('search', 'truncate'), ...call, index: number }),
    fc.record({ kind: fc.constantFrom('delete', 'commitIndexes'), ...call, indexes }),
    fc.record({ kind: fc.constant('negative'), ...call, indexes, ...cause }),
    fc.record({
      kind: fc.constant('count'),
      ...call,
      tags,
      id: text,
      priority: fc.option(number, { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('attributes'), ...call }),
    fc.record({ kind: fc.constantFrom('pause', 'resume'), watch: number }),
    fc.record({
      kind: fc.constant('unwatch'),
      number,
      watch: number,
      how: fc.constantFrom('cut', 'drain', 'dead'),
    }),
    fc.record({ kind: fc.constant('commit'), ...lease }),
    fc.record({
      kind: fc.constant('giveBack'),
      ...lease,
      ...cause,
      counted: fc.boolean(),
      occupies: fc.boolean(),
      delayMs: number,
    }),
    fc
      .tuple(
        fc.record({
          kind: fc.constant('complete'),
          ...lease,
          ...cause,
          outcome: fc.constantFrom('succeeded', 'failed'),
          contentType: fc.option(text, { nil: undefined }),
          firstOutputAt: number,
        }),
        body,
      )
      .map(([done, with_]) => ({ ...done, ...with_ })),
    fc.record({ kind: fc.constant('touch'), ...call, deliveryId: number }),
    fc.record({ kind: fc.constant('progress'), ...call, deliveryId: number, text }),
    fc.record({ kind: fc.constant('freed'), channel, deliveryId: number }),
    fc.record({ kind: fc.constant('report'), ...call, facts: tags }),
    fc.constant({ kind: 'leave' }),
  ];
  // The records have the fields of the operations by their kinds; TypeScript cannot follow that.
  const operation = fc.oneof(...kinds) as unknown as fc.Arbitrary<ClientOperation>;

  const bytesOf = (operations: readonly ClientOperation[]): Uint8Array => {
    const writer = new ByteWriter(64);
    for (const each of operations) {
      const before = writer.length;
      try {
        clientCodec.write(writer, each);
      } catch {
        writer.cutBack(before);
      }
    }
    return writer.finish();
  };

  it('in any order and with any fields are answered, or end the connection', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 12 }), async (operations) => {
        const speaker = await Speaker.open(world.port, 'one', { uid: '' });
        speaker.bytes(bytesOf(operations));
        speaker.say({ kind: 'ping', number: 100_000 });
        await Promise.race([speaker.answer(100_000).catch(() => undefined), speaker.closed()]);
        const bugs = speaker.heard.filter(
          (said) => said.kind === 'error' && said.code === 'internal',
        );
        expect(bugs).toEqual([]);
        speaker.close();
      }),
      { numRuns: 200 },
    );
  });

  it('changed in one byte or cut short never are a failure of the server', async () => {
    const damage = fc.record({ at: fc.nat(400), to: fc.nat(255), cut: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 5 }),
        damage,
        async (operations, { at, to, cut }) => {
          const speaker = await Speaker.open(world.port, 'one', { uid: '' });
          const bytes = Uint8Array.from(bytesOf(operations));
          if (bytes.length > 0) bytes[at % bytes.length] = to;
          speaker.bytes(cut ? bytes.subarray(0, at % (bytes.length + 1)) : bytes);
          speaker.say({ kind: 'ping', number: 100_000 });
          await Promise.race([speaker.answer(100_000).catch(() => undefined), speaker.closed()]);
          expect([undefined, 1000, 4400]).toContain(speaker.code);
          speaker.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});
