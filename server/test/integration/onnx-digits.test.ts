// A classifier of handwritten digits: every form of tensors in, labels out of pictures, batches in
// one request and over several. What is right comes from scikit-learn (examples/digits/make.py).

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { digitsFile } from './onnx-files.ts';
import { ask, fileBytes, loaded, send } from './onnx-world.ts';

const model = digitsFile('model/digits.onnx');
const expected: {
  readonly pixels: readonly (readonly number[])[];
  readonly probabilities: readonly (readonly number[])[];
  readonly labels: readonly number[];
} = JSON.parse(readFileSync(digitsFile('expected.json'), 'utf8'));
const { pixels, probabilities } = expected;
const [firstPixels = [], secondPixels = []] = pixels;
const service = JSON.parse(readFileSync(digitsFile('service.json'), 'utf8'));
const pictures: Readonly<Record<string, unknown>> = service.model_config;

const near = (numbers: readonly number[] = []) =>
  numbers.map((number) => expect.closeTo(number, 5));
const row = (at: number) => ({ probabilities: near(probabilities[at]) });

describe('tensors as JSON', () => {
  it('takes tensors by their names and answers so', async () => {
    const digits = await loaded(model);
    expect(await ask(digits, { inputs: { pixels } })).toEqual({
      outputs: { probabilities: probabilities.map(near) },
    });
  });

  it('takes one row, bare or by the name of the input, and answers one', async () => {
    const digits = await loaded(model);
    expect(await ask(digits, firstPixels)).toEqual(row(0));
    expect(await ask(digits, { pixels: firstPixels })).toEqual(row(0));
  });

  it('takes many rows, bare or by names, and answers as many in their order', async () => {
    const digits = await loaded(model);
    const rows = pixels.map((_, at) => row(at));
    expect(await ask(digits, pixels)).toEqual(rows);
    expect(
      await ask(
        digits,
        pixels.map((each) => ({ pixels: each })),
      ),
    ).toEqual(rows);
    expect(await ask(digits, [])).toEqual([]);
  });

  it.each([
    ['a row too short', [0, 1], 'input pixels has the shape [2]; the model takes [64]'],
    ['a wrong name', { pixel: firstPixels }, 'input pixels is missing'],
    ['a further name', { pixels: firstPixels, x: 1 }, 'the model has no input x'],
    ['a text among numbers', [['a', ...firstPixels.slice(1)]], '"a" is no float32'],
    ['ragged rows', [firstPixels, [1]], 'not all of one length'],
    ['a wrong row among many', [{ pixels: firstPixels }, { pixels: [1] }], 'has the shape [1]'],
    ['a number', 5, 'has the shape []'],
    ['no tensors', { inputs: {} }, 'input pixels is missing'],
    ['null', null, 'has the shape []'],
  ])('refuses %s', async (_, body, message) => {
    const digits = await loaded(model);
    await expect(send(digits, body)).rejects.toThrow(message);
  });

  it('names field and row of what is wrong', async () => {
    const digits = await loaded(model);
    const wrong = send(digits, [{ pixels: firstPixels }, { pixels: [1] }]);
    await expect(wrong).rejects.toMatchObject({ status: 400, field: 'pixels', row: 1 });
  });
});

describe('raw bytes', () => {
  const type = 'application/octet-stream';
  const bytes = new Uint8Array(Float32Array.from(pixels.slice(0, 2).flat()).buffer);

  it('takes the one input and finds its shape by the number of bytes', async () => {
    const digits = await loaded(model);
    expect(await ask(digits, bytes, { type })).toEqual([row(0), row(1)]);
  });

  it('takes the shape from the address or a header', async () => {
    const digits = await loaded(model);
    expect(await ask(digits, bytes, { type, path: '/?shape=2,64' })).toEqual([row(0), row(1)]);
    const headers = { 'tensor-shape': '2,64' };
    expect(await ask(digits, bytes, { type, headers })).toEqual([row(0), row(1)]);
  });

  it('answers bytes where they are wanted', async () => {
    const digits = await loaded(model);
    const got = await send(digits, bytes, { type, headers: { accept: type } });
    expect(got.headers).toEqual({ 'Tensor-Shape': '2,10', 'Tensor-Type': 'float32' });
    const values = new Float32Array(Uint8Array.from(got.bytes).buffer);
    expect([...values]).toEqual(near(probabilities.slice(0, 2).flat()));
  });

  it.each([
    ['nothing', new Uint8Array(), '/', 'the body is empty'],
    ['too few bytes', bytes.subarray(1), '/', '511 bytes do not say the shape'],
    ['another shape', bytes, '/?shape=2,63', 'has the shape [2, 63]'],
    ['a shape of other bytes', bytes, '/?shape=3,64', '[3,64] of float32 has 768'],
    ['a shape that is none', bytes, '/?shape=a', 'no list of numbers'],
  ])('refuses %s', async (_, body, path, message) => {
    const digits = await loaded(model);
    await expect(send(digits, body, { type, path })).rejects.toThrow(message);
  });

  it('reads JSON that came without its content type', async () => {
    const digits = await loaded(model);
    expect(await ask(digits, JSON.stringify(firstPixels), { type })).toEqual(row(0));
  });
});

