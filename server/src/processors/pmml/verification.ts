// ModelVerification: rows with the results that the writer of the file got. A model that does not
// reproduce them here is refused, because it would answer wrongly.

import { type Element, localName } from './element.ts';
import { InvalidValue } from './invalid.ts';
import type { DataType, Value } from './model.ts';
import type { Scorer } from './scorer.ts';
import { parseValue } from './values.ts';

interface Column {
  readonly name: string;
  readonly column: string;
  readonly precision: number;
  readonly zeroThreshold: number;
  /** The type of a result; undefined for an input. */
  readonly result: DataType | undefined;
}

/** Scores the rows of the model's ModelVerification; answers how many there were. */
export function verify(model: Element, scorer: Scorer): number {
  const verification = model.optionalChild('ModelVerification');
  if (verification === undefined) return 0;
  verification.ignore('recordCount', 'fieldCount');
  const columns = verification
    .child('VerificationFields')
    .all('VerificationField')
    .map((field) => readColumn(field, scorer));
  const rows = verification.child('InlineTable').all('row');
  for (const row of rows) verifyRow(row, columns, scorer);
  return rows.length;
}

function readColumn(element: Element, scorer: Scorer): Column {
  const name = element.required('field');
  const isInput = scorer.inputs.some(({ field }) => field.name === name);
  const result = scorer.results.find((each) => each.name === name);
  if (!isInput && result === undefined) element.refuse(`${name} is neither input nor result`);
  return {
    name,
    column: localName(element.optional('column') ?? name),
    precision: element.optionalNumber('precision') ?? 1e-6,
    zeroThreshold: element.optionalNumber('zeroThreshold') ?? 1e-16,
    result: isInput ? undefined : result?.dataType,
  };
}

function verifyRow(row: Element, columns: readonly Column[], scorer: Scorer): void {
  const cells = new Map(row.everyChild().map((cell) => [cell.name, cell.content()]));
  const given: Record<string, unknown> = {};
  for (const { name, column, result } of columns) {
    const cell = cells.get(column);
    if (result === undefined && cell !== undefined && cell !== '') given[name] = cell;
  }
  const scored = scoreOf(row, given, scorer);
  for (const { name, column, result, ...limits } of columns) {
    const cell = cells.get(column);
    if (result === undefined || cell === undefined || cell === '') continue;
    const expected = parseValue(cell, result);
    const actual = scored.value(name);
    if (!isSame(expected, actual, limits)) {
      row.refuse(`verification failed: ${name} is ${actual}, the file says ${cell}`);
    }
  }
}

function scoreOf(row: Element, given: Record<string, unknown>, scorer: Scorer) {
  try {
    return scorer.values(given);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return row.refuse(`verification failed: ${error.message}`);
  }
}

// 0.5 with a precision of 1e-6 may be 0.4999995 to 0.5000005; what should be next to nothing may
// be anything below the threshold.
function isSame(
  expected: Value,
  actual: Value,
  limits: { readonly precision: number; readonly zeroThreshold: number },
): boolean {
  if (typeof expected !== 'number' || typeof actual !== 'number') return expected === actual;
  const size = Math.abs(expected);
  if (size <= limits.zeroThreshold) return Math.abs(actual) <= limits.zeroThreshold;
  return Math.abs(expected - actual) <= size * limits.precision;
}
