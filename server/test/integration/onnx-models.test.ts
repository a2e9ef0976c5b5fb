// Public models as people use them: a picture in and an angle or a text out, sound in and spans of
// speech out. What is right is known from how the input was made; the state that silero carries is
// held against a plain loop over onnxruntime itself.

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { ownFile, paddleFile, sileroFile } from './onnx-files.ts';
import { voiceBetween, wavOf } from './onnx-sound.ts';
import { ask, fileBytes, loaded, send } from './onnx-world.ts';

const base64 = (file: string) => Buffer.from(fileBytes(ownFile(file))).toString('base64');
const png = { type: 'image/png' };

/** How PaddleOCR feeds its models. */
const paddle = {
  height: 48,
  fit: 'height',
  channels: 'bgr',
  mean: 0.5,
  std: 0.5,
  pad: 127.5,
};

describe('the angle classifier of PaddleOCR', () => {
  const model = paddleFile('ch_ppocr_mobile_v2.0_cls_infer.onnx');
  const config = {
    image: { ...paddle, width: 192 },
    classes: { labels: ['upright', 'upside down'] },
  };

  it('tells lines that stand on their heads', async () => {
    const angle = await loaded(model, config);
    const files = ['line.png', 'line-turned.png', 'word.png', 'word-turned.png'];
    const answers = await ask(
      angle,
      files.map((file) => ({ image: base64(file) })),
    );
    expect(answers).toEqual([
      { label: 'upright', score: expect.closeTo(1, 1) },
      { label: 'upside down', score: expect.closeTo(1, 1) },
      { label: 'upright', score: expect.closeTo(1, 1) },
      { label: 'upside down', score: expect.closeTo(1, 1) },
    ]);
  });

  it('answers the same in a batch over several requests', async () => {
    const angle = await loaded(model, config, { batching: { sizeMax: 8, delayMs: 20 } });
    const files = ['line.png', 'line-turned.png', 'word.png', 'word-turned.png'];
    const answers = await Promise.all(
      files.map((file) => ask(angle, fileBytes(ownFile(file)), png)),
    );
    expect(answers).toMatchObject(
      ['upright', 'upside down', 'upright', 'upside down'].map((label) => ({ label })),
    );
  });
});

describe('the text recogniser of PaddleOCR', () => {
  const model = paddleFile('ch_PP-OCRv4_rec_infer.onnx');
  const config = {
    image: { ...paddle, width_min: 320, width_max: 1600, width_step: 32 },
    ctc: { characters: 'ppocr_keys_v1.txt', space: true },
  };

  it('reads lines of different lengths', async () => {
    const reader = await loaded(model, config);
    const images = ['line.png', 'word.png'].map((file) => ({ image: base64(file) }));
    expect(await ask(reader, images)).toEqual([
      { text: 'Invoice 2024-0815, total 93.50', score: expect.closeTo(1, 1) },
      { text: 'Sluice', score: expect.closeTo(1, 1) },
    ]);
  });

  it('refuses characters that are not as many as the classes', async () => {
    const wrong = loaded(model, { ...config, ctc: { characters: 'ppocr_keys_v1.txt' } });
    await expect(wrong).rejects.toThrow('6623 characters and a blank for the 6625 classes');
  });
});

