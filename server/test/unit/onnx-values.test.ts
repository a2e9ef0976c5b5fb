// Values on their way in and out of tensors: half precision, every element type in JSON, shapes,
// texts as tokens, and the answers that are read out of outputs.

import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/processors/onnx/config.ts';
import { elementType, shortest } from '../../src/processors/onnx/element.ts';
import { fromHalf, toHalf } from '../../src/processors/onnx/half.ts';
import { readingOf, softmax } from '../../src/processors/onnx/reading.ts';
import {
  type Tensor,
  type TensorSpec,
  tensorFromJson,
  tensorText,
} from '../../src/processors/onnx/tensor.ts';
import { tensorFromBytes } from '../../src/processors/onnx/tensor-bytes.ts';
import { textReader } from '../../src/processors/onnx/vocabulary.ts';

describe('half precision', () => {
  // IEEE 754-2019, table 3.5, and the corners around it.
  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [3 * 2 ** -25, 0x0002],
    [2 ** -14 - 2 ** -24, 0x03ff],
    [1 / 3, 0x3555],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 - 2 ** -12, 0x4000],
  ])('writes %d as its bits', (value, bits) => {
    expect(toHalf(value)).toBe(bits);
  });

  it('reads all bits back as they were', () => {
    for (let bits = 0; bits < 0x10000; bits += 1) {
      const value = fromHalf(bits);
      if (Number.isNaN(value))
        expect((bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0).toBe(true);
      else if (toHalf(value) !== bits) expect.fail(`${bits} became ${toHalf(value)}`);
    }
    expect(toHalf(Number.NaN) & 0x7c00).toBe(0x7c00);
  });
});

describe('tensors in JSON', () => {
  const through = (type: string, values: unknown): unknown =>
    JSON.parse(tensorText(tensorFromJson(values, spec(type, ['n']))));

  it.each([
    ['float32', [0.1, -1e30, 3]],
    ['float32', ['NaN', 'Infinity', '-Infinity']],
    ['float64', [0.1, 1e300]],
    ['float16', [0.5, -65_504]],
    ['int8', [-128, 127]],
    ['uint16', [0, 65_535]],
    ['int32', [-(2 ** 31)]],
    ['int64', [-5, Number.MAX_SAFE_INTEGER]],
    ['bool', [true, false]],
    ['string', ['a', 'é"']],
  ])('come back as they were: %s %j', (type, values) => {
    expect(through(type, values)).toEqual(values);
  });

  it('carry long integers to the last digit', () => {
    const tensor = tensorFromJson(['9223372036854775807', '-1'], spec('int64', ['n']));
    expect(tensorText(tensor)).toBe('[9223372036854775807,-1]');
    const unsigned = tensorFromJson(['18446744073709551615'], spec('uint64', ['n']));
    expect(tensorText(unsigned)).toBe('[18446744073709551615]');
  });

  it.each([
    ['int8', 128],
    ['uint8', -1],
    ['uint8', 1.5],
    ['int64', 2 ** 53],
    ['int64', '9223372036854775808'],
    ['uint64', '-1'],
    ['bool', 2],
    ['string', 5],
    ['float32', '5'],
    ['float32', null],
  ])('refuse for %s what it cannot hold: %j', (type, value) => {
    const wrong = () => tensorFromJson([value], spec(type, ['n']), 3);
    expect(wrong).toThrow(`input x: ${JSON.stringify(value)} is no ${type}`);
    expect(wrong).toThrow(expect.objectContaining({ field: 'x', row: 3 }));
  });

  it('nest as the shape says, also where there is nothing', () => {
    const shape = ['n', 2, 'm'];
    const nested = [
      [[1], [2]],
      [[3], [4]],
    ];
    const tensor = tensorFromJson(nested, spec('int32', shape));
    expect(tensor.dims).toEqual([2, 2, 1]);
    expect(tensorText(tensor)).toBe('[[[1],[2]],[[3],[4]]]');
    expect(tensorFromJson([], spec('int32', shape)).dims).toEqual([0, 2, 0]);
    expect(tensorFromJson(5, spec('int32', [])).dims).toEqual([]);
    expect(() => tensorFromJson([[1]], spec('int32', shape))).toThrow('[n, 2, m]');
  });

  it('show floats as short as they can be told apart', () => {
    expect(shortest(Math.fround(0.1))).toBe(0.1);
    expect(shortest(Math.fround(16_777_217.5))).toBe(16_777_218);
    for (let bits = 1; bits < 0x7f80_0000; bits += 9_999_991) {
      const value = new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
      expect(Math.fround(shortest(value))).toBe(value);
    }
  });
});

it('takes any byte but 0 for true', () => {
  const { data } = tensorFromBytes(Uint8Array.of(7, 0, 1), spec('bool', ['n']), [3]);
  expect([...data]).toEqual([1, 0, 1]);
});

