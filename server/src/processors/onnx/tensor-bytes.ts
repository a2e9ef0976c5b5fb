// Tensors as bytes: little-endian numbers row by row; texts each behind their length in four bytes,
// as the binary extension of the Open Inference Protocol has them.

import { InputError } from '../processor.ts';
import type { Elements, NumericElements } from './element.ts';
import { elementsOf, type Tensor, type TensorSpec } from './tensor.ts';

const lengthBytes = 4;

/** A tensor of these dims. Throws InputError when the bytes are too few or too many. */
export function tensorFromBytes(
  bytes: Uint8Array,
  { name, type }: TensorSpec,
  dims: readonly number[],
): Tensor {
  const count = elementsOf(dims);
  if (type.bytes === 0) return { type, dims, data: textsFrom(bytes, count, name) };
  const wanted = count * type.bytes;
  if (bytes.length !== wanted) {
    const shape = `[${dims}] of ${type.name}`;
    const message = `input ${name} has ${bytes.length} bytes; ${shape} has ${wanted}`;
    throw new InputError(message, { field: name });
  }
  const data = type.make(count) as NumericElements;
  // Copied: what came may begin at an odd address, and must not stay alive as a whole.
  const target = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  target.set(bytes);
  if (type.name === 'bool') for (const at of target.keys()) target[at] = target[at] === 0 ? 0 : 1;
  return { type, dims, data };
}

/** The bytes of a tensor; shares its memory where it can. */
export function bytesOf({ data }: Tensor): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts = data.flatMap((text) => {
    const content = Buffer.from(text);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(content.length);
    return [length, content];
  });
  return Buffer.concat(parts);
}

function textsFrom(bytes: Uint8Array, count: number, name: string): Elements {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (texts.length < count && at + lengthBytes <= buffer.length) {
    const end = at + lengthBytes + buffer.readUInt32LE(at);
    if (end > buffer.length) break;
    texts.push(buffer.toString('utf8', at + lengthBytes, end));
    at = end;
  }
  if (texts.length === count && at === buffer.length) return texts;
  const message = `input ${name}: ${bytes.length} bytes are not ${count} texts with their lengths`;
  throw new InputError(message, { field: name });
}
