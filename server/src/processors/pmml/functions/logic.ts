// The built-in functions that ask and decide: comparisons, logic, membership, missing and valid
// values, if.

import type { Element } from '../element.ts';
import { type CompiledExpression, constantOf, valueIn } from '../expression.ts';
import type { DataType, Row, Value } from '../model.ts';
import { isNumeric } from '../values.ts';
import { areAlike, type BuiltIn, typed } from './built-in.ts';

const many = Number.POSITIVE_INFINITY;

export const logicFunctions: Readonly<Record<string, BuiltIn>> = {
  equal: comparison((x, y) => x === y),
  notEqual: comparison((x, y) => x !== y),
  lessThan: comparison((x, y) => x < y),
  lessOrEqual: comparison((x, y) => x <= y),
  greaterThan: comparison((x, y) => x > y),
  greaterOrEqual: comparison((x, y) => x >= y),
  and: logic((values) => values.every((value) => value)),
  or: logic((values) => values.some((value) => value)),
  not: {
    least: 1,
    most: 1,
    compile: ([first], where) => {
      const x = truth(first, where);
      return typed('boolean', (row) => {
        const value = x(row);
        return value === undefined ? undefined : !value;
      });
    },
  },
  isIn: membership((isFound) => isFound),
  isNotIn: membership((isFound) => !isFound),
  isMissing: question((value) => value === undefined),
  isNotMissing: question((value) => value !== undefined),
  isValid: question((value, isValid) => value !== undefined && isValid(value)),
  isNotValid: question((value, isValid) => value === undefined || !isValid(value)),
  if: { least: 2, most: 3, compile: compileIf },
};

function question(ask: (value: Value, isValid: (value: Value) => boolean) => boolean): BuiltIn {
  return {
    least: 1,
    most: 1,
    compile([first], where) {
      if (first === undefined) return where.refuse('an argument is missing');
      const { evaluate, operand } = first;
      const isValid = operand?.isValid ?? (() => true);
      return typed('boolean', (row) => ask(evaluate(row), isValid));
    },
  };
}

type Comparable = number | string;

function comparison(compare: (x: Comparable, y: Comparable) => boolean): BuiltIn {
  return {
    least: 2,
    most: 2,
    compile([first, second], where) {
      if (first === undefined || second === undefined) {
        return where.refuse('an argument is missing');
      }
      const [x, y] = [like(first, second, where), like(second, first, where)];
      return typed('boolean', (row) => {
        const left = comparable(x.evaluate(row));
        const right = comparable(y.evaluate(row));
        return left === undefined || right === undefined ? undefined : compare(left, right);
      });
    },
  };
}

function comparable(value: Value): Comparable | undefined {
  return typeof value === 'boolean' ? Number(value) : value;
}

// A constant beside a field is meant as a value of the field, whatever it looks like.
function like(one: CompiledExpression, other: CompiledExpression, where: Element) {
  const { constant } = one;
  if (constant !== undefined && other.constant === undefined && !constant.isTyped) {
    return constantOf(valueIn(where, constant.text, other.dataType), other.dataType);
  }
  if (areAlike(one.dataType, other.dataType)) return one;
  if (constant !== undefined && other.constant === undefined) {
    return constantOf(valueIn(where, constant.text, other.dataType), other.dataType);
  }
  if (other.constant !== undefined && constant === undefined) return one;
  return where.refuse(`it compares a ${one.dataType} with a ${other.dataType}`);
}

function logic(decide: (values: readonly boolean[]) => boolean): BuiltIn {
  return {
    least: 2,
    most: many,
    compile(args, where) {
      const all = args.map((argument) => truth(argument, where));
      return typed('boolean', (row) => {
        const values: boolean[] = [];
        for (const each of all) {
          const value = each(row);
          if (value === undefined) return undefined;
          values.push(value);
        }
        return decide(values);
      });
    },
  };
}

function membership(answer: (isFound: boolean) => boolean): BuiltIn {
  return {
    least: 2,
    most: many,
    compile([first, ...others], where) {
      if (first === undefined) return where.refuse('an argument is missing');
      const set = others.map((other) => like(other, first, where));
      return typed('boolean', (row) => {
        const value = comparable(first.evaluate(row));
        if (value === undefined) return undefined;
        return answer(set.some((each) => comparable(each.evaluate(row)) === value));
      });
    },
  };
}

// Only the branch that is chosen is evaluated: the other may have no result at all.
function compileIf(args: readonly CompiledExpression[], where: Element): CompiledExpression {
  const [condition, chosen, other = constantOf(undefined, chosen?.dataType ?? 'string')] = args;
  if (chosen === undefined) return where.refuse('an argument is missing');
  const holds = truth(condition, where);
  const [yes, no] = alike(chosen, other, where);
  return typed(commonType(yes.dataType, no.dataType), (row) => {
    const value = holds(row);
    if (value === undefined) return undefined;
    return value ? yes.evaluate(row) : no.evaluate(row);
  });
}

function alike(one: CompiledExpression, other: CompiledExpression, where: Element) {
  const isSame = areAlike(one.dataType, other.dataType);
  if (isSame && one.dataType === other.dataType) return [one, other] as const;
  if (isSame && isNumeric(one.dataType) && isNumeric(other.dataType)) return [one, other] as const;
  return [like(one, other, where), like(other, one, where)] as const;
}

function commonType(one: DataType, other: DataType): DataType {
  return one === other ? one : isNumeric(one) ? 'double' : one;
}

function truth(
  argument: CompiledExpression | undefined,
  where: Element,
): (row: Row) => boolean | undefined {
  if (argument === undefined) return where.refuse('an argument is missing');
  const { evaluate, dataType } = argument;
  if (dataType !== 'boolean' && !isNumeric(dataType)) {
    where.refuse(`an argument is a ${dataType} where a boolean is expected`);
  }
  return (row) => {
    const value = evaluate(row);
    return value === undefined ? undefined : value === true || value === 1;
  };
}
