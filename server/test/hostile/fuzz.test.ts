// Random and nearly right input for the readers of the server: raw HTTP, queries, WebSocket
// frames, protobuf; operations of the stream protocol are in stream-fuzz.test.ts. No answer is a
// failure of the server's own, nothing is logged as a bug, and it goes on serving.

import {
  clientCodec,
  decodeAttributes,
  decodeFrame,
  decodeFrameList,
  encodeAttributes,
  encodeFrame,
  encodeFrameList,
  PlatformError,
  serverCodec,
} from '@sluice/sdk/wire';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sentBytes } from './request-bytes.ts';
import { answersIn, openWorld, requestOf, tokenOf, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld({ queue: { source: { max_length: 1000 } } });
});
afterAll(async () => {
  const peer = await world.peer();
  peer.send(requestOf('POST', '/api/predict/two', { token: tokenOf('two'), body: 'alive' }));
  await peer.until(' 200 ');
  await world.close();
  expect(world.errors).toEqual([]);
});

function failures(text: string): readonly string[] {
  // 500 is a bug; 501 and 505 are what Node says of HTTP that it does not speak.
  return text.match(/HTTP\/1\.1 5(?!01|05)\d\d[\s\S]{0,200}/g) ?? [];
}

it('answers no bytes on a connection with a failure of its own', async () => {
  await fc.assert(
    fc.asyncProperty(sentBytes, fc.boolean(), async ({ text, cuts }, hasToken) => {
      const peer = await world.peer();
      const lines = `Host: localhost\r\nAuthorization: ${tokenOf('one')}`;
      const bytes = hasToken ? text.replaceAll('Host: localhost', lines) : text;
      let from = 0;
      for (const to of [...cuts, bytes.length]) {
        peer.send(bytes.slice(from, Math.max(from, to)));
        from = Math.max(from, to);
        await new Promise((resolve) => setImmediate(resolve));
      }
      peer.socket.end();
      expect(failures(await peer.closed())).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

describe('queries', () => {
  const reserved = [
    ...[
      '_index_',
      '_length_',
      '_timeout_',
      '_raw_',
      '_auto_delete_',
      '_count_',
      '_search_',
      '_attrs_',
    ],
    ...[
      '_watch_',
      '_window_',
      '_index_only_',
      '_auto_commit_',
      '_indexes_',
      '_negative_',
      '_trunc_',
    ],
    ...['_eos_', '_priority_', '_force_', 'requestId', '__proto__', 'constructor', '_', '__', ''],
  ];
  const value = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '1',
      '-1',
      'true',
      'false',
      '1,2,3',
      '5ms',
      '%',
      '%00',
      '%ff',
      '+',
      '%0a',
    ),
    fc.constantFrom('9007199254740993', '18446744073709551615', '1e9', 'NaN', '%F0%9F%A6%86', '..'),
    fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => encodeURIComponent(text)),
    fc.string({ unit: fc.constantFrom(...'&=%+;?/_,-0a'), maxLength: 12 }),
  );
  const query = fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...reserved), value), value), { maxLength: 5 })
    .map((pairs) => pairs.map(([name, each]) => `${name}=${each}`).join('&'));

  it('are answered whatever they are', async () => {
    const statuses = new Map<number, number>();
    const one = async (method: string, path: string): Promise<void> => {
      const peer = await world.peer();
      const headers = ['Connection: close'];
      peer.send(requestOf(method, path, { headers, body: method === 'GET' ? undefined : 'a=b' }));
      const text = await peer.until((sofar) => sofar.includes('\r\n\r\n'));
      peer.socket.destroy();
      expect([path, failures(text)]).toEqual([path, []]);
      const status = Number(text.slice(9, 12));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
        fc.constantFrom('', '/sink', '/a/b', '/sink/x'),
        query.filter((text) => !/_eos_|_timeout_/.test(text)),
        (method, below, text) => one(method, `/api/predict/one${below}?${text}`),
      ),
      { numRuns: 500 },
    );
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400]));
  });
});

