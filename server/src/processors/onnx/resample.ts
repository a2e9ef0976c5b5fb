// Pictures in another size, as Pillow computes it (src/libImaging/Resample.c): each pixel of the
// result is a weighted sum of those below it, first along rows, then along columns; when a picture
// shrinks the filter grows with it, so that nothing is skipped.

import type { Picture } from './picture.ts';

export type Filter = 'nearest' | 'box' | 'bilinear' | 'bicubic' | 'lanczos';

/** A part of a picture, in pixels, not always whole ones. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels as numbers from 0 to 255, channels side by side. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Float32Array;
}

interface Weights {
  /** Of each pixel of the result, the first one below it. */
  readonly starts: Int32Array;
  readonly values: readonly Float64Array[];
}

/** The area in the size wanted. */
export function resample(
  picture: Picture,
  area: Area,
  { width, height, filter }: { readonly width: number; readonly height: number; filter: Filter },
): Pixels {
  const { channels } = picture;
  if (width === picture.width && height === picture.height && isWhole(picture, area)) {
    return { width, height, channels, data: Float32Array.from(picture.data) };
  }
  const across = weightsOf(filter, picture.width, area.left, area.width, width);
  const down = weightsOf(filter, picture.height, area.top, area.height, height);
  return { width, height, channels, data: combined(picture, across, down) };
}

function isWhole(picture: Picture, { left, top, width, height }: Area): boolean {
  return left === 0 && top === 0 && width === picture.width && height === picture.height;
}

function combined(picture: Picture, across: Weights, down: Weights): Float32Array {
  const { channels } = picture;
  const [width, height] = [across.starts.length, down.starts.length];
  const top = down.starts[0] ?? 0;
  const lastRow = height - 1;
  const bottom = (down.starts[lastRow] ?? 0) + (down.values[lastRow]?.length ?? 0);
  // Only the rows that the result needs, in their new width.
  const rows = new Float32Array((bottom - top) * width * channels);
  for (let y = top; y < bottom; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const weights = across.values[x] ?? none;
      const from = (y * picture.width + (across.starts[x] ?? 0)) * channels;
      const into = ((y - top) * width + x) * channels;
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        for (let at = 0; at < weights.length; at += 1) {
          sum += (weights[at] ?? 0) * (picture.data[from + at * channels + channel] ?? 0);
        }
        // Filters with negative parts reach beyond black and white.
        rows[into + channel] = Math.min(255, Math.max(0, sum));
      }
    }
  }
  const out = new Float32Array(width * height * channels);
  const step = width * channels;
  for (let y = 0; y < height; y += 1) {
    const weights = down.values[y] ?? none;
    const from = ((down.starts[y] ?? 0) - top) * step;
    for (let x = 0; x < step; x += 1) {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1) {
        sum += (weights[at] ?? 0) * (rows[from + at * step + x] ?? 0);
      }
      out[y * step + x] = Math.min(255, Math.max(0, sum));
    }
  }
  return out;
}

const none = new Float64Array(0);

/** For 8 pixels shrunk to 4 with `box`, pixel 1 is half of pixel 2 and half of pixel 3. */
function weightsOf(
  filter: Filter,
  size: number,
  from: number,
  length: number,
  out: number,
): Weights {
  const scale = length / out;
  const starts = new Int32Array(out);
  const values: Float64Array[] = [];
  const { support, weight } = filters[filter];
  const stretch = Math.max(scale, 1);
  for (let at = 0; at < out; at += 1) {
    const center = from + (at + 0.5) * scale;
    if (filter === 'nearest') {
      starts[at] = Math.min(size - 1, Math.floor(center));
      values.push(Float64Array.of(1));
      continue;
    }
    const reach = support * stretch;
    const start = Math.max(0, Math.floor(center - reach + 0.5));
    const end = Math.min(size, Math.floor(center + reach + 0.5));
    const row = Float64Array.from({ length: end - start }, (_, index) =>
      weight((start + index - center + 0.5) / stretch),
    );
    const sum = row.reduce((total, value) => total + value, 0);
    starts[at] = start;
    values.push(sum === 0 ? row : row.map((value) => value / sum));
  }
  return { starts, values };
}

interface FilterShape {
  /** Pixels to each side that count, at the size as it is. */
  readonly support: number;
  weight(distance: number): number;
}

const filters: Readonly<Record<Filter, FilterShape>> = {
  nearest: { support: 0, weight: () => 1 },
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic with a = -0.5. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = Math.PI * x;
  return Math.sin(angle) / angle;
}
