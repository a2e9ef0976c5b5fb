// What a MiningField does with missing, invalid and extreme values before a model sees them.

import { type DataField, notOne } from './dictionary.ts';
import type { Element } from './element.ts';
import { optionalValue } from './expression.ts';
import { InvalidValue } from './invalid.ts';
import type { DataType, OpType, Value } from './model.ts';

export type InvalidTreatment = 'returnInvalid' | 'asIs' | 'asMissing' | 'asValue';

/** How the values of a mining field are prepared. */
export interface Treatment {
  readonly invalid: InvalidTreatment;
  /** Whether a missing value makes the row invalid. */
  readonly isRequired: boolean;
  /** What a missing value becomes. */
  readonly replacement: Value;
  /** The value of a caller, prepared. Throws InvalidValue. */
  fromOutside(raw: unknown): Value;
  /** A value that the outer model has prepared; undefined if it stays as it is. */
  readonly fromModel: ((value: Value) => Value) | undefined;
}

/** Reads the treatment in a MiningField; `field` is undefined for results of other models. */
export function readTreatment(
  element: Element,
  name: string,
  dataType: DataType,
  field: DataField | undefined,
): Treatment {
  const isExplicit = element.optional('invalidValueTreatment') !== undefined;
  const invalid = element.choice(
    'invalidValueTreatment',
    ['returnInvalid', 'asIs', 'asMissing', 'asValue'],
    'returnInvalid',
  );
  const substitute = either(element, 'invalidValueReplacement', dataType);
  if (invalid === 'asValue' && substitute === undefined) {
    element.refuse('asValue needs invalidValueReplacement');
  }
  const replacement = optionalValue(element, 'missingValueReplacement', dataType);
  const isRequired =
    either(element, 'missingValueTreatment') === 'returnInvalid' && replacement === undefined;
  const clip = readOutliers(element);
  const absent = (): Value => {
    if (isRequired) throw new InvalidValue('a value is required', name);
    return replacement;
  };
  const treatInvalid = (value: Value | typeof notOne, raw: unknown): Value => {
    if (invalid === 'asMissing') return absent();
    if (invalid === 'asValue') return substitute;
    if (invalid === 'asIs' && value !== notOne) return value;
    throw new InvalidValue(`${shown(raw)} is not valid${kindOf(field)}`, name);
  };
  const fromOutside = (raw: unknown): Value => {
    const value = field === undefined ? undefined : field.read(raw);
    if (value === undefined) return absent();
    if (value === notOne || field?.isValid(value) === false) return treatInvalid(value, raw);
    return clip === undefined ? value : (clip(value) ?? absent());
  };
  // Validity was settled by the outer model, unless this field says what to do about it.
  const checksValid = isExplicit && invalid !== 'asIs' && field !== undefined;
  const changes = replacement !== undefined || isRequired || clip !== undefined || checksValid;
  const fromModel = (value: Value): Value => {
    if (value === undefined) return absent();
    if (checksValid && !field.isValid(value)) return treatInvalid(value, value);
    return clip === undefined ? value : (clip(value) ?? absent());
  };
  return {
    invalid,
    isRequired,
    replacement,
    fromOutside,
    fromModel: changes ? fromModel : undefined,
  };
}

/** The optype that a MiningField gives, else that of its field. */
export function opTypeIn(element: Element, otherwise: OpType): OpType {
  return element.choice('optype', ['continuous', 'categorical', 'ordinal'], otherwise);
}

// Undefined where outliers stay as they are; what it answers undefined for is to be missing.
function readOutliers(element: Element): ((value: Value) => Value) | undefined {
  const outliers = element.choice(
    'outliers',
    ['asIs', 'asMissingValues', 'asExtremeValues'],
    'asIs',
  );
  const low = element.optionalNumber('lowValue') ?? Number.NEGATIVE_INFINITY;
  const high = element.optionalNumber('highValue') ?? Number.POSITIVE_INFINITY;
  if (outliers === 'asIs') return undefined;
  return (value) => {
    if (typeof value !== 'number' || (value >= low && value <= high)) return value;
    if (outliers === 'asMissingValues') return undefined;
    return value < low ? low : high;
  };
}

// Writers for PMML 4.3 and before give what came with 4.4 with this prefix.
function either(element: Element, attribute: string, dataType: DataType = 'string'): Value {
  return (
    optionalValue(element, attribute, dataType) ??
    optionalValue(element, `x-${attribute}`, dataType)
  );
}

function shown(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function kindOf(field: DataField | undefined): string {
  if (field === undefined) return '';
  const { categories, intervals, dataType } = field;
  if (categories.length > 0 && categories.length <= 20) return `: one of ${categories.join(', ')}`;
  const spans = intervals.map(({ left, right }) => `${left} to ${right}`);
  return spans.length > 0 ? `: ${spans.join(' or ')}` : `, it should be of type ${dataType}`;
}
