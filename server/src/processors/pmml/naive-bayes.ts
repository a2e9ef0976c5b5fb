// Naive Bayes: the probability of each category from how often it came with each value of the
// inputs, or from a distribution of each input. Sums of logarithms, so that many inputs do not
// vanish in a product. An input that is missing is left out, as the standard has it.

import type { Element } from './element.ts';
import type { Compile, Evaluator, Prediction, Row, Scope, Value } from './model.ts';
import { noPrediction } from './model.ts';
import { cast, typeNamed } from './values.ts';
import { mostProbable } from './winner.ts';

/** Adds the logarithms of one input's probabilities, by category, to the sums. */
type Evidence = (row: Row, sums: Float64Array) => void;

interface Categories {
  readonly names: readonly Value[];
  readonly threshold: number;
}

/** Compiles a NaiveBayesModel. */
export const compileNaiveBayes: Compile = (element, scope) => {
  if (scope.functionName !== 'classification') {
    element.refuse(`naive Bayes for ${scope.functionName} is not supported`);
  }
  element.ignore('algorithmName');
  const threshold = element.requiredNumber('threshold');
  if (threshold < 0 || threshold >= 1) element.refuse(`threshold="${threshold}" is no probability`);
  const output = element.child('BayesOutput');
  const field = output.required('fieldName');
  if (scope.target.name !== undefined && field !== scope.target.name) {
    output.refuse(`fieldName="${field}" is not the target ${scope.target.name}`);
  }
  const counts = targetCounts(output, scope);
  const categories = { names: [...counts.keys()], threshold };
  if (categories.names.length === 0) output.refuse('it names no category');
  const prior = Float64Array.from(counts.values(), Math.log);
  const inputs = bayesInputs(element.child('BayesInputs')).map((input) =>
    evidence(input, scope, categories),
  );
  const evaluate: Evaluator = (row) => {
    const sums = Float64Array.from(prior);
    for (const add of inputs) add(row, sums);
    return posterior(categories.names, sums);
  };
  return evaluate;
};

// Writers for PMML 4.1, R's among them, put inputs with a distribution into an Extension, because
// that version had no place for them. To pass over those would leave inputs out.
function bayesInputs(element: Element): readonly Element[] {
  return element.all('BayesInput', 'Extension').flatMap((child) => {
    return child.name === 'BayesInput' ? [child] : child.all('BayesInput');
  });
}

function evidence(element: Element, scope: Scope, categories: Categories): Evidence {
  const inside = element.all('Extension').flatMap((each) => each.everyChild());
  const stats = element.optionalChild('TargetValueStats') ?? statsAmong(inside);
  const pairs = element.all('PairCounts');
  if ((stats === undefined) === (pairs.length === 0)) {
    return element.refuse('it must have either TargetValueStats or PairCounts');
  }
  const compiled =
    stats === undefined
      ? discrete(element, pairs, scope, categories)
      : continuous(element, stats, scope, categories);
  // Those inside of an Extension are not looked through with the rest of the file.
  element.refuseUnread();
  return compiled;
}

function statsAmong(elements: readonly Element[]): Element | undefined {
  const [only] = elements;
  if (only !== undefined && only.name !== 'TargetValueStats') {
    return only.refuse('this extension is not supported');
  }
  return only;
}

function discrete(
  element: Element,
  pairs: readonly Element[],
  scope: Scope,
  { names, threshold }: Categories,
): Evidence {
  const { read, dataType } = discreteInput(element, scope);
  const totals = new Float64Array(names.length);
  const byValue = new Map<Value, Float64Array>();
  for (const pair of pairs) {
    const value = scope.parse(pair.required('value'), { dataType }, pair);
    if (byValue.has(value)) pair.refuse(`there are other PairCounts for ${value}`);
    const row = new Float64Array(names.length);
    for (const [category, count] of targetCounts(pair, scope)) {
      const at = names.indexOf(category);
      if (at === -1) pair.refuse(`${category} is not among the categories of BayesOutput`);
      row[at] = count;
      totals[at] = (totals[at] ?? 0) + count;
    }
    byValue.set(value, row);
  }
  // A value that never came with a category stands for the threshold instead of for "never".
  for (const row of byValue.values()) {
    for (const [at, count] of row.entries()) {
      row[at] = Math.log(count > 0 ? count / (totals[at] ?? 1) : threshold);
    }
  }
  return (row, sums) => {
    // A value that was never counted would give every category the same threshold.
    const logs = byValue.get(read(row));
    if (logs === undefined) return;
    for (const [at, log] of logs.entries()) sums[at] = (sums[at] ?? 0) + log;
  };
}

