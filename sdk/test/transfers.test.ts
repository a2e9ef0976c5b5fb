// Large payloads between an outbox and an assembler: every message within its limit, within the
// credit, whole at the other end, and without a copy where one part is enough.

import { describe, expect, it } from 'vitest';
import { Assembler } from '../src/stream/assembler.ts';
import { clientCodec } from '../src/stream/codec.ts';
import { noBytes } from '../src/stream/fields.ts';
import { partBytesMax, streamMessageBytesMax } from '../src/stream/limits.ts';
import type { ClientOperation, Put } from '../src/stream/operations.ts';
import { Outbox } from '../src/stream/outbox.ts';

function put(number: number, payload: Uint8Array, tag = ''): Put {
  const tags = new Map(tag === '' ? [] : [['tag', tag]]);
  const more = { priority: 0, path: undefined, contentType: undefined };
  const sized = { payload, transfer: 0, size: payload.length };
  return { kind: 'put', number, channel: 1, id: '', tags, ...more, ...sized };
}

function bytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >>> 8) + seed) & 0xff);
}

/** A sender and the receiver it talks to, with a credit; messages pass when `pass` is called. */
function pair(creditBytes: number) {
  const waiting: Uint8Array[] = [];
  const messages: Uint8Array[] = [];
  const arrived: { number: number; payload: Uint8Array }[] = [];
  const deferred: (() => void)[] = [];
  const outbox = new Outbox<ClientOperation>({
    write: clientCodec.write,
    send: (message) => waiting.push(message),
    defer: (run) => deferred.push(run),
  });
  const assembler = new Assembler<Put>(creditBytes, (more) => outbox.granted(more));
  outbox.granted(creditBytes);
  const take = (operation: ClientOperation): void => {
    if (operation.kind === 'put') {
      if (operation.transfer === 0) arrived.push(operation);
      else assembler.begin(operation);
    } else if (operation.kind === 'part') {
      const whole = assembler.part(operation);
      if (whole) arrived.push({ number: whole.operation.number, payload: whole.payload });
    }
  };
  const pass = (): void => {
    for (;;) {
      for (const run of deferred.splice(0)) run();
      const message = waiting.shift();
      if (message === undefined && deferred.length === 0) return;
      if (message === undefined) continue;
      messages.push(message);
      for (const operation of clientCodec.read(message)) take(operation);
    }
  };
  const send = (operation: Put): void => outbox.inOrder(operation, operation.payload);
  return { outbox, send, pass, messages, arrived };
}

describe('large payloads', () => {
  it('go in one message, and are not copied where they arrive, when one part holds them', () => {
    const { send, pass, messages, arrived } = pair(4 * 2 ** 20);
    const payload = bytes(partBytesMax, 1);
    send(put(1, payload));
    pass();
    expect(messages.map(({ length }) => length <= streamMessageBytesMax)).toEqual([true]);
    expect(arrived[0]?.payload.buffer === messages[0]?.buffer).toBe(true);
    expect(Buffer.compare(arrived[0]?.payload ?? noBytes, payload)).toBe(0);
  });

  it.each([300_000, 4 * 2 ** 20])('arrive whole and in order with a credit of %d', (credit) => {
    const { send, pass, messages, arrived } = pair(credit);
    const sizes = [partBytesMax, 10, partBytesMax + 1, 3 * 2 ** 20, 70_000, partBytesMax - 1];
    const payloads = sizes.map(bytes);
    // A long tag leaves no room for a part in the message that announces it.
    const tag = 't'.repeat(50_000);
    for (const [at, payload] of payloads.entries()) send(put(at + 1, payload, tag));
    pass();
    expect(arrived.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const [at, { payload }] of arrived.entries()) {
      expect(Buffer.compare(payload, payloads[at] ?? noBytes)).toBe(0);
    }
    expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(
      streamMessageBytesMax,
    );
  });
});
