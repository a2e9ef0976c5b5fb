// The operations of the stream protocol as bytes: round trips, hostile input, room for newer ones.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../src/bytes.ts';
import { PlatformError } from '../src/errors.ts';
import { clientCodec, serverCodec } from '../src/stream/codec.ts';
import type { DirectionCodec } from '../src/stream/fields.ts';
import type { WorkNote } from '../src/stream/notes.ts';
import type { ClientOperation, ServerOperation } from '../src/stream/operations.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const nat = fc.maxSafeNat();
const flag = fc.boolean();
const optional = fc.option(text, { nil: undefined });
const tags = fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => new Map(pairs));
const numbers = fc.array(nat, { maxLength: 5 });
const from = fc.integer({ min: -1, max: 2 ** 31 });
const call = { number: nat, channel: nat };
const whole = fc
  .uint8Array({ maxLength: 200 })
  .map((payload) => ({ payload, transfer: 0, size: payload.length }));
const announced = fc.record({
  payload: fc.constant(new Uint8Array(0)),
  transfer: fc.integer({ min: 1, max: 2 ** 40 }),
  size: fc.integer({ min: 1, max: 32 * 2 ** 20 }),
});
const body = fc.oneof(whole, announced);
const head = {
  index: nat,
  id: text,
  tags,
  priority: nat,
  contentType: optional,
  path: optional,
  acceptedAt: nat,
};

function kind<Kind extends string, Fields>(
  name: Kind,
  fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> },
): fc.Arbitrary<Fields & { kind: Kind }> {
  // The literal is known, the type of the record is not.
  return fc.record({ kind: fc.constant(name), ...fields }) as fc.Arbitrary<Fields & { kind: Kind }>;
}

/** Fields of flags that are either set or left out. */
function maybe<Fields extends object>(fields: fc.Arbitrary<Fields>): fc.Arbitrary<object> {
  return fc.oneof(fc.constant({}), fields);
}

function both<Operation>(operation: fc.Arbitrary<Operation>, more: fc.Arbitrary<object>) {
  return fc.tuple(operation, more).map(([fields, others]) => ({ ...fields, ...others }));
}

const fetches = maybe(fc.constant({ fetches: true }));
const kept = maybe(fc.record({ kept: fc.string() }));
const largeResult = maybe(fc.constant({ largeResult: true }));
const apart = maybe(
  fc.record({
    apart: fc.oneof(
      fc.record({ kind: fc.constant('file'), size: fc.nat() }),
      fc.record({ kind: fc.constant('address'), url: fc.string() }),
    ),
  }),
);

function withBody<Operation>(operation: fc.Arbitrary<Operation>) {
  return fc.tuple(operation, body).map(([fields, carried]) => ({ ...fields, ...carried }));
}

const none: fc.Arbitrary<readonly WorkNote[]> = fc.constant([]);
const notes: fc.Arbitrary<readonly WorkNote[]> = fc.array(
  fc.oneof(
    kind('output', { data: fc.uint8Array({ maxLength: 100 }) }),
    kind('percent', { value: fc.integer({ min: 0, max: 10_000 }).map((value) => value / 100) }),
    kind('stage', { text }),
    kind('preview', { text }),
    kind('log', { text }),
  ),
  { minLength: 1, maxLength: 5 },
);

const shared = [
  kind('part', { transfer: nat, part: nat, data: fc.uint8Array({ maxLength: 100 }) }),
  kind('abandon', { transfer: nat }),
  kind('credit', { bytes: nat }),
] as const;

const clientOperation: fc.Arbitrary<ClientOperation> = fc.oneof(
  ...shared,
  kind('hello', {
    version: nat,
    token: text,
    uid: text,
    gid: text,
    resume: text,
    credit: nat,
    agent: text,
  }),
  kind('open', {
    number: nat,
    service: text,
    queue: fc.constantFrom('input', 'sink', 'inputRear', 'sinkRear'),
    gid: text,
    uid: text,
  }),
  withBody(
    kind('put', { ...call, id: text, tags, priority: nat, path: optional, contentType: optional }),
  ),
  kind('get', { ...call, from, length: nat, timeoutMs: nat, autoDelete: flag, tags, id: text }),
  kind('taken', { number: nat }),
  kind('cancel', { number: nat }),
  both(
    kind('watch', {
      ...call,
      window: nat,
      from,
      indexOnly: flag,
      autoCommit: flag,
      worker: flag,
      tags,
      id: text,
      holding: numbers,
      revision: nat,
    }),
    fetches,
  ),
  kind('unwatch', { number: nat, watch: nat, how: fc.constantFrom('cut', 'drain', 'dead') }),
  kind('pause', { watch: nat }),
  kind('resume', { watch: nat }),
  kind('commit', { ...call, deliveryId: nat, again: flag }),
  both(
    withBody(
      kind('complete', {
        ...call,
        deliveryId: nat,
        again: flag,
        outcome: fc.constantFrom('succeeded', 'failed'),
        code: text,
        reason: text,
        contentType: optional,
        firstOutputAt: nat,
      }),
    ),
    kept,
  ),
  kind('giveBack', {
    ...call,
    deliveryId: nat,
    again: flag,
    counted: flag,
    occupies: flag,
    code: text,
    reason: text,
    delayMs: nat,
  }),
  kind('touch', { ...call, deliveryId: nat }),
  kind('progress', { ...call, deliveryId: nat, text, from: fc.constant(0), notes: none }),
  kind('progress', { ...call, deliveryId: nat, text, from: nat, notes }),
  withBody(kind('checkpoint', { ...call, deliveryId: nat })),
  kind('recall', { ...call, index: nat }),
  kind('follow', { ...call, id: text, after: text, window: nat }),
  kind('more', { number: nat, events: nat }),
  kind('freed', { channel: nat, deliveryId: nat }),
  kind('report', { ...call, facts: tags }),
  kind('commitIndexes', { ...call, indexes: numbers }),
  kind('delete', { ...call, indexes: numbers }),
  kind('negative', { ...call, indexes: numbers, code: text, reason: text }),
  kind('search', { ...call, index: nat }),
  kind('truncate', { ...call, index: nat }),
  kind('count', { ...call, tags, id: text, priority: fc.option(nat, { nil: undefined }) }),
  kind('attributes', call),
  kind('end', { ...call, force: flag }),
  kind('ping', { number: nat }),
  kind('leave', {}),
);

