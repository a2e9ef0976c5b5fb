// Pictures held against what Pillow makes of the same files (integration/onnx-models/make.py), and
// what becomes of them on their way into a tensor, in numbers small enough to do by hand.

import { readFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { type Elements, elementType } from '../../src/processors/onnx/element.ts';
import { imageReader } from '../../src/processors/onnx/image-input.ts';
import { readPicture, withChannels } from '../../src/processors/onnx/picture.ts';
import { type Filter, resample } from '../../src/processors/onnx/resample.ts';
import type { TensorSpec } from '../../src/processors/onnx/tensor.ts';

const pillow: {
  readonly png: string;
  readonly gray: readonly number[];
  readonly resized: readonly {
    readonly filter: Filter;
    readonly width: number;
    readonly height: number;
    readonly data: readonly number[];
  }[];
  readonly cropped: readonly number[];
  readonly turned: readonly {
    readonly orientation: number;
    readonly jpeg: string;
    readonly width: number;
    readonly height: number;
    readonly corners: readonly (readonly number[])[];
  }[];
  readonly seeThrough: string;
  readonly over: readonly number[];
} = JSON.parse(
  readFileSync(new URL('../integration/onnx-models/pictures.json', import.meta.url), 'utf8'),
);

const noise = withChannels(readPicture(Buffer.from(pillow.png, 'base64')), 'rgb', 255);
const whole = { left: 0, top: 0, width: noise.width, height: noise.height };

/** The largest difference between two pictures. */
function apart(one: ArrayLike<number>, other: ArrayLike<number>): number {
  expect(one.length).toBe(other.length);
  return Array.from(one).reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? 0))),
    0,
  );
}

describe('as Pillow does it', () => {
  // Pillow rounds to bytes after each of its two passes.
  it.each(pillow.resized)('resizes by $filter to $width x $height', (wanted) => {
    const { data } = resample(noise, whole, wanted);
    expect(apart(data, wanted.data)).toBeLessThan(wanted.filter === 'nearest' ? 0.001 : 1.5);
  });

  it('cuts out a part', () => {
    const area = { left: 7, top: 0, width: 23, height: 23 };
    const { data } = resample(noise, area, { width: 8, height: 8, filter: 'bilinear' });
    expect(apart(data, pillow.cropped)).toBeLessThan(1.5);
  });

  it('turns colours gray', () => {
    const gray = withChannels(readPicture(Buffer.from(pillow.png, 'base64')), 'gray', 255);
    expect([...gray.data]).toEqual(pillow.gray);
  });

  it('shows what is behind transparent pixels', () => {
    const over = withChannels(readPicture(Buffer.from(pillow.seeThrough, 'base64')), 'rgb', 255);
    expect(apart(over.data, pillow.over)).toBeLessThanOrEqual(1);
  });

  it.each(pillow.turned)('stands a JPEG of orientation $orientation upright', (wanted) => {
    const picture = readPicture(Buffer.from(wanted.jpeg, 'base64'));
    expect([picture.width, picture.height]).toEqual([wanted.width, wanted.height]);
    const { width, height } = picture;
    const corners = [2, height - 3].flatMap((y) =>
      [2, width - 3].map((x) => {
        const at = (y * width + x) * 4;
        return [...picture.data.subarray(at, at + 3)];
      }),
    );
    // Two decoders of JPEG round differently.
    expect(apart(corners.flat(), wanted.corners.flat())).toBeLessThan(6);
  });
});

const float: TensorSpec = spec('float32', ['n', 3, 'height', 'width']);

