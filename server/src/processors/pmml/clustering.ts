// Clusters by their centres (k-means and the like): a row belongs to the cluster whose centre is
// nearest, or most similar. What near means is the comparison's. Clusters by distributions are
// refused.

import { numberArrays, numbersOf } from './array.ts';
import { compileComparison, type Item } from './comparison.ts';
import type { Element } from './element.ts';
import type { Compile, Evaluator, Row } from './model.ts';
import { noPrediction } from './model.ts';
import { largest } from './winner.ts';

interface Cluster {
  readonly id: string;
  readonly name: string | undefined;
  readonly center: readonly number[];
}

/** Compiles a ClusteringModel. */
export const compileClustering: Compile = (element, scope) => {
  element.choice('modelClass', ['centerBased']);
  if (scope.functionName !== 'clustering') {
    element.refuse(`clusters for ${scope.functionName} are not supported`);
  }
  element.ignore('algorithmName');
  const comparison = compileComparison(element, scope);
  const clusters = element.all('Cluster').map((each, at): Cluster => {
    const center = centerOf(each, comparison.items);
    comparison.check(center, each);
    return { id: each.optional('id') ?? String(at + 1), name: each.optional('name'), center };
  });
  const declared = element.requiredNumber('numberOfClusters');
  if (declared !== clusters.length || declared === 0) {
    element.refuse(`numberOfClusters="${declared}", but there are ${clusters.length}`);
  }
  const names = clusters.map(({ id }) => id);
  if (new Set(names).size !== names.length) element.refuse('two clusters have the same id');
  const { isNearest } = comparison;
  const evaluate: Evaluator = (row) => {
    const values = valuesOf(comparison.items, row);
    if (values === undefined) return noPrediction;
    const numbers = Float64Array.from(clusters, ({ center }) => comparison.compare(values, center));
    const best = clusters[largest(isNearest ? numbers.map((number) => -number) : numbers)];
    if (best === undefined) return noPrediction;
    const named = best.name === undefined ? {} : { displayValue: best.name };
    const affinities = { names, numbers };
    return { value: best.id, entityId: best.id, ...named, affinities, isNearest };
  };
  return evaluate;
};

function centerOf(element: Element, items: readonly Item[]): readonly number[] {
  element.ignore('size');
  element.ignoreChildren('KohonenMap', 'Partition', 'Covariances');
  const center = numbersOf(element.child(...numberArrays));
  if (center.length !== items.length) {
    element.refuse(`its centre has ${center.length} numbers for ${items.length} fields`);
  }
  return center;
}

/** NaN where a value is missing; undefined if all are. */
function valuesOf(items: readonly Item[], row: Row): Float64Array | undefined {
  let isAnyGiven = false;
  const values = Float64Array.from(items, ({ slot }) => {
    const value = row[slot];
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number') return Number.NaN;
    isAnyGiven = true;
    return number;
  });
  return isAnyGiven ? values : undefined;
}
