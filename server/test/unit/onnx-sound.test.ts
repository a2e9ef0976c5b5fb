// Sound on its way into a model: WAV files of every format that is read, other sample rates,
// windows, and spans of speech out of probabilities.

import { describe, expect, it } from 'vitest';
import { windowsOf } from '../../src/processors/onnx/audio-input.ts';
import { atRate } from '../../src/processors/onnx/sample-rate.ts';
import { spansOf } from '../../src/processors/onnx/speech.ts';
import { readWav } from '../../src/processors/onnx/wav.ts';
import { wavFile, wavOf } from '../integration/onnx-sound.ts';

describe('WAV files', () => {
  const rate = 8000;
  const bytes = (...values: readonly number[]) => Uint8Array.from(values);
  it.each([
    ['8 bits', 1, 8, bytes(0, 128, 192), [-1, 0, 0.5]],
    ['16 bits', 1, 16, bytes(0, 0x80, 0, 0, 0, 0x40), [-1, 0, 0.5]],
    ['24 bits', 1, 24, bytes(0, 0, 0x80, 0, 0, 0, 0, 0, 0x40), [-1, 0, 0.5]],
    ['32 bits', 1, 32, bytes(0, 0, 0, 0x80, 0, 0, 0, 0x40), [-1, 0.5]],
    ['floats', 3, 32, new Uint8Array(Float32Array.of(-1, 0.25).buffer), [-1, 0.25]],
    ['doubles', 3, 64, new Uint8Array(Float64Array.of(-1, 0.25).buffer), [-1, 0.25]],
  ])('of %s', (_, codec, bits, data, samples) => {
    const sound = readWav(wavFile({ codec, channels: 1, rate, bits }, data));
    expect(sound.rate).toBe(rate);
    expect([...sound.samples]).toEqual(samples);
  });

  it('are mixed to one channel', () => {
    const data = new Uint8Array(Float32Array.of(1, 0, 0.5, -0.5).buffer);
    const { samples } = readWav(wavFile({ codec: 3, channels: 2, rate, bits: 32 }, data));
    expect([...samples]).toEqual([0.5, 0]);
  });

  it('may have chunks that are not known, and a length that the writer did not know', () => {
    const file = Buffer.from(wavOf(Float32Array.of(0, 0.5), rate));
    const note = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1');
    const longer = Buffer.concat([file.subarray(0, 36), note, file.subarray(36)]);
    expect(readWav(longer).samples).toHaveLength(2);
    for (const unknown of [0, 0xffff_ffff]) {
      file.writeUInt32LE(unknown, 40);
      expect(readWav(file).samples).toHaveLength(2);
    }
  });

  it.each([
    ['another codec', wavFile({ codec: 7, channels: 1, rate, bits: 8 }, bytes(1)), 'codec 7'],
    ['no channels', wavFile({ codec: 1, channels: 0, rate, bits: 8 }, bytes(1)), '0 channels'],
    ['a rate of nothing', wavFile({ codec: 1, channels: 1, rate: 0, bits: 8 }, bytes(1)), 'rate'],
    ['no data', wavOf(new Float32Array(0), rate).subarray(0, 36), 'it has no data'],
    ['another format', Buffer.from('OggS and more bytes'), 'no WAV file'],
  ])('with %s are refused', (_, file, message) => {
    expect(() => readWav(file)).toThrow(message);
  });
});

describe('another sample rate', () => {
  const tone = (hertz: number, rate: number) =>
    Float32Array.from({ length: rate }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate));
  const loudness = (samples: Float32Array) => {
    const middle = samples.subarray(1000, samples.length - 1000);
    return Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length);
  };

  it.each([
    [44_100, 16_000],
    [48_000, 16_000],
    [8000, 16_000],
    [22_050, 16_000],
  ])('from %i to %i keeps a tone as it was', (from, to) => {
    const samples = atRate({ rate: from, samples: tone(1000, from) }, to);
    const expected = tone(1000, to);
    expect(samples).toHaveLength(to);
    for (let at = 1000; at < to - 1000; at += 7) {
      expect(Math.abs((samples[at] ?? 9) - (expected[at] ?? 0))).toBeLessThan(0.01);
    }
  });

  it('drops what the new rate cannot hold, instead of folding it back', () => {
    const high = atRate({ rate: 48_000, samples: tone(11_000, 48_000) }, 16_000);
    expect(loudness(high)).toBeLessThan(0.01);
    const low = atRate({ rate: 48_000, samples: tone(3000, 48_000) }, 16_000);
    expect(loudness(low)).toBeCloseTo(Math.SQRT1_2, 2);
  });
});

describe('windows', () => {
  const samples = Float32Array.of(1, 2, 3, 4, 5);
  const lists = (windows: readonly Float32Array[]) => windows.map((window) => [...window]);

  it('follow each other, the last one filled with silence', () => {
    expect(lists(windowsOf(samples, {}, 2))).toEqual([
      [1, 2],
      [3, 4],
      [5, 0],
    ]);
  });

  it('overlap where the hop is shorter', () => {
    expect(lists(windowsOf(samples, { hop: 1 }, 4))).toEqual([
      [1, 2, 3, 4],
      [2, 3, 4, 5],
    ]);
  });

  it('come with what was before them', () => {
    expect(lists(windowsOf(samples, { context: 3 }, 2))).toEqual([
      [0, 0, 0, 1, 2],
      [0, 1, 2, 3, 4],
      [2, 3, 4, 5, 0],
    ]);
  });

  it('are at least one', () => {
    expect(lists(windowsOf(Float32Array.of(1), {}, 3))).toEqual([[1, 0, 0]]);
  });
});

describe('spans of speech', () => {
  const rules = { threshold: 0.5, speechMinMs: 200, silenceMinMs: 200, padMs: 0 };
  const spans = (probabilities: readonly number[], changed: Partial<typeof rules> = {}) =>
    spansOf(probabilities, 100, { ...rules, ...changed }).map(({ startMs, endMs }) => [
      startMs,
      endMs,
    ]);

  it.each([
    ['one', [0, 0.9, 0.9, 0, 0], [[100, 300]]],
    ['none in silence', [0, 0.3, 0.1], []],
    ['one that a short gap does not end', [0.9, 0.9, 0, 0.9, 0.9, 0, 0], [[0, 500]]],
    [
      'two with a long gap',
      [0.9, 0.9, 0, 0, 0.9, 0.9],
      [
        [0, 200],
        [400, 600],
      ],
    ],
    ['none for a short burst', [0, 0.9, 0, 0], []],
    ['one that goes on at less certainty', [0.9, 0.4, 0.4, 0, 0], [[0, 300]]],
    ['one to the very end', [0, 0.9, 0.9], [[100, 300]]],
  ])('are %s', (_, probabilities, expected) => {
    expect(spans(probabilities)).toEqual(expected);
  });

  it('are those of the example beside the code', () => {
    const rule = { speechMinMs: 0, silenceMinMs: 100 };
    expect(spans([0, 0.9, 0.4, 0.1, 0], rule)).toEqual([[100, 300]]);
  });

  it('get room at both ends, and share what is between them', () => {
    const two = [0, 0.9, 0.9, 0, 0, 0.9, 0.9, 0, 0, 0];
    expect(spans(two, { padMs: 50 })).toEqual([
      [50, 350],
      [450, 750],
    ]);
    expect(spans(two, { padMs: 500 })).toEqual([
      [0, 400],
      [400, 1000],
    ]);
  });
});
