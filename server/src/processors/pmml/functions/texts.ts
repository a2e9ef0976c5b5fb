// The built-in functions over texts and dates. Patterns have to be constants: they are compiled
// once, and what of them isn't supported is refused when the model is loaded.

import { dateFormat, daysSinceYear, secondsSinceMidnight, secondsSinceYear } from '../dates.ts';
import type { Element } from '../element.ts';
import type { CompiledExpression } from '../expression.ts';
import type { DataType, Row } from '../model.ts';
import { parseValue } from '../values.ts';
import { type BuiltIn, constantText, numberArgument, textArgument, typed } from './built-in.ts';
import { numberFormat } from './number-format.ts';

const many = Number.POSITIVE_INFINITY;

export const textFunctions: Readonly<Record<string, BuiltIn>> = {
  uppercase: ofText('string', (text) => text.toUpperCase()),
  lowercase: ofText('string', (text) => text.toLowerCase()),
  stringLength: ofText('integer', (text) => text.length),
  trimBlanks: ofText('string', (text) => text.trim()),
  concat: { least: 1, most: many, compile: compileConcat },
  substring: { least: 3, most: 3, compile: compileSubstring },
  replace: { least: 3, most: 3, compile: compileReplace },
  matches: { least: 2, most: 2, compile: compileMatches },
  formatNumber: { least: 2, most: 2, compile: compileFormatNumber },
  formatDatetime: { least: 2, most: 2, compile: compileFormatDatetime },
  dateDaysSinceYear: { least: 2, most: 2, compile: sinceYear(daysSinceYear) },
  dateSecondsSinceYear: { least: 2, most: 2, compile: sinceYear(secondsSinceYear) },
  dateSecondsSinceMidnight: { least: 1, most: 1, compile: compileSinceMidnight },
};

function ofText(dataType: DataType, compute: (text: string) => string | number): BuiltIn {
  return {
    least: 1,
    most: 1,
    compile([first], where) {
      const text = textArgument(first ?? where.refuse('an argument is missing'));
      return typed(dataType, (row) => {
        const value = text(row);
        return value === undefined ? undefined : compute(value);
      });
    },
  };
}

function compileConcat(args: readonly CompiledExpression[]): CompiledExpression {
  const texts = args.map(textArgument);
  return typed('string', (row) => {
    let whole = '';
    for (const text of texts) {
      const piece = text(row);
      if (piece === undefined) return undefined;
      whole += piece;
    }
    return whole;
  });
}

// Positions count from 1.
function compileSubstring(args: readonly CompiledExpression[], where: Element): CompiledExpression {
  const [first, second, third] = args;
  if (first === undefined || second === undefined || third === undefined) {
    return where.refuse('an argument is missing');
  }
  const text = textArgument(first);
  const start = numberArgument(second, where);
  const length = numberArgument(third, where);
  return typed('string', (row) => {
    const [whole, from, count] = [text(row), start(row), length(row)];
    if (whole === undefined || from === undefined || count === undefined) return undefined;
    return whole.slice(Math.max(0, from - 1), Math.max(0, from - 1 + count));
  });
}

function compileReplace(args: readonly CompiledExpression[], where: Element): CompiledExpression {
  const text = textArgument(args[0] ?? where.refuse('an argument is missing'));
  const pattern = regularExpression(constantText(args[1], where), 'gu', where);
  const replacement = constantText(args[2], where);
  return typed('string', (row) => text(row)?.replace(pattern, replacement));
}

function compileMatches(args: readonly CompiledExpression[], where: Element): CompiledExpression {
  const text = textArgument(args[0] ?? where.refuse('an argument is missing'));
  const pattern = regularExpression(constantText(args[1], where), 'u', where);
  return typed('boolean', (row) => {
    const value = text(row);
    return value === undefined ? undefined : pattern.test(value);
  });
}

function regularExpression(pattern: string, flags: string, where: Element): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch {
    return where.refuse(`the regular expression ${pattern} is not supported`);
  }
}

function compileFormatNumber(
  args: readonly CompiledExpression[],
  where: Element,
): CompiledExpression {
  const number = numberArgument(args[0] ?? where.refuse('an argument is missing'), where);
  const pattern = constantText(args[1], where);
  const format =
    numberFormat(pattern) ?? where.refuse(`the pattern ${pattern} of numbers is not supported`);
  return typed('string', (row) => {
    const value = number(row);
    return value === undefined ? undefined : format(value);
  });
}

function compileFormatDatetime(
  args: readonly CompiledExpression[],
  where: Element,
): CompiledExpression {
  const instant = instantArgument(args[0], where);
  const pattern = constantText(args[1], where);
  const format = dateFormat(pattern);
  if (typeof format === 'string') {
    return where.refuse(`${format} in the pattern ${pattern} of dates is not supported`);
  }
  return typed('string', (row) => {
    const value = instant(row);
    return value === undefined ? undefined : format(value);
  });
}

function sinceYear(count: (instant: number, year: number) => number): BuiltIn['compile'] {
  return ([first, second], where) => {
    const instant = instantArgument(first, where);
    const year = numberArgument(second ?? where.refuse('an argument is missing'), where);
    return typed('integer', (row) => {
      const [at, from] = [instant(row), year(row)];
      return at === undefined || from === undefined ? undefined : count(at, from);
    });
  };
}

function compileSinceMidnight(
  [first]: readonly CompiledExpression[],
  where: Element,
): CompiledExpression {
  const instant = instantArgument(first, where);
  return typed('integer', (row) => {
    const at = instant(row);
    return at === undefined ? undefined : secondsSinceMidnight(at);
  });
}

// Dates may come as texts, from a field that is declared as one or as a Constant.
function instantArgument(
  argument: CompiledExpression | undefined,
  where: Element,
): (row: Row) => number | undefined {
  if (argument === undefined) return where.refuse('an argument is missing');
  const { evaluate, dataType } = argument;
  if (!['string', 'date', 'time', 'dateTime'].includes(dataType)) {
    where.refuse(`an argument is a ${dataType} where a date is expected`);
  }
  return (row) => {
    const value = evaluate(row);
    if (typeof value === 'number') return value;
    if (typeof value !== 'string') return undefined;
    const parsed = parseValue(value, 'dateTime') ?? parseValue(value, 'time');
    return typeof parsed === 'number' ? parsed : undefined;
  };
}
