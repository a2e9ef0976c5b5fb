// The expressions that map one field to another value: normalization, indicators, bins, tables.

import { type Element, localName } from './element.ts';
import {
  type CompiledExpression,
  type Context,
  optionalValue,
  typeIn,
  valueIn,
} from './expression.ts';
import { intervalIn } from './intervals.ts';
import type { DataType, Row, Value } from './model.ts';
import { isNumeric, opTypeOf } from './values.ts';

/** NormContinuous: straight lines between points. */
export function compileNorm(element: Element, context: Context): CompiledExpression {
  const { slot, dataType } = context.operand(element.required('field'), element);
  if (!isNumeric(dataType)) element.refuse(`a field of ${dataType} cannot be normalized`);
  const missing = element.optionalNumber('mapMissingTo');
  const outliers = element.choice(
    'outliers',
    ['asIs', 'asMissingValues', 'asExtremeValues'],
    'asIs',
  );
  const points = element.all('LinearNorm');
  const from = points.map((point) => point.requiredNumber('orig'));
  const to = points.map((point) => point.requiredNumber('norm'));
  const last = from.length - 1;
  if (last < 1) element.refuse('it needs two LinearNorm at least');
  if (from.some((each, at) => at > 0 && !(each > (from[at - 1] ?? Number.NaN)))) {
    element.refuse('the orig of its LinearNorm do not grow');
  }
  const evaluate = (row: Row): Value => {
    const x = row[slot];
    if (typeof x !== 'number') return missing;
    const [low = 0, high = 0] = [from[0], from[last]];
    if ((x < low || x > high) && outliers !== 'asIs') {
      if (outliers === 'asMissingValues') return missing;
      return x < low ? to[0] : to[last];
    }
    let at = 1;
    while (at < last && x > (from[at] ?? 0)) at += 1;
    const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = [from[at - 1], from[at], to[at - 1], to[at]];
    return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
  };
  return { dataType: 'double', opType: 'continuous', evaluate };
}

/** NormDiscrete: 1 where a field has a value, else 0. */
export function compileNormDiscrete(element: Element, context: Context): CompiledExpression {
  const { slot, dataType } = context.operand(element.required('field'), element);
  element.choice('method', ['indicator'], 'indicator');
  const value = valueIn(element, element.required('value'), dataType);
  const missing = element.optionalNumber('mapMissingTo');
  const evaluate = (row: Row): Value => {
    const x = row[slot];
    if (x === undefined) return missing;
    return x === value ? 1 : 0;
  };
  return { dataType: 'double', opType: 'continuous', evaluate };
}

/** Discretize: the bin that a number falls in. */
export function compileDiscretize(element: Element, context: Context): CompiledExpression {
  const { slot, dataType } = context.operand(element.required('field'), element);
  if (!isNumeric(dataType)) element.refuse(`a field of ${dataType} cannot be put in bins`);
  const result = typeIn(element) ?? 'string';
  const { missing, otherwise } = replacements(element, result);
  const bins = element.all('DiscretizeBin').map((bin) => ({
    contains: intervalIn(bin.child('Interval')).contains,
    value: valueIn(bin, bin.required('binValue'), result),
  }));
  const evaluate = (row: Row): Value => {
    const x = row[slot];
    if (typeof x !== 'number') return missing;
    for (const { contains, value } of bins) if (contains(x)) return value;
    return otherwise;
  };
  return { dataType: result, opType: opTypeOf(result), evaluate };
}

/** Keys of a table: one map for each further column. */
type Table = Map<Value, Table | Value>;

/** MapValues: the row of a table where some columns have the values of some fields. */
export function compileMapValues(element: Element, context: Context): CompiledExpression {
  const result = typeIn(element) ?? 'string';
  const { missing, otherwise } = replacements(element, result);
  const keys = element.all('FieldColumnPair').map((pair) => ({
    column: localName(pair.required('column')),
    operand: context.operand(pair.required('field'), pair),
  }));
  if (keys.length === 0) element.refuse('it has no FieldColumnPair');
  const output = localName(element.required('outputColumn'));
  const table: Table = new Map();
  for (const row of element.child('InlineTable').all('row')) {
    const cells = new Map(row.everyChild().map((cell) => [cell.name, cell.content()]));
    const cell = (column: string): string =>
      cells.get(column) ?? row.refuse(`the column ${column} is missing`);
    const steps = keys.map((key) => valueIn(row, cell(key.column), key.operand.dataType));
    put(table, steps, valueIn(row, cell(output), result));
  }
  const slots = keys.map(({ operand }) => operand.slot);
  const evaluate = (row: Row): Value => {
    let found: Table | Value = table;
    for (const slot of slots) {
      const key: Value = row[slot];
      if (key === undefined) return missing;
      if (found instanceof Map) found = found.get(key);
    }
    return found === undefined || found instanceof Map ? otherwise : found;
  };
  return { dataType: result, opType: opTypeOf(result), evaluate };
}

// The first row with the same keys counts.
function put(table: Table, keys: readonly Value[], value: Value): void {
  const [key, ...rest] = keys;
  if (rest.length === 0) {
    if (!table.has(key)) table.set(key, value);
    return;
  }
  const known = table.get(key);
  const next: Table = known instanceof Map ? known : new Map();
  table.set(key, next);
  put(next, rest, value);
}

function replacements(
  element: Element,
  dataType: DataType,
): { readonly missing: Value; readonly otherwise: Value } {
  return {
    missing: optionalValue(element, 'mapMissingTo', dataType),
    otherwise: optionalValue(element, 'defaultValue', dataType),
  };
}
