// How near a row is to a centre: a function for two values of a field, and a measure that brings
// the fields together. Missing values are left out, and the rest counts for more instead
// (MissingValueWeights).

import { numbersOf } from './array.ts';
import type { Element } from './element.ts';
import { matrix } from './matrix.ts';
import type { Field, Scope } from './model.ts';

/** A field that centres have a coordinate for. */
export interface Item {
  readonly slot: number;
  readonly weight: number;
  /** What it is worth where others are missing. */
  readonly presence: number;
  readonly compare: (value: number, coordinate: number) => number;
}

/** The measure of a ClusteringModel. */
export interface Comparison {
  readonly items: readonly Item[];
  /** Whether small numbers are near (a distance); else large ones are (a similarity). */
  readonly isNearest: boolean;
  /** Compares values (NaN where one is missing) with a centre. */
  readonly compare: (values: Float64Array, center: readonly number[]) => number;
  /** Refuses a centre that the measure has no meaning for. */
  readonly check: (center: readonly number[], where: Element) => void;
}

const functions = ['absDiff', 'gaussSim', 'delta', 'equal', 'table'] as const;
type FunctionName = (typeof functions)[number];

const metrics = ['euclidean', 'squaredEuclidean', 'chebychev', 'cityBlock', 'minkowski'] as const;
const similarities = ['simpleMatching', 'jaccard', 'tanimoto', 'binarySimilarity'] as const;

/** Compiles ComparisonMeasure, ClusteringFields and MissingValueWeights of a model. */
export function compileComparison(model: Element, scope: Scope): Comparison {
  const element = model.child('ComparisonMeasure');
  element.ignore('minimum', 'maximum');
  const isNearest = element.choice('kind', ['distance', 'similarity']) === 'distance';
  const usual = element.choice('compareFunction', functions, 'absDiff');
  const measure = element.child(...metrics, ...similarities);
  const items = itemsOf(model, scope, usual);
  const metric = metrics.find((name) => name === measure.name);
  if (metric !== undefined) {
    const power = metric === 'minkowski' ? measure.requiredNumber('p-parameter') : 2;
    if (!(power > 0)) measure.refuse(`p-parameter="${power}" is not above 0`);
    const gather = gatherings[metric](power);
    return { items, isNearest, check: () => {}, compare: metricOf(items, gather, scope.isFloat) };
  }
  if (isNearest) measure.refuse('this is a similarity, but kind="distance"');
  for (const field of model.all('ClusteringField')) {
    if ((field.optionalNumber('fieldWeight') ?? 1) !== 1) {
      field.refuse(`fieldWeight has no meaning for ${measure.name}`);
    }
  }
  return { items, isNearest, check: checkBinary, compare: similarityOf(measure) };
}

function itemsOf(model: Element, scope: Scope, usual: FunctionName): readonly Item[] {
  const fields = model.all('ClusteringField');
  if (fields.length === 0) model.refuse('ClusteringField is missing');
  const weights = model.optionalChild('MissingValueWeights');
  const presences = weights === undefined ? undefined : numbersOf(weights.child('Array'));
  if (presences !== undefined && presences.length !== fields.length) {
    weights?.refuse(`it has ${presences.length} numbers for ${fields.length} fields`);
  }
  return fields.flatMap((element, at): Item[] => {
    const field = scope.field(element.required('field'), element);
    if (!element.flag('isCenterField', true)) {
      element.ignore('fieldWeight', 'similarityScale', 'compareFunction');
      element.ignoreChildren('Comparisons');
      return [];
    }
    const weight = element.optionalNumber('fieldWeight') ?? 1;
    const compare = compareOf(element, field, usual);
    return [{ slot: field.slot, weight, presence: presences?.[at] ?? 1, compare }];
  });
}

function compareOf(element: Element, field: Field, usual: FunctionName): Item['compare'] {
  const name = element.choice('compareFunction', functions, usual);
  if (name !== 'table' && field.dataType === 'string') {
    return element.refuse(`the field ${field.name} is text, and centres are numbers`);
  }
  const scale = name === 'gaussSim' ? element.requiredNumber('similarityScale') : undefined;
  if (scale === undefined) element.ignore('similarityScale');
  switch (name) {
    case 'absDiff':
      return (value, coordinate) => Math.abs(value - coordinate);
    case 'gaussSim':
      // At a distance of the scale the similarity is 0.5: exp(-ln 2).
      return (value, coordinate) =>
        Math.exp(-Math.LN2 * ((value - coordinate) / (scale ?? 1)) ** 2);
    case 'delta':
      return (value, coordinate) => (value === coordinate ? 0 : 1);
    case 'equal':
      return (value, coordinate) => (value === coordinate ? 1 : 0);
    case 'table':
      return tableOf(element, field);
  }
}

