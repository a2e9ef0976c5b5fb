// What the output neurons of a network mean: a number on the scale of the target, undone from the
// scale of the network; or the probability of a category each.

import type { Element } from './element.ts';
import type { Prediction, Scope, Value } from './model.ts';
import { noPrediction } from './model.ts';
import { mostProbable } from './winner.ts';

/** Turns the activations of a network into a prediction. */
export type Answer = (states: Float64Array) => Prediction;

/** Compiles NeuralOutputs; `places` says where each neuron's activation stands. */
export function neuralOutputs(
  element: Element,
  scope: Scope,
  places: ReadonlyMap<string, number>,
): Answer {
  element.ignore('numberOfOutputs');
  const outputs = element.all('NeuralOutput');
  const [first, second] = outputs;
  if (first === undefined) return element.refuse('NeuralOutput is missing');
  if (scope.functionName === 'classification') return categories(element, outputs, scope, places);
  if (scope.functionName !== 'regression') {
    return element.refuse(`a neural network for ${scope.functionName} is not supported`);
  }
  if (second !== undefined) return second.refuse('more than one target is not supported');
  const neuron = neuronOf(first, places);
  const undo = scaleOf(first, scope);
  return (states) => {
    const value = undo(states[neuron] ?? Number.NaN);
    return value === undefined ? noPrediction : { value };
  };
}

function neuronOf(output: Element, places: ReadonlyMap<string, number>): number {
  const id = output.required('outputNeuron');
  return places.get(id) ?? output.refuse(`there is no neuron ${id}`);
}

/** The expression in the output's DerivedField, which speaks of the target. */
function expressionOf(output: Element, scope: Scope, ...names: readonly string[]): Element {
  const derived = output.child('DerivedField');
  derived.ignore('name', 'displayName', 'optype', 'dataType');
  const expression = derived.child(...names);
  const field = expression.required('field');
  if (scope.target.name !== undefined && field !== scope.target.name) {
    expression.refuse(`field="${field}" is not the target ${scope.target.name}`);
  }
  return expression;
}

function categories(
  element: Element,
  outputs: readonly Element[],
  scope: Scope,
  places: ReadonlyMap<string, number>,
): Answer {
  if (outputs.length < 2) {
    return element.refuse('a classification needs an output neuron for each category');
  }
  const names: Value[] = [];
  for (const output of outputs) {
    const expression = expressionOf(output, scope, 'NormDiscrete');
    expression.choice('method', ['indicator'], 'indicator');
    expression.ignore('mapMissingTo');
    const name = scope.parse(expression.required('value'), scope.target, expression);
    if (names.includes(name)) expression.refuse(`there is another output for ${name}`);
    names.push(name);
  }
  const neurons = outputs.map((output) => neuronOf(output, places));
  return (states) =>
    mostProbable(
      names,
      Float64Array.from(neurons, (neuron) => states[neuron] ?? Number.NaN),
    );
}

function scaleOf(output: Element, scope: Scope): (norm: number) => number | undefined {
  const expression = expressionOf(output, scope, 'FieldRef', 'NormContinuous');
  if (expression.name === 'FieldRef') {
    expression.ignore('mapMissingTo');
    return (norm) => norm;
  }
  expression.ignore('mapMissingTo');
  const outliers = expression.choice(
    'outliers',
    ['asIs', 'asMissingValues', 'asExtremeValues'],
    'asIs',
  );
  const points = expression.all('LinearNorm').map((point) => ({
    orig: point.requiredNumber('orig'),
    norm: point.requiredNumber('norm'),
  }));
  if (points.length < 2) return expression.refuse('it needs two LinearNorm or more');
  const sorted = points.toSorted((one, other) => one.norm - other.norm);
  for (const [at, { norm }] of sorted.entries()) {
    if (norm === sorted[at + 1]?.norm) expression.refuse(`norm="${norm}" stands for two values`);
  }
  return (norm) => original(norm, sorted, outliers);
}

interface Point {
  readonly orig: number;
  readonly norm: number;
}

/** Straight lines through the points, the other way round: 0.25 with (0, 10) and (1, 30) is 15. */
function original(
  norm: number,
  points: readonly Point[],
  outliers: 'asIs' | 'asMissingValues' | 'asExtremeValues',
): number | undefined {
  const last = points.length - 1;
  const [lowest, highest] = [points[0], points[last]];
  if (lowest === undefined || highest === undefined) return undefined;
  const isOutside = norm < lowest.norm || norm > highest.norm;
  if (isOutside && outliers === 'asMissingValues') return undefined;
  if (isOutside && outliers === 'asExtremeValues') {
    return norm < lowest.norm ? lowest.orig : highest.orig;
  }
  const after = points.findIndex((point) => norm <= point.norm);
  const to = Math.max(1, after === -1 ? last : after);
  const [left, right] = [points[to - 1] ?? lowest, points[to] ?? highest];
  const share = (norm - left.norm) / (right.norm - left.norm);
  return left.orig + share * (right.orig - left.orig);
}
