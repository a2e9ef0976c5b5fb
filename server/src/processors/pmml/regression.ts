// RegressionModel: sums of weighted fields, made a number or probabilities by a link.

import type { Element } from './element.ts';
import {
  type Distribution,
  type Evaluator,
  noPrediction,
  type Prediction,
  type Row,
  type Scope,
  type Value,
} from './model.ts';
import { normalCdf } from './special.ts';
import { isNumeric } from './values.ts';

const methods = [
  'none',
  'simplemax',
  'softmax',
  'logit',
  'probit',
  'cloglog',
  'loglog',
  'cauchit',
  'exp',
] as const;

type Method = (typeof methods)[number];

/** The sum of a RegressionTable; undefined if a number that it needs is missing. */
type Sum = (row: Row) => number | undefined;

/** Compiles a RegressionModel. */
export function compileRegression(element: Element, scope: Scope): Evaluator {
  element.ignore('modelType', 'targetFieldName');
  const method = element.choice('normalizationMethod', methods, 'none');
  const tables = element.all('RegressionTable');
  switch (scope.functionName) {
    case 'regression':
      return compileNumber(element, tables, scope, method);
    case 'classification':
      return compileCategories(element, tables, scope, method);
    case 'clustering':
    case 'mixed':
      return element.refuse(`functionName="${scope.functionName}" is not supported`);
  }
}

function compileNumber(
  element: Element,
  tables: readonly Element[],
  scope: Scope,
  method: Method,
): Evaluator {
  const [table, second] = tables;
  if (table === undefined || second !== undefined) {
    return element.refuse('a regression needs one RegressionTable');
  }
  table.ignore('targetCategory');
  const sum = compileTable(table, scope);
  // Of a single number softmax is what logit is.
  const inverse = inverseOf(method === 'softmax' ? 'logit' : method, element);
  return (row) => {
    const value = sum(row);
    return value === undefined ? noPrediction : { value: inverse(value) };
  };
}

function compileCategories(
  element: Element,
  tables: readonly Element[],
  scope: Scope,
  method: Method,
): Evaluator {
  const names = tables.map((table) =>
    scope.parse(table.required('targetCategory'), scope.target, table),
  );
  const sums = tables.map((table) => compileTable(table, scope));
  const { categories, opType } = scope.target;
  // Some writers give one table for two categories: the other has the rest.
  if (names.length === 1 && categories.length === 2) {
    names.push(categories.find((category) => category !== names[0]));
    sums.push(() => 0);
  }
  if (names.length < 2) element.refuse('a classification needs a RegressionTable per category');
  const normalize = normalizer(element, method, names.length, opType === 'ordinal');
  return (row) => {
    const numbers: number[] = [];
    for (const sum of sums) {
      const number = sum(row);
      if (number === undefined) return noPrediction;
      numbers.push(number);
    }
    return mostProbable({ names, numbers: normalize(numbers) });
  };
}

/** The prediction of the most probable category; of equal ones the first. */
export function mostProbable(probabilities: Distribution): Prediction {
  const { names, numbers } = probabilities;
  let best = 0;
  for (let at = 1; at < numbers.length; at += 1) {
    if ((numbers[at] ?? 0) > (numbers[best] ?? 0)) best = at;
  }
  return { value: names[best], probabilities };
}

function normalizer(
  element: Element,
  method: Method,
  count: number,
  isOrdinal: boolean,
): (numbers: readonly number[]) => readonly number[] {
  if (method === 'softmax' && !isOrdinal) return softmax;
  if (method === 'simplemax' && !isOrdinal) {
    return (numbers) => {
      const total = numbers.reduce((sum, each) => sum + each, 0);
      return numbers.map((each) => each / total);
    };
  }
  if (method === 'softmax' || method === 'simplemax' || method === 'exp') {
    return element.refuse(`normalizationMethod="${method}" does not fit the target`);
  }
  const inverse = inverseOf(method, element);
  if (isOrdinal) return (numbers) => cumulative(numbers.map(inverse));
  if (count === 2) {
    // The second has the rest, so that terms of its own would go unused.
    const [, second] = element.all('RegressionTable');
    const terms = second?.all('NumericPredictor', 'CategoricalPredictor', 'PredictorTerm') ?? [];
    if (terms.length > 0)
      second?.refuse(`normalizationMethod="${method}" has no use for its terms`);
    return ([first = 0]) => {
      const share = inverse(first);
      return [share, 1 - share];
    };
  }
  if (method === 'none') return (numbers) => numbers;
  return element.refuse(
    `normalizationMethod="${method}" for more than two categories is not supported`,
  );
}