describe('as a tensor', () => {
  const square = png(2, 2, [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [255, 255, 255],
  ]);

  it('has its channels one after the other, or side by side', () => {
    const config = { width: 2, height: 2 };
    const planar = imageReader(config, float)(square);
    expect(planar.dims).toEqual([1, 3, 2, 2]);
    expect([...planar.data]).toEqual([1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1]);
    const sideBySide = imageReader(config, spec('float32', ['n', 2, 2, 3]))(square);
    expect(sideBySide.dims).toEqual([1, 2, 2, 3]);
    expect([...sideBySide.data]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1]);
  });

  it('has blue first where the model wants it', () => {
    const { data } = imageReader({ width: 2, height: 2, channels: 'bgr' }, float)(square);
    expect([...data]).toEqual([0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1]);
  });

  it('is scaled, shifted and spread for each channel, and turned to its negative', () => {
    const config = { width: 2, height: 2, scale: 1, mean: [5, 0, 5], std: [10, 5, 1] };
    const { data } = imageReader(config, float)(square);
    expect([...data].slice(0, 4)).toEqual([25, -0.5, -0.5, 25]);
    expect([...data].slice(4, 8)).toEqual([0, 51, 0, 51]);
    const negative = imageReader({ ...config, invert: true }, float)(square);
    expect([...negative.data].slice(8)).toEqual([250, 250, -5, -5]);
  });

  it('takes sizes and channels from the model', () => {
    const gray = imageReader({ layout: 'NHWC' }, spec('uint8', ['n', 1, 4, 1]))(square);
    expect(gray.dims).toEqual([1, 1, 4, 1]);
    const bytes = imageReader({ scale: 1 }, spec('uint8', ['n', 1, 2, 2]))(square);
    expect([...bytes.data]).toEqual([76, 150, 29, 255]);
    const flat = imageReader({ width: 2, height: 2, channels: 'gray' }, spec('float32', ['n', 4]));
    expect(flat(square).dims).toEqual([1, 4]);
  });

  const wide = png(4, 2, new Array<number[]>(8).fill([100, 100, 100]));
  const gray = spec('float32', ['n', 1, 4, 4]);

  it('fits in with margins, in the middle or at the start', () => {
    const config = { fit: 'contain', scale: 1, pad: 9 } as const;
    const lines = (data: Elements) => Array.from(data, Number).filter((_, at) => at % 4 === 0);
    expect(lines(imageReader(config, gray)(wide).data)).toEqual([9, 100, 100, 9]);
    const atStart = imageReader({ ...config, anchor: 'start' }, gray)(wide);
    expect(lines(atStart.data)).toEqual([100, 100, 9, 9]);
  });

  it('covers all and loses its sides', () => {
    const halves = png(
      4,
      2,
      [10, 10, 200, 200, 10, 10, 200, 200].map((value) => [value, value, value]),
    );
    const middle = imageReader({ fit: 'cover', scale: 1, filter: 'nearest' }, gray)(halves);
    expect([...middle.data].slice(0, 4)).toEqual([10, 10, 200, 200]);
    const config = { fit: 'cover', anchor: 'start', scale: 1, filter: 'nearest' } as const;
    expect([...imageReader(config, gray)(halves).data].slice(0, 4)).toEqual([10, 10, 10, 10]);
  });

  it.each([
    ['its own width', {}, 8],
    ['a multiple', { width_step: 5 }, 10],
    ['no less than', { width_min: 20 }, 20],
    ['no more than', { width_max: 6 }, 6],
  ])('takes with a fixed height %s', (_, widths, width) => {
    const config = { fit: 'height', height: 4, scale: 1, ...widths } as const;
    const { dims, data } = imageReader(config, float)(wide);
    expect(dims).toEqual([1, 3, 4, width]);
    const line = Array.from(data, Number).slice(0, width);
    expect(line.filter((value) => value > 99)).toHaveLength(Math.min(8, width));
  });
});

describe('refusals', () => {
  it('does not unpack a picture that says it is huge', () => {
    const bomb = Buffer.from(png(1, 1, [[0, 0, 0]]));
    bomb.writeUInt32BE(60_000, 16);
    bomb.writeUInt32BE(60_000, 20);
    expect(() => readPicture(bomb)).toThrow('60000 x 60000 pixels; at most 64 million');
  });

  it.each([
    ['no height', {}, float, 'height is needed'],
    ['no width', { height: 8 }, float, 'width is needed'],
    [
      'wrong channels',
      { channels: 'gray', width: 1, height: 1 },
      float,
      'takes 3 channels; gray has 1',
    ],
    ['means for others', { mean: [1, 2], width: 1, height: 1 }, float, 'mean has 2 numbers for 3'],
    [
      'widths that do not apply',
      { width_min: 8, width: 1, height: 1 },
      float,
      'go with fit: height',
    ],
    ['too few axes', { width: 1, height: 1 }, spec('float32', ['n', 3, 8]), 'has 3 axes'],
  ] as const)('tells of a config with %s', (_, config, input, message) => {
    expect(() => imageReader(config as object, input)).toThrow(message);
  });
});

function spec(type: string, shape: readonly (number | string)[]): TensorSpec {
  const known = elementType(type);
  if (known === undefined) throw new Error(type);
  return { name: 'x', type: known, shape };
}

function png(width: number, height: number, pixels: readonly (readonly number[])[]): Uint8Array {
  const file = new PNG({ width, height });
  file.data = Buffer.from(pixels.flatMap((pixel) => [...pixel, 255]));
  return PNG.sync.write(file);
}
