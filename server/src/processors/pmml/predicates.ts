// Predicates compiled to closures with the three values of PMML: true, false, unknown.

import { textsOf } from './array.ts';
import type { Element } from './element.ts';
import { valueIn } from './expression.ts';
import type { Field, Predicate, Row, Value } from './model.ts';
import { isNumeric } from './values.ts';

const operators = [
  'equal',
  'notEqual',
  'lessThan',
  'lessOrEqual',
  'greaterThan',
  'greaterOrEqual',
  'isMissing',
  'isNotMissing',
] as const;

export type Operator = (typeof operators)[number];

/** The elements that are predicates. */
export const predicateElements: readonly string[] = [
  'SimplePredicate',
  'SimpleSetPredicate',
  'CompoundPredicate',
  'True',
  'False',
];

/** A predicate; of a single comparison with a number also what it compares, for trees. */
export interface CompiledPredicate {
  readonly test: Predicate;
  readonly number?: {
    readonly slot: number;
    readonly operator: Operator;
    readonly threshold: number;
  };
  /** Set for the element True. */
  readonly isTrue?: true;
}

/** What a predicate asks for of the place it stands in. */
export interface PredicateScope {
  field(name: string, where: Element): Field;
}

/** Compiles any predicate; throws a ModelError for one that isn't supported. */
export function compilePredicate(element: Element, scope: PredicateScope): CompiledPredicate {
  switch (element.name) {
    case 'True':
      return { test: () => true, isTrue: true };
    case 'False':
      return { test: () => false };
    case 'SimplePredicate':
      return compileSimple(element, scope);
    case 'SimpleSetPredicate':
      return { test: compileSet(element, scope) };
    case 'CompoundPredicate':
      return { test: compileCompound(element, scope) };
    default:
      return element.refuse('this element is not supported');
  }
}

function compileSimple(element: Element, scope: PredicateScope): CompiledPredicate {
  const field = scope.field(element.required('field'), element);
  const operator = element.choice('operator', operators);
  const { slot } = field;
  if (operator === 'isMissing') return { test: (row) => row[slot] === undefined };
  if (operator === 'isNotMissing') return { test: (row) => row[slot] !== undefined };
  const value = valueIn(element, element.required('value'), field.dataType);
  const isListed = field.opType === 'ordinal' && field.categories.length > 0;
  if (typeof value === 'number' && isNumeric(field.dataType) && !isListed) {
    const test = numberTest(slot, operator, value);
    return { test, number: { slot, operator, threshold: value } };
  }
  if (operator === 'equal' || operator === 'notEqual') {
    const wanted = operator === 'equal';
    return {
      test: (row) => {
        const given = row[slot];
        return given === undefined ? undefined : (given === value) === wanted;
      },
    };
  }
  return { test: orderTest(field, operator, value, element) };
}

function numberTest(slot: number, operator: Operator, threshold: number): Predicate {
  const compare = comparisons[operator];
  return (row) => {
    const given = row[slot];
    return given === undefined ? undefined : compare(Number(given), threshold);
  };
}

const comparisons: Readonly<Record<Operator, (x: number, y: number) => boolean>> = {
  equal: (x, y) => x === y,
  notEqual: (x, y) => x !== y,
  lessThan: (x, y) => x < y,
  lessOrEqual: (x, y) => x <= y,
  greaterThan: (x, y) => x > y,
  greaterOrEqual: (x, y) => x >= y,
  isMissing: () => false,
  isNotMissing: () => true,
};

// Ordinal values are ordered as their field lists them, dates and booleans by themselves.
function orderTest(field: Field, operator: Operator, value: Value, where: Element): Predicate {
  const { slot, categories, dataType } = field;
  const compare = comparisons[operator];
  if (field.opType !== 'ordinal' && typeof value === 'number') {
    return numberTest(slot, operator, value);
  }
  if (categories.length === 0) where.refuse(`values of ${dataType} have no order here`);
  const ranks = new Map(categories.map((category, at) => [category, at]));
  const threshold = ranks.get(value) ?? where.refuse(`"${value}" is not a value of ${field.name}`);
  return (row) => {
    const rank = ranks.get(row[slot]);
    return rank === undefined ? undefined : compare(rank, threshold);
  };
}

function compileSet(element: Element, scope: PredicateScope): Predicate {
  const { slot, dataType } = scope.field(element.required('field'), element);
  const wanted = element.choice('booleanOperator', ['isIn', 'isNotIn']) === 'isIn';
  const array = element.child('Array');
  const values = new Set(textsOf(array).map((text) => valueIn(array, text, dataType)));
  return (row) => {
    const given = row[slot];
    return given === undefined ? undefined : values.has(given) === wanted;
  };
}

function compileCompound(element: Element, scope: PredicateScope): Predicate {
  const operator = element.choice('booleanOperator', ['and', 'or', 'xor', 'surrogate']);
  const parts = element.all(...predicateElements).map((part) => compilePredicate(part, scope).test);
  if (parts.length === 0) element.refuse('it has no predicate inside');
  switch (operator) {
    case 'and':
      return (row) => decide(parts, row, false);
    case 'or':
      return (row) => decide(parts, row, true);
    case 'xor':
      return (row) => xor(parts, row);
    case 'surrogate':
      return (row) => surrogate(parts, row);
  }
}

// `and` is settled by the first false, `or` by the first true; else one unknown leaves it unknown.
function decide(parts: readonly Predicate[], row: Row, settles: boolean): boolean | undefined {
  let isUnknown = false;
  for (const part of parts) {
    const value = part(row);
    if (value === settles) return settles;
    if (value === undefined) isUnknown = true;
  }
  return isUnknown ? undefined : !settles;
}

function xor(parts: readonly Predicate[], row: Row): boolean | undefined {
  let odd = false;
  for (const part of parts) {
    const value = part(row);
    if (value === undefined) return undefined;
    odd = odd !== value;
  }
  return odd;
}

function surrogate(parts: readonly Predicate[], row: Row): boolean | undefined {
  for (const part of parts) {
    const value = part(row);
    if (value !== undefined) return value;
  }
  return undefined;
}
