// Files that somebody broke on purpose: whatever their bytes, the answer is a refusal in words or a
// value, never another error, and never without an end.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readPicture } from '../../src/processors/onnx/picture.ts';
import { readWav } from '../../src/processors/onnx/wav.ts';
import { InputError } from '../../src/processors/processor.ts';
import { wavOf } from '../integration/onnx-sound.ts';

const models = new URL('../integration/onnx-models/', import.meta.url);
const { turned } = JSON.parse(readFileSync(new URL('pictures.json', models), 'utf8')) as {
  readonly turned: readonly { readonly jpeg: string }[];
};
const files = {
  png: readFileSync(new URL('word.png', models)),
  jpeg: Buffer.from(turned[5]?.jpeg ?? '', 'base64'),
  wav: Buffer.from(wavOf(Float32Array.from({ length: 50 }, Math.sin), 8000)),
};

/** Some bytes of a file changed, and some of its end cut off. */
function broken(file: Buffer): fc.Arbitrary<Uint8Array> {
  // Heads are where the sizes and the kinds stand: half of the changes are there.
  const place = fc.oneof(fc.nat(Math.min(60, file.length - 1)), fc.nat(file.length - 1));
  const changes = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 6 });
  const cut = fc.oneof(fc.constant(0), fc.nat(file.length));
  return fc.tuple(changes, cut).map(([changed, less]) => {
    const bytes = Uint8Array.from(file);
    for (const [at, value] of changed) bytes[at] = value;
    return bytes.subarray(0, bytes.length - less);
  });
}

function refusalOf(read: () => unknown): unknown {
  try {
    read();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** How many of 300 broken files are refused; fails when one makes another error. */
async function refusals(file: Buffer, read: (bytes: Uint8Array) => unknown): Promise<number> {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(broken(file), async (bytes) => {
      const refusal = refusalOf(() => read(bytes));
      if (refusal === undefined) return;
      count += 1;
      expect(refusal).toBeInstanceOf(InputError);
    }),
    { numRuns: 300 },
  );
  return count;
}

it.each([
  ['PNG', files.png, readPicture],
  ['JPEG', files.jpeg, readPicture],
  ['WAV', files.wav, readWav],
])('refuses a broken %s in words, or reads it', async (_, file, read) => {
  expect(refusalOf(() => read(file))).toBeUndefined();
  expect(await refusals(file, read)).toBeGreaterThan(30);
});
