// TreeModel: a walk from the root to a leaf. Nodes are plain objects with the usual comparison of
// a number in them, so that a walk calls no closure; every leaf has its prediction ready.

import type { Element } from './element.ts';
import type { Distribution, Evaluator, Prediction, Row, Scope, Value } from './model.ts';
import { noPrediction } from './model.ts';
import { compilePredicate, predicateElements } from './predicates.ts';
import { type Combination, combine } from './tree-combination.ts';
import { type TreeNode, testOf } from './tree-node.ts';

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
  const reader = new NodeReader(scope, strategy === 'defaultChild', penalty);
  const root = reader.read(element.child('Node'));
  const returnsLast = noTrueChild === 'returnLastPrediction';
  switch (strategy) {
    case 'weightedConfidence':
    case 'aggregateNodes':
      if (scope.functionName === 'regression') {
        element.refuse(`missingValueStrategy="${strategy}" is for classification`);
      }
      reader.checkCounts(element.child('Node'));
      return walkAll(root, returnsLast, strategy);
    case 'defaultChild':
      return walkDefault(root, returnsLast, penalty);
    case 'none':
    case 'lastPrediction':
    case 'nullPrediction':
      return walk(root, returnsLast, strategy);
  }
}

class NodeReader {
  readonly #scope: Scope;
  readonly #needsDefault: boolean;
  readonly #hasPenalty: boolean;
  /** The categories of distributions, each list once: most nodes have the same. */
  readonly #names = new Map<string, readonly Value[]>();

  constructor(scope: Scope, needsDefault: boolean, penalty: number) {
    this.#scope = scope;
    this.#needsDefault = needsDefault;
    this.#hasPenalty = penalty !== 1;
  }

  read(element: Element): TreeNode {
    element.ignoreChildren('Partition');
    const predicate = element.child(...predicateElements);
    if (this.#hasPenalty && predicate.optional('booleanOperator') === 'surrogate') {
      predicate.refuse('missingValuePenalty with surrogates is not supported');
    }
    const { test, number } = compilePredicate(predicate, this.#scope);
    const children = element.all('Node');
    const nodes = children.map((child) => this.read(child));
    return {
      operator: number?.operator,
      slot: number?.slot ?? -1,
      threshold: number?.threshold ?? 0,
      test: number === undefined ? test : undefined,
      children: nodes,
      defaultChild: this.#defaultOf(element, children, nodes),
      recordCount: element.optionalNumber('recordCount'),
      prediction: this.#predictionOf(element),
    };
  }

  /** The strategies that combine leaves need the counts of each. */
  checkCounts(element: Element): void {
    const children = element.all('Node');
    if (children.length === 0 && element.all('ScoreDistribution').length === 0) {
      element.refuse('the missingValueStrategy needs a ScoreDistribution in every leaf');
    }
    if (element.optionalNumber('recordCount') === undefined) {
      element.refuse('the missingValueStrategy needs a recordCount in every node');
    }
    for (const child of children) this.checkCounts(child);
  }

  #defaultOf(
    element: Element,
    children: readonly Element[],
    nodes: readonly TreeNode[],
  ): TreeNode | undefined {
    const id = element.optional('defaultChild');
    if (!this.#needsDefault || children.length === 0) return undefined;
    const at = children.findIndex((child) => child.optional('id') === id);
    if (id === undefined || at === -1) {
      element.refuse('missingValueStrategy="defaultChild" needs a defaultChild in every node');
    }
    return nodes[at];
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
      texts.map((text) => this.#scope.parse(text, this.#scope.target, element));
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

function walk(
  root: TreeNode,
  returnsLast: boolean,
  strategy: 'none' | 'lastPrediction' | 'nullPrediction',
): Evaluator {
  return (row) => {
    if (testOf(root, row) !== true) return noPrediction;
    let node = root;
    while (node.children.length > 0) {
      let next: TreeNode | undefined;
      for (const child of node.children) {
        const value = testOf(child, row);
        if (value === true) {
          next = child;
          break;
        }
        if (value === undefined && strategy !== 'none') {
          return strategy === 'lastPrediction' ? node.prediction : noPrediction;
        }
      }
      if (next === undefined) return returnsLast ? node.prediction : noPrediction;
      node = next;
    }
    return node.prediction;
  };
}

function walkDefault(root: TreeNode, returnsLast: boolean, penalty: number): Evaluator {
  return (row) => {
    if (testOf(root, row) === false) return noPrediction;
    let node = root;
    let factor = 1;
    while (node.children.length > 0) {
      let next: TreeNode | undefined;
      for (const child of node.children) {
        const value = testOf(child, row);
        if (value === false) continue;
        next = value === true ? child : node.defaultChild;
        if (value === undefined) factor *= penalty;
        break;
      }
      if (next === undefined) return returnsLast ? punished(node.prediction, factor) : noPrediction;
      node = next;
    }
    return factor === 1 ? node.prediction : punished(node.prediction, factor);
  };
}

function punished(prediction: Prediction, factor: number): Prediction {
  const { confidences } = prediction;
  if (factor === 1 || confidences === undefined) return prediction;
  const numbers = Array.from(confidences.numbers, (each) => each * factor);
  return { ...prediction, confidences: { names: confidences.names, numbers } };
}

// Where a predicate is unknown, all children that may be meant are followed.
function walkAll(root: TreeNode, returnsLast: boolean, how: Combination): Evaluator {
  const follow = (node: TreeNode, row: Row): Prediction => {
    if (node.children.length === 0) return node.prediction;
    const possible: TreeNode[] = [];
    let isUnknown = false;
    for (const child of node.children) {
      const value = testOf(child, row);
      if (value === false) continue;
      possible.push(child);
      if (value === true && !isUnknown) break;
      if (value === undefined) isUnknown = true;
    }
    const [first] = possible;
    if (first === undefined) return returnsLast ? node.prediction : noPrediction;
    if (!isUnknown) return follow(first, row);
    return combine(
      possible.map((child) => ({
        weight: child.recordCount ?? 0,
        prediction: follow(child, row),
      })),
      how,
    );
  };
  return (row) => (testOf(root, row) === false ? noPrediction : follow(root, row));
}
