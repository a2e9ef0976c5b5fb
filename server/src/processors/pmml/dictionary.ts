// The data dictionary: which fields there are, their types, and which of their values are valid,
// invalid or stand for a missing one.

import type { Element } from './element.ts';
import { type Interval, intervalIn } from './intervals.ts';
import type { DataType, OpType, Value } from './model.ts';
import { given, opTypeOf, parseValue, typeNamed } from './values.ts';

export interface DataField {
  readonly name: string;
  readonly displayName: string | undefined;
  readonly dataType: DataType;
  readonly opType: OpType;
  /** The values that are listed as valid, in their order. */
  readonly categories: readonly Value[];
  readonly intervals: readonly Interval[];
  /** What people call some of the values. */
  readonly displayValues: ReadonlyMap<Value, string>;
  /** Whether values are dates that a text is counted to, as days since 1960. */
  readonly isCounted: boolean;
  /** What a caller gave as a value; undefined: it is missing, `notOne`: it isn't of the type. */
  read(raw: unknown): Value | typeof notOne;
  /** Whether a value that isn't missing is valid. */
  isValid(value: Value): boolean;
}

/** What a field says of single values and of spans of numbers. */
export interface ListedValues {
  readonly categories: readonly Value[];
  readonly invalid: ReadonlySet<Value>;
  /** As they stand in the file. */
  readonly missing: ReadonlySet<string>;
  readonly displayValues: ReadonlyMap<Value, string>;
  readonly intervals: readonly Interval[];
}

/** What was given is no value of the type at all. */
export const notOne: unique symbol = Symbol('not a value of the type');

/** All fields of a DataDictionary by their names. */
export function readDictionary(dictionary: Element): ReadonlyMap<string, DataField> {
  dictionary.ignore('numberOfFields');
  const fields = new Map<string, DataField>();
  for (const element of dictionary.all('DataField')) {
    const field = readField(element);
    if (fields.has(field.name)) element.refuse(`there are two fields ${field.name}`);
    fields.set(field.name, field);
  }
  return fields;
}

/** The categories in the Value children of a field, with the other values that they name. */
export function readValues(element: Element, dataType: DataType, opType: OpType): ListedValues {
  const categories: Value[] = [];
  const invalid = new Set<Value>();
  const missing = new Set<string>();
  const displayValues = new Map<Value, string>();
  for (const child of element.all('Value')) {
    const text = child.required('value');
    const property = child.choice('property', ['valid', 'invalid', 'missing'], 'valid');
    const value = parseValue(text, dataType);
    const shown = child.optional('displayValue');
    if (property === 'missing') missing.add(text);
    else if (value === undefined) child.refuse(`"${text}" is not a value of ${dataType}`);
    else if (property === 'invalid') invalid.add(value);
    else categories.push(value);
    if (shown !== undefined) displayValues.set(value, shown);
  }
  const intervals = element.all('Interval').map(intervalIn);
  if (intervals.length > 0 && opType !== 'continuous') {
    element.refuse('only continuous fields have an Interval');
  }
  return { categories, invalid, missing, displayValues, intervals };
}

function readField(element: Element): DataField {
  const name = element.required('name');
  const typeName = element.optional('dataType') ?? 'string';
  const type = typeNamed(typeName) ?? element.refuse(`dataType="${typeName}" is not supported`);
  const { dataType, count } = type;
  const opType = element.choice(
    'optype',
    ['continuous', 'categorical', 'ordinal'],
    opTypeOf(dataType),
  );
  if (element.flag('isCyclic', false)) element.refuse('cyclic fields are not supported');
  const values = readValues(element, dataType, opType);
  const { categories, intervals, displayValues } = values;
  const valid = new Set(categories);
  // A missing value may be written in other ways than the file does: -999 and -999.0.
  const missing = new Set([...values.missing].map((text) => parseValue(text, dataType)));
  const marksMissing = values.missing.size > 0;
  const isLimited = values.invalid.size > 0 || valid.size > 0 || intervals.length > 0;
  const convert = (raw: unknown): Value =>
    count !== undefined && typeof raw === 'string' && parseValue(raw, 'double') === undefined
      ? count(raw)
      : given(raw, dataType);
  return {
    name,
    displayName: element.optional('displayName'),
    dataType,
    opType,
    categories,
    intervals,
    displayValues,
    isCounted: count !== undefined,
    read(raw) {
      if (raw === undefined || raw === null || Number.isNaN(raw)) return undefined;
      if (marksMissing && values.missing.has(String(raw))) return undefined;
      const value = convert(raw);
      if (value === undefined) return notOne;
      return marksMissing && missing.has(value) ? undefined : value;
    },
    isValid(value) {
      if (!isLimited) return true;
      if (values.invalid.has(value)) return false;
      if (valid.size === 0 && intervals.length === 0) return true;
      if (valid.has(value)) return true;
      return typeof value === 'number' && intervals.some((interval) => interval.contains(value));
    },
  };
}
