// TreeModel: a walk from the root to a leaf, by the strategies that the model names for missing
// values and for nodes of which no child fits. Every node has its prediction ready.

import type { Element } from './element.ts';
import type { Distribution, Evaluator, Prediction, Row, Scope, Value } from './model.ts';
import { noPrediction } from './model.ts';
import { compilePredicate, predicateElements } from './predicates.ts';
import { type Combination, combine } from './tree-combination.ts';
import type { MissingStep, SplitTable } from './tree-splits.ts';
import { no, TreeBuilder, type TreeTable, unknown, yes } from './tree-table.ts';

const missingStrategies = [
  'none',
  'lastPrediction',
  'nullPrediction',
  'defaultChild',
  'weightedConfidence',
  'aggregateNodes',
] as const;

/** Compiles a TreeModel. */
export function compileTree(element: Element, scope: Scope): Evaluator {
  if (scope.functionName !== 'regression' && scope.functionName !== 'classification') {
    element.refuse(`trees for ${scope.functionName} are not supported`);
  }
  element.choice('splitCharacteristic', ['binarySplit', 'multiSplit'], 'multiSplit');
  const strategy = element.choice('missingValueStrategy', missingStrategies, 'none');
  const noTrueChild = element.choice(
    'noTrueChildStrategy',
    ['returnNullPrediction', 'returnLastPrediction'],
    'returnNullPrediction',
  );
  const penalty = element.optionalNumber('missingValuePenalty') ?? 1;
  const root = element.child('Node');
  const reader = new NodeReader(scope, strategy === 'defaultChild', penalty);
  reader.read(root);
  const returnsLast = noTrueChild === 'returnLastPrediction';
  const splits = penalty === 1 ? reader.splits() : undefined;
  if (splits !== undefined && strategy !== 'weightedConfidence' && strategy !== 'aggregateNodes') {
    return walkSplits(splits, missingStep(strategy, returnsLast), returnsLast, scope);
  }
  const table = reader.table();
  switch (strategy) {
    case 'weightedConfidence':
    case 'aggregateNodes':
      if (scope.functionName === 'regression') {
        element.refuse(`missingValueStrategy="${strategy}" is for classification`);
      }
      checkCounts(root);
      return walkAll(table, reader.recordCounts, returnsLast, strategy);
    case 'defaultChild':
      return walkDefault(table, reader.defaults, returnsLast, penalty);
    case 'none':
    case 'lastPrediction':
    case 'nullPrediction':
      return walk(table, returnsLast, strategy);
  }
}

class NodeReader {
  readonly #scope: Scope;
  readonly #needsDefault: boolean;
  readonly #hasPenalty: boolean;
  /** The categories of distributions, each list once: most nodes have the same. */
  readonly #names = new Map<string, readonly Value[]>();
  readonly #builder = new TreeBuilder();
  /** By the numbers of nodes. */
  readonly recordCounts: number[] = [];
  /** The number of the child that stands in where a value is missing. */
  readonly defaults: number[] = [];

  constructor(scope: Scope, needsDefault: boolean, penalty: number) {
    this.#scope = scope;
    this.#needsDefault = needsDefault;
    this.#hasPenalty = penalty !== 1;
  }

  /** Reads a node and all below it; answers its number. */
  read(element: Element): number {
    element.ignoreChildren('Partition');
    const predicate = element.child(...predicateElements);
    if (this.#hasPenalty && predicate.optional('booleanOperator') === 'surrogate') {
      predicate.refuse('missingValuePenalty with surrogates is not supported');
    }
    const compiled = compilePredicate(predicate, this.#scope);
    const at = this.#builder.add(compiled, this.#predictionOf(element));
    this.recordCounts[at] = element.optionalNumber('recordCount') ?? 0;
    const elements = element.all('Node');
    const children = elements.map((child) => this.read(child));
    this.#builder.setChildren(at, children);
    const preferred = element.optional('defaultChild');
    if (this.#needsDefault && children.length > 0) {
      const place = elements.findIndex((child) => child.optional('id') === preferred);
      const child = preferred === undefined ? undefined : children[place];
      this.defaults[at] =
        child ??
        element.refuse('missingValueStrategy="defaultChild" needs a defaultChild in every node');
    }
    return at;
  }

  table(): TreeTable {
    return this.#builder.build();
  }

  splits(): SplitTable | undefined {
    return this.#builder.splits(this.defaults);
  }

  #predictionOf(element: Element): Prediction {
    const id = element.optional('id');
    const score = element.optional('score');
    const { target, functionName } = this.#scope;
    if (functionName === 'regression') {
      element.ignoreChildren('ScoreDistribution');
      const value =
        score === undefined ? undefined : this.#scope.parse(score, { dataType: 'double' }, element);
      const rounded = this.#scope.isFloat && typeof value === 'number' ? Math.fround(value) : value;
      return id === undefined ? { value: rounded } : { value: rounded, entityId: id };
    }
    const shares = this.#distributionsOf(element);
    const parsed = score === undefined ? undefined : this.#scope.parse(score, target, element);
    const value = parsed ?? mostOf(shares?.counts);
    return {
      value,
      ...(id === undefined ? {} : { entityId: id }),
      ...(shares === undefined
        ? {}
        : { probabilities: shares.probabilities, confidences: shares.confidences }),
    };
  }