describe('texts as tokens', () => {
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'un', '##aff', '##able', 'cafe', '!', '中'];
  const inputs = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) =>
    spec('int64', ['n', 'length'], name),
  );
  const ids = (text: string, config = {}) =>
    Array.from(
      textReader({ vocabulary: tokens, ...config }, inputs, tokens)(text).input_ids?.data ?? [],
      Number,
    );

  it.each([
    ['unaffable', [2, 4, 5, 6, 3]],
    ['Café!!', [2, 7, 8, 8, 3]],
    ['unaffably un', [2, 1, 4, 3]],
    ['中中', [2, 9, 9, 3]],
    ['', [2, 3]],
    ['a'.repeat(101), [2, 1, 3]],
  ])('has the longest pieces of %j', (text, expected) => {
    expect(ids(text)).toEqual(expected);
  });

  it('keeps capitals where the model knows them', () => {
    expect(ids('UN un', { lower_case: false })).toEqual([2, 1, 4, 3]);
  });

  it('fills up to the longest, and masks what is filled', () => {
    const config = { vocabulary: tokens, length_max: 6, pad_to_max: true };
    const feeds = textReader(config, inputs, tokens)('un !');
    const shown = Object.values(feeds).map(({ dims, data }) => [dims, Array.from(data, Number)]);
    expect(shown).toEqual([
      [
        [1, 6],
        [2, 4, 8, 3, 0, 0],
      ],
      [
        [1, 6],
        [1, 1, 1, 1, 0, 0],
      ],
      [
        [1, 6],
        [0, 0, 0, 0, 0, 0],
      ],
    ]);
    expect(() => textReader(config, inputs, tokens)('un un un un un')).toThrow(
      '7 tokens; at most 6',
    );
  });

  it('tells what vocabulary and model lack', () => {
    const read =
      (config: object, some = inputs) =>
      () =>
        textReader({ vocabulary: tokens, ...config }, some, tokens);
    expect(read({ start: '<s>' })).toThrow('the vocabulary has no <s>');
    expect(read({ ids: 'x', mask: 'y' })).toThrow('the model has no input x');
    expect(read({}, [...inputs, spec('int64', ['n'], 'more')])).toThrow('nothing feeds input more');
    expect(read({}, [spec('float32', ['n', 'l'], 'input_ids')])).toThrow('is float32, not int64');
  });
});

describe('answers', () => {
  const lines = (source: string | readonly string[]) =>
    Promise.resolve(typeof source === 'string' ? [] : source);
  const read = async (config: object, tensor: Tensor, row = 0): Promise<unknown> => {
    const reading = await readingOf(readConfig(config), [{ name: 'y', ...shapeOf(tensor) }], lines);
    return JSON.parse(reading.read({ y: tensor }, row));
  };
  const scores = floats([2, 3], [0.1, 0.7, 0.2, 0.5, 0.2, 0.3]);

  it('are the best class of a row, by its label or its number', async () => {
    expect(await read({ classes: {} }, scores)).toEqual({ label: '1', score: 0.7 });
    const labels = ['cat', 'dog', 'cow'];
    expect(await read({ classes: { labels, top: 2 } }, scores, 1)).toEqual({
      label: 'cat',
      score: 0.5,
      top: [
        { label: 'cat', score: 0.5 },
        { label: 'cow', score: 0.3 },
      ],
    });
  });

  it('are probabilities also where the model gives logits', async () => {
    // e^1 / (e^1 + e^2 + e^3) = 0.09003
    expect([...softmax(Float64Array.of(1, 2, 3))][0]).toBeCloseTo(0.090_030_57, 8);
    expect([...softmax(Float64Array.of(1000, 1000))]).toEqual([0.5, 0.5]);
    const logits = floats([1, 3], [1, 2, 3]);
    expect(await read({ classes: { softmax: true } }, logits)).toEqual({
      label: '2',
      score: expect.closeTo(0.665_240_96, 6),
    });
  });

  it('are texts without blanks and repetitions, but with letters that do come twice', async () => {
    const steps = [1, 1, 0, 2, 2, 0, 2, 3, 0];
    const values = steps.flatMap((best) => [0, 1, 2, 3].map((at) => (at === best ? 0.9 : 0.1)));
    const found = floats([1, steps.length, 4], values);
    const characters = ['a', 'b'];
    expect(await read({ ctc: { characters, space: true } }, found)).toEqual({
      text: 'abb ',
      score: 0.9,
    });
    const shifted = await read({ ctc: { characters: ['x', 'a', 'b'], blank: 'last' } }, found);
    expect(shifted).toEqual({ text: 'axbxbx', score: 0.9 });
  });

  it.each([
    [{ classes: { labels: ['a'] } }, '1 labels for the 3 classes of output y'],
    [{ classes: { output: 'z' } }, 'there is no output z'],
    [{ ctc: { characters: ['a'] } }, '1 characters and a blank for the 3 classes'],
  ])('are refused where config and model differ: %j', async (config, message) => {
    await expect(read(config, scores)).rejects.toThrow(message);
  });
});

describe('the config', () => {
  it.each([
    [{ imgae: {} }, 'Unrecognized key: "imgae"'],
    [{ image: { width: 0 } }, 'model_config.image.width'],
    [{ image: { fit: 'fill' } }, 'model_config.image.fit'],
    [{ image: {}, audio: { rate: 8000 } }, 'only one of image, text and audio'],
    [{ classes: {}, ctc: { characters: ['a'] } }, 'only one of classes, ctc and speech'],
    [{ speech: {}, audio: { rate: 8000 } }, 'speech needs audio with a window'],
    [{ name: 'a/b' }, 'model_config.name'],
    ['text', 'model_config'],
  ])('refuses %j', (config, message) => {
    expect(() => readConfig(config)).toThrow(message);
  });

  it('names all mistakes at once', () => {
    const wrong = () => readConfig({ threads: 0, rows: 1 });
    expect(wrong).toThrow(/model_config\.threads.*; model_config\.rows/);
  });
});

function spec(type: string, shape: readonly (number | string)[], name = 'x'): TensorSpec {
  const known = elementType(type);
  if (known === undefined) throw new Error(type);
  return { name, type: known, shape };
}

function floats(dims: readonly number[], values: readonly number[]): Tensor {
  return { type: spec('float32', []).type, dims, data: Float32Array.from(values) };
}

function shapeOf({ type, dims }: Tensor) {
  return { type, shape: dims };
}
