// JSON Schemas of what a model takes and answers, from its data dictionary. They say what makes a
// row valid; where the model itself has an answer to other values, they are not narrowed.

import type { Field, JsonSchema } from '../processor.ts';
import type { Interval } from './intervals.ts';
import type { DataType, Result } from './model.ts';
import type { Input } from './scope.ts';
import type { Scorer } from './scorer.ts';
import { answered } from './values.ts';

/** The fields of a row, in the order of the mining schema. */
export function inputFields(scorer: Scorer): readonly Field[] {
  return scorer.inputs.map((input) => ({
    name: input.field.name,
    required: input.treatment.isRequired,
    schema: inputSchema(input),
  }));
}

/** The schema of one answer. */
export function answerSchema(scorer: Scorer): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const result of scorer.results) properties[result.name] = resultSchema(result);
  if (scorer.hasProbabilities) {
    properties.probabilities = {
      type: ['object', 'null'],
      additionalProperties: { type: 'number' },
      description: 'By category',
    };
  }
  return { type: 'object', properties, required: Object.keys(properties) };
}

function inputSchema({ field, treatment }: Input): JsonSchema {
  const { dataType, categories, intervals, displayName, isCounted } = field;
  const base: JsonSchema = { ...typeSchema(dataType, isCounted) };
  const values = categories.map((value) => answered(value, dataType));
  const isOpen = treatment.invalid !== 'returnInvalid';
  const mayBeMissing = !treatment.isRequired;
  const [interval, other] = intervals;
  const notes = [displayName, replacementNote(treatment.replacement, dataType)];
  return {
    ...base,
    ...(mayBeMissing ? { type: nullable(base.type) } : {}),
    // Values beside the listed ones are treated as the model says, not refused.
    ...(values.length === 0 || intervals.length > 0
      ? {}
      : isOpen
        ? { examples: values }
        : { enum: mayBeMissing ? [...values, null] : values }),
    ...(interval === undefined || other !== undefined || isOpen || values.length > 0
      ? {}
      : bounds(interval)),
    ...described(notes),
  };
}

function resultSchema({ dataType, categories, isMany, about }: Result): JsonSchema {
  const one: JsonSchema = {
    ...typeSchema(dataType, false),
    type: nullable(typeSchema(dataType, false).type),
    ...(categories.length === 0
      ? {}
      : { enum: [...categories.map((value) => answered(value, dataType)), null] }),
    ...described([about]),
  };
  return isMany ? { type: 'array', items: one } : one;
}

function typeSchema(dataType: DataType, isCounted: boolean): JsonSchema {
  switch (dataType) {
    case 'string':
      return { type: 'string' };
    case 'integer':
      return isCounted ? { type: ['integer', 'string'] } : { type: 'integer' };
    case 'float':
    case 'double':
      return { type: 'number' };
    case 'boolean':
      return { type: 'boolean' };
    case 'date':
      return { type: 'string', format: 'date' };
    case 'time':
      return { type: 'string', description: 'A time as 17:05:00' };
    case 'dateTime':
      return { type: 'string', description: 'Date and time as 2024-05-31T17:05:00' };
  }
}

function nullable(type: JsonSchema['type']): readonly string[] {
  return [...(typeof type === 'string' ? [type] : (type ?? [])), 'null'];
}

function bounds({ left, right, isLeftClosed, isRightClosed }: Interval): JsonSchema {
  return {
    ...(Number.isFinite(left) ? { [isLeftClosed ? 'minimum' : 'exclusiveMinimum']: left } : {}),
    ...(Number.isFinite(right) ? { [isRightClosed ? 'maximum' : 'exclusiveMaximum']: right } : {}),
  };
}

function replacementNote(replacement: unknown, dataType: DataType): string | undefined {
  if (replacement === undefined) return undefined;
  const isPlain = typeof replacement === 'number' || typeof replacement === 'string';
  const value = isPlain || typeof replacement === 'boolean' ? answered(replacement, dataType) : '';
  return `A missing value counts as ${value}`;
}

function described(notes: readonly (string | undefined)[]): JsonSchema {
  const all = notes.filter((note) => note !== undefined && note !== '');
  return all.length === 0 ? {} : { description: all.join('. ') };
}
