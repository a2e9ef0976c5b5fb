// The design of a general regression: which factors and covariates each parameter is multiplied
// with, and the sums that come of it. A factor counts 1 for its value and 0 for others, or what a
// contrast matrix says; a covariate counts with its power; several of one parameter are multiplied
// (interactions); a parameter without any is an intercept.

import type { Element } from './element.ts';
import { parseNumber } from './element.ts';
import { matrix } from './matrix.ts';
import type { Field, Row, Scope, Value } from './model.ts';

/** A linear predictor; undefined if a value that it needs is missing. */
export type Linear = (row: Row) => number | undefined;

/** A coefficient of ParamMatrix. */
export interface Coefficient {
  readonly parameter: string;
  readonly beta: number;
  readonly where: Element;
  /** As the file has it; undefined if it holds for all categories. */
  readonly category: string | undefined;
}

/** Parameters, predictors and coefficients of one model. */
export interface Design {
  readonly coefficients: readonly Coefficient[];
  /** Of a parameter, for Cox models; 0 unless the file says otherwise. */
  readonly referencePoint: (parameter: string) => number;
  /** The sum of these coefficients, each times what the design says for this category. */
  readonly linear: (coefficients: readonly Coefficient[], category: string | undefined) => Linear;
}

/** What one cell multiplies a parameter with; undefined if its value is missing. */
type Multiplier = (row: Row) => number | undefined;

/** Parameter names to multipliers. */
type Rows = ReadonlyMap<string, readonly Multiplier[]>;

/** Compiles ParameterList, FactorList, CovariateList, PPMatrix and ParamMatrix. */
export function designOf(model: Element, scope: Scope): Design {
  const references = referencePoints(model.child('ParameterList'));
  const rows = ppMatrix(model, scope, references);
  const usual = rows.get(undefined) ?? new Map<string, readonly Multiplier[]>();
  model.ignoreChildren('PCovMatrix');
  const coefficients = model
    .child('ParamMatrix')
    .all('PCell')
    .map((cell): Coefficient => {
      cell.ignore('df');
      const parameter = known(cell, references);
      const beta = cell.requiredNumber('beta');
      return { parameter, beta, where: cell, category: cell.optional('targetCategory') };
    });
  return {
    coefficients,
    referencePoint: (parameter) => references.get(parameter) ?? 0,
    linear: (chosen, category) =>
      sumOf(chosen, rows.get(category) ?? usual, scope.isFloat ? Math.fround : undefined),
  };
}

function referencePoints(list: Element): ReadonlyMap<string, number> {
  const points = new Map<string, number>();
  for (const parameter of list.all('Parameter')) {
    parameter.ignore('label');
    const name = parameter.required('name');
    if (points.has(name)) parameter.refuse(`there is another parameter ${name}`);
    points.set(name, parameter.optionalNumber('referencePoint') ?? 0);
  }
  return points;
}

function known(cell: Element, parameters: ReadonlyMap<string, number>): string {
  const name = cell.required('parameterName');
  return parameters.has(name) ? name : cell.refuse(`there is no parameter ${name}`);
}

function sumOf(
  coefficients: readonly Coefficient[],
  rows: Rows,
  round: ((sum: number) => number) | undefined,
): Linear {
  const terms = coefficients.map(({ beta, parameter }) => ({
    beta,
    multipliers: rows.get(parameter) ?? [],
  }));
  return (row) => {
    let sum = 0;
    for (const { beta, multipliers } of terms) {
      let product = 1;
      for (const multiplier of multipliers) {
        const factor = multiplier(row);
        if (factor === undefined) return undefined;
        product *= factor;
      }
      sum += beta * product;
      if (round !== undefined) sum = round(sum);
    }
    return sum;
  };
}

