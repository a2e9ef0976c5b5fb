// The Open Inference Protocol, version 2, as KServe and Triton speak it over HTTP: health, metadata
// and inference with JSON or binary tensors in both directions. Its errors are {"error": TEXT}.

import { type Answer, type Call, InputError } from '../processor.ts';
import type { Model } from './model.ts';
import { inferenceAnswer } from './open-inference-answer.ts';
import { readInference } from './open-inference-request.ts';
import type { TensorSpec } from './tensor.ts';

export interface Served {
  /** Of the model, as it stands in addresses. */
  readonly name: string;
  readonly model: Model;
  /** Of Sluice. */
  readonly version: string;
}

/** There is one version of a model, with this name. */
const modelVersion = '1';

/** Whether a path belongs to the protocol. */
export function isOpenInference(path: string): boolean {
  return path === '/v2' || path.startsWith('/v2/');
}

/** Answers the caller's mistakes itself; throws what the model gets wrong. */
export async function openInference(call: Call, served: Served): Promise<Answer> {
  try {
    return await route(call, served);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { status, headers, message } = error;
    return { ...document({ error: message }), status, headers };
  }
}

function route(call: Call, served: Served): Answer | Promise<Answer> {
  const steps = call.path.replace(/\/$/, '').split('/').slice(2);
  const [area, name, ...rest] = steps;
  if (area === undefined) return serverMetadata(call, served);
  if (area === 'health' && rest.length === 0) return health(call, name);
  if (area !== 'models' || name === undefined) throw nothingAt(call);
  if (name !== served.name) {
    throw new InputError(`there is no model ${name}; this one is ${served.name}`, { status: 404 });
  }
  const isVersioned = rest[0] === 'versions';
  if (isVersioned && rest[1] !== modelVersion) {
    throw new InputError(`model ${name} has no version ${rest[1]}, only ${modelVersion}`, {
      status: 404,
    });
  }
  const action = isVersioned ? rest.slice(2) : rest;
  if (action.length > 1) throw nothingAt(call);
  switch (action[0]) {
    case undefined:
      return modelMetadata(call, served);
    case 'ready':
      takes(call, 'GET');
      return document({ name, ready: true });
    case 'infer':
      takes(call, 'POST');
      return infer(call, served);
    default:
      throw nothingAt(call);
  }
}

async function infer(call: Call, { name, model }: Served): Promise<Answer> {
  const request = readInference(call, model);
  const outputs = await model.run(request.feeds, call.signal);
  return inferenceAnswer(request, outputs, { name, version: modelVersion });
}

function serverMetadata(call: Call, { version }: Served): Answer {
  takes(call, 'GET');
  return document({ name: 'sluice', version, extensions: ['binary_tensor_data'] });
}

function health(call: Call, what: string | undefined): Answer {
  if (what !== 'live' && what !== 'ready') throw nothingAt(call);
  takes(call, 'GET');
  return document({ [what]: true });
}

function modelMetadata(call: Call, { name, model }: Served): Answer {
  takes(call, 'GET');
  return document({
    name,
    versions: [modelVersion],
    platform: 'onnxruntime_onnx',
    inputs: model.inputs.map(tensorMetadata),
    outputs: model.outputs.map(tensorMetadata),
  });
}

/** A size that is free is -1. */
function tensorMetadata({ name, type, shape }: TensorSpec) {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
  return { name, datatype: type.wire, shape: sizes };
}

function takes({ method, path }: Call, wanted: 'GET' | 'POST'): void {
  if (method === wanted || (method === 'HEAD' && wanted === 'GET')) return;
  throw new InputError(`${path} takes ${wanted}, not ${method}`, {
    status: 405,
    headers: { Allow: wanted },
  });
}

function nothingAt({ path }: Call): InputError {
  return new InputError(`there is nothing at ${path}`, { status: 404 });
}

function document(value: unknown): Answer & { readonly body: Uint8Array } {
  const body = Buffer.from(JSON.stringify(value));
  return { status: 200, contentType: 'application/json', body };
}
