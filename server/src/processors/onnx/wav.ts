// WAV files as one channel of samples from -1 to 1: PCM of 8, 16, 24 and 32 bits and floats, any
// number of channels mixed to one. Other codecs are refused by their number.

import { InputError } from '../processor.ts';

export interface Sound {
  /** Samples a second. */
  readonly rate: number;
  readonly samples: Float32Array;
}

interface Format {
  readonly codec: number;
  readonly channels: number;
  readonly rate: number;
  readonly bits: number;
}

const pcm = 1;
const float = 3;
/** The codec stands further behind. */
const extensible = 0xfffe;

/** Whether these bytes begin like a WAV file. */
export function isWav(bytes: Uint8Array): boolean {
  return word(bytes, 0) === 'RIFF' && word(bytes, 8) === 'WAVE';
}

/** Throws InputError. */
export function readWav(bytes: Uint8Array): Sound {
  if (!isWav(bytes)) throw new InputError('the sound is no WAV file', { status: 415 });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  let at = 12;
  while (at + 8 <= view.byteLength) {
    const name = word(bytes, at);
    const rest = view.byteLength - at - 8;
    // Programs that write to a pipe don't know the length yet: then it is all that follows.
    const length = Math.min(view.getUint32(at + 4, true) || rest, rest);
    if (name === 'fmt ' && length >= 16) format = formatAt(view, at + 8, length);
    if (name === 'data') {
      if (format === undefined) throw bad('its data come before their format');
      return { rate: format.rate, samples: mixed(view, at + 8, length, format) };
    }
    at += 8 + length + (length % 2);
  }
  throw bad('it has no data');
}

function formatAt(view: DataView, at: number, length: number): Format {
  const named = view.getUint16(at, true);
  const codec = named === extensible && length >= 26 ? view.getUint16(at + 24, true) : named;
  const format = {
    codec,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
  if (format.channels < 1 || format.channels > 64) throw bad(`it has ${format.channels} channels`);
  if (format.rate < 1000 || format.rate > 768_000) throw bad(`its rate is ${format.rate}`);
  if (readerOf(format) === undefined) {
    throw bad(`codec ${codec} with ${format.bits} bits is not supported; PCM and float are`);
  }
  return format;
}

type SampleReader = (view: DataView, at: number) => number;

function readerOf({ codec, bits }: Format): SampleReader | undefined {
  if (codec === float && bits === 32) return (view, at) => view.getFloat32(at, true);
  if (codec === float && bits === 64) return (view, at) => view.getFloat64(at, true);
  if (codec !== pcm) return undefined;
  switch (bits) {
    case 8:
      return (view, at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (view, at) => view.getInt16(at, true) / 2 ** 15;
    case 24:
      return (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23;
    case 32:
      return (view, at) => view.getInt32(at, true) / 2 ** 31;
    default:
      return undefined;
  }
}

function mixed(view: DataView, from: number, length: number, format: Format): Float32Array {
  const read = readerOf(format);
  if (read === undefined) throw bad('its codec is not supported');
  const { channels } = format;
  const bytes = format.bits / 8;
  const samples = new Float32Array(Math.floor(length / (bytes * channels)));
  for (let at = 0; at < samples.length; at += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      sum += read(view, from + (at * channels + channel) * bytes);
    }
    samples[at] = sum / channels;
  }
  return samples;
}

function word(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function bad(what: string): InputError {
  return new InputError(`the WAV file can't be read: ${what}`);
}
