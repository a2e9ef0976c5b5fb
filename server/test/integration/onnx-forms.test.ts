// Models of other shapes than rows of floats: every type of element, several inputs, no axis for
// rows, texts; and what is said of models and configs that can't be used.

import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findRuntime } from '../../src/processors/onnx/runtime.ts';
import { digitsFile, ownFile, sileroFile } from './onnx-files.ts';
import { ask, fileBytes, loaded, send } from './onnx-world.ts';

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** A folder with these files. */
async function folderWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-onnx-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

describe('every type of element', () => {
  const row = {
    float32: [0.1, -2],
    float64: [1e300, 0.1],
    float16: [0.5, 65_504],
    int8: [-128, 127],
    uint8: [0, 255],
    int16: [-32_768, 32_767],
    uint16: [0, 65_535],
    int32: [-(2 ** 31), 2 ** 31 - 1],
    uint32: [0, 2 ** 32 - 1],
    int64: [-5, 2 ** 53 - 1],
    uint64: [0, 7],
    bool: [true, false],
    string: ['é', 'two words'],
  };
  const other = { ...row, int64: [1, 2], bool: [false, false], string: ['', 'x'] };
  // The model turns bool round and hands all else through.
  const answer = (given: typeof row) =>
    Object.fromEntries(
      Object.entries(given).map(([name, values]) => [
        `${name}_out`,
        name === 'bool' ? values.map((value) => !value) : values,
      ]),
    );

  it('goes through the model, in rows and in tensors', async () => {
    const types = await loaded(ownFile('types.onnx'));
    expect(await ask(types, row)).toEqual(answer(row));
    expect(await ask(types, [row, other])).toEqual([answer(row), answer(other)]);
    const inputs = Object.fromEntries(
      Object.entries(row).map(([name, values]) => [name, [values]]),
    );
    const outputs = Object.fromEntries(
      Object.entries(answer(row)).map(([name, values]) => [name, [values]]),
    );
    expect(await ask(types, { inputs })).toEqual({ outputs });
  });

  it('is stacked over several requests', async () => {
    const types = await loaded(
      ownFile('types.onnx'),
      {},
      { batching: { sizeMax: 4, delayMs: 20 } },
    );
    const answers = await Promise.all([row, other, row].map((each) => ask(types, each)));
    expect(answers).toEqual([row, other, row].map(answer));
  });

  it('is refused by the name of its input', async () => {
    const types = await loaded(ownFile('types.onnx'));
    const wrong = send(types, [row, { ...row, uint8: [1, 256] }]);
    await expect(wrong).rejects.toMatchObject({ field: 'uint8', row: 1, status: 400 });
    const { string: _, ...less } = row;
    await expect(send(types, less)).rejects.toThrow('input string is missing');
  });
});

describe('a model without an axis for rows', () => {
  const config = { constants: { plus: 100 } };

  it('takes an object as its inputs, an array as several calls', async () => {
    const sum = await loaded(ownFile('sum.onnx'), config);
    const one = { left: [[1], [2]], right: [[10], [20]] };
    const two = {
      left: [
        [1, 2],
        [3, 4],
      ],
      right: [
        [5, 6],
        [7, 8],
      ],
    };
    expect(await ask(sum, one)).toEqual({ total: [[111], [122]] });
    expect(await ask(sum, [one, two])).toEqual([
      { total: [[111], [122]] },
      {
        total: [
          [106, 108],
          [110, 112],
        ],
      },
    ]);
    expect(sum.description.details).toMatchObject({ rows: false });
  });

  it('refuses sizes that differ where the model gives them one name', async () => {
    const sum = await loaded(ownFile('sum.onnx'), config);
    const wrong = send(sum, {
      left: [[1], [2]],
      right: [
        [1, 2],
        [3, 4],
      ],
    });
    await expect(wrong).rejects.toThrow('input right: its size size is 2, elsewhere 1');
  });

  it('is asked for a constant where that is not given', async () => {
    const sum = await loaded(ownFile('sum.onnx'));
    const given = { left: [[1], [2]], right: [[1], [2]], plus: 3 };
    expect(await ask(sum, given)).toEqual({ total: [[5], [7]] });
  });
});

describe('a model whose first axis counts something else', () => {
  const rows = [
    [1, 2],
    [3, 4],
  ];

  it('is found out at the first row, with what to set', async () => {
    const boxes = await loaded(ownFile('boxes.onnx'));
    const advice = 'found has the shape [2, 1] for rows: 1; a model that counts something else';
    await expect(send(boxes, [1, 2])).rejects.toThrow(advice);
    await expect(send(boxes, rows)).rejects.toThrow('[4, 1] for rows: 2');
    await expect(
      send(
        boxes,
        rows.map((x) => ({ x })),
      ),
    ).rejects.toThrow('"rows": false');
    expect(await ask(boxes, { inputs: { x: rows } })).toEqual({
      outputs: { found: [[1], [2], [3], [4]] },
    });
  });

  it('answers all of it once that is set', async () => {
    const boxes = await loaded(ownFile('boxes.onnx'), { rows: false });
    expect(await ask(boxes, rows)).toEqual({ found: [[1], [2], [3], [4]] });
    expect(await ask(boxes, { x: [[5, 6]] })).toEqual({ found: [[5], [6]] });
  });

  it('is run for each request alone where a batch does not fit', async () => {
    const boxes = await loaded(
      ownFile('boxes.onnx'),
      {},
      { batching: { sizeMax: 4, delayMs: 10 } },
    );
    const answers = rows.map((row) => ask(boxes, { inputs: { x: [row] } }));
    expect(await Promise.all(answers)).toEqual([
      { outputs: { found: [[1], [2]] } },
      { outputs: { found: [[3], [4]] } },
    ]);
  });
});