describe('WebSocket frames', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const frame = fc
    .record({
      first: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(0x82, 0x02, 0x80, 0x89, 0x8a, 0x88) },
        byte,
      ),
      isMasked: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
      length: fc.constantFrom('right', 'right', 'right', '16', '64', '2^63', 'over', 'longer'),
      payload: fc.uint8Array({ maxLength: 200 }),
    })
    .map(({ first, isMasked, length, payload }) => {
      const mask = isMasked ? 0x80 : 0;
      const size = payload.length;
      const heads: Readonly<Record<string, Buffer>> = {
        right: size < 126 ? Buffer.of(first, mask | size) : Buffer.of(first, mask | 126, 0, size),
        '16': Buffer.of(first, mask | 126, 0, size & 0xff),
        '64': Buffer.of(first, mask | 127, 0, 0, 0, 0, 0, 0, 0, size & 0xff),
        '2^63': Buffer.of(first, mask | 127, 0x80, 0, 0, 0, 0, 0, 0, 0),
        over: Buffer.of(first, mask | 127, 0, 0, 0, 0, 0, 0x10, 0, 1),
        longer: Buffer.of(first, mask | Math.min(125, size + 5)),
      };
      const key = isMasked ? Buffer.of(0, 0, 0, 0) : Buffer.alloc(0);
      return Buffer.concat([heads[length] ?? Buffer.alloc(0), key, payload]);
    });

  it.each(['/v1/stream', '/api/predict/one?_watch_=true'])(
    'on %s end a connection at most',
    async (path) => {
      await fc.assert(
        fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), async (frames) => {
          const peer = await world.peer();
          const headers = [
            ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
            'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
          ];
          peer.send(requestOf('GET', path, { headers }));
          await peer.until('\r\n\r\n');
          expect(peer.text).toContain(' 101 ');
          for (const each of frames) peer.send(each);
          peer.socket.end();
          await peer.closed();
        }),
        { numRuns: 150 },
      );
    },
  );
});

describe('codecs', () => {
  const readers = [
    decodeFrame,
    decodeFrameList,
    decodeAttributes,
    (bytes: Uint8Array) => clientCodec.read(bytes),
    (bytes: Uint8Array) => serverCodec.read(bytes),
  ];

  it('read any bytes, or refuse them with bad_request or too_large, and nothing else', () => {
    const tag = fc.tuple(fc.string(), fc.string());
    const frame = fc
      .record({
        index: fc.maxSafeNat(),
        tags: fc.array(tag, { maxLength: 3 }),
        data: fc.uint8Array(),
        message: fc.string(),
      })
      .map((made) => ({ ...made, tags: new Map(made.tags) }));
    const valid = fc.oneof(
      frame.map(encodeFrame),
      fc.array(frame, { maxLength: 3 }).map(encodeFrameList),
      fc.array(tag).map((pairs) => encodeAttributes(new Map(pairs))),
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(valid, fc.nat(), fc.nat(255)).map(([whole, at, to]) => {
        const changed = Uint8Array.from(whole);
        if (changed.length > 0) changed[at % changed.length] = to;
        return changed.subarray(0, 1 + (at % (changed.length + 1)));
      }),
      // Lengths that promise far more than there is.
      fc.constantFrom(
        Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x7f),
        Uint8Array.of(0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
        Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
        Uint8Array.of(0xff, 0xff, 0xff, 0x17, 1, 1, 0xff, 0xff, 3),
      ),
    );
    return fc.assert(
      fc.property(bytes, (each) => {
        for (const read of readers) {
          try {
            read(each);
          } catch (error) {
            if (!(error instanceof PlatformError)) throw error;
            expect(['bad_request', 'too_large']).toContain(error.code);
          }
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('carry any tags and payload to an EAS client in protobuf', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 });
    const peer = await world.peer();
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, fc.string({ unit: 'grapheme', maxLength: 10 }), { maxKeys: 4 }),
        fc.uint8Array({ maxLength: 50 }),
        async (tags, payload) => {
          const plain = Object.entries(tags).filter(
            ([key]) => !/^_.*_$/.test(key) && key !== 'requestId',
          );
          const pairs = plain.map(
            ([key, each]) => `${encodeURIComponent(key)}=${encodeURIComponent(each)}`,
          );
          const path = `/api/predict/two/sink?${['t=1', ...pairs].join('&')}`;
          const body = Buffer.from(payload).toString('latin1');
          peer.forget();
          peer.send(requestOf('POST', path, { token: tokenOf('two'), body }));
          await peer.until((sofar) => answersIn(sofar).length > 0);
          peer.forget();
          const accept = ['Accept: application/vnd.google.protobuf'];
          peer.send(
            requestOf('GET', `${path}&_raw_=false`, { token: tokenOf('two'), headers: accept }),
          );
          const text = await peer.until((sofar) => answersIn(sofar).length > 0);
          const [answer] = answersIn(text);
          const [got] = decodeFrameList(Buffer.from(answer?.body ?? '', 'latin1'));
          expect(Buffer.from(got?.data ?? [])).toEqual(Buffer.from(payload));
          for (const [key, each] of plain) {
            if (key !== 't') expect(got?.tags.get(key)).toBe(each);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
