// How the predictions of an ensemble become one: numbers by sums, means, medians; categories by
// votes, or by the means of their probabilities.

import type { Element } from './element.ts';
import { median } from './functions/numbers.ts';
import {
  type Distribution,
  noPrediction,
  type Prediction,
  type Scope,
  type Value,
} from './model.ts';
import { mostProbable } from './regression.ts';

export const ensembleMethods = [
  'majorityVote',
  'weightedMajorityVote',
  'average',
  'weightedAverage',
  'median',
  'weightedMedian',
  'max',
  'sum',
  'weightedSum',
] as const;

export type EnsembleMethod = (typeof ensembleMethods)[number];

/** Makes one prediction of those of the segments; both lists have the same length, above zero. */
export type Combine = (
  predictions: readonly Prediction[],
  weights: readonly number[],
) => Prediction;

/** Makes one number of those of the segments; none of them is missing. */
export type CombineNumbers = (numbers: readonly number[], weights: readonly number[]) => number;

/** How categories or clusters are combined; refused where the method does not fit. */
export function combinationOf(where: Element, method: EnsembleMethod, scope: Scope): Combine {
  const { functionName } = scope;
  const isCluster = functionName === 'clustering';
  const isLabel = functionName === 'classification' || isCluster;
  if (isLabel && (method === 'majorityVote' || method === 'weightedMajorityVote')) {
    const isWeighted = method === 'weightedMajorityVote';
    return (predictions, weights) =>
      vote(predictions, isWeighted ? weights : undefined, scope.target.categories, isCluster);
  }
  if (functionName === 'classification') {
    if (method === 'average') return (predictions) => averageOf(predictions, undefined);
    if (method === 'weightedAverage') return averageOf;
    if (method === 'max') return mostCertain;
  }
  return where.refuse(`multipleModelMethod="${method}" is not supported for ${functionName}`);
}

/** How numbers are combined; refused where the method does not fit. */
export function numberCombinationOf(
  where: Element,
  method: EnsembleMethod,
  isFloat: boolean,
): CombineNumbers {
  const round = isFloat ? Math.fround : (x: number) => x;
  switch (method) {
    case 'median':
      return median;
    case 'weightedMedian':
      return weightedMedian;
    case 'max':
      return (numbers) => Math.max(...numbers);
    case 'sum':
      return (numbers) => sumOf(numbers, undefined, round);
    case 'weightedSum':
      return (numbers, weights) => sumOf(numbers, weights, round);
    case 'average':
      return (numbers) => round(sumOf(numbers, undefined, round) / numbers.length);
    case 'weightedAverage':
      return (numbers, weights) => {
        const total = weights.reduce((sum, each) => sum + each, 0);
        return round(sumOf(numbers, weights, round) / total);
      };
    case 'majorityVote':
    case 'weightedMajorityVote':
      return where.refuse(`multipleModelMethod="${method}" is not supported for regression`);
  }
}

function sumOf(
  numbers: readonly number[],
  weights: readonly number[] | undefined,
  round: (x: number) => number,
): number {
  let sum = 0;
  for (let at = 0; at < numbers.length; at += 1) {
    sum = round(sum + round((numbers[at] ?? 0) * (weights?.[at] ?? 1)));
  }
  return sum;
}

/**
 * The number at which half of the weight is reached: 1, 2 and 3 with the weights 1, 1 and 3 have 3.
 * Where exactly half lies below, the mean of the two numbers at the border.
 */
export function weightedMedian(numbers: readonly number[], weights: readonly number[]): number {
  const order = Array.from(numbers, (_, at) => at);
  order.sort((one, other) => (numbers[one] ?? 0) - (numbers[other] ?? 0));
  const half = weights.reduce((sum, each) => sum + each, 0) / 2;
  let below = 0;
  for (const [place, at] of order.entries()) {
    below += weights[at] ?? 0;
    const number = numbers[at] ?? Number.NaN;
    if (below === half) return (number + (numbers[order[place + 1] ?? at] ?? number)) / 2;
    if (below > half) return number;
  }
  return Number.NaN;
}

// A segment that predicts nothing votes for nothing; if nothing wins, nothing is predicted.
function vote(
  predictions: readonly Prediction[],
  weights: readonly number[] | undefined,
  categories: readonly Value[],
  isCluster: boolean,
): Prediction {
  // Ties go to the category that the file names first.
  const counts = new Map<Value, number>(categories.map((category) => [category, 0]));
  let total = 0;
  for (const [at, { value, entityId }] of predictions.entries()) {
    const name = isCluster ? entityId : value;
    const weight = weights?.[at] ?? 1;
    counts.set(name, (counts.get(name) ?? 0) + weight);
    total += weight;
  }
  const names = [...counts.keys()];
  const numbers = Array.from(counts.values(), (count) => (total === 0 ? 0 : count / total));
  const winner = mostProbable({ names, numbers });
  if (winner.value === undefined) return noPrediction;
  return isCluster ? { value: winner.value, entityId: String(winner.value) } : winner;
}

function averageOf(
  predictions: readonly Prediction[],
  weights: readonly number[] | undefined,
): Prediction {
  const first = predictions[0]?.probabilities;
  if (first === undefined) return noPrediction;
  let names = first.names;
  let count = names.length;
  let sums = new Array<number>(count).fill(0);
  let total = 0;
  for (let each = 0; each < predictions.length; each += 1) {
    const shares = predictions[each]?.probabilities;
    if (shares === undefined) return noPrediction;
    const weight = weights === undefined ? 1 : (weights[each] ?? 0);
    total += weight;
    // Nearly always one and the same list.
    if (shares.names !== names && !sameNames(shares.names, names)) {
      names = [...new Set([...names, ...shares.names])];
      sums = names.map((_, at) => sums[at] ?? 0);
      count = names.length;
      addByName(shares, weight, names, sums);
      continue;
    }
    const { numbers } = shares;
    for (let at = 0; at < count; at += 1) {
      sums[at] = (sums[at] ?? 0) + weight * (numbers[at] ?? 0);
    }
  }
  return mostProbable({ names, numbers: sums.map((sum) => sum / total) });
}

function addByName(
  { names, numbers }: Distribution,
  weight: number,
  all: readonly Value[],
  sums: number[],
): void {
  for (const [at, name] of names.entries()) {
    const to = all.indexOf(name);
    sums[to] = (sums[to] ?? 0) + weight * (numbers[at] ?? 0);
  }
}

function sameNames(one: readonly Value[], other: readonly Value[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}

// The segment that is surest of its category decides; of equally sure ones the mean.
function mostCertain(predictions: readonly Prediction[]): Prediction {
  let best = Number.NEGATIVE_INFINITY;
  let surest: Prediction[] = [];
  for (const prediction of predictions) {
    const { probabilities } = prediction;
    if (probabilities === undefined) return noPrediction;
    const top = largest(probabilities);
    if (top > best) surest = [];
    if (top >= best) surest.push(prediction);
    best = Math.max(best, top);
  }
  return averageOf(surest, undefined);
}

function largest({ numbers }: Distribution): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < numbers.length; at += 1) top = Math.max(top, numbers[at] ?? top);
  return top;
}
