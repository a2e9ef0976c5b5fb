// What a built-in function is: how many arguments it takes and how it is compiled. Helpers for the
// usual kind, where a missing argument makes the result missing.

import type { Element } from '../element.ts';
import type { CompiledExpression } from '../expression.ts';
import type { DataType, Row, Value } from '../model.ts';
import { isNumeric, opTypeOf, textOf } from '../values.ts';

export interface BuiltIn {
  /** The least and the greatest number of arguments. */
  readonly least: number;
  readonly most: number;
  compile(args: readonly CompiledExpression[], where: Element): CompiledExpression;
}

/** Evaluates to a number; undefined for a missing value. */
export type NumberOf = (row: Row) => number | undefined;

/** Evaluates to a text; undefined for a missing value. */
export type TextOf = (row: Row) => string | undefined;

/** What an argument says as a number; refused where it cannot be one. */
export function numberArgument(argument: CompiledExpression, where: Element): NumberOf {
  if (argument.dataType === 'string' && argument.constant === undefined) {
    where.refuse('an argument is a text where a number is expected');
  }
  const { evaluate } = argument;
  return (row) => {
    const value = evaluate(row);
    return typeof value === 'boolean'
      ? Number(value)
      : typeof value === 'number'
        ? value
        : undefined;
  };
}

/** What an argument says as a text: numbers and dates are written out. */
export function textArgument({ evaluate, dataType, constant }: CompiledExpression): TextOf {
  // A constant without a type that looks like a number keeps its own digits.
  if (constant !== undefined) return () => constant.text;
  return (row) => {
    const value = evaluate(row);
    return value === undefined ? undefined : textOf(value, dataType);
  };
}

/** The text of an argument that has to be a constant, as patterns are. */
export function constantText(argument: CompiledExpression | undefined, where: Element): string {
  const constant = argument?.constant;
  return constant?.text ?? where.refuse('its pattern has to be a Constant');
}

/** An expression of this type. */
export function typed(dataType: DataType, evaluate: (row: Row) => Value): CompiledExpression {
  return { dataType, opType: opTypeOf(dataType), evaluate };
}

/** A function of one number. */
export function ofOne(compute: (x: number) => number): BuiltIn {
  return {
    least: 1,
    most: 1,
    compile([first], where) {
      if (first === undefined) return where.refuse('an argument is missing');
      const x = numberArgument(first, where);
      return typed('double', (row) => {
        const value = x(row);
        return value === undefined ? undefined : compute(value);
      });
    },
  };
}

/** A function of two numbers. */
export function ofTwo(compute: (x: number, y: number) => number): BuiltIn {
  return {
    least: 2,
    most: 2,
    compile([first, second], where) {
      if (first === undefined || second === undefined) {
        return where.refuse('an argument is missing');
      }
      const x = numberArgument(first, where);
      const y = numberArgument(second, where);
      return typed('double', (row) => {
        const left = x(row);
        const right = y(row);
        return left === undefined || right === undefined ? undefined : compute(left, right);
      });
    },
  };
}

/** A function of three numbers. */
export function ofThree(compute: (x: number, y: number, z: number) => number): BuiltIn {
  return {
    least: 3,
    most: 3,
    compile(args, where) {
      const numbers = args.map((argument) => numberArgument(argument, where));
      return typed('double', (row) => {
        const [x, y, z] = numbers.map((number) => number(row));
        if (x === undefined || y === undefined || z === undefined) return undefined;
        return compute(x, y, z);
      });
    },
  };
}

/** Whether two types can be compared as they are. */
export function areAlike(one: DataType, other: DataType): boolean {
  const kind = (dataType: DataType): string =>
    isNumeric(dataType) || dataType === 'boolean'
      ? 'number'
      : dataType === 'date'
        ? 'dateTime'
        : dataType;
  return kind(one) === kind(other);
}
