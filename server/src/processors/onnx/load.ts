// The kind `onnx`: any ONNX model behind tensors in JSON, raw bytes and the Open Inference
// Protocol, and behind pictures, sounds and texts where its config says how they become tensors.
// Needs the package onnxruntime-node beside Sluice.

import { dirname } from 'node:path';
import { version } from '../../config/version.ts';
import { noSuchPath, wrongMethod } from '../content.ts';
import type { Call, Load, LoadOptions, Processor } from '../processor.ts';
import { type OnnxConfig, readConfig } from './config.ts';
import { describe } from './describe.ts';
import { Model } from './model.ts';
import { linesBeside, modelFile, modelName } from './model-file.ts';
import { isOpenInference, openInference } from './open-inference.ts';
import { type Parts, predict } from './predict.ts';
import { type LinesOf, readingOf } from './reading.ts';
import { openSession } from './runtime.ts';
import { sourceOf } from './source.ts';

export const load: Load = async (options) => {
  const config = readConfig(options.config);
  const file = await modelFile(options.model, options.entry);
  const name = config.name ?? modelName(file);
  const session = await openSession(file, { threads: config.threads });
  try {
    const model = new Model({ session, ...modelOptions(config, options) });
    const linesOf: LinesOf = (source, setting) => linesBeside(file, source, setting);
    const source = await sourceOf(config, model, linesOf);
    const reading = await readingOf(config, model.outputs, linesOf);
    const parts = { model, source, reading };
    options.log.info({ model: name, folder: dirname(file), rows: model.hasRows }, 'model loaded');
    return processor(parts, name, config, options);
  } catch (error) {
    await session.close();
    throw error;
  }
};

function modelOptions(config: OnnxConfig, { batching, clock }: LoadOptions) {
  return {
    constants: config.constants ?? {},
    rows: config.rows,
    states: Object.keys(config.audio?.state ?? {}),
    batching,
    clock,
  };
}

function processor(
  parts: Parts,
  name: string,
  config: OnnxConfig,
  { batching }: LoadOptions,
): Processor {
  const { model } = parts;
  const served = { name, model, version };
  return {
    description: describe({ ...parts, name, config, batching }),
    async answer(call: Call) {
      if (isOpenInference(call.path)) return openInference(call, served);
      if (call.path !== '/') throw noSuchPath(call);
      if (call.method !== 'POST') throw wrongMethod(call, 'GET, POST');
      return predict(call, parts);
    },
    close: () => model.close(),
  };
}