/** The rows of PPMatrix by target category; those for all categories under undefined. */
function ppMatrix(
  model: Element,
  scope: Scope,
  parameters: ReadonlyMap<string, number>,
): ReadonlyMap<string | undefined, Rows> {
  const factors = predictors(model.optionalChild('FactorList'));
  const covariates = predictors(model.optionalChild('CovariateList'));
  const factorTables = new Map(
    [...factors].map(([name, predictor]) => [name, factorOf(predictor, name, scope)]),
  );
  const all = new Map<string | undefined, Map<string, Multiplier[]>>();
  for (const cell of model.optionalChild('PPMatrix')?.all('PPCell') ?? []) {
    const parameter = known(cell, parameters);
    const name = cell.required('predictorName');
    const factor = factorTables.get(name);
    if (factor === undefined && !covariates.has(name)) {
      cell.refuse(`${name} is neither in FactorList nor in CovariateList`);
    }
    if (factor !== undefined && covariates.has(name)) {
      cell.refuse(`${name} is in FactorList and in CovariateList`);
    }
    const multiplier = factor === undefined ? powerOf(cell, name, scope) : factor(cell);
    const category = cell.optional('targetCategory');
    const rows = all.get(category) ?? new Map<string, Multiplier[]>();
    all.set(category, rows);
    rows.set(parameter, [...(rows.get(parameter) ?? []), multiplier]);
  }
  return all;
}

function predictors(list: Element | undefined): ReadonlyMap<string, Element> {
  const found = new Map<string, Element>();
  for (const predictor of list?.all('Predictor') ?? []) {
    predictor.ignore('contrastMatrixType');
    found.set(predictor.required('name'), predictor);
  }
  return found;
}

function powerOf(cell: Element, name: string, scope: Scope): Multiplier {
  const text = cell.required('value');
  const power = parseNumber(text) ?? cell.refuse(`value="${text}" is not a number`);
  const { slot, dataType } = scope.field(name, cell);
  if (dataType === 'string') cell.refuse(`the covariate ${name} is text`);
  return (row) => {
    const value = row[slot];
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number') return undefined;
    return power === 1 ? number : number ** power;
  };
}

/** Makes the multipliers of a factor's cells. */
function factorOf(predictor: Element, name: string, scope: Scope): (cell: Element) => Multiplier {
  const field = scope.field(name, predictor);
  const contrasts = predictor.optionalChild('Matrix');
  const listed = predictor.optionalChild('Categories');
  const categories =
    listed?.all('Category').map((each) => scope.parse(each.required('value'), field, each)) ??
    field.categories;
  if (contrasts !== undefined)
    return contrastOf(predictor, matrix(contrasts), field, categories, scope);
  const { slot } = field;
  return (cell) => {
    const own = scope.parse(cell.required('value'), field, cell);
    return (row) => {
      const value = row[slot];
      if (value === undefined) return undefined;
      return value === own ? 1 : 0;
    };
  };
}

// Rows stand for the value of the row, columns for the value of the cell, in the same order. A
// matrix may lack the last column: then no cell may stand for the last value.
function contrastOf(
  predictor: Element,
  contrasts: readonly (readonly number[])[],
  { slot, name, ...field }: Field,
  categories: readonly Value[],
  scope: Scope,
): (cell: Element) => Multiplier {
  const columns = contrasts[0]?.length ?? 0;
  const count = categories.length;
  if (contrasts.length !== count || (columns !== count && columns !== count - 1)) {
    predictor.refuse(
      `${contrasts.length} rows and ${columns} columns do not fit ${name} with ${count} categories`,
    );
  }
  const places = new Map(categories.map((category, at) => [category, at]));
  return (cell) => {
    const column = places.get(scope.parse(cell.required('value'), field, cell)) ?? columns;
    if (column >= columns)
      cell.refuse(`the contrast matrix of ${name} has no column for this value`);
    return (row) => {
      const value = row[slot];
      const place = value === undefined ? undefined : places.get(value);
      return place === undefined ? undefined : contrasts[place]?.[column];
    };
  };
}