  #distributionsOf(element: Element) {
    const parts = element.all('ScoreDistribution');
    if (parts.length === 0) return undefined;
    const texts = parts.map((part) => part.required('value'));
    const key = JSON.stringify(texts);
    const names =
      this.#names.get(key) ??
      this.#scope.shared(texts.map((text) => this.#scope.parse(text, this.#scope.target, element)));
    this.#names.set(key, names);
    const counts = parts.map((part) => part.requiredNumber('recordCount'));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const share = (attribute: string): Distribution => {
      const given = parts.map((part) => part.optionalNumber(attribute));
      const isGiven = given.every((each) => each !== undefined);
      const numbers = counts.map((count, at) =>
        isGiven ? (given[at] ?? 0) : total === 0 ? 0 : count / total,
      );
      return { names, numbers };
    };
    const probabilities = share('probability');
    return {
      counts: { names, numbers: counts },
      probabilities,
      confidences: share('confidence'),
    };
  }
}

function mostOf(counts: Distribution | undefined): Value {
  if (counts === undefined) return undefined;
  const numbers = Array.from(counts.numbers);
  return counts.names[numbers.indexOf(Math.max(...numbers))];
}

/** The strategies that combine leaves need the counts of each. */
function checkCounts(element: Element): void {
  const children = element.all('Node');
  if (children.length === 0 && element.all('ScoreDistribution').length === 0) {
    element.refuse('the missingValueStrategy needs a ScoreDistribution in every leaf');
  }
  if (element.optionalNumber('recordCount') === undefined) {
    element.refuse('the missingValueStrategy needs a recordCount in every node');
  }
  for (const child of children) checkCounts(child);
}

/** What a split does without its value: with `none` neither of its children fits. */
function missingStep(
  strategy: 'none' | 'lastPrediction' | 'nullPrediction' | 'defaultChild',
  returnsLast: boolean,
): MissingStep {
  if (strategy === 'defaultChild') return strategy;
  if (strategy === 'none') return returnsLast ? 'stay' : 'nothing';
  return strategy === 'lastPrediction' ? 'stay' : 'nothing';
}

function walkSplits(
  table: SplitTable,
  onMissing: MissingStep,
  returnsLast: boolean,
  scope: Scope,
): Evaluator {
  const walked = (row: Row): number => table.walk(row, onMissing, returnsLast);
  const evaluate: Evaluator = (row) => table.prediction(walked(row)) ?? noPrediction;
  if (scope.functionName === 'classification') {
    const shares = table.shares(walked);
    return shares === undefined ? evaluate : Object.assign(evaluate, { shares });
  }
  const score = (row: Row): number => {
    const at = walked(row);
    return at === -1 ? Number.NaN : table.score(at);
  };
  return Object.assign(evaluate, { score });
}

function walk(
  table: TreeTable,
  returnsLast: boolean,
  strategy: 'none' | 'lastPrediction' | 'nullPrediction',
): Evaluator {
  const passesUnknown = strategy === 'none';
  const endsWithLast = strategy === 'lastPrediction';
  return (row) => {
    if (table.test(0, row) !== yes) return noPrediction;
    let last = 0;
    while (!table.isLeaf(last)) {
      let at = last + 1;
      let value = table.test(at, row);
      while (value !== yes) {
        if (value === unknown && !passesUnknown) return ended(table, last, endsWithLast);
        at = table.sibling(at);
        if (at === 0) return ended(table, last, returnsLast);
        value = table.test(at, row);
      }
      last = at;
    }
    return ended(table, last, true);
  };
}

function ended(table: TreeTable, at: number, withPrediction: boolean): Prediction {
  return (withPrediction ? table.prediction(at) : undefined) ?? noPrediction;
}

function walkDefault(
  table: TreeTable,
  defaults: readonly number[],
  returnsLast: boolean,
  penalty: number,
): Evaluator {
  return (row) => {
    if (table.test(0, row) === no) return noPrediction;
    let last = 0;
    let factor = 1;
    while (!table.isLeaf(last)) {
      let at = last + 1;
      let value = table.test(at, row);
      while (value === no) {
        at = table.sibling(at);
        if (at === 0) return punished(ended(table, last, returnsLast), factor);
        value = table.test(at, row);
      }
      if (value === unknown) {
        at = defaults[last] ?? 0;
        factor *= penalty;
      }
      last = at;
    }
    return punished(ended(table, last, true), factor);
  };
}

function punished(prediction: Prediction, factor: number): Prediction {
  const { confidences } = prediction;
  if (factor === 1 || confidences === undefined) return prediction;
  const numbers = Array.from(confidences.numbers, (each) => each * factor);
  return { ...prediction, confidences: { names: confidences.names, numbers } };
}

// Where a predicate is unknown, all children that may be meant are followed.
function walkAll(
  table: TreeTable,
  recordCounts: readonly number[],
  returnsLast: boolean,
  how: Combination,
): Evaluator {
  const follow = (parent: number, row: Row): Prediction => {
    if (table.isLeaf(parent)) return ended(table, parent, true);
    const possible: number[] = [];
    let isUnknown = false;
    for (let at = parent + 1; at !== 0; at = table.sibling(at)) {
      const value = table.test(at, row);
      if (value !== no) possible.push(at);
      if (value === yes && !isUnknown) break;
      if (value === unknown) isUnknown = true;
    }
    const [first] = possible;
    if (first === undefined) return ended(table, parent, returnsLast);
    if (!isUnknown) return follow(first, row);
    return combine(
      possible.map((at) => ({
        weight: recordCounts[at] ?? 0,
        prediction: follow(at, row),
      })),
      how,
    );
  };
  return (row) => (table.test(0, row) === no ? noPrediction : follow(0, row));
}
