// PNG and JPEG files as pixels: what a file is by its first bytes, how large it is before anything
// is unpacked, and its pixels in the channels that a model wants. Turned as its camera says.

import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { InputError } from '../processor.ts';
import { orientationOf, turned } from './orientation.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Bytes for each pixel. */
  readonly channels: number;
  /** Row by row, the channels of a pixel side by side. */
  readonly data: Uint8Array;
}

export type Channels = 'rgb' | 'bgr' | 'gray';

/** Unpacked a pixel takes up to ten bytes while it is worked on. */
const megapixelsMax = 64;

/** What kind of picture this is by its first bytes. */
export function pictureKind(bytes: Uint8Array): 'png' | 'jpeg' | undefined {
  if (bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47)
    return 'png';
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? 'jpeg' : undefined;
}

/** A picture of four channels, red first. Throws InputError. */
export function readPicture(bytes: Uint8Array): Picture {
  const kind = pictureKind(bytes);
  if (kind === undefined) {
    throw new InputError('the picture is neither PNG nor JPEG', { status: 415 });
  }
  try {
    return kind === 'png' ? readPng(bytes) : readJpeg(bytes);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`the ${kind.toUpperCase()} can't be read: ${why}`, { cause });
  }
}

/** The channels that a model wants; what is transparent shows `background`. */
export function withChannels(
  { width, height, data }: Picture,
  channels: Channels,
  background: number,
): Picture {
  const count = width * height;
  const perPixel = channels === 'gray' ? 1 : 3;
  const out = new Uint8Array(count * perPixel);
  const [first, last] = channels === 'bgr' ? [2, 0] : [0, 2];
  for (let at = 0; at < count; at += 1) {
    const from = at * 4;
    const opacity = (data[from + 3] ?? 255) / 255;
    const red = mixed(data[from + first] ?? 0, background, opacity);
    const green = mixed(data[from + 1] ?? 0, background, opacity);
    const blue = mixed(data[from + last] ?? 0, background, opacity);
    if (perPixel === 1) {
      // The luma of ITU-R 601, as every other library rounds it.
      out[at] = (red * 19_595 + green * 38_470 + blue * 7471 + 0x8000) >> 16;
    } else {
      out[at * 3] = red;
      out[at * 3 + 1] = green;
      out[at * 3 + 2] = blue;
    }
  }
  return { width, height, channels: perPixel, data: out };
}

function mixed(value: number, background: number, opacity: number): number {
  return opacity === 1 ? value : Math.round(value * opacity + background * (1 - opacity));
}

function readPng(bytes: Uint8Array): Picture {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The first chunk says the size: checked before memory is taken for it.
  if (buffer.length < 33) throw new Error('it is cut off');
  checkSize(buffer.readUInt32BE(16), buffer.readUInt32BE(20));
  const { width, height, data } = PNG.sync.read(buffer);
  return { width, height, channels: 4, data };
}

function readJpeg(bytes: Uint8Array): Picture {
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: true,
    maxResolutionInMP: megapixelsMax,
    maxMemoryUsageInMB: 2048,
  });
  return turned({ width, height, channels: 4, data }, orientationOf(bytes));
}

function checkSize(width: number, height: number): void {
  if (width * height <= megapixelsMax * 1e6) return;
  throw new InputError(
    `the picture has ${width} x ${height} pixels; at most ${megapixelsMax} million are taken`,
    { status: 413 },
  );
}