const serverOperation: fc.Arbitrary<ServerOperation> = fc.oneof(
  ...shared,
  kind('welcome', {
    version: nat,
    session: text,
    operationsMax: nat,
    bytesMax: nat,
    watchesMax: nat,
    credit: nat,
    agent: text,
  }),
  kind('done', { number: nat }),
  kind('error', { number: nat, code: text, text, retryAfterMs: nat }),
  kind('putDone', { number: nat, index: nat, id: text, repeated: flag }),
  withBody(kind('message', { number: nat, ...head })),
  both(
    both(
      withBody(kind('deliver', { watch: nat, deliveryId: nat, deliveries: nat, ...head })),
      apart,
    ),
    largeResult,
  ),
  kind('watching', { number: nat, held: numbers }),
  kind('voided', { watch: nat, deliveryId: nat, reason: text }),
  kind('closed', { watch: nat, reason: text }),
  kind('completed', { number: nat, value: nat }),
  kind('counted', { number: nat, value: nat }),
  kind('found', { number: nat, consumerId: text, isPending: flag, waitCount: nat }),
  kind('event', { number: nat, id: text, event: text, data: text }),
  kind('described', { number: nat, attributes: tags }),
  kind('goodbye', { reason: text, retryAfterMs: nat }),
);

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (value instanceof Map) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

function written<Operation>(codec: DirectionCodec<Operation>, operations: Operation[]): Uint8Array {
  const writer = new ByteWriter(16);
  for (const operation of operations) codec.write(writer, operation);
  return writer.finish();
}

function roundTrip<Operation>(
  codec: DirectionCodec<Operation>,
  operation: fc.Arbitrary<Operation>,
): void {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), (operations) => {
      expect(plain(codec.read(written(codec, operations)))).toEqual(plain(operations));
    }),
    { numRuns: 500 },
  );
}

function survives<Operation>(codec: DirectionCodec<Operation>, bytes: Uint8Array): void {
  try {
    codec.read(bytes);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    expect(['bad_request', 'too_large']).toContain(error.code);
  }
}

describe('the codec of the stream protocol', () => {
  it('brings what a client says back as it was, several operations in one message', () => {
    roundTrip(clientCodec, clientOperation);
  });

  it('brings what a server says back as it was', () => {
    roundTrip(serverCodec, serverOperation);
  });

  it('answers random bytes with a refusal, never with a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        survives(clientCodec, bytes);
        survives(serverCodec, bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('answers operations with broken fields with a refusal, never with a crash', () => {
    const broken = fc.tuple(clientOperation, fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(broken, ([operation, at, byte]) => {
        const bytes = written(clientCodec, [operation]);
        bytes[at % bytes.length] = byte;
        survives(clientCodec, bytes);
        survives(clientCodec, bytes.subarray(0, at % bytes.length));
      }),
      { numRuns: 2000 },
    );
  });

  it('passes over operations that it does not know', () => {
    const writer = new ByteWriter(16);
    const start = writer.openRecord();
    writer.byte(0x7f);
    writer.text('something newer');
    writer.closeRecord(start);
    clientCodec.write(writer, { kind: 'ping', number: 5 });
    expect(clientCodec.read(writer.finish())).toEqual([{ kind: 'ping', number: 5 }]);
  });

  it('hands payloads out as views on the message, without a copy', () => {
    const payload = new Uint8Array([1, 2, 3]);
    const fields = {
      id: '',
      tags: new Map(),
      priority: 0,
      path: undefined,
      contentType: undefined,
    };
    const operation = {
      kind: 'put',
      number: 1,
      channel: 1,
      ...fields,
      payload,
      transfer: 0,
      size: 3,
    } as const;
    const bytes = written<ClientOperation>(clientCodec, [operation]);
    const [read] = clientCodec.read(bytes);
    expect(read?.kind === 'put' && read.payload.buffer === bytes.buffer).toBe(true);
  });

  it('writes a small put in ten bytes beside its payload', () => {
    const fields = {
      id: '',
      tags: new Map(),
      priority: 0,
      path: undefined,
      contentType: undefined,
    };
    const payload = new Uint8Array(100);
    const operation = {
      kind: 'put',
      number: 300,
      channel: 4,
      ...fields,
      payload,
      transfer: 0,
      size: 100,
    } as const;
    expect(written<ClientOperation>(clientCodec, [operation]).length).toBeLessThanOrEqual(110);
  });
});
