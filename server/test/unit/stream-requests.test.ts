// Requests under way over the stream protocol: what a worker elsewhere says of its work reaches who
// follows it, once and in order, through lost connections; checkpoints reach the next delivery.

import type { LeasedMessage, RequestEvent, WorkClient } from '@sluice/sdk';
import { ByteWriter, clientCodec, serverCodec, type WorkNote } from '@sluice/sdk/wire';
import { afterEach, expect, it } from 'vitest';
import { NewsSender } from '../../src/join/work-news.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { publicId } from '../../src/requests/ids.ts';
import { everything, Receiver, until } from './stream-worker.ts';
import { StreamWorld, service } from './stream-world.ts';

const nothing = { contentType: undefined, code: '200', reason: '', firstOutputAt: 0 };
const output = (text: string): WorkNote => ({ kind: 'output', data: Buffer.from(text) });

let world: StreamWorld;
afterEach(() => world?.close());

interface Begun {
  readonly worker: WorkClient;
  readonly receiver: Receiver;
  readonly delivery: LeasedMessage;
  /** The public id of its request. */
  readonly id: string;
}

/** A request that a worker holds. */
async function begin(): Promise<Begun> {
  world = await StreamWorld.open();
  const client = await world.connect();
  const { index } = await client.input.put('question', { id: 'r-1' });
  const worker = await world.work('far-1');
  const receiver = new Receiver();
  await worker.watch('input', everything, receiver);
  await until(() => receiver.delivered.length === 1);
  const [delivery] = receiver.delivered;
  if (delivery === undefined) throw new Error('nothing delivered');
  return { worker, receiver, delivery, id: publicId(index, 'r-1') };
}

function told({ event, id, data }: RequestEvent): string {
  return `${id} ${event} ${JSON.stringify(data)}`;
}

it('brings what a worker says to who follows, to the end', async () => {
  const { worker, delivery, id } = await begin();
  const { deliveryId } = delivery;
  const client = await world.connect();
  const events = client.events(id);
  const next = async (): Promise<string> => {
    const { value } = await events.next();
    return value === undefined ? 'end' : told(value);
  };
  expect(await next()).toBe('1.0 state {"state":"running","instance":"far-1"}');
  await worker.tell(deliveryId, 0, [output('one ')]);
  expect(await next()).toBe('1.4 output {"text":"one "}');
  await worker.tell(deliveryId, 4, [{ kind: 'percent', value: 33.33 }, output('two ')]);
  expect(await next()).toBe('1.5 progress {"percent":33.33}');
  expect(await next()).toBe('1.9 output {"text":"two "}');
  // The same row again, and one after a row that was lost.
  await worker.tell(deliveryId, 5, [output('two ')]);
  await worker.tell(deliveryId, 12, [output('five')]);
  expect(await next()).toBe('1.12 gap {"bytes":3}');
  expect(await next()).toBe('1.16 output {"text":"five"}');
  await worker.complete({
    ...nothing,
    deliveryId,
    payload: Buffer.from('all'),
    outcome: 'succeeded',
  });
  expect(await next()).toBe('1.16 done {"state":"succeeded","cause":"completed","code":"200"}');
  expect(await next()).toBe('end');
});

it('goes on where it was after a cut; begins anew with the next delivery', async () => {
  const { worker, receiver, delivery, id } = await begin();
  await worker.tell(delivery.deliveryId, 0, [output('abc')]);
  const client = await world.connect();
  const events = client.events(id);
  await events.next();
  const first = await events.next();
  expect(first.value?.data).toEqual({ text: 'abc' });
  world.cutAll();
  await until(() => receiver.ends.length === 1);
  const again = new Receiver();
  const { deliveryId } = delivery;
  await worker.watch('input', { ...everything, holding: [deliveryId] }, again);
  await worker.tell(deliveryId, 3, [output('def')]);
  const seen: string[] = [];
  while (!seen.some((line) => line.includes('def'))) {
    const { value } = await events.next();
    if (value !== undefined) seen.push(told(value));
  }
  expect(seen.filter((line) => line.includes('output'))).toEqual(['1.6 output {"text":"def"}']);
  const back = { counted: true, code: '502', reason: 'cut', delayMs: 0 };
  await worker.giveBack('input', { deliveryId, ...back });
  await until(() => again.delivered.length === 1);
  const second = again.delivered[0];
  expect(second?.deliveries).toBe(2);
  await worker.tell(second?.deliveryId ?? 0, 0, [output('anew')]);
  const rest: string[] = [];
  while (!rest.some((line) => line.includes('anew'))) {
    const { value } = await events.next();
    if (value !== undefined) rest.push(told(value));
  }
  expect(rest.filter((line) => !line.includes(' state '))).toEqual([
    '2.0 reset {"attempt":2}',
    '2.4 output {"text":"anew"}',
  ]);
  await expect(worker.tell(deliveryId, 6, [output('late')])).rejects.toMatchObject({
    code: 'stale_delivery',
  });
});