function discreteInput(element: Element, scope: Scope) {
  const field = scope.field(element.required('fieldName'), element);
  const derived = element.optionalChild('DerivedField');
  if (derived === undefined) {
    return { read: (row: Row): Value => row[field.slot], dataType: field.dataType };
  }
  derived.ignore('name', 'displayName', 'optype');
  const name = derived.required('dataType');
  const dataType = typeNamed(name)?.dataType ?? derived.refuse(`there is no data type ${name}`);
  const expression = scope.expression(derived.child('Discretize'));
  const read = (row: Row): Value => cast(expression.evaluate(row), expression.dataType, dataType);
  return { read, dataType };
}

function continuous(
  element: Element,
  stats: Element,
  scope: Scope,
  { names, threshold }: Categories,
): Evidence {
  const { slot } = scope.field(element.required('fieldName'), element);
  const densities = new Map<Value, LogDensity>();
  for (const stat of stats.all('TargetValueStat')) {
    const category = scope.parse(stat.required('value'), scope.target, stat);
    if (densities.has(category)) stat.refuse(`there is another distribution for ${category}`);
    densities.set(category, logDensity(stat));
  }
  const ordered = names.map(
    (name) => densities.get(name) ?? stats.refuse(`there is no distribution for ${name}`),
  );
  const least = Math.log(threshold);
  return (row, sums) => {
    const value = row[slot];
    if (typeof value !== 'number') return;
    for (const [at, density] of ordered.entries()) {
      sums[at] = (sums[at] ?? 0) + Math.max(least, density(value));
    }
  };
}

type LogDensity = (value: number) => number;

/** The two distributions that the standard allows in a Bayes model. */
function logDensity(stat: Element): LogDensity {
  const distribution = stat.child('GaussianDistribution', 'PoissonDistribution');
  const mean = distribution.requiredNumber('mean');
  if (distribution.name === 'PoissonDistribution') {
    if (mean <= 0) distribution.refuse(`mean="${mean}" is not above 0`);
    return (value) => {
      if (value < 0 || !Number.isInteger(value)) return Number.NEGATIVE_INFINITY;
      return value * Math.log(mean) - mean - logFactorial(value);
    };
  }
  const variance = distribution.requiredNumber('variance');
  if (!(variance > 0)) distribution.refuse(`variance="${variance}" is not above 0`);
  const height = -Math.log(2 * Math.PI * variance) / 2;
  return (value) => height - (value - mean) ** 2 / (2 * variance);
}

/** Above this Stirling's series is exact to the last digit. */
const stirlingFrom = 50;

function logFactorial(n: number): number {
  if (n >= stirlingFrom) {
    const corrections = 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
    return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + corrections;
  }
  let sum = 0;
  for (let factor = 2; factor <= n; factor += 1) sum += Math.log(factor);
  return sum;
}

function targetCounts(element: Element, scope: Scope): ReadonlyMap<Value, number> {
  const counts = new Map<Value, number>();
  for (const each of element.child('TargetValueCounts').all('TargetValueCount')) {
    const category = scope.parse(each.required('value'), scope.target, each);
    const count = each.requiredNumber('count');
    if (!(count >= 0)) each.refuse(`count="${count}" is not a count`);
    if (counts.has(category)) each.refuse(`there is another count for ${category}`);
    counts.set(category, count);
  }
  return counts;
}

function posterior(names: readonly Value[], sums: Float64Array): Prediction {
  const most = sums.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
  // With a threshold of 0 every category may be impossible.
  if (!Number.isFinite(most)) return noPrediction;
  const shares = sums.map((sum) => Math.exp(sum - most));
  const total = shares.reduce((one, other) => one + other, 0);
  return mostProbable(
    names,
    shares.map((share) => share / total),
  );
}
