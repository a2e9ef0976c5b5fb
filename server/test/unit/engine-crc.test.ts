// The checksum of short pieces is that of zlib, wherever they lie and whatever came before.

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortCrc32 } from '../../src/engine/crc.ts';

test('is the crc32 of zlib', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 600 });
  fc.assert(
    fc.property(bytes, fc.nat(600), fc.nat(600), fc.nat(0xffff_ffff), (whole, a, b, seed) => {
      const start = Math.min(a, b, whole.length);
      const end = Math.min(Math.max(a, b), whole.length);
      const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
      const wanted = crc32(Buffer.from(whole).subarray(start, end), seed);
      expect(shortCrc32(view, start, end, seed)).toBe(wanted);
    }),
  );
});
