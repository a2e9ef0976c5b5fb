// What all expressions share: where they stand, what is known of them when those around them are
// compiled, and how types and values in their attributes are read.

import type { Element } from './element.ts';
import type { DataType, Expression, Field, Value } from './model.ts';
import { opTypeOf, parseValue, typeNamed } from './values.ts';

/** A field or a parameter, as expressions refer to it. */
export interface Operand extends Pick<Field, 'slot' | 'dataType' | 'opType' | 'categories'> {
  /** Whether a value that isn't missing is valid; undefined if all are. */
  readonly isValid?: ((value: Value) => boolean) | undefined;
}

/** Where an expression stands. */
export interface Context {
  operand(name: string, where: Element): Operand;
  /** A place in rows for a value in between. */
  newSlot(): number;
  /** Compiles an expression inside of this one. */
  compile(element: Element, context: Context): CompiledExpression;
  /** The DefineFunction of this name; undefined if the file has none. */
  functionNamed(name: string): Element | undefined;
  /** The functions whose bodies this stands in, to find one that calls itself. */
  readonly callers: readonly string[];
}

/** An expression with what compiling those around it needs to know. */
export interface CompiledExpression extends Expression {
  /** Of a Constant: its text, for those around it that know better which type is meant. */
  readonly constant?: { readonly text: string; readonly isTyped: boolean } | undefined;
  /** Of a FieldRef: what it refers to. */
  readonly operand?: Operand | undefined;
}

/** An expression of one unchanging value. */
export function constantOf(value: Value, dataType: DataType): CompiledExpression {
  return { dataType, opType: opTypeOf(dataType), evaluate: () => value };
}

/** The type in an attribute such as dataType; undefined if it isn't there. */
export function typeIn(element: Element, attribute = 'dataType'): DataType | undefined {
  const name = element.optional(attribute);
  if (name === undefined) return undefined;
  return typeNamed(name)?.dataType ?? element.refuse(`${attribute}="${name}" is not supported`);
}

/** The value of a text of the file; refused if it isn't one of the type. */
export function valueIn(element: Element, text: string, dataType: DataType): Value {
  return parseValue(text, dataType) ?? element.refuse(`"${text}" is not a value of ${dataType}`);
}

/** The value in an attribute such as mapMissingTo; undefined if it isn't there. */
export function optionalValue(element: Element, attribute: string, dataType: DataType): Value {
  const text = element.optional(attribute);
  return text === undefined ? undefined : valueIn(element, text, dataType);
}
