// `POST /`: pictures, sounds and texts where the config declares them, tensors by their names, rows
// of values, or the raw bytes of the one input. The answer has the shape of the question.

import { contentTypeOf, jsonOf, wants } from '../content.ts';
import { type Answer, type Call, InputError } from '../processor.ts';
import type { Model } from './model.ts';
import type { Reading } from './reading.ts';
import { bytesFromJson, type Source } from './source.ts';
import { checkRows, rowsOf } from './stack.ts';
import {
  checkedCount,
  elementsOf,
  shapeText,
  type Tensor,
  type TensorSpec,
  type Tensors,
  tensorFromJson,
  tensorText,
} from './tensor.ts';
import { bytesOf, tensorFromBytes } from './tensor-bytes.ts';

export interface Parts {
  readonly model: Model;
  readonly source: Source | undefined;
  readonly reading: Reading;
}

const rawType = 'application/octet-stream';

/** Throws InputError. */
export async function predict(call: Call, parts: Parts): Promise<Answer> {
  const { source, reading } = parts;
  const type = contentTypeOf(call);
  if (source?.isBody(type, call.body) === true) {
    const [outputs = {}] = await source.predict([call.body], call.signal);
    return json(reading.read(outputs, 0));
  }
  if (type === rawType && !looksLikeJson(call)) return predictBytes(call, parts);
  // Words to a model of pictures are no broken JSON, but something else altogether.
  const isText = type.startsWith('text/') && (source === undefined || looksLikeJson(call));
  if (!isText && !type.startsWith('application/')) throw wrongType(type, source);
  const body = jsonOf(call);
  if (isObject(body) && isObject(body.inputs)) return predictTensors(call, body.inputs, parts);
  return predictRows(call, body, parts);
}

async function predictTensors(
  { signal }: Call,
  inputs: Readonly<Record<string, unknown>>,
  { model }: Parts,
): Promise<Answer> {
  const feeds = Object.entries(inputs).map(([name, value]) => {
    return [name, tensorFromJson(value, specOf(model, name))] as const;
  });
  const outputs = await model.run(Object.fromEntries(feeds), signal);
  const parts = Object.entries(outputs).map(
    ([name, tensor]) => `${JSON.stringify(name)}:${tensorText(tensor)}`,
  );
  return json(`{"outputs":{${parts.join(',')}}}`);
}

/** An object is one row, an array of objects many; with one input also its bare value or values. */
async function predictRows(call: Call, body: unknown, parts: Parts): Promise<Answer> {
  const rows: readonly unknown[] = Array.isArray(body) ? body : [body];
  const isMany = Array.isArray(body);
  if (isMany && rows.length === 0) return json('[]');
  if (!rows.every(isObject)) return predictBare(call, body, parts);
  const outputs = await outputsOfRows(call, rows, isMany, parts);
  const texts = outputs.map((each) => rowOut(each, parts));
  return json(isMany ? `[${texts.join(',')}]` : (texts[0] ?? 'null'));
}

async function outputsOfRows(
  { signal }: Call,
  rows: readonly Readonly<Record<string, unknown>>[],
  isMany: boolean,
  { model, source }: Parts,
): Promise<readonly Tensors[]> {
  const placeOf = (at: number) => (isMany ? at : undefined);
  if (source !== undefined && rows.some((row) => Object.hasOwn(row, source.field))) {
    const values = rows.map((row, at) =>
      bytesFromJson(row[source.field], source.field, placeOf(at)),
    );
    return source.predict(values, signal);
  }
  const feeds = rows.map((row, at) => feedsOfRow(row, placeOf(at), model));
  return model.runAll(feeds, signal);
}

function feedsOfRow(
  row: Readonly<Record<string, unknown>>,
  at: number | undefined,
  model: Model,
): Tensors {
  const missing = model.inputs.find(({ name }) => !Object.hasOwn(row, name));
  if (missing !== undefined) {
    const where = at === undefined ? '' : `row ${at}: `;
    throw new InputError(`${where}input ${missing.name} is missing`, {
      field: missing.name,
      row: at,
    });
  }
  const feeds = Object.entries(row).map(([name, value]) => {
    const spec = specOf(model, name, at);
    const tensor = model.hasRows ? rowTensor(value, spec, at) : tensorFromJson(value, spec, at);
    return [name, tensor] as const;
  });
  return Object.fromEntries(feeds);
}

/** One row of a batch: without the batch axis; of a single element also bare. */
function rowTensor(value: unknown, spec: TensorSpec, at: number | undefined): Tensor {
  const shape = spec.shape.slice(1);
  const isSingle = shape.every((size) => size === 1);
  const nested =
    isSingle && !Array.isArray(value) ? shape.reduce((inner) => [inner], value) : value;
  const { type, dims, data } = tensorFromJson(nested, { ...spec, shape }, at);
  return { type, dims: [1, ...dims], data };
}