it('keeps checkpoints of any size up to 1 MiB for the next delivery', async () => {
  const { worker, receiver, delivery } = await begin();
  const { deliveryId, index } = delivery;
  expect(await worker.checkpointOf(index)).toBeUndefined();
  await worker.checkpoint(deliveryId, Buffer.from('step 1'));
  const large = new Uint8Array(2 ** 20).fill(7);
  await worker.checkpoint(deliveryId, large);
  await worker.giveBack('input', { deliveryId, counted: true, code: '', reason: '', delayMs: 0 });
  await until(() => receiver.delivered.length === 2);
  const kept = await worker.checkpointOf(index);
  expect(Buffer.compare(kept ?? new Uint8Array(0), large)).toBe(0);
  await expect(worker.checkpoint(deliveryId, large)).rejects.toMatchObject({
    code: 'stale_delivery',
  });
  const tooLarge = new Uint8Array(2 ** 20 + 1);
  const [, second] = receiver.delivered;
  await expect(worker.checkpoint(second?.deliveryId ?? 0, tooLarge)).rejects.toMatchObject({
    code: 'too_large',
  });
});

it('shows nobody the requests of others', async () => {
  const { id } = await begin();
  const reader = await world.connect({ token: world.addToken('reader', ['read']) });
  await expect(reader.events(id).next()).rejects.toMatchObject({ code: 'not_found' });
  await expect(reader.events('1-00000000').next()).rejects.toMatchObject({ code: 'not_found' });
  const putter = await world.connect({ token: world.addToken('putter', ['submit']) });
  const { index } = await putter.input.put('mine', { id: 'r-2' });
  const { value } = await putter.events(publicId(index, 'r-2')).next();
  expect(value?.event).toBe('state');
  const consumer = await world.connect({ token: world.addToken('consumer', ['consume']) });
  await expect(consumer.events(id).next()).rejects.toMatchObject({ code: 'forbidden' });
});

it('sends no more events than a client has room for', async () => {
  const { worker, delivery, id } = await begin();
  let seen: string[] = [];
  const link = world.raw({
    message: (bytes) => {
      for (const operation of serverCodec.read(bytes)) seen.push(operation.kind);
    },
    closed: () => undefined,
  });
  const say = (...operations: Parameters<typeof clientCodec.write>[1][]): void => {
    const writer = new ByteWriter(64);
    for (const operation of operations) clientCodec.write(writer, operation);
    link.client.send(writer.finish());
  };
  const names = { token: 'main-token', uid: 'raw', gid: '', resume: '', agent: 'test' };
  say(
    { kind: 'hello', version: 1, credit: 0, ...names },
    { kind: 'open', number: 1, service, queue: 'input', gid: '', uid: '' },
    { kind: 'follow', number: 2, channel: 1, id, after: '', window: 2 },
  );
  await until(() => seen.includes('event'));
  // Each between two steps of progress, so that they are not merged.
  for (let at = 0; at < 20; at += 2) {
    const stage: WorkNote = { kind: 'stage', text: `s${at}` };
    await worker.tell(delivery.deliveryId, at, [output('x'), stage]);
  }
  await worker.progress(delivery.deliveryId, 'all said');
  expect(seen.filter((kind) => kind === 'event')).toHaveLength(2);
  seen = [];
  say({ kind: 'more', number: 2, events: 1 });
  await until(() => seen.length > 0);
  expect(seen).toEqual(['event']);
});

it('takes progress of clients that know of no notes', () => {
  const writer = new ByteWriter(64);
  const start = writer.openRecord();
  writer.byte(0x28);
  for (const number of [5, 1, 9]) writer.varint(number);
  writer.text('half done');
  writer.closeRecord(start);
  expect(clientCodec.read(writer.finish())).toEqual([
    {
      kind: 'progress',
      number: 5,
      channel: 1,
      deliveryId: 9,
      text: 'half done',
      from: 0,
      notes: [],
    },
  ]);
});

it('gathers what comes while a row is under way, and drops the oldest of too much', async () => {
  const rows: { from: number; size: number; answer: () => void }[] = [];
  const carrier = {
    tell: (_deliveryId: number, from: number, notes: readonly WorkNote[]) =>
      new Promise<void>((resolve) => {
        const size = notes.reduce(
          (sum, note) => sum + (note.kind === 'output' ? note.data.length : 1),
          0,
        );
        rows.push({ from, size, answer: resolve });
      }),
  };
  const sender = new NewsSender(() => carrier, silentLog);
  const delivery = { deliveryId: 3 } as LeasedMessage;
  let place = 0;
  const add = (size: number): void => {
    sender.add(delivery, [{ kind: 'output', data: new Uint8Array(size) }], place);
    place += size;
  };
  add(10);
  for (let count = 0; count < 100; count++) add(10);
  expect(rows).toMatchObject([{ from: 0, size: 10 }]);
  rows[0]?.answer();
  await until(() => rows.length === 2);
  expect(rows[1]).toMatchObject({ from: 10, size: 1000 });
  for (let count = 0; count < 100; count++) add(10_000);
  rows[1]?.answer();
  await until(() => rows.length === 3);
  const [, , third] = rows;
  expect(third?.from).toBeGreaterThan(1010);
  sender.end(delivery);
  const last = rows.at(-1);
  expect((last?.from ?? 0) + (last?.size ?? 0)).toBe(place);
  expect((last?.from ?? 0) - (third?.from ?? 0)).toBeLessThanOrEqual(third?.size ?? 0);
});
