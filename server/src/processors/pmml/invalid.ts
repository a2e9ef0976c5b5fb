// A value of a row that the model says it cannot work with: the row has no result.

import type { DataType, Value } from './model.ts';
import { answered, cast } from './values.ts';

/** Thrown while a row is scored; whoever scores it says which row it was. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}

/** A value as one of another type; a value that cannot be one makes the row invalid. */
export function converted(value: Value, from: DataType, to: DataType, what: string): Value {
  const result = cast(value, from, to);
  if (value === undefined || result !== undefined) return result;
  throw new InvalidValue(`the ${what} would be ${String(answered(value, from))}, no ${to}`);
}
