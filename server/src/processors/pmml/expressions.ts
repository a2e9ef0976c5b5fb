// Expressions compiled to closures, by the names of their elements: constants and references to
// fields here, the larger ones in files of their own.

import { compileApply } from './apply.ts';
import type { Element } from './element.ts';
import {
  type CompiledExpression,
  type Context,
  constantOf,
  optionalValue,
  typeIn,
  valueIn,
} from './expression.ts';
import {
  compileDiscretize,
  compileMapValues,
  compileNorm,
  compileNormDiscrete,
} from './mappings.ts';
import { parseValue } from './values.ts';

const compilers: Readonly<
  Record<string, (element: Element, context: Context) => CompiledExpression>
> = {
  Constant: compileConstant,
  FieldRef: compileFieldRef,
  NormContinuous: compileNorm,
  NormDiscrete: compileNormDiscrete,
  Discretize: compileDiscretize,
  MapValues: compileMapValues,
  Apply: compileApply,
};

/** Compiles any element that is an expression; throws a ModelError for one that isn't supported. */
export function compileExpression(element: Element, context: Context): CompiledExpression {
  const compiler = compilers[element.name];
  return compiler?.(element, context) ?? element.refuse('this element is not supported');
}

function compileConstant(element: Element): CompiledExpression {
  const declared = typeIn(element);
  const text = element.content();
  if (element.flag('missing', false)) return constantOf(undefined, declared ?? 'string');
  // A constant without a type is what it looks like.
  const isNumber = declared === undefined && parseValue(text, 'double') !== undefined;
  const dataType = declared ?? (isNumber ? 'double' : 'string');
  const constant = { text, isTyped: declared !== undefined };
  return { ...constantOf(valueIn(element, text, dataType), dataType), constant };
}

function compileFieldRef(element: Element, context: Context): CompiledExpression {
  const operand = context.operand(element.required('field'), element);
  const { slot, dataType, opType } = operand;
  const instead = optionalValue(element, 'mapMissingTo', dataType);
  if (instead === undefined) return { dataType, opType, operand, evaluate: (row) => row[slot] };
  return { dataType, opType, operand, evaluate: (row) => row[slot] ?? instead };
}
