// The Open Inference Protocol as its text has it: health, metadata, inference with JSON and binary
// tensors both ways, and errors.
// https://kserve.github.io/website/docs/concepts/architecture/data-plane

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Processor } from '../../src/processors/processor.ts';
import { digitsFile, ownFile } from './onnx-files.ts';
import { ask, type Got, loaded, send } from './onnx-world.ts';

const { pixels, probabilities } = JSON.parse(readFileSync(digitsFile('expected.json'), 'utf8')) as {
  readonly pixels: readonly (readonly number[])[];
  readonly probabilities: readonly (readonly number[])[];
};
const rows = pixels.slice(0, 2);
const near = probabilities
  .slice(0, 2)
  .flat()
  .map((number) => expect.closeTo(number, 5));
const infer = '/v2/models/digits/infer';
const digits = (): Promise<Processor> => loaded(digitsFile('model/digits.onnx'));
const get = (processor: Processor, path: string): Promise<Got> =>
  send(processor, '', { method: 'GET', path });

const input = { name: 'pixels', shape: [2, 64], datatype: 'FP32' };
const output = { name: 'probabilities', datatype: 'FP32', shape: [2, 10] };

/** JSON with bytes behind it. */
function framed(json: object, ...blobs: readonly Uint8Array[]) {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: Buffer.concat([head, ...blobs]),
    sent: {
      path: infer,
      type: 'application/octet-stream',
      headers: { 'inference-header-content-length': String(head.length) },
    },
  };
}

/** An answer taken apart. */
function unframed({ headers, bytes }: Got) {
  const length = Number(headers['Inference-Header-Content-Length']);
  const json: unknown = JSON.parse(Buffer.from(bytes.subarray(0, length)).toString());
  return { json, rest: Uint8Array.from(bytes.subarray(length)) };
}

describe('health and metadata', () => {
  it('is live, ready, and has its model ready', async () => {
    const processor = await digits();
    for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/digits/ready']) {
      expect((await get(processor, path)).status).toBe(200);
    }
    expect((await get(processor, '/v2/models/digits/versions/1/ready')).status).toBe(200);
  });

  it('says what it is and what it can beyond the protocol', async () => {
    const { json } = await get(await digits(), '/v2');
    expect(json).toMatchObject({ name: 'sluice', extensions: ['binary_tensor_data'] });
  });

  it('describes the model, -1 where a size is free', async () => {
    const processor = await digits();
    const described = {
      name: 'digits',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'pixels', datatype: 'FP32', shape: [-1, 64] }],
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 10] }],
    };
    expect((await get(processor, '/v2/models/digits')).json).toEqual(described);
    expect((await get(processor, '/v2/models/digits/versions/1')).json).toEqual(described);
  });
});

describe('inference with JSON', () => {
  it('takes data flat or nested, and answers it flat', async () => {
    const processor = await digits();
    for (const data of [rows.flat(), rows]) {
      const body = { id: 'a1', inputs: [{ ...input, data }] };
      expect(await ask(processor, body, { path: infer })).toEqual({
        model_name: 'digits',
        model_version: '1',
        id: 'a1',
        outputs: [{ ...output, data: near }],
      });
    }
  });

  it('answers the outputs asked for, in their order', async () => {
    const types = await loaded(ownFile('types.onnx'));
    const inputs = allTypes.map(([name, datatype, data]) => ({
      name,
      datatype,
      shape: [1, 2],
      data,
    }));
    const outputs = [{ name: 'string_out' }, { name: 'int64_out' }];
    const answer = await ask(types, { inputs, outputs }, { path: '/v2/models/types/infer' });
    expect(answer).toMatchObject({
      outputs: [
        { name: 'string_out', datatype: 'BYTES', data: ['é', ''] },
        { name: 'int64_out', datatype: 'INT64', data: [-5, 7] },
      ],
    });
  });
});

/** A name, what the protocol calls it, and two values. */
const allTypes: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['float32', 'FP32', [1.5, -2]],
  ['float64', 'FP64', [1e300, 0.1]],
  ['float16', 'FP16', [0.5, 65_504]],
  ['int8', 'INT8', [-128, 127]],
  ['uint8', 'UINT8', [0, 255]],
  ['int16', 'INT16', [-32_768, 1]],
  ['uint16', 'UINT16', [0, 65_535]],
  ['int32', 'INT32', [-(2 ** 31), 1]],
  ['uint32', 'UINT32', [0, 2 ** 32 - 1]],
  ['int64', 'INT64', [-5, 7]],
  ['uint64', 'UINT64', [0, 9]],
  ['bool', 'BOOL', [true, false]],
  ['string', 'BYTES', ['é', '']],
];

