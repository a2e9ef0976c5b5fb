// What `processor`, `model_path` and the fields beside them mean.

import { expect, it } from 'vitest';
import { processorKinds } from '../../src/deployment/instances.ts';
import { kindNames } from '../../src/processors/kinds.ts';
import { mistakes, parsed } from './services-files.ts';

const metadata = { name: 'scores', type: 'Async', instance: 1 };
const sum = 'ab'.repeat(32);

const sourceOf = (fields: object): unknown => parsed({ metadata, ...fields }).spec.instances.source;

it('takes a program by its ending, and its entry from either field', () => {
  expect(sourceOf({ processor_path: '/srv/model.py' })).toMatchObject({
    processor: 'python',
    code: { address: '/srv/model.py' },
    model: undefined,
  });
  expect(sourceOf({ processor_path: `/srv/model.py#sha256=${sum}` })).toMatchObject({
    processor: 'python',
    code: { address: '/srv/model.py', checksum: `sha256:${sum}` },
  });
  const folder = { model_path: '/srv/model', processor_entry: 'app/model.mjs' };
  expect(sourceOf(folder)).toMatchObject({
    processor: 'node',
    model: { address: '/srv/model' },
    entry: 'app/model.mjs',
  });
});

it('hands batching down only when it is on', () => {
  const file = { processor: 'onnx', model_path: '/srv/m.onnx' };
  const rpc = { max_batch_size: 8, max_batch_timeout: '20ms' };
  expect(sourceOf({ ...file, metadata: { ...metadata, rpc } })).toMatchObject({
    batching: undefined,
  });
  const on = { ...rpc, batching: true };
  expect(sourceOf({ ...file, metadata: { ...metadata, rpc: on } })).toMatchObject({
    batching: { sizeMax: 8, delayMs: 20 },
  });
});

it('says what has no effect on a processor, and what of a processor has none on others', () => {
  const rpc = { batching: true };
  const warnings = (fields: object): readonly string[] => parsed({ metadata, ...fields }).warnings;
  const given = { metadata: { ...metadata, rpc }, model_path: '/m', storage: [] };
  expect(warnings({ ...given, processor: 'onnx' })).toEqual([]);
  expect(warnings({ ...given, processor: 'node' })).toEqual([
    'metadata.rpc.batching: without effect on processor node',
  ]);
  expect(warnings({ containers: [{ command: 'x' }], model_config: { a: 1 } })).toEqual([
    'model_config: without effect on a service of process',
  ]);
});

it('takes a checksum from beside the address or from its end', () => {
  const file = { processor: 'pmml', model_path: `https://models.example.com/m.pmml#sha256=${sum}` };
  const model = { address: 'https://models.example.com/m.pmml', checksum: `sha256:${sum}` };
  expect(sourceOf(file)).toMatchObject({ model });
  const beside = { processor: 'pmml', model_path: model.address, model_checksum: model.checksum };
  expect(sourceOf(beside)).toMatchObject({ model });
  expect(mistakes({ metadata, ...file, model_checksum: `sha256:${'0'.repeat(64)}` })).toEqual([
    'model_checksum: is another one than at the end of model_path',
  ]);
  expect(mistakes({ metadata, ...file, model_path: '/m.pmml#sha256=12' })).toEqual([
    'model_path: must end with #sha256= and 64 hexadecimal digits',
  ]);
});

it('keeps the settings of a model as they were written', () => {
  const config = { labels: ['a', 'b'], resize: { width: 8, 'a.b': null } };
  const file = { processor: 'onnx', model_path: '/m.onnx', model_config: config };
  expect(sourceOf(file)).toMatchObject({ config });
});

it('asks for the model, and for no program where none can be', () => {
  expect(mistakes({ metadata, processor: 'pmml' })).toEqual([
    'model_path: is required for processor pmml',
  ]);
  expect(mistakes({ metadata, processor: 'python' })).toEqual([
    'processor_path: is required for processor python',
  ]);
  const both = { processor: 'pmml', model_path: '/m.pmml', processor_path: '/m.py' };
  expect(mistakes({ metadata, ...both })).toEqual([
    'processor_path: processor pmml takes no program',
  ]);
  const outside = { processor: 'node', model_path: '/m', processor_entry: '../other.mjs' };
  expect(mistakes({ metadata, ...outside }).join()).toContain('without ..');
});

it('keeps instances pending for a processor that there is not, and lists the others', () => {
  expect(sourceOf({ processor: 'tensorflow_cpu_1.12', model_path: '/m' })).toMatchObject({
    kind: 'pending',
    missing: expect.stringContaining('tensorflow_cpu_1.12: this Sluice has pmml, onnx, node'),
  });
  expect(sourceOf({ model_path: '/m' })).toMatchObject({
    missing: 'no processor is named: set processor to one of pmml, onnx, node, python',
  });
});

it('names just the kinds that there are', () => {
  expect([...kindNames].sort()).toEqual([...processorKinds].sort());
});
