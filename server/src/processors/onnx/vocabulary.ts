// A text as the numbers of its tokens: words split at spaces and punctuation, then into the longest
// pieces that the vocabulary has (WordPiece, as BERT models are trained with). Other tokenizers are
// for a user's own module.

import { InputError, ModelError } from '../processor.ts';
import type { TextConfig } from './config.ts';
import type { Tensor, TensorSpec, Tensors } from './tensor.ts';

/** Feeds of one row for a text. */
export type TextReader = (text: string) => Tensors;

/** Longer words become unknown, as in BERT's own tokenizer. */
const wordLengthMax = 100;

/** Throws ModelError when config, vocabulary and model do not go together. */
export function textReader(
  config: TextConfig,
  inputs: readonly TensorSpec[],
  tokens: readonly string[],
): TextReader {
  const numbers = new Map(tokens.map((token, at) => [token, at]));
  const numberOf = (token: string): number => {
    const number = numbers.get(token);
    if (number === undefined) throw wrong(`the vocabulary has no ${token}`);
    return number;
  };
  const start = numberOf(config.start ?? '[CLS]');
  const end = numberOf(config.end ?? '[SEP]');
  const unknown = numberOf(config.unknown ?? '[UNK]');
  const padding = numberOf(config.padding ?? '[PAD]');
  const { length_max: lengthMax = 512, pad_to_max: isPadded = false } = config;
  const specs = specsOf(config, inputs);
  return (text) => {
    const words = wordsOf(text, config.lower_case ?? true);
    const pieces = words.flatMap((word) => piecesOf(word, numbers) ?? [unknown]);
    if (pieces.length + 2 > lengthMax) {
      const message = `the text has ${pieces.length + 2} tokens; at most ${lengthMax} are taken`;
      throw new InputError(message, { status: 413 });
    }
    const ids = [start, ...pieces, end];
    const length = isPadded ? lengthMax : ids.length;
    const feeds: Record<string, Tensor> = {};
    const add = (spec: TensorSpec | undefined, valueAt: (at: number) => number): void => {
      if (spec === undefined) return;
      const data = spec.type.make(length);
      for (let at = 0; at < length; at += 1) spec.type.put(data, at, valueAt(at));
      feeds[spec.name] = { type: spec.type, dims: [1, length], data };
    };
    add(specs.ids, (at) => ids[at] ?? padding);
    add(specs.mask, (at) => (at < ids.length ? 1 : 0));
    add(specs.types, () => 0);
    return feeds;
  };
}

/** Words and marks: "It's 5." is it ' s 5 . */
function wordsOf(text: string, isLower: boolean): readonly string[] {
  const plain = isLower
    ? text
        .toLowerCase()
        .normalize('NFD')
        .replace(/\p{Mn}/gu, '')
    : text;
  return plain.match(/[\p{P}\p{S}]|\p{Script=Han}|[^\s\p{P}\p{S}\p{Script=Han}]+/gu) ?? [];
}

/** The pieces of a word, each the longest that fits; undefined: some part of it is not known. */
function piecesOf(word: string, numbers: ReadonlyMap<string, number>): number[] | undefined {
  if (word.length > wordLengthMax) return undefined;
  const pieces: number[] = [];
  for (let from = 0; from < word.length; ) {
    let to = word.length;
    let number: number | undefined;
    for (; to > from && number === undefined; to -= 1) {
      number = numbers.get(from === 0 ? word.slice(0, to) : `##${word.slice(from, to)}`);
    }
    if (number === undefined) return undefined;
    pieces.push(number);
    from = to + 1;
  }
  return pieces;
}

function specsOf(
  { ids = 'input_ids', mask = 'attention_mask', types = 'token_type_ids' }: TextConfig,
  inputs: readonly TensorSpec[],
): { ids: TensorSpec; mask: TensorSpec | undefined; types: TensorSpec | undefined } {
  const named = (name: string) => inputs.find((spec) => spec.name === name);
  const first = named(ids) ?? (inputs.length === 1 ? inputs[0] : undefined);
  if (first === undefined) throw wrong(`the model has no input ${ids}`);
  for (const { name, type } of inputs) {
    if (!/^int(32|64)$/.test(type.name)) throw wrong(`input ${name} is ${type.name}, not int64`);
    if (![first.name, mask, types].includes(name)) throw wrong(`nothing feeds input ${name}`);
  }
  return { ids: first, mask: named(mask), types: named(types) };
}

function wrong(what: string): ModelError {
  return new ModelError(`model_config.text: ${what}`);
}
