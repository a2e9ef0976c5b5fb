// Tensors as the parts of this processor hand them around, what a model says of its own, and their
// form in JSON: nested arrays. Shapes are checked here, so that mistakes name the input.

import { InputError, type JsonSchema } from '../processor.ts';
import type { Elements, ElementType } from './element.ts';

export interface Tensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Row by row; as many as the dims say. */
  readonly data: Elements;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** An input or output of a model. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  /** A text where the size is free: its name in the model, or ''. */
  readonly shape: readonly (number | string)[];
}

/** More elements than this in one tensor are refused before anything is allocated: 256 Mi. */
const elementsMax = 2 ** 28;

/** How many elements a tensor of these dims has. */
export function elementsOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** A shape as people read it: [batch, 3, ?, 192]. */
export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}

/** A tensor made of nested arrays; the spec's sizes hold, or InputError names the input. */
export function tensorFromJson(value: unknown, spec: TensorSpec, row?: number | undefined): Tensor {
  const dims = dimsOf(value, spec, row);
  const count = checkedCount(dims, spec, row);
  const data = spec.type.make(count);
  let at = 0;
  const fill = (part: unknown, depth: number): void => {
    if (depth === dims.length) {
      if (!spec.type.put(data, at, part)) throw notOfType(part, spec, row);
      at += 1;
      return;
    }
    if (!Array.isArray(part) || part.length !== dims[depth]) {
      throw new InputError(`input ${spec.name}: its arrays are not all of one length`, {
        field: spec.name,
        row,
      });
    }
    for (const inner of part) fill(inner, depth + 1);
  };
  fill(value, 0);
  return { type: spec.type, dims, data };
}

/** Checks sizes against the spec; InputError says which shape was wanted. */
export function checkedCount(
  dims: readonly number[],
  spec: TensorSpec,
  row?: number | undefined,
): number {
  const fits =
    dims.length === spec.shape.length &&
    dims.every((dim, at) => typeof spec.shape[at] === 'string' || spec.shape[at] === dim);
  if (!fits) {
    const wanted = shapeText(spec.shape);
    const given = shapeText(dims);
    const message = `input ${spec.name} has the shape ${given}; the model takes ${wanted}`;
    throw new InputError(message, { field: spec.name, row });
  }
  const count = elementsOf(dims);
  if (count > elementsMax) {
    const message = `input ${spec.name} has ${count} elements; at most ${elementsMax} are taken`;
    throw new InputError(message, { field: spec.name, row });
  }
  return count;
}

/** Nested arrays as JSON text. */
export function tensorText(tensor: Tensor): string {
  return partText(tensor, 0, 0);
}

/** Row `row` of a batch as JSON text; a row of one single element is that element. */
export function rowText(tensor: Tensor, row: number): string {
  const size = elementsOf(tensor.dims.slice(1));
  if (size === 1 && tensor.dims.length <= 2) return tensor.type.text(tensor.data, row);
  return partText(tensor, 1, row * size);
}

function partText(tensor: Tensor, depth: number, from: number): string {
  const { dims, data, type } = tensor;
  if (depth === dims.length) return type.text(data, from);
  const count = dims[depth] ?? 0;
  const step = elementsOf(dims.slice(depth + 1));
  const parts = new Array<string>(count);
  const isLast = depth === dims.length - 1;
  for (let at = 0; at < count; at += 1) {
    parts[at] = isLast ? type.text(data, from + at) : partText(tensor, depth + 1, from + at * step);
  }
  return `[${parts.join(',')}]`;
}

/** The schema of nested arrays of a shape. */
export function tensorSchema(
  type: ElementType,
  shape: readonly (number | string)[],
  title?: string,
): JsonSchema {
  let schema: JsonSchema = type.schema;
  for (const dim of [...shape].reverse()) {
    const size = typeof dim === 'number' ? { minItems: dim, maxItems: dim } : {};
    const note = typeof dim === 'string' && dim !== '' ? { description: dim } : {};
    schema = { type: 'array', items: schema, ...size, ...note };
  }
  return { ...(title === undefined ? {} : { title }), ...schema };
}

function dimsOf(value: unknown, spec: TensorSpec, row: number | undefined): readonly number[] {
  const dims: number[] = [];
  let part = value;
  // An empty array ends the descent: what it would have held has the sizes of the spec.
  while (Array.isArray(part)) {
    dims.push(part.length);
    if (dims.length > 32) {
      throw new InputError(`input ${spec.name} is nested too deep`, { field: spec.name, row });
    }
    if (part.length === 0) {
      const rest = spec.shape.slice(dims.length);
      return [...dims, ...rest.map((dim) => (typeof dim === 'number' ? dim : 0))];
    }
    part = part[0];
  }
  return dims;
}

function notOfType(value: unknown, spec: TensorSpec, row: number | undefined): InputError {
  const shown = JSON.stringify(value)?.slice(0, 40);
  const message = `input ${spec.name}: ${shown} is no ${spec.type.name}`;
  return new InputError(message, { field: spec.name, row });
}