function tableOf(element: Element, { name, categories }: Field): Item['compare'] {
  const rows = matrix(element.child('Comparisons').child('Matrix'));
  const places = new Map(categories.map((category, at) => [Number(category), at]));
  if (categories.length === 0 || !categories.every((category) => typeof category === 'number')) {
    element.refuse(`a table needs numbers as declared values of ${name}`);
  }
  if (rows.length !== categories.length || rows[0]?.length !== categories.length) {
    element.refuse(`the table must have a row and a column for each value of ${name}`);
  }
  return (value, coordinate) =>
    rows[places.get(value) ?? -1]?.[places.get(coordinate) ?? -1] ?? Number.NaN;
}

/** Brings what fields say together: `add` one to the sum, `end` with the share that was given. */
interface Gathering {
  readonly add: (sum: number, weight: number, compared: number) => number;
  readonly end: (sum: number, adjustment: number) => number;
}

const gatherings: Readonly<Record<(typeof metrics)[number], (power: number) => Gathering>> = {
  euclidean: () => ({
    add: (sum, weight, compared) => sum + weight * compared * compared,
    end: (sum, adjustment) => Math.sqrt(sum * adjustment),
  }),
  squaredEuclidean: () => ({
    add: (sum, weight, compared) => sum + weight * compared * compared,
    end: (sum, adjustment) => sum * adjustment,
  }),
  chebychev: () => ({
    add: (most, weight, compared) => Math.max(most, weight * compared),
    end: (most, adjustment) => most * adjustment,
  }),
  cityBlock: () => ({
    add: (sum, weight, compared) => sum + weight * compared,
    end: (sum, adjustment) => sum * adjustment,
  }),
  minkowski: (power) => ({
    add: (sum, weight, compared) => sum + weight * compared ** power,
    end: (sum, adjustment) => (sum * adjustment) ** (1 / power),
  }),
};

// The adjustment is the weight of all fields divided by that of the fields given. With weights
// 1, 1, 2 and the last one missing: 4/2 = 2, so that two fields count as much as three.
function metricOf(
  items: readonly Item[],
  { add, end }: Gathering,
  isFloat: boolean,
): Comparison['compare'] {
  const all = items.reduce((sum, { presence }) => sum + presence, 0);
  return (values, center) => {
    let gathered = 0;
    let given = 0;
    for (const [at, { weight, presence, compare }] of items.entries()) {
      const value = values[at] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      gathered = add(gathered, weight, compare(value, center[at] ?? 0));
      if (isFloat) gathered = Math.fround(gathered);
      given += presence;
    }
    return given === 0 ? Number.NaN : end(gathered, all / given);
  };
}

function checkBinary(center: readonly number[], where: Element): void {
  if (!center.every((number) => number === 0 || number === 1)) {
    where.refuse('a centre for this similarity has other numbers than 0 and 1');
  }
}

interface Coefficients {
  readonly above: readonly [number, number, number, number];
  readonly below: readonly [number, number, number, number];
}

/** Of how often value and coordinate are 1 and 1, 1 and 0, 0 and 1, 0 and 0. */
function coefficientsOf(measure: Element): Coefficients {
  switch (measure.name) {
    case 'simpleMatching':
      return { above: [1, 0, 0, 1], below: [1, 1, 1, 1] };
    case 'jaccard':
      return { above: [1, 0, 0, 0], below: [1, 1, 1, 0] };
    case 'tanimoto':
      return { above: [1, 0, 0, 1], below: [1, 2, 2, 1] };
    default: {
      const read = (name: string): number => measure.requiredNumber(`${name}-parameter`);
      return {
        above: [read('c11'), read('c10'), read('c01'), read('c00')],
        below: [read('d11'), read('d10'), read('d01'), read('d00')],
      };
    }
  }
}

function similarityOf(measure: Element): Comparison['compare'] {
  const { above, below } = coefficientsOf(measure);
  return (values, center) => {
    let top = 0;
    let bottom = 0;
    for (const [at, value] of values.entries()) {
      if (Number.isNaN(value)) continue;
      // What is neither 0 nor 1 cannot be compared: the row has no similarity at all.
      if (value !== 0 && value !== 1) return Number.NaN;
      const kind = (value === 1 ? 0 : 2) + (center[at] === 1 ? 0 : 1);
      top += above[kind] ?? 0;
      bottom += below[kind] ?? 0;
    }
    return top / bottom;
  };
}
