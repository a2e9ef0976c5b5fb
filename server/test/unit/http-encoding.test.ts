// How answers of the EAS protocol are encoded, and what refusals look like on the wire.

import { decodeAttributes, decodeFrameList, PlatformError } from '@sluice/sdk/wire';
import { describe, expect, it } from 'vitest';
import type { Message, QueueView } from '../../src/broker/queues.ts';
import { answerMessage, closing, refusalOf } from '../../src/http/answer.ts';
import { encodeMessages, encodeTexts, encodingOf } from '../../src/http/eas/encoding.ts';
import { identityOf, priorityOf, putterOf, queueNameOf } from '../../src/http/eas/identity.ts';
import { attributesOf } from '../../src/http/eas/inspect.ts';
import { bodyError, headerValue } from '../../src/http/eas/put.ts';
import { parseQuery } from '../../src/http/eas/query.ts';
import { defaultEdgeLimits } from '../../src/http/limits.ts';
import { systemRandom } from '../../src/kernel/random.ts';

describe('encodings', () => {
  it.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['application/vnd.google.protobuf', 'protobuf'],
    ['Application/Vnd.Google.Protobuf; q=0.9, */*', 'protobuf'],
    ['text/html, application/xml;q=0.9, */*;q=0.8', 'json'],
    ['application/x-flatbuffers, application/json', 'json'],
  ])('answers Accept %j with %s', (accept, encoding) => {
    expect(encodingOf(accept)).toBe(encoding);
  });

  it.each(['application/x-flatbuffers', 'text/plain', 'application/json;q=0'])(
    'has nothing for Accept %s',
    (accept) => {
      expect(() => encodingOf(accept)).toThrow(PlatformError);
      expect(refusalOf(attempt(() => encodingOf(accept))).status).toBe(406);
    },
  );

  const message: Message = {
    index: 12,
    id: 'r1',
    tags: new Map([['color', 'red']]),
    priority: 0,
    payload: Buffer.from([0, 255, 1]),
    contentType: undefined,
    path: undefined,
    acceptedAt: 0,
  };

  it('shows the request id as a tag, in protobuf', () => {
    const [frame] = decodeFrameList(encodeMessages([message], 'protobuf'));
    expect(frame?.index).toBe(12);
    expect([...(frame?.tags ?? [])]).toEqual([
      ['color', 'red'],
      ['requestId', 'r1'],
    ]);
    expect([...(frame?.data ?? [])]).toEqual([0, 255, 1]);
  });

  it('writes a bare array in JSON, with padded base64 and no empty message', () => {
    const text = Buffer.from(encodeMessages([message], 'json')).toString();
    expect(text).toBe('[{"index":12,"tags":{"color":"red","requestId":"r1"},"data":"AP8B"}]');
  });

  it('writes no byte for an empty list in protobuf', () => {
    expect(encodeMessages([], 'protobuf').length).toBe(0);
  });
});

describe('attributes', () => {
  const view: QueueView = {
    name: 'input',
    ended: false,
    payloadBytesMax: 8192,
    capacity: 230_399,
    length: 3,
    waiting: 1,
    backingOff: 0,
    leased: 2,
    reserved: 0,
    firstIndex: 4,
    lastIndex: 9,
    consumers: [
      {
        gid: 'eas',
        uid: 'u1',
        index: 4,
        pending: 2,
        status: 'Running',
        idleMs: 1500,
        window: 5,
        slots: 3,
        autoCommit: false,
        tags: new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
        suspect: 0,
      },
      {
        gid: 'eas',
        uid: 'u2',
        index: 3,
        pending: 1,
        status: 'Running',
        idleMs: 0,
        window: 5,
        slots: 0,
        autoCommit: false,
        tags: new Map(),
        suspect: 7,
      },
    ],
    groups: [{ gid: 'eas', index: 12, pending: 3, delivered: 7, consumers: 2 }],
    suspects: [
      { gid: 'eas', index: 3, uid: 'u3', isHeld: true },
      { gid: 'eas', index: 7, uid: 'u2', isHeld: false },
      { gid: 'eas', index: 8, uid: '', isHeld: false },
    ],
    leftBehind: new Map(),
  };

  it('has every key that clients name, as texts', () => {
    const attributes = attributesOf('s', view, { backend: 'memory' });
    expect(Object.fromEntries(attributes)).toMatchObject({
      'meta.name': 's',
      'meta.state': 'Normal',
      'meta.backend': 'memory',
      'meta.maxPayloadBytes': '8192',
      'meta.header.user': 'X-EAS-QueueService-Redis-Uid',
      'meta.header.group': 'X-EAS-QueueService-Redis-Gid',
      'meta.header.priority': 'X-EAS-QueueService-Priority',
      'meta.header.userIdentifyHeader': 'X-EAS-QueueService-Redis-Uid',
      'meta.header.groupIdentifyHeader': 'X-EAS-QueueService-Redis-Gid',
      'stream.length': '3',
      'stream.approxMaxLength': '230399',
      'stream.firstEntry': '4',
      'stream.lastEntry': '9',
      'consumers.stats.total': '2',
      'consumers.status.total': '2',
      'consumers.list.[0]':
        'Id: eas.u1, Index: 4, Pending: 2, Status: Running, Idle: 1.5s, ' +
        'Window: 5, Slots: 3, AutoCommit: false, Tags: tags[a=1 b=2]',
      'consumers.list.[1]':
        'Id: eas.u2, Index: 3, Pending: 1, Status: Running, Idle: 0s, ' +
        'Window: 5, Slots: 0, AutoCommit: false, Suspect: 7',
      'groups.list.[0]': 'Id: eas, Index: 12, Pending: 3, Delivered: 7, Consumers: 2',
      'suspects.list.[0]': 'Index: 3, State: alone on eas.u3',
      'suspects.list.[1]':
        'Index: 7, State: waits for an instance of its own: ' +
        'eas.u2 gets nothing else until it is free',
      'suspects.list.[2]': 'Index: 8, State: waits for an instance of its own',
    });
  });

  it('names sink and rear queues, and says when a queue has ended', () => {
    const rear: QueueView = { ...view, name: 'sinkRear', ended: true };
    const attributes = attributesOf('s', rear, { backend: 'memory' });
    expect(attributes.get('meta.name')).toBe('s/sink (rear)');
    expect(attributes.get('meta.state')).toBe('End');
  });

  it('are the same in both encodings', () => {
    const attributes = attributesOf('s', view, { backend: 'memory' });
    const json = JSON.parse(Buffer.from(encodeTexts(attributes, 'json')).toString());
    expect(json).toEqual(Object.fromEntries(attributes));
    expect(decodeAttributes(encodeTexts(attributes, 'protobuf'))).toEqual(attributes);
  });
});