/** Each number's share of the sum of their exponentials. */
export function softmax(numbers: readonly number[]): readonly number[] {
  const largest = Math.max(...numbers);
  const powers = numbers.map((each) => Math.exp(each - largest));
  const total = powers.reduce((sum, each) => sum + each, 0);
  return powers.map((each) => each / total);
}

// Of ordered categories each number stands for all up to its own; the last has the rest.
function cumulative(shares: readonly number[]): readonly number[] {
  return shares.map((share, at) => {
    const before = at === 0 ? 0 : (shares[at - 1] ?? 0);
    return at === shares.length - 1 ? 1 - before : share - before;
  });
}

function inverseOf(method: Method, element: Element): (x: number) => number {
  switch (method) {
    case 'none':
      return (x) => x;
    case 'logit':
      return (x) => 1 / (1 + Math.exp(-x));
    case 'probit':
      return normalCdf;
    case 'cloglog':
      return (x) => -Math.expm1(-Math.exp(x));
    case 'loglog':
      return (x) => Math.exp(-Math.exp(-x));
    case 'cauchit':
      return (x) => 0.5 + Math.atan(x) / Math.PI;
    case 'exp':
      return Math.exp;
    case 'simplemax':
    case 'softmax':
      return element.refuse(`normalizationMethod="${method}" does not fit the target`);
  }
}

function compileTable(table: Element, scope: Scope): Sum {
  const round = scope.isFloat ? Math.fround : (x: number) => x;
  const intercept = round(table.requiredNumber('intercept'));
  const terms = [
    ...table.all('NumericPredictor').map((each) => compileNumeric(each, scope)),
    ...compileCategorical(table.all('CategoricalPredictor'), scope),
    ...table.all('PredictorTerm').map((each) => compileTerm(each, scope)),
  ];
  return (row) => {
    let sum = intercept;
    for (const term of terms) {
      const value = term(row);
      if (value === undefined) return undefined;
      sum = round(sum + round(value));
    }
    return sum;
  };
}

function compileNumeric(element: Element, scope: Scope): Sum {
  const { slot, dataType } = scope.field(element.required('name'), element);
  if (!isNumeric(dataType) && dataType !== 'boolean') {
    element.refuse(`a field of ${dataType} is no number`);
  }
  const coefficient = element.requiredNumber('coefficient');
  const exponent = element.optionalNumber('exponent') ?? 1;
  return (row) => {
    const x = numberOf(row[slot]);
    if (x === undefined) return undefined;
    return coefficient * (exponent === 1 ? x : x ** exponent);
  };
}

// One look-up for each field, however many categories have a coefficient. A missing value has none.
function compileCategorical(elements: readonly Element[], scope: Scope): readonly Sum[] {
  const coefficients = new Map<number, Map<Value, number>>();
  for (const element of elements) {
    const field = scope.field(element.required('name'), element);
    const value = scope.parse(element.required('value'), field, element);
    const known = coefficients.get(field.slot) ?? new Map<Value, number>();
    if (known.has(value)) element.refuse(`"${value}" has two coefficients`);
    known.set(value, element.requiredNumber('coefficient'));
    coefficients.set(field.slot, known);
  }
  return [...coefficients].map(
    ([slot, known]) =>
      (row) =>
        known.get(row[slot]) ?? 0,
  );
}

function compileTerm(element: Element, scope: Scope): Sum {
  element.ignore('name');
  const coefficient = element.requiredNumber('coefficient');
  const factors = element.all('FieldRef').map((each) => scope.expression(each));
  if (factors.length === 0) element.refuse('it has no FieldRef');
  return (row) => {
    let product = coefficient;
    for (const factor of factors) {
      const x = numberOf(factor.evaluate(row));
      if (x === undefined) return undefined;
      product *= x;
    }
    return product;
  };
}

function numberOf(value: Value): number | undefined {
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : undefined;
}