it('takes texts by a vocabulary', async () => {
  // Their numbers: 2 at the start, 3 at the end, 4 and 5 for the words.
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'good', 'morning'];
  const tokens = await loaded(ownFile('tokens.onnx'), { text: { vocabulary } });
  expect(await ask(tokens, 'Good morning', { type: 'text/plain' })).toEqual({ sum: 14 });
  const texts = ['good', 'good morning', 'morning'].map((text) => ({ text }));
  expect(await ask(tokens, texts)).toEqual([{ sum: 9 }, { sum: 14 }, { sum: 10 }]);
  expect(await ask(tokens, { text: 'evening' })).toEqual({ sum: 6 });
});

it('takes a folder with one model and the labels beside it', async () => {
  const model = fileBytes(digitsFile('model/digits.onnx'));
  const labels = Array.from({ length: 10 }, (_, at) => `digit ${at}`).join('\r\n');
  const folder = await folderWith({ 'a.onnx': model, 'names.txt': `${labels}\n` });
  const digits = await loaded(folder, { classes: { labels: 'names.txt' } });
  const pixels = Array.from({ length: 64 }, () => 0);
  expect(await ask(digits, pixels)).toMatchObject({ label: expect.stringMatching(/^digit \d$/) });
});

describe('what cannot be used', () => {
  it('is said of folders', async () => {
    const empty = await folderWith({});
    await expect(loaded(empty)).rejects.toThrow('no .onnx file in the folder');
    const two = await folderWith({ 'a.onnx': '', 'b.onnx': '' });
    await expect(loaded(two)).rejects.toThrow('model_entry: a.onnx, b.onnx');
    await expect(loaded(two, {}, { entry: 'c.onnx' })).rejects.toThrow('no file c.onnx');
    await expect(loaded(join(empty, 'gone.onnx'))).rejects.toThrow('ENOENT');
  });

  it('is said of files beside the model that lie elsewhere', async () => {
    const folder = await folderWith({ 'a.onnx': fileBytes(ownFile('lookup.onnx')) });
    await symlink('/etc/hostname', join(folder, 'labels.txt'));
    for (const labels of ['../labels.txt', '/etc/hostname', 'labels.txt']) {
      const wrong = loaded(folder, { classes: { labels } });
      await expect(wrong).rejects.toThrow(/lies outside of the model's folder|there is no file/);
    }
  });

  it('is said where onnxruntime is not installed, with what to run', async () => {
    const missing = findRuntime('onnxruntime-elsewhere');
    await expect(missing).rejects.toMatchObject({ name: 'ModelError' });
    await expect(missing).rejects.toThrow('npm install onnxruntime-elsewhere@1.30.0');
  });

  it('is said of files that are no models', async () => {
    const folder = await folderWith({ 'a.onnx': 'not a model', 'b.onnx': '' });
    for (const name of ['a.onnx', 'b.onnx']) {
      const wrong = loaded(join(folder, name));
      await expect(wrong).rejects.toMatchObject({ name: 'ModelError' });
      await expect(wrong).rejects.toThrow("the model can't be loaded");
    }
  });

  it.each([
    [{ image: { input: 'x' } }, 'the model has no input x; it has index'],
    [{ constants: { x: 1 } }, 'the model has no input x'],
    [{ constants: { index: 'a' } }, 'model_config.constants: input index has the shape []'],
    [{ audio: { rate: 8000 } }, 'input index is no float32'],
    [{ text: { vocabulary: ['a'] } }, 'the vocabulary has no [CLS]'],
  ])('is said of configs: %j', async (config, message) => {
    await expect(loaded(ownFile('lookup.onnx'), config)).rejects.toMatchObject({
      name: 'ModelError',
      message: expect.stringContaining(message),
    });
  });

  it('is said of inputs that nothing feeds', async () => {
    const audio = { rate: 16_000, window: 512, state: { state: 'stateN' } };
    await expect(loaded(sileroFile, { audio })).rejects.toThrow('nothing feeds input sr');
    const wrong = { ...audio, state: { state: 'x' } };
    const constants = { sr: 16_000 };
    await expect(loaded(sileroFile, { audio: wrong, constants })).rejects.toThrow('no output x');
  });

  it('refuses other paths, methods and content types', async () => {
    const lookup = await loaded(ownFile('lookup.onnx'));
    await expect(send(lookup, {}, { path: '/x' })).rejects.toMatchObject({ status: 404 });
    await expect(send(lookup, {}, { method: 'PUT' })).rejects.toMatchObject({ status: 405 });
    for (const type of ['image/png', 'audio/wav', 'multipart/form-data']) {
      await expect(send(lookup, 'x', { type })).rejects.toMatchObject({ status: 415 });
    }
  });
});