describe('what headers say', () => {
  it('reads user and group, and gives the nameless a group and a fresh user', () => {
    const headers = {
      'x-eas-queueservice-redis-uid': 'u',
      'x-eas-queueservice-redis-gid': 'g',
    };
    expect(identityOf(headers, systemRandom)).toEqual({ gid: 'g', uid: 'u' });
    const one = identityOf({}, systemRandom);
    const other = identityOf({}, systemRandom);
    expect(one.gid).toBe('default');
    expect(one.uid).not.toBe(other.uid);
    expect(putterOf({ 'x-eas-queueservice-redis-gid': 'g' })).toEqual({ gid: 'g', uid: '' });
  });

  it('refuses names that are too long', () => {
    const headers = { 'x-eas-queueservice-redis-uid': 'u'.repeat(513) };
    expect(() => identityOf(headers, systemRandom)).toThrow(PlatformError);
  });

  it('takes the priority from the query, else from the header', () => {
    const headers = { 'x-eas-queueservice-priority': '7' };
    expect(priorityOf(headers, parseQuery('_priority_=9'))).toBe(9);
    expect(priorityOf(headers, parseQuery(''))).toBe(7);
    expect(priorityOf({}, parseQuery(''))).toBeUndefined();
  });

  it('means the rear queue when the header says so', () => {
    const rear = { 'x-eas-queueservice-access-rear': 'true' };
    expect(queueNameOf('input', rear)).toBe('inputRear');
    expect(queueNameOf('sink', rear)).toBe('sinkRear');
    expect(queueNameOf('sink', { 'x-eas-queueservice-access-rear': 'false' })).toBe('sink');
    expect(queueNameOf('input', {})).toBe('input');
  });

  it('hands a request id back as the bytes that clients sent', () => {
    expect(headerValue('abc')).toBe('abc');
    expect(Buffer.from(headerValue('é漢'), 'latin1').toString()).toBe('é漢');
  });
});

describe('refusals', () => {
  it('are one line of text with a status, and say when to come back', () => {
    const full = new PlatformError('queue_full', 'full:\nnothing changed', { retryAfterMs: 1500 });
    expect(refusalOf(full)).toEqual({
      status: 450,
      text: 'full: nothing changed',
      headers: ['Retry-After', '2'],
    });
    expect(answerMessage(refusalOf(full), closing)).toBe(
      [
        'HTTP/1.1 450 Queue Full',
        'Retry-After: 2',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Length: 21',
        'Connection: close',
        '',
        'full: nothing changed',
      ].join('\r\n'),
    );
  });

  it('tell nothing of an error that is a bug', () => {
    const refusal = refusalOf(new TypeError('secret is undefined'));
    expect(refusal.status).toBe(500);
    expect(refusal.text).not.toContain('secret');
  });

  it('state size, limit, setting and command for a payload that is too large', () => {
    const where = { queue: 'sink', bytesMax: 8192 } as const;
    const why = { kind: 'tooLarge', size: 9000, declared: true } as const;
    const error = bodyError(why, where, defaultEdgeLimits);
    expect(error.status).toBe(413);
    expect(error.message).toBe(
      'a payload of 9000 bytes is over the limit of 8192 bytes: ' +
        "raise queue.sink.max_payload_size_kb in the service's file and apply it with " +
        '`sluice apply FILE`',
    );
  });
});

function attempt(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
