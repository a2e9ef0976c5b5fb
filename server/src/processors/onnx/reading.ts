// What comes out of a model as an answer that people read: classes with labels, texts from
// character probabilities, spans of speech, or the plain numbers. Each reads one row and answers
// JSON text.

import type { JsonSchema } from '../processor.ts';
import { ModelError } from '../processor.ts';
import type { AudioConfig, ClassesConfig, CtcConfig, OnnxConfig, SpeechConfig } from './config.ts';
import { type NumericElements, shortest } from './element.ts';
import { fromHalf } from './half.ts';
import { type SpeechRules, spansOf } from './speech.ts';
import { rowText, type Tensor, type TensorSpec, type Tensors, tensorSchema } from './tensor.ts';

export interface Reading {
  /** Whether it shows the numbers as they are. */
  readonly isPlain: boolean;
  /** Of what `read` answers. */
  readonly schema: JsonSchema;
  /** The answer for one row as JSON text. */
  read(outputs: Tensors, row: number): string;
}

/** Reads the lines of a file beside the model; throws ModelError. */
export type LinesOf = (
  source: string | readonly string[],
  what: string,
) => Promise<readonly string[]>;

/** The reading that the config asks for; without one each output by its name. */
export async function readingOf(
  config: OnnxConfig,
  outputs: readonly TensorSpec[],
  linesOf: LinesOf,
): Promise<Reading> {
  const { classes, ctc, speech, audio } = config;
  if (classes !== undefined) {
    const labels =
      classes.labels === undefined
        ? undefined
        : await linesOf(classes.labels, 'model_config.classes.labels');
    return classReading(classes, outputOf(outputs, classes.output, 'classes'), labels);
  }
  if (ctc !== undefined) {
    const characters = await linesOf(ctc.characters, 'model_config.ctc.characters');
    return textReading(ctc, outputOf(outputs, ctc.output, 'ctc'), characters);
  }
  if (speech !== undefined && audio !== undefined) {
    const told = outputs.filter(({ name }) => !Object.values(audio.state ?? {}).includes(name));
    return speechReading(speech, audio, outputOf(told, speech.output, 'speech'));
  }
  return plainReading(outputs);
}

function plainReading(outputs: readonly TensorSpec[]): Reading {
  const properties = outputs.map(({ name, type, shape }) => {
    const isSingle = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
    return [name, isSingle ? type.schema : tensorSchema(type, shape.slice(1))] as const;
  });
  return {
    isPlain: true,
    schema: { type: 'object', properties: Object.fromEntries(properties) },
    read: (found, row) => {
      const parts = Object.entries(found).map(
        ([name, tensor]) => `${JSON.stringify(name)}:${rowText(tensor, row)}`,
      );
      return `{${parts.join(',')}}`;
    },
  };
}

function classReading(
  { softmax: isLogits = false, top = 1 }: ClassesConfig,
  { name, shape }: TensorSpec,
  labels: readonly string[] | undefined,
): Reading {
  const count = shape.at(-1);
  if (labels !== undefined && typeof count === 'number' && count !== labels.length) {
    const message = `${labels.length} labels for the ${count} classes of output ${name}`;
    throw new ModelError(`model_config.classes: ${message}`);
  }
  const entry: JsonSchema = {
    type: 'object',
    properties: {
      label: { type: 'string', ...(labels === undefined ? {} : { enum: labels }) },
      score: { type: 'number' },
    },
    required: ['label', 'score'],
  };
  const more = { properties: { ...entry.properties, top: { type: 'array', items: entry } } };
  return {
    isPlain: false,
    schema: top > 1 ? { ...entry, ...more } : entry,
    read: (found, row) => {
      const values = numbersOf(found[name], row);
      const scores = isLogits ? softmax(values) : values;
      const best = [...scores.keys()]
        .sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0))
        .slice(0, top)
        .map((at) => ({ label: labels?.[at] ?? String(at), score: rounded(scores[at] ?? 0) }));
      return JSON.stringify(top > 1 ? { ...best[0], top: best } : best[0]);
    },
  };
}

