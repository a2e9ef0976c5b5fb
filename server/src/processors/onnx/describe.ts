// What `GET /` tells of an ONNX model: its inputs and outputs as JSON Schema, out of the model's
// own types and shapes, and the names and sizes themselves.

import type { Batching, Description, JsonSchema } from '../processor.ts';
import type { OnnxConfig } from './config.ts';
import type { Parts } from './predict.ts';
import { type TensorSpec, tensorSchema } from './tensor.ts';

export interface DescribeOptions extends Parts {
  readonly name: string;
  readonly config: OnnxConfig;
  readonly batching: Batching | undefined;
}

/** All forms of `POST /`, and what it answers. */
export function describe(options: DescribeOptions): Description {
  const { name, config, model, source, reading, batching } = options;
  const isBatched = model.hasRows && Object.keys(config.audio?.state ?? {}).length === 0;
  return {
    kind: 'onnx',
    model: name,
    about: undefined,
    input: { anyOf: inputForms(options) },
    output: outputSchema(options),
    details: {
      inputs: model.inputs.map(shown),
      outputs: model.outputs.map(shown),
      rows: model.hasRows,
      batching: isBatched ? batching : undefined,
      bodies: [...(source?.types ?? []), 'application/json', 'application/octet-stream'],
      reading: reading.isPlain ? 'tensors' : (readingNames.find((key) => config[key]) ?? ''),
      openInference: `/v2/models/${name}/infer`,
    },
  };
}

const readingNames = ['classes', 'ctc', 'speech'] as const;

function inputForms({ model, source }: DescribeOptions): readonly JsonSchema[] {
  const { inputs, hasRows } = model;
  const whole = objectOf(inputs, ({ type, shape }) => tensorSchema(type, shape));
  const forms: JsonSchema[] = [
    {
      title: 'tensors by their names',
      type: 'object',
      properties: { inputs: whole },
      required: ['inputs'],
    },
  ];
  const row = objectOf(inputs, ({ type, shape }) => {
    const rest = shape.slice(1);
    const nested = tensorSchema(type, hasRows ? rest : shape);
    // A row of one element needs no brackets.
    return hasRows && rest.every((size) => size === 1) ? { anyOf: [type.schema, nested] } : nested;
  });
  forms.push(...oneOrMany(row, 'row'));
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) {
    forms.push(tensorSchema(only.type, only.shape, `all of ${only.name}`));
    if (hasRows)
      forms.push(tensorSchema(only.type, only.shape.slice(1), `one row of ${only.name}`));
  }
  if (source === undefined) return forms;
  const { field, schema } = source;
  const given = { type: 'object', properties: { [field]: schema }, required: [field] };
  return [...oneOrMany(given, field), ...forms];
}

function oneOrMany(row: JsonSchema, what: string): readonly JsonSchema[] {
  return [
    { title: `one ${what}`, ...row },
    { title: `many ${what}s`, type: 'array', items: row },
  ];
}

function outputSchema({ model, reading }: DescribeOptions): JsonSchema {
  const tensors: JsonSchema = {
    title: 'for tensors by their names',
    type: 'object',
    properties: {
      outputs: objectOf(model.outputs, ({ type, shape }) => tensorSchema(type, shape)),
    },
    required: ['outputs'],
  };
  return { anyOf: [...oneOrMany(reading.schema, 'row'), tensors] };
}

function objectOf(
  specs: readonly TensorSpec[],
  schemaOf: (spec: TensorSpec) => JsonSchema,
): JsonSchema {
  const properties = Object.fromEntries(specs.map((spec) => [spec.name, schemaOf(spec)]));
  return { type: 'object', properties, required: specs.map(({ name }) => name) };
}

function shown({ name, type, shape }: TensorSpec) {
  return { name, type: type.name, shape: shape.map((size) => (size === '' ? '?' : size)) };
}
