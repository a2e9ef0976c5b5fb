// What an inference request of the Open Inference Protocol asks for: its JSON, and behind it the
// bytes of those inputs that say how many are theirs.

import { z } from 'zod';
import { textOf } from '../content.ts';
import { type Call, InputError } from '../processor.ts';
import { wireType } from './element.ts';
import type { Model } from './model.ts';
import { checkedCount, type Tensor, type TensorSpec, type Tensors } from './tensor.ts';
import { tensorFromBytes } from './tensor-bytes.ts';

type Parameters = Readonly<Record<string, unknown>>;

const parameters: z.ZodType<Parameters> = z.record(z.string(), z.unknown());

interface GivenTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: string;
  readonly parameters?: Parameters | undefined;
  readonly data?: readonly unknown[] | undefined;
}

interface GivenRequest {
  readonly id?: string | undefined;
  readonly parameters?: Parameters | undefined;
  readonly inputs: readonly GivenTensor[];
  readonly outputs?: readonly { name: string; parameters?: Parameters | undefined }[] | undefined;
}

const tensor: z.ZodType<GivenTensor> = z.object({
  name: z.string(),
  shape: z.array(z.number().int().min(0)).max(32),
  datatype: z.string(),
  parameters: parameters.optional(),
  data: z.array(z.unknown()).optional(),
});

const schema: z.ZodType<GivenRequest> = z.object({
  id: z.string().optional(),
  parameters: parameters.optional(),
  inputs: z.array(tensor).min(1).max(1024),
  outputs: z
    .array(z.object({ name: z.string(), parameters: parameters.optional() }))
    .max(1024)
    .optional(),
});

export interface Inference {
  readonly id: string | undefined;
  readonly feeds: Tensors;
  /** In the order wanted. */
  readonly outputs: readonly { readonly name: string; readonly isBinary: boolean }[];
}

/** Length of the JSON at the body's start, where bytes follow it. */
const lengthHeader = 'inference-header-content-length';

/** Throws InputError. */
export function readInference(call: Call, model: Model): Inference {
  const length = jsonLength(call);
  const body = schema.safeParse(parsed(call, length));
  if (!body.success) {
    const [issue] = body.error.issues;
    const where =
      issue === undefined || issue.path.length === 0 ? 'the request' : issue.path.join('.');
    throw new InputError(`${where}: ${issue?.message ?? 'is not one'}`);
  }
  const { id, inputs } = body.data;
  refuseUnsupported(body.data.parameters);
  let rest = call.body.subarray(length);
  const feeds: Record<string, Tensor> = {};
  for (const given of inputs) {
    const spec = specOf(given, model);
    if (Object.hasOwn(feeds, given.name)) throw new InputError(`input ${given.name} comes twice`);
    const size = given.parameters?.binary_data_size;
    if (size === undefined) {
      feeds[given.name] = fromData(given, spec);
      continue;
    }
    const bytes = typeof size === 'number' ? rest.subarray(0, size) : undefined;
    if (bytes === undefined || bytes.length !== size || given.data !== undefined) {
      const message = `input ${given.name} has binary_data_size ${JSON.stringify(size)}`;
      throw new InputError(`${message}, but ${rest.length} bytes follow, or data too`);
    }
    feeds[given.name] = tensorFromBytes(bytes, spec, given.shape);
    rest = rest.subarray(bytes.length);
  }
  if (rest.length > 0) {
    throw new InputError(`${rest.length} bytes are left that belong to no input`);
  }
  return { id, feeds, outputs: outputsOf(body.data, model) };
}

function jsonLength({ headers, body }: Call): number {
  const given = headers[lengthHeader];
  if (given === undefined) return body.length;
  const length = /^\d{1,12}$/.test(given) ? Number(given) : Number.NaN;
  if (length <= body.length) return length;
  throw new InputError(
    `Inference-Header-Content-Length is ${given}, the body ${body.length} bytes`,
  );
}

function parsed(call: Call, length: number): unknown {
  const text = textOf({ ...call, body: call.body.subarray(0, length) });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`the request is not JSON: ${(cause as Error).message}`, { cause });
  }
}

// Requests of one sequence would each begin with an empty state here: a wrong answer, so none.
function refuseUnsupported(given: Parameters | undefined): void {
  if (given?.sequence_id !== undefined && given.sequence_id !== 0) {
    throw new InputError('sequences are not supported: sequence_id');
  }
}

function specOf({ name, datatype, shape }: GivenTensor, model: Model): TensorSpec {
  const spec = model.inputs.find((each) => each.name === name);
  if (spec === undefined) {
    const names = model.inputs.map((each) => each.name).join(', ');
    throw new InputError(`the model has no input ${name}; it has ${names}`);
  }
  if (wireType(datatype) !== spec.type) {
    throw new InputError(`input ${name} is ${spec.type.wire}, not ${datatype}`);
  }
  checkedCount(shape, spec);
  return spec;
}

/** Elements in order, nested as the shape says or not at all. */
function fromData({ name, shape, data }: GivenTensor, spec: TensorSpec): Tensor {
  if (data === undefined) throw new InputError(`input ${name} has no data`);
  const count = checkedCount(shape, spec);
  const flat: readonly unknown[] = data.flat(32);
  if (flat.length !== count) {
    throw new InputError(`input ${name} has ${flat.length} elements; [${shape}] has ${count}`);
  }
  const elements = spec.type.make(count);
  for (const [at, value] of flat.entries()) {
    if (spec.type.put(elements, at, value)) continue;
    const shown = JSON.stringify(value)?.slice(0, 40);
    throw new InputError(`input ${name}: element ${at}, ${shown}, is no ${spec.type.wire}`);
  }
  return { type: spec.type, dims: shape, data: elements };
}

function outputsOf({ outputs, parameters }: GivenRequest, model: Model): Inference['outputs'] {
  const isBinary = parameters?.binary_data_output === true;
  if (outputs === undefined || outputs.length === 0) {
    return model.outputs.map(({ name }) => ({ name, isBinary }));
  }
  return outputs.map(({ name, parameters: own }) => {
    if (!model.outputs.some((each) => each.name === name)) {
      const names = model.outputs.map((each) => each.name).join(', ');
      throw new InputError(`the model has no output ${name}; it has ${names}`);
    }
    if (own?.classification !== undefined) {
      throw new InputError(`output ${name}: classification is not supported`);
    }
    return { name, isBinary: own?.binary_data === undefined ? isBinary : own.binary_data === true };
  });
}