describe('pictures', () => {
  const names = Array.from({ length: 10 }, (_, digit) => String(digit));
  const files = names.map((name) => fileBytes(digitsFile(`pictures/${name}.png`)));

  it('knows each digit by its picture', async () => {
    const digits = await loaded(model, pictures);
    const labels = [];
    for (const file of files) labels.push(await ask(digits, file, { type: 'image/png' }));
    expect(labels).toEqual(names.map((label) => expect.objectContaining({ label })));
  });

  it('takes pictures in JSON, one or many, plain or as data addresses', async () => {
    const digits = await loaded(model, pictures);
    const images = files.map((file) => ({ image: Buffer.from(file).toString('base64') }));
    const labels = names.map((label) => expect.objectContaining({ label }));
    expect(await ask(digits, images)).toEqual(labels);
    const address = `data:image/png;base64,${images[4]?.image}`;
    expect(await ask(digits, { image: address })).toMatchObject({ label: '4' });
  });

  it('names the best labels, the best first, by scores that sum to at most one', async () => {
    const digits = await loaded(model, pictures);
    const { top } = (await ask(digits, files[7], { type: 'image/png' })) as {
      top: { label: string; score: number }[];
    };
    expect(top).toHaveLength(3);
    expect(top.map(({ score }) => score)).toEqual(
      top.map(({ score }) => score).sort((one, other) => other - one),
    );
    expect(top.reduce((sum, { score }) => sum + score, 0)).toBeLessThanOrEqual(1.000001);
  });

  it('says which picture of many is none', async () => {
    const digits = await loaded(model, pictures);
    const image = Buffer.from(files[0] ?? []).toString('base64');
    const wrong = send(digits, [{ image }, { image: 'AAAA' }]);
    await expect(wrong).rejects.toMatchObject({
      status: 415,
      row: 1,
      message: 'row 1: the picture is neither PNG nor JPEG',
    });
    await expect(send(digits, { image: 5 })).rejects.toMatchObject({ field: 'image' });
    const cut = files[0]?.subarray(0, 120);
    await expect(send(digits, cut, { type: 'image/png' })).rejects.toThrow("PNG can't be read");
  });

  it('still takes tensors', async () => {
    const digits = await loaded(model, pictures);
    expect(await ask(digits, secondPixels)).toMatchObject({ label: String(expected.labels[1]) });
  });
});

describe('batches over several requests', () => {
  it('stacks what comes together, and gives everybody their own', async () => {
    const digits = await loaded(model, {}, { batching: { sizeMax: 16, delayMs: 20 } });
    const answers = await Promise.all(pixels.map((each) => ask(digits, each)));
    expect(answers).toEqual(pixels.map((_, at) => row(at)));
  });

  it('lets one leave, and one fail, without the others', async () => {
    const lookup = await loaded(
      new URL('onnx-models/lookup.onnx', import.meta.url).pathname,
      {},
      { batching: { sizeMax: 8, delayMs: 5 } },
    );
    const leaving = new AbortController();
    const left = send(lookup, { index: 0 }, { signal: leaving.signal });
    const answers = [0, 3, 99, 1].map((index) => ask(lookup, { index }).catch(String));
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect(await Promise.all(answers)).toEqual([
      { found: 10 },
      { found: 40 },
      expect.stringContaining('out of data bounds'),
      { found: 20 },
    ]);
  });
});

it('describes itself by the names, types and shapes of the model', async () => {
  const { description } = await loaded(model, pictures, {
    batching: { sizeMax: 16, delayMs: 2 },
  });
  expect(description).toMatchObject({
    kind: 'onnx',
    model: 'digits',
    details: {
      inputs: [{ name: 'pixels', type: 'float32', shape: ['batch', 64] }],
      outputs: [{ name: 'probabilities', type: 'float32', shape: ['batch', 10] }],
      rows: true,
      batching: { sizeMax: 16, delayMs: 2 },
    },
  });
});

it('describes bodies and answers by schemas that they fit', async () => {
  const digits = await loaded(model, pictures);
  const fits = (schema: object) => new Ajv2020({ strict: false }).compile(schema);
  const isInput = fits(digits.description.input);
  const isOutput = fits(digits.description.output);
  const image = Buffer.from(fileBytes(digitsFile('pictures/3.png'))).toString('base64');
  for (const body of [{ inputs: { pixels } }, firstPixels, pixels, { pixels: firstPixels }]) {
    expect(isInput(body)).toBe(true);
    expect(isOutput(await ask(digits, body))).toBe(true);
  }
  expect(isInput({ image })).toBe(true);
  for (const body of [[1, 2], 'text', { inputs: { pixels: [[1]] } }, { image: 5 }]) {
    expect(isInput(body)).toBe(false);
  }
});
