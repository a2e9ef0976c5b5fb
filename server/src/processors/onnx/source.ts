// Pictures, sounds and texts as they come in: as a whole body, or in JSON rows, where bytes stand
// in base64. What they become is the business of image-input, audio-input and vocabulary.

import { InputError, type JsonSchema, ModelError } from '../processor.ts';
import { audioReader } from './audio-input.ts';
import type { OnnxConfig } from './config.ts';
import { imageReader } from './image-input.ts';
import type { Model } from './model.ts';
import { pictureKind } from './picture.ts';
import type { LinesOf } from './reading.ts';
import type { TensorSpec, Tensors } from './tensor.ts';
import { textReader } from './vocabulary.ts';
import { isWav } from './wav.ts';

export interface Source {
  /** What it is called in JSON rows. */
  readonly field: 'image' | 'audio' | 'text';
  /** Of its value in a JSON row. */
  readonly schema: JsonSchema;
  /** Content types of whole bodies, as people are told. */
  readonly types: readonly string[];
  /** Whether a body of this content type is one as a whole. */
  isBody(type: string, body: Uint8Array): boolean;
  /** The outputs for each, with one row. */
  predict(values: readonly Uint8Array[], signal: AbortSignal): Promise<readonly Tensors[]>;
}

/** What the config asks for; undefined: the model gets tensors only. Throws ModelError. */
export async function sourceOf(
  config: OnnxConfig,
  model: Model,
  linesOf: LinesOf,
): Promise<Source | undefined> {
  if (config.image !== undefined) return imageSource(config.image, model);
  if (config.audio !== undefined) return audioSource(config.audio, model);
  if (config.text === undefined) return undefined;
  const tokens = await linesOf(config.text.vocabulary, 'model_config.text.vocabulary');
  return textSource(config.text, model, tokens);
}

/** The bytes that a JSON row holds for a source. */
export function bytesFromJson(
  value: unknown,
  field: Source['field'],
  row: number | undefined,
): Uint8Array {
  if (typeof value !== 'string') {
    const what = field === 'text' ? 'a text' : 'base64 text';
    throw new InputError(`${field} must be ${what}`, { field, row });
  }
  if (field === 'text') return Buffer.from(value);
  const base64 = value.replace(/^data:[^,]{0,100};base64,/, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}\s*$/.test(base64)) {
    throw new InputError(`${field} is not base64`, { field, row });
  }
  return Buffer.from(base64, 'base64');
}

const base64Schema: JsonSchema = { type: 'string', contentEncoding: 'base64' };

function imageSource(config: NonNullable<OnnxConfig['image']>, model: Model): Source {
  const spec = inputOf(model.inputs, config.input, 'image');
  const read = imageReader(config, spec);
  return {
    field: 'image',
    schema: { ...base64Schema, description: 'a PNG or JPEG file' },
    types: ['image/png', 'image/jpeg'],
    isBody: (type, body) =>
      type.startsWith('image/') || (isUntyped(type) && pictureKind(body) !== undefined),
    predict: (values, signal) =>
      model.runAll(
        inRows(values, (bytes) => ({ [spec.name]: read(bytes) })),
        signal,
      ),
  };
}

function audioSource(config: NonNullable<OnnxConfig['audio']>, model: Model): Source {
  const states = new Set(Object.keys(config.state ?? {}));
  const free = model.inputs.filter(({ name }) => !states.has(name));
  const read = audioReader(config, inputOf(free, config.input, 'audio'), model);
  return {
    field: 'audio',
    schema: { ...base64Schema, description: 'a WAV file' },
    types: ['audio/wav'],
    isBody: (type, body) => type.startsWith('audio/') || (isUntyped(type) && isWav(body)),
    async predict(values, signal) {
      const results: Tensors[] = [];
      for (const [row, bytes] of values.entries()) {
        const run = (feeds: Tensors) => model.run(feeds, signal);
        const outputs = await read(bytes, run).catch((error: unknown) => {
          throw inRow(error, row, values.length);
        });
        results.push(outputs);
      }
      return results;
    },
  };
}

function textSource(
  config: NonNullable<OnnxConfig['text']>,
  model: Model,
  tokens: readonly string[],
): Source {
  const read = textReader(config, model.inputs, tokens);
  return {
    field: 'text',
    schema: { type: 'string' },
    types: ['text/plain'],
    isBody: (type) => type === 'text/plain',
    predict: (values, signal) =>
      model.runAll(
        inRows(values, (bytes) => read(Buffer.from(bytes).toString())),
        signal,
      ),
  };
}

function inRows<Value, Result>(
  values: readonly Value[],
  read: (value: Value) => Result,
): readonly Result[] {
  return values.map((value, row) => {
    try {
      return read(value);
    } catch (error) {
      throw inRow(error, row, values.length);
    }
  });
}

/** Says which of several it was. */
function inRow(error: unknown, row: number, count: number): unknown {
  if (!(error instanceof InputError) || count === 1) return error;
  const { status, field, message, cause } = error;
  return new InputError(`row ${row}: ${message}`, { status, field, row, cause });
}

/** Clients that name no type send one of these. */
function isUntyped(type: string): boolean {
  return /^application\/(octet-stream|x-www-form-urlencoded|json)$/.test(type);
}

function inputOf(
  inputs: readonly TensorSpec[],
  wanted: string | undefined,
  what: string,
): TensorSpec {
  const names = inputs.map(({ name }) => name).join(', ');
  const found = inputs.find(({ name }) => wanted === undefined || name === wanted);
  if (found === undefined) {
    throw new ModelError(`model_config.${what}: the model has no input ${wanted}; it has ${names}`);
  }
  const other = inputs.find((each) => each !== found);
  if (other === undefined) return found;
  throw new ModelError(
    `model_config.${what}: nothing feeds input ${other.name}; name it in model_config.constants`,
  );
}
