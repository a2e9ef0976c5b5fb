// The answer to an inference request of the Open Inference Protocol: JSON, and behind it the bytes
// of those outputs that were wanted so.

import type { Answer } from '../processor.ts';
import type { Inference } from './open-inference-request.ts';
import type { Tensor, Tensors } from './tensor.ts';
import { bytesOf } from './tensor-bytes.ts';

/** The outputs that the request wants, in its order. */
export function inferenceAnswer(
  { id, outputs }: Inference,
  found: Tensors,
  model: { readonly name: string; readonly version: string },
): Answer {
  const blobs: Uint8Array[] = [];
  const texts = outputs.map(({ name, isBinary }) => {
    const tensor = found[name];
    if (tensor === undefined) throw new Error(`the model left out output ${name}`);
    if (!isBinary) return outputText(name, tensor, `"data":${flatText(tensor)}`);
    const bytes = bytesOf(tensor);
    blobs.push(bytes);
    return outputText(name, tensor, `"parameters":{"binary_data_size":${bytes.length}}`);
  });
  const head = { model_name: model.name, model_version: model.version, id };
  const json = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"outputs":[${texts.join(',')}]}`);
  if (blobs.length === 0) return { status: 200, contentType: 'application/json', body: json };
  return {
    status: 200,
    contentType: 'application/octet-stream',
    headers: { 'Inference-Header-Content-Length': String(json.length) },
    body: Buffer.concat([json, ...blobs]),
  };
}

function outputText(name: string, { type, dims }: Tensor, rest: string): string {
  const head = { name, datatype: type.wire, shape: dims };
  return `${JSON.stringify(head).slice(0, -1)},${rest}}`;
}

/** Elements row by row, without nesting. */
function flatText({ type, data }: Tensor): string {
  const texts = new Array<string>(data.length);
  for (let at = 0; at < data.length; at += 1) texts[at] = type.text(data, at);
  return `[${texts.join(',')}]`;
}
