// The batch axis: whether a model has one, feeds of several calls stacked to one run along it, and
// the outputs cut up again. The axis is the first one, free in every input and output.

import { InputError } from '../processor.ts';
import type { Elements, NumericElements } from './element.ts';
import type { Session } from './runtime.ts';
import { elementsOf, shapeText, type Tensor, type TensorSpec, type Tensors } from './tensor.ts';

/** Whether the first axis of all inputs but `constants`, and of all outputs, is free. */
export function hasBatchAxis(
  { inputs, outputs }: Pick<Session, 'inputs' | 'outputs'>,
  constants: ReadonlySet<string>,
): boolean {
  const isFree = ({ shape }: TensorSpec) => typeof shape[0] === 'string';
  const varied = inputs.filter(({ name }) => !constants.has(name));
  if (varied.length === 0 || !varied.every(isFree) || !outputs.every(isFree)) return false;
  const names = new Set(varied.map(({ shape }) => shape[0]).filter((name) => name !== ''));
  return names.size <= 1;
}

/** What is the same for all feeds that may be stacked: the shapes without the batch axis. */
export function stackKey(feeds: Tensors): string {
  return Object.values(feeds)
    .map(({ dims }) => dims.slice(1).join('x'))
    .join(' ');
}

/** How many rows the feeds have. Throws InputError when the inputs differ. */
export function rowsOf(feeds: Tensors): number {
  const [first, ...others] = Object.entries(feeds);
  const rows = first?.[1].dims[0] ?? 0;
  for (const [name, { dims }] of others) {
    if (dims[0] === rows) continue;
    const message = `input ${name} has ${dims[0]} rows, input ${first?.[0]} has ${rows}`;
    throw new InputError(message, { field: name });
  }
  return rows;
}

/** One after the other along the first axis; all have the same other sizes. */
export function stack(all: readonly Tensors[]): Tensors {
  const [first = {}] = all;
  if (all.length === 1) return first;
  return Object.fromEntries(
    Object.keys(first).map((name) => [name, joined(all.map((feeds) => feeds[name] as Tensor))]),
  );
}

/** Cut along the first axis into parts of so many rows. Throws when an output has other rows. */
export function unstack(outputs: Tensors, rows: readonly number[]): readonly Tensors[] {
  const total = rows.reduce((sum, count) => sum + count, 0);
  checkRows(outputs, total);
  if (rows.length === 1) return [outputs];
  let from = 0;
  return rows.map((count) => {
    const part = Object.entries(outputs).map(
      ([name, tensor]) => [name, cut(tensor, from, count)] as const,
    );
    from += count;
    return Object.fromEntries(part);
  });
}

/** Throws when the first axis of an output turns out to be no axis of rows. */
export function checkRows(outputs: Tensors, rows: number): void {
  for (const [name, { dims }] of Object.entries(outputs)) {
    if (dims[0] === rows) continue;
    const what = `output ${name} has the shape ${shapeText(dims)} for rows: ${rows}`;
    throw new Error(`${what}; a model that counts something else needs "rows": false`);
  }
}

/** `count` rows of a tensor from `from` on; shares its memory. */
export function cut({ type, dims, data }: Tensor, from: number, count: number): Tensor {
  const size = elementsOf(dims.slice(1));
  const [start, end] = [from * size, (from + count) * size];
  const part = Array.isArray(data) ? data.slice(start, end) : data.subarray(start, end);
  return { type, dims: [count, ...dims.slice(1)], data: part };
}

function joined(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (first === undefined) throw new Error('there is nothing to stack');
  const rows = parts.reduce((sum, { dims }) => sum + (dims[0] ?? 0), 0);
  const dims = [rows, ...first.dims.slice(1)];
  const data: Elements = first.type.make(elementsOf(dims));
  let at = 0;
  for (const part of parts) {
    if (Array.isArray(data)) data.splice(at, part.data.length, ...(part.data as string[]));
    else setElements(data, part.data as NumericElements, at);
    at += part.data.length;
  }
  return { type: first.type, dims, data };
}

// All parts have the element type of the whole; the compiler can't know.
function setElements(into: NumericElements, part: NumericElements, at: number): void {
  (into as Float32Array).set(part as Float32Array, at);
}