describe('the speech detector of Silero', () => {
  const rate = 16_000;
  const config = {
    constants: { sr: rate },
    audio: { rate, window: 512, context: 64, state: { state: 'stateN' } },
    speech: {},
  };
  // Somebody speaks from second 1 to second 3.
  const sound = voiceBetween(1, 3, { seconds: 4, rate });

  interface Heard {
    readonly speech: readonly { readonly start: number; readonly end: number }[];
    readonly step: number;
    readonly probabilities: readonly number[];
  }

  it('hears when somebody speaks', async () => {
    const detector = await loaded(sileroFile, config);
    const heard = (await ask(detector, wavOf(sound, rate), { type: 'audio/wav' })) as Heard;
    expect(heard.step).toBe(0.032);
    expect(heard.probabilities).toHaveLength(125);
    expect(heard.speech).toHaveLength(1);
    expect(heard.speech[0]?.start).toBeGreaterThan(0.9);
    expect(heard.speech[0]?.start).toBeLessThan(1.15);
    expect(heard.speech[0]?.end).toBeGreaterThan(2.9);
    expect(heard.speech[0]?.end).toBeLessThan(3.15);
  });

  it('hears the same in sound of another rate with two channels', async () => {
    const detector = await loaded(sileroFile, config);
    const fine = voiceBetween(1, 3, { seconds: 4, rate: 44_100 });
    const stereo = wavOf(fine, 44_100, { channels: 2 });
    const { speech } = (await ask(detector, {
      audio: Buffer.from(stereo).toString('base64'),
    })) as Heard;
    expect(speech).toHaveLength(1);
    expect(speech[0]?.start).toBeGreaterThan(0.9);
    expect(speech[0]?.end).toBeLessThan(3.15);
  });

  it('carries the state of the model from window to window, as a plain loop does', async () => {
    const detector = await loaded(sileroFile, config);
    const wav = wavOf(sound, rate);
    const { probabilities } = (await ask(detector, wav, { type: 'audio/wav' })) as Heard;
    // What a WAV file of 16 bits leaves of the sound.
    const samples = sound.map((value) => Math.round(value * 32_767) / 32_768);
    const expected = await plainLoop(samples);
    expect(probabilities).toHaveLength(expected.length);
    for (const [at, value] of probabilities.entries()) {
      expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 4);
    }
  });

  it('begins each request with silence: the same sound twice is heard the same', async () => {
    const detector = await loaded(sileroFile, config, { batching: { sizeMax: 8, delayMs: 1 } });
    const wav = wavOf(sound, rate);
    const sent = { type: 'audio/wav' };
    const [one, other] = await Promise.all([ask(detector, wav, sent), ask(detector, wav, sent)]);
    expect(other).toEqual(one);
  });

  it('leaves the state to callers who give tensors', async () => {
    const detector = await loaded(sileroFile, config);
    const inputs = {
      input: [Array.from({ length: 576 }, () => 0)],
      state: [0, 1].map(() => [Array.from({ length: 128 }, () => 0)]),
    };
    expect(await ask(detector, { inputs })).toMatchObject({
      outputs: { output: [[expect.closeTo(0, 1)]] },
    });
  });

  it.each([
    ['no WAV', Buffer.from('RIFF'), 'no WAV file'],
    ['no samples', wavOf(new Float32Array(0), rate), 'the sound is empty'],
    ['too long', wavOf(new Float32Array(rate), rate), 'has 1.0 seconds; at most 0.5'],
  ])('refuses sound that is %s', async (_, body, message) => {
    const short = { ...config, audio: { ...config.audio, seconds_max: 0.5 } };
    const detector = await loaded(sileroFile, short);
    await expect(send(detector, body, { type: 'audio/wav' })).rejects.toThrow(message);
  });

  async function plainLoop(samples: Float32Array): Promise<readonly number[]> {
    const session = await InferenceSession.create(sileroFile, { intraOpNumThreads: 1 });
    let state = new Tensor('float32', new Float32Array(256), [2, 1, 128]);
    const sr = new Tensor('int64', BigInt64Array.of(16_000n), []);
    const probabilities: number[] = [];
    const padded = new Float32Array(64 + Math.ceil(samples.length / 512) * 512);
    padded.set(samples, 64);
    for (let from = 0; from + 576 <= padded.length; from += 512) {
      const input = new Tensor('float32', padded.slice(from, from + 576), [1, 576]);
      const found = await session.run({ input, state, sr });
      state = found.stateN as typeof state;
      probabilities.push(Number(found.output?.data[0]));
    }
    await session.release();
    return probabilities;
  }
});
