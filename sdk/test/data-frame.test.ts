// The message formats of the EAS protocol: bytes as published, round trips, hostile input.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../src/base64.ts';
import {
  decodeAttributes,
  decodeFrame,
  decodeFrameList,
  encodeAttributes,
  encodeFrame,
  encodeFrameList,
  type Frame,
} from '../src/data-frame.ts';
import { PlatformError } from '../src/errors.ts';
import { frameFromJson, framesFromJson, frameToJson } from '../src/frame-json.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 80 });
const tags = fc.array(fc.tuple(text, text), { maxLength: 6 }).map((pairs) => new Map(pairs));
const frame: fc.Arbitrary<Frame> = fc.record({
  index: fc.maxSafeNat(),
  tags,
  data: fc.uint8Array({ maxLength: 300 }),
  message: text,
});

const plain = (value: Frame) => ({ ...value, data: [...value.data] });

function isRefusal(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    return error instanceof PlatformError && error.code === 'bad_request';
  }
}

describe('the protobuf form', () => {
  it('writes the very bytes that the published message definition asks for', () => {
    const bytes = encodeFrame({
      index: 300,
      tags: new Map([['a', 'b']]),
      data: new Uint8Array([1, 2]),
      message: 'é',
    });
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '08ac02' + '12060a01611201' + '62' + '1a020102' + '2202c3a9',
    );
    expect(
      encodeFrame({ index: 0, tags: new Map(), data: new Uint8Array(0), message: '' }),
    ).toHaveLength(0);
    expect(encodeFrameList([])).toHaveLength(0);
  });

  it('brings every frame back as it was', () => {
    fc.assert(
      fc.property(frame, (value) => {
        expect(plain(decodeFrame(encodeFrame(value)))).toEqual(plain(value));
      }),
    );
  });

  it('brings lists and attributes back in order', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), tags, (frames, attributes) => {
        expect(decodeFrameList(encodeFrameList(frames)).map(plain)).toEqual(frames.map(plain));
        expect([...decodeAttributes(encodeAttributes(attributes))]).toEqual([...attributes]);
      }),
    );
  });

  it('passes over unknown fields of every wire type', () => {
    const unknown = [0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const more = [0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 9, 9, 0x7d, 1, 2, 3, 4];
    const known = encodeFrame({
      index: 7,
      tags: new Map(),
      data: new Uint8Array([5]),
      message: '',
    });
    expect(plain(decodeFrame(new Uint8Array([...unknown, ...more, ...known])))).toMatchObject({
      index: 7,
      data: [5],
    });
  });

  it('answers hostile bytes with a refusal, never with a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        expect(isRefusal(() => decodeFrame(bytes))).toBe(true);
        expect(isRefusal(() => decodeFrameList(bytes))).toBe(true);
        expect(isRefusal(() => decodeAttributes(bytes))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['an index of 2^53', [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['a length beyond the end', [0x1a, 0x05, 1]],
    ['field number 0', [0x00, 0x01]],
    ['text that is not UTF-8', [0x22, 0x01, 0xff]],
    ['a number of eleven bytes', [0x08, ...Array(11).fill(0x80)]],
    ['a group', [0x0b]],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeFrame(new Uint8Array(bytes))).toThrow(PlatformError);
  });
});

describe('the JSON form', () => {
  it('brings every frame back as it was', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
        const json: unknown = JSON.parse(JSON.stringify(frames.map(frameToJson)));
        expect(framesFromJson(json).map(plain)).toEqual(frames.map(plain));
      }),
    );
  });

  it('keeps a tag named __proto__ and leaves an empty message out', () => {
    const value: Frame = {
      index: 1,
      tags: new Map([['__proto__', 'x']]),
      data: new Uint8Array([255]),
      message: '',
    };
    expect(JSON.stringify(frameToJson(value))).toBe(
      '{"index":1,"tags":{"__proto__":"x"},"data":"/w=="}',
    );
    expect(
      frameFromJson(JSON.parse(JSON.stringify(frameToJson(value)))).tags.get('__proto__'),
    ).toBe('x');
  });

  it('refuses any other JSON value', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => isRefusal(() => framesFromJson(value))));
  });
});

describe('base64', () => {
  it('writes what Node writes and reads it back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const encoded = encodeBase64(bytes);
        expect(encoded).toBe(Buffer.from(bytes).toString('base64'));
        expect([...decodeBase64(encoded)]).toEqual([...bytes]);
      }),
    );
  });

  it.each(['A', 'AA', '====', 'A===', 'AA=A', '-_==', 'AAA ', '💥💥'])('refuses %j', (text) => {
    expect(() => decodeBase64(text)).toThrow(PlatformError);
  });
});
