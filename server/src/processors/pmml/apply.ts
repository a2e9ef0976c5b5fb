// Apply: built-in functions and those that the file defines. A defined function is compiled anew
// at each place that calls it, with slots of its own for its parameters.

import type { Element } from './element.ts';
import {
  type CompiledExpression,
  type Context,
  constantOf,
  type Operand,
  optionalValue,
  typeIn,
} from './expression.ts';
import { expressionElements } from './expression-names.ts';
import { builtIns } from './functions/built-ins.ts';
import { converted, InvalidValue } from './invalid.ts';
import type { Row, Value } from './model.ts';

/** Compiles an Apply; throws a ModelError for a function that isn't known. */
export function compileApply(element: Element, context: Context): CompiledExpression {
  const name = element.required('function');
  const args = element.all(...expressionElements).map((each) => context.compile(each, context));
  const called = callOf(element, name, args, context);
  const missing = optionalValue(element, 'mapMissingTo', called.dataType);
  const otherwise = optionalValue(element, 'defaultValue', called.dataType);
  const invalid = element.choice(
    'invalidValueTreatment',
    ['returnInvalid', 'asIs', 'asMissing'],
    'returnInvalid',
  );
  const valid = checked(called, name, invalid);
  if (missing === undefined && otherwise === undefined) return valid;
  const isAnyMissing = (row: Row): boolean =>
    args.some((argument) => argument.evaluate(row) === undefined);
  const evaluate = (row: Row): Value => {
    if (missing !== undefined && isAnyMissing(row)) return missing;
    return valid.evaluate(row) ?? otherwise;
  };
  return { dataType: called.dataType, opType: called.opType, evaluate };
}

// What is no number (the root of -1, 0 / 0) is an invalid value; infinity is one that PMML has.
function checked(
  called: CompiledExpression,
  name: string,
  treatment: 'returnInvalid' | 'asIs' | 'asMissing',
): CompiledExpression {
  if (treatment === 'asIs' || called.dataType !== 'double') return called;
  const inner = called.evaluate;
  const evaluate = (row: Row): Value => {
    const value = inner(row);
    if (typeof value !== 'number' || !Number.isNaN(value)) return value;
    if (treatment === 'asMissing') return undefined;
    throw new InvalidValue(`the function ${name} has no result for these values`);
  };
  return { ...called, evaluate };
}

function callOf(
  element: Element,
  name: string,
  args: readonly CompiledExpression[],
  context: Context,
): CompiledExpression {
  const defined = context.functionNamed(name);
  if (defined !== undefined) return callDefined(element, defined, args, context);
  const builtIn = builtIns.get(name);
  if (builtIn === undefined) return element.refuse(`the function ${name} is not supported`);
  const { least, most } = builtIn;
  if (args.length < least || args.length > most) {
    const wanted = least === most ? String(least) : `${least} to ${most}`;
    element.refuse(`the function ${name} takes ${wanted} arguments, not ${args.length}`);
  }
  return builtIn.compile(args, element);
}

function callDefined(
  element: Element,
  defined: Element,
  args: readonly CompiledExpression[],
  context: Context,
): CompiledExpression {
  const name = defined.required('name');
  if (context.callers.includes(name)) element.refuse(`the function ${name} calls itself`);
  const fields = defined.all('ParameterField');
  if (fields.length !== args.length) {
    element.refuse(`the function ${name} takes ${fields.length} arguments, not ${args.length}`);
  }
  const parameters = new Map<string, Operand>();
  const steps: ((row: Row) => void)[] = [];
  for (const [at, field] of fields.entries()) {
    const given = args[at] ?? constantOf(undefined, 'string');
    field.ignore('optype', 'displayName');
    const dataType = typeIn(field) ?? given.dataType;
    const slot = context.newSlot();
    const { dataType: from, evaluate, opType } = given;
    parameters.set(field.required('name'), { slot, dataType, opType, categories: [] });
    steps.push((row) => {
      row[slot] = converted(evaluate(row), from, dataType, `parameter of ${name}`);
    });
  }
  defined.ignore('optype');
  const body = context.compile(defined.child(...expressionElements), {
    operand: (field, where) =>
      parameters.get(field) ?? where.refuse(`the function ${name} has no parameter ${field}`),
    newSlot: () => context.newSlot(),
    compile: (inner, inside) => context.compile(inner, inside),
    functionNamed: (called) => context.functionNamed(called),
    callers: [...context.callers, name],
  });
  const dataType = typeIn(defined) ?? body.dataType;
  const evaluate = (row: Row): Value => {
    for (const step of steps) step(row);
    return converted(body.evaluate(row), body.dataType, dataType, `result of ${name}`);
  };
  return { dataType, opType: body.opType, evaluate };
}