/** Sums to 1, however large the logits are. */
export function softmax(values: Numbers): Float64Array {
  const numbers = Float64Array.from(values);
  const largest = numbers.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const powers = numbers.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

function textReading(
  { blank = 'first', space = false }: CtcConfig,
  { name, shape }: TensorSpec,
  characters: readonly string[],
): Reading {
  const known = space ? [...characters, ' '] : characters;
  const count = shape.at(-1);
  if (typeof count === 'number' && count !== known.length + 1) {
    const message = `${known.length} characters and a blank for the ${count} classes of ${name}`;
    throw new ModelError(`model_config.ctc: ${message}`);
  }
  const schema: JsonSchema = {
    type: 'object',
    properties: { text: { type: 'string' }, score: { type: 'number' } },
    required: ['text', 'score'],
  };
  const blankAt = blank === 'first' ? 0 : known.length;
  const shift = blank === 'first' ? 1 : 0;
  return {
    isPlain: false,
    schema,
    read: (found, row) => {
      const classCount = known.length + 1;
      const values = numbersOf(found[name], row);
      let text = '';
      let last = blankAt;
      const scores: number[] = [];
      for (let from = 0; from < values.length; from += classCount) {
        const best = largestAt(values, from, classCount);
        // A character that goes on over several steps is one; a blank lets it come twice.
        if (best !== last && best !== blankAt) {
          text += known[best - shift] ?? '';
          scores.push(values[from + best] ?? 0);
        }
        last = best;
      }
      const sum = scores.reduce((total, score) => total + score, 0);
      return JSON.stringify({
        text,
        score: rounded(scores.length === 0 ? 0 : sum / scores.length),
      });
    },
  };
}

function largestAt(values: Numbers, from: number, count: number): number {
  let best = 0;
  for (let at = 1; at < count; at += 1) {
    if ((values[from + at] ?? 0) > (values[from + best] ?? 0)) best = at;
  }
  return best;
}

function speechReading(
  config: SpeechConfig,
  { rate, window = 1, hop = window }: AudioConfig,
  { name }: TensorSpec,
): Reading {
  const rules: SpeechRules = {
    threshold: config.threshold ?? 0.5,
    speechMinMs: config.speech_min_ms ?? 250,
    silenceMinMs: config.silence_min_ms ?? 100,
    padMs: config.pad_ms ?? 30,
  };
  const stepMs = (hop / rate) * 1000;
  const span: JsonSchema = {
    type: 'object',
    properties: { start: { type: 'number' }, end: { type: 'number' } },
    required: ['start', 'end'],
  };
  return {
    isPlain: false,
    schema: {
      type: 'object',
      properties: {
        speech: { type: 'array', items: span },
        step: { type: 'number', description: 'seconds from one probability to the next' },
        probabilities: { type: 'array', items: { type: 'number' } },
      },
    },
    read: (found, row) => {
      const values = numbersOf(found[name], row);
      const speech = spansOf(values, stepMs, rules).map(({ startMs, endMs }) => ({
        start: Math.round(startMs) / 1000,
        end: Math.round(endMs) / 1000,
      }));
      const probabilities = Array.from(values, rounded);
      return JSON.stringify({ speech, step: stepMs / 1000, probabilities });
    },
  };
}

/** Numbers that can be read in place: a row of a recogniser's output has hundreds of thousands. */
type Numbers = Exclude<NumericElements, BigInt64Array | BigUint64Array>;

/** One row of a tensor; without a copy where its elements are numbers already. */
function numbersOf(tensor: Tensor | undefined, row: number): Numbers {
  if (tensor === undefined) throw new Error('the model left out an output');
  const { data, dims, type } = tensor;
  const rows = dims.length < 2 ? 1 : (dims[0] ?? 1);
  const size = data.length / rows;
  const [start, end] = [row * size, (row + 1) * size];
  if (Array.isArray(data)) throw new Error('an output of texts has no scores');
  if (type.name === 'float16')
    return Float64Array.from(data.subarray(start, end) as Uint16Array, fromHalf);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Float64Array.from(data.subarray(start, end) as BigInt64Array, Number);
  }
  return data.subarray(start, end);
}

function outputOf(
  outputs: readonly TensorSpec[],
  wanted: string | undefined,
  what: string,
): TensorSpec {
  const names = outputs.map(({ name }) => name).join(', ');
  if (wanted === undefined && outputs.length !== 1) {
    throw new ModelError(`model_config.${what}: say which output is meant: ${names}`);
  }
  const found = outputs.find(({ name }) => wanted === undefined || name === wanted);
  if (found === undefined || found.type.bytes === 0) {
    throw new ModelError(`model_config.${what}: there is no output ${wanted} of numbers: ${names}`);
  }
  return found;
}

function rounded(value: number): number {
  return shortest(Math.fround(value));
}
