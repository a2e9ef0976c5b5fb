// A picture as the input of a model: decoded, brought to the model's size, normalised and laid out.
// Sizes and channels come from the model's own shape where the config leaves them out.

import { InputError, ModelError } from '../processor.ts';
import type { ImageConfig } from './config.ts';
import type { NumericElements } from './element.ts';
import { toHalf } from './half.ts';
import { type Channels, type Picture, readPicture, withChannels } from './picture.ts';
import { type Area, type Filter, type Pixels, resample } from './resample.ts';
import { elementsOf, type Tensor, type TensorSpec } from './tensor.ts';

type Layout = 'NCHW' | 'NHWC' | 'flat';

interface Settings {
  readonly width: Span;
  readonly height: number;
  readonly fit: 'stretch' | 'contain' | 'cover' | 'height';
  readonly anchor: 'center' | 'start';
  readonly filter: Filter;
  readonly channels: Channels;
  readonly layout: Layout;
  readonly invert: boolean;
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly pad: number;
  readonly background: number;
}

/** Widths that a result may have. */
interface Span {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

/** Answers a tensor of one row for the bytes of a PNG or JPEG file. */
export type ImageReader = (bytes: Uint8Array) => Tensor;

/** Throws ModelError when config and model do not go together. */
export function imageReader(config: ImageConfig, spec: TensorSpec): ImageReader {
  if (spec.type.bytes === 0) throw wrong(`input ${spec.name} takes texts`);
  const settings = settingsOf(config, spec);
  return (bytes) => {
    const picture = withChannels(readPicture(bytes), settings.channels, settings.background);
    return laidOut(placed(picture, settings), settings, spec);
  };
}

function settingsOf(config: ImageConfig, { name, shape }: TensorSpec): Settings {
  const layout = config.layout ?? layoutOf(shape);
  const [channelAt, heightAt, widthAt] = layout === 'NHWC' ? [3, 1, 2] : [1, 2, 3];
  const known = (at: number): number | undefined => {
    const size = layout === 'flat' ? undefined : shape[at];
    return typeof size === 'number' ? size : undefined;
  };
  if (layout !== 'flat' && shape.length !== 4) {
    throw wrong(`input ${name} has ${shape.length} axes; layout ${layout} has 4`);
  }
  const channels = config.channels ?? (known(channelAt) === 1 ? 'gray' : 'rgb');
  const perPixel = channels === 'gray' ? 1 : 3;
  if ((known(channelAt) ?? perPixel) !== perPixel) {
    throw wrong(`input ${name} takes ${known(channelAt)} channels; ${channels} has ${perPixel}`);
  }
  const height = config.height ?? known(heightAt);
  if (height === undefined) throw wrong('height is needed, for the model takes any');
  const fit = config.fit ?? 'stretch';
  return {
    width: widthsOf(config, known(widthAt), fit),
    height,
    fit,
    anchor: config.anchor ?? (fit === 'height' ? 'start' : 'center'),
    filter: config.filter ?? 'bilinear',
    channels,
    layout,
    invert: config.invert ?? false,
    scale: config.scale ?? 1 / 255,
    mean: perChannel(config.mean ?? 0, perPixel, 'mean'),
    std: perChannel(config.std ?? 1, perPixel, 'std'),
    pad: config.pad ?? 0,
    background: config.background ?? 255,
  };
}

function widthsOf(config: ImageConfig, known: number | undefined, fit: string): Span {
  const { width_min: min, width_max: max, width_step: step } = config;
  const fixed = config.width ?? known;
  if (fit !== 'height') {
    if ((min ?? max ?? step) !== undefined) throw wrong('width_* go with fit: height only');
    if (fixed === undefined) throw wrong('width is needed, for the model takes any');
  }
  if (fixed !== undefined) return { min: fixed, max: fixed, step: 1 };
  const span = { min: min ?? 1, max: max ?? 4096, step: step ?? 1 };
  if (span.min > span.max) throw wrong('width_min is above width_max');
  return span;
}

// A channel axis has 1 or 3 places; three in the last axis and not in the second is NHWC.
function layoutOf(shape: readonly (number | string)[]): Layout {
  if (shape.length === 2) return 'flat';
  const isChannels = (size: number | string | undefined) => size === 1 || size === 3;
  return !isChannels(shape[1]) && isChannels(shape[3]) ? 'NHWC' : 'NCHW';
}

function perChannel(
  value: number | readonly number[],
  count: number,
  what: string,
): readonly number[] {
  if (typeof value === 'number') return new Array<number>(count).fill(value);
  if (value.length === count) return value;
  throw wrong(`${what} has ${value.length} numbers for ${count} channels`);
}

/** The picture in the model's size, with what it does not cover filled. */
function placed(picture: Picture, settings: Settings): Pixels {
  const { filter, height, fit, width } = settings;
  const whole: Area = { left: 0, top: 0, width: picture.width, height: picture.height };
  switch (fit) {
    case 'stretch':
      return resample(picture, whole, { width: width.max, height, filter });
    case 'cover':
      return resample(picture, coveredArea(picture, settings), {
        width: width.max,
        height,
        filter,
      });
    case 'contain': {
      const ratio = Math.min(width.max / picture.width, height / picture.height);
      const size = {
        width: Math.max(1, Math.round(picture.width * ratio)),
        height: Math.max(1, Math.round(picture.height * ratio)),
      };
      return onCanvas(resample(picture, whole, { ...size, filter }), width.max, settings);
    }
    case 'height': {
      // As PaddleOCR does: too wide ones are squeezed, narrow ones filled at their right.
      const natural = Math.ceil((picture.width * height) / picture.height);
      const own = Math.min(width.max, natural);
      const stepped = Math.ceil(Math.max(own, width.min) / width.step) * width.step;
      const scaled = resample(picture, whole, { width: own, height, filter });
      return onCanvas(scaled, Math.max(own, Math.min(width.max, stepped)), settings);
    }
  }
}

/** The largest part that has the proportions of the model. */
function coveredArea(picture: Picture, { width, height, anchor }: Settings): Area {
  const ratio = Math.min(picture.width / width.max, picture.height / height);
  const area = { width: width.max * ratio, height: height * ratio };
  const share = anchor === 'center' ? 0.5 : 0;
  return {
    ...area,
    left: (picture.width - area.width) * share,
    top: (picture.height - area.height) * share,
  };
}

function onCanvas(pixels: Pixels, width: number, { height, anchor, pad }: Settings): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  const { channels } = pixels;
  const data = new Float32Array(width * height * channels).fill(pad);
  const share = anchor === 'center' ? 0.5 : 0;
  const left = Math.floor((width - pixels.width) * share);
  const top = Math.floor((height - pixels.height) * share);
  const step = pixels.width * channels;
  for (let y = 0; y < pixels.height; y += 1) {
    const row = pixels.data.subarray(y * step, (y + 1) * step);
    data.set(row, ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data };
}

function laidOut(pixels: Pixels, settings: Settings, { name, type, shape }: TensorSpec): Tensor {
  const { width, height, channels, data } = pixels;
  const { layout, invert, scale, mean, std } = settings;
  const dims = {
    NCHW: [1, channels, height, width],
    NHWC: [1, height, width, channels],
    flat: [1, height * width * channels],
  }[layout];
  if (dims.some((size, at) => typeof shape[at] === 'number' && shape[at] !== size)) {
    throw new InputError(`the picture becomes [${dims}]; input ${name} takes [${shape}]`);
  }
  const out = type.make(elementsOf(dims)) as NumericElements;
  const isWhole = !type.name.startsWith('float');
  const isPlanar = layout === 'NCHW';
  const area = width * height;
  for (let channel = 0; channel < channels; channel += 1) {
    const [shift, spread] = [mean[channel] ?? 0, std[channel] ?? 1];
    for (let at = 0; at < area; at += 1) {
      const pixel = data[at * channels + channel] ?? 0;
      const value = ((invert ? 255 - pixel : pixel) * scale - shift) / spread;
      const into = isPlanar ? channel * area + at : at * channels + channel;
      if (type.name === 'float32') (out as Float32Array)[into] = value;
      else put(out, into, isWhole ? Math.round(value) : value, type.name === 'float16');
    }
  }
  return { type, dims, data: out };
}

function put(out: NumericElements, at: number, value: number, isHalf: boolean): void {
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) out[at] = BigInt(value);
  else out[at] = isHalf ? toHalf(value) : value;
}

function wrong(what: string): ModelError {
  return new ModelError(`model_config.image: ${what}`);
}