async function predictBare({ signal }: Call, body: unknown, parts: Parts): Promise<Answer> {
  const { model, source } = parts;
  const [spec] = model.inputs;
  if (spec === undefined || model.inputs.length !== 1) {
    const names = model.inputs.map(({ name }) => name).join(', ');
    throw new InputError(`a row is an object with ${source?.field ?? names}`);
  }
  const isOneRow = model.hasRows && depthOf(body) === spec.shape.length - 1;
  const tensor = isOneRow ? rowTensor(body, spec, undefined) : tensorFromJson(body, spec);
  const outputs = await model.run({ [spec.name]: tensor }, signal);
  if (isOneRow || !model.hasRows) return json(rowOut(outputs, parts));
  return json(rowsOut(outputs, tensor.dims[0] ?? 0, parts));
}

async function predictBytes(call: Call, parts: Parts): Promise<Answer> {
  const { model } = parts;
  const [spec] = model.inputs;
  if (spec === undefined || model.inputs.length !== 1) {
    throw new InputError(`raw bytes are for models with one input; send JSON, or POST to /v2`);
  }
  const dims = dimsOf(call, spec, parts.source);
  checkedCount(dims, spec);
  const feeds = { [spec.name]: tensorFromBytes(call.body, spec, dims) };
  const outputs = await model.run(feeds, call.signal);
  if (wants(call, rawType, false)) return rawAnswer(call, outputs);
  return json(model.hasRows ? rowsOut(outputs, rowsOf(feeds), parts) : rowOut(outputs, parts));
}

/** From `?shape=2,64` or the header Tensor-Shape; else what the number of bytes leaves open. */
function dimsOf(
  { query, headers, body }: Call,
  { name, shape, type }: TensorSpec,
  source: Source | undefined,
): number[] {
  if (body.length === 0) throw new InputError('the body is empty', { field: name });
  const given = query.get('shape') ?? headers['tensor-shape'];
  if (given !== undefined && given !== null) {
    if (/^\d{1,10}(,\d{1,10})*$/.test(given.replaceAll(' ', ''))) {
      return given.split(',').map(Number);
    }
    throw new InputError(`the shape ${given} is no list of numbers, as 1,64`);
  }
  const known = shape.filter((dim) => typeof dim === 'number');
  const size = body.length / (elementsOf(known) * type.bytes);
  if (shape.length - known.length > 1 || !Number.isInteger(size)) {
    const types = source?.types.join(' nor ');
    const first = types === undefined ? '' : `the body is neither ${types}; as a tensor `;
    const rest = `${body.length} bytes do not say the shape`;
    throw new InputError(`${first}${rest}: give ?shape= for ${shapeText(shape)}`, { field: name });
  }
  return shape.map((dim) => (typeof dim === 'number' ? dim : size));
}

function rawAnswer({ query }: Call, outputs: Tensors): Answer {
  const names = Object.keys(outputs);
  const name = query.get('output') ?? (names.length === 1 ? names[0] : undefined);
  const tensor = name === undefined ? undefined : outputs[name];
  if (tensor === undefined) {
    throw new InputError(`say which output is wanted: ?output= one of ${names.join(', ')}`);
  }
  const headers = { 'Tensor-Shape': tensor.dims.join(','), 'Tensor-Type': tensor.type.name };
  return { status: 200, contentType: rawType, headers, body: bytesOf(tensor) };
}

/** The answer for outputs of one row; without rows for all that there is. */
function rowOut(outputs: Tensors, { model, source, reading }: Parts): string {
  // Sound comes with one row whatever its model has.
  if (model.hasRows && source?.field !== 'audio') checkRows(outputs, 1);
  const isFixed = model.outputs.every(({ shape }) => shape[0] === 1);
  const isRead = !reading.isPlain || source?.field === 'audio' || model.hasRows;
  if (isRead || (source !== undefined && isFixed)) return reading.read(outputs, 0);
  const parts = Object.entries(outputs).map(
    ([name, tensor]) => `${JSON.stringify(name)}:${tensorText(tensor)}`,
  );
  return `{${parts.join(',')}}`;
}

function rowsOut(outputs: Tensors, count: number, { reading }: Parts): string {
  checkRows(outputs, count);
  return `[${Array.from({ length: count }, (_, row) => reading.read(outputs, row)).join(',')}]`;
}

function specOf(model: Model, name: string, row?: number | undefined): TensorSpec {
  const spec = model.inputs.find((each) => each.name === name);
  if (spec !== undefined) return spec;
  const names = model.inputs.map((each) => each.name).join(', ');
  throw new InputError(`the model has no input ${name}; it has ${names}`, { field: name, row });
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let part = value; Array.isArray(part); part = part[0]) depth += 1;
  return depth;
}

// Queues hand on what came without a content type as plain bytes: JSON is told by its first sign,
// unless the shape of raw bytes is given with them.
function looksLikeJson({ body, query, headers }: Call): boolean {
  if (query.has('shape') || headers['tensor-shape'] !== undefined) return false;
  const start = Buffer.from(body.subarray(0, 64)).toString('latin1').trimStart();
  return (
    /^[[{]/.test(start) && /[\]}]\s*$/.test(Buffer.from(body.subarray(-16)).toString('latin1'))
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(type: string, source: Source | undefined): InputError {
  const known = [...(source?.types ?? []), 'application/json', rawType];
  return new InputError(`${type} is not taken; ${known.join(', ')} are`, { status: 415 });
}

function json(text: string): Answer {
  return { status: 200, contentType: 'application/json', body: Buffer.from(text) };
}