describe('inference with binary tensors', () => {
  const bytes = new Uint8Array(Float32Array.from(rows.flat()).buffer);
  const given = { ...input, parameters: { binary_data_size: bytes.length } };

  it('takes bytes and answers JSON', async () => {
    const { body, sent } = framed({ inputs: [given] }, bytes);
    expect(await ask(await digits(), body, sent)).toMatchObject({
      outputs: [{ ...output, data: near }],
    });
  });

  it('takes JSON and answers bytes, by output or for all', async () => {
    const processor = await digits();
    const inputs = [{ ...input, data: rows }];
    const wanted = [
      { inputs, parameters: { binary_data_output: true } },
      { inputs, outputs: [{ name: 'probabilities', parameters: { binary_data: true } }] },
    ];
    for (const body of wanted) {
      const got = await send(processor, body, { path: infer });
      expect(got.type).toBe('application/octet-stream');
      const { json, rest } = unframed(got);
      expect(json).toMatchObject({
        outputs: [{ ...output, parameters: { binary_data_size: 80 } }],
      });
      expect([...new Float32Array(rest.buffer)]).toEqual(near);
    }
  });

  it('lets one output refuse what the request asks for all', async () => {
    const outputs = [{ name: 'probabilities', parameters: { binary_data: false } }];
    const parameters = { binary_data_output: true };
    const body = { inputs: [{ ...input, data: rows }], outputs, parameters };
    expect(await ask(await digits(), body, { path: infer })).toMatchObject({
      outputs: [{ data: near }],
    });
  });

  it('carries every type, texts behind their lengths, and comes back the same', async () => {
    const types = await loaded(ownFile('types.onnx'));
    const blobs = [
      Float32Array.of(1.5, Number.NaN),
      Float64Array.of(1e300, -0),
      Uint16Array.of(0x3800, 0x7bff),
      Int8Array.of(-128, 127),
      Uint8Array.of(0, 255),
      Int16Array.of(-32_768, 1),
      Uint16Array.of(0, 65_535),
      Int32Array.of(-(2 ** 31), 1),
      Uint32Array.of(0, 2 ** 32 - 1),
      BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n),
      BigUint64Array.of(0n, 2n ** 64n - 1n),
      Uint8Array.of(1, 0),
      Uint8Array.of(2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0),
    ].map(({ buffer }) => new Uint8Array(buffer));
    const inputs = allTypes.map(([name, datatype], at) => ({
      name,
      datatype,
      shape: [1, 2],
      parameters: { binary_data_size: blobs[at]?.length },
    }));
    const { body, sent } = framed({ inputs, parameters: { binary_data_output: true } }, ...blobs);
    const got = await send(types, body, { ...sent, path: '/v2/models/types/infer' });
    // The model turns bool round; all else it hands through.
    const turned = blobs.map((blob, at) => (at === 11 ? Uint8Array.of(0, 1) : blob));
    expect(Buffer.from(unframed(got).rest)).toEqual(Buffer.concat(turned));
  });

  it.each([
    ['bytes too few', framed({ inputs: [given] }, bytes.subarray(4)), '508 bytes follow'],
    ['bytes too many', framed({ inputs: [given] }, bytes, bytes), '512 bytes are left'],
    [
      'bytes that do not fit the shape',
      framed({ inputs: [{ ...given, parameters: { binary_data_size: 4 } }] }, bytes.subarray(0, 4)),
      'input pixels has 4 bytes; [2,64] of float32 has 512',
    ],
    ['bytes and data', framed({ inputs: [{ ...given, data: rows }] }, bytes), 'or data too'],
  ])('refuses %s', async (_, { body, sent }, message) => {
    const { status, json } = await send(await digits(), body, sent);
    expect(status).toBe(400);
    expect(json).toEqual({ error: expect.stringContaining(message) });
  });
});

describe('errors', () => {
  const data = rows;
  it.each([
    ['a wrong name', { inputs: [{ ...input, name: 'x', data }] }, 'no input x'],
    ['a wrong type', { inputs: [{ ...input, datatype: 'FP64', data }] }, 'is FP32, not FP64'],
    ['a wrong shape', { inputs: [{ ...input, shape: [2, 63], data }] }, '[batch, 64]'],
    ['a wrong count', { inputs: [{ ...input, data: [1] }] }, 'has 1 elements; [2,64] has 128'],
    ['a wrong element', { inputs: [{ ...input, data: [['x', ...rows.flat().slice(1)]] }] }, '"x"'],
    ['no data', { inputs: [input] }, 'has no data'],
    ['no inputs', { inputs: [] }, 'inputs'],
    [
      'an input twice',
      {
        inputs: [
          { ...input, data },
          { ...input, data },
        ],
      },
      'comes twice',
    ],
    ['a wrong output', { inputs: [{ ...input, data }], outputs: [{ name: 'y' }] }, 'no output y'],
    [
      'a classification',
      {
        inputs: [{ ...input, data }],
        outputs: [{ name: 'probabilities', parameters: { classification: 1 } }],
      },
      'classification is not supported',
    ],
    ['a sequence', { inputs: [{ ...input, data }], parameters: { sequence_id: 4 } }, 'sequence_id'],
    ['no JSON', '{', 'is not JSON'],
  ])('refuses %s with 400 and says so', async (_, body, message) => {
    const { status, json } = await send(await digits(), body, { path: infer });
    expect(status).toBe(400);
    expect(json).toEqual({ error: expect.stringContaining(message) });
  });

  it('knows no other model, version or path, and one method for each', async () => {
    const processor = await digits();
    const paths = [
      '/v2/models/other',
      '/v2/models/digits/versions/2',
      '/v2/models/digits/explain',
      '/v2/models/digits/infer/more',
      '/v2/health/well',
      '/v2/nothing',
    ];
    for (const path of paths) {
      const { status, json } = await get(processor, path);
      expect([path, status]).toEqual([path, 404]);
      expect(json).toEqual({ error: expect.any(String) });
    }
    const wrong = await get(processor, infer);
    expect([wrong.status, wrong.headers]).toEqual([405, { Allow: 'POST' }]);
  });
});
