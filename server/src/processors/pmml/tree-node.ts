// A node of a compiled tree and its test.

import type { Predicate, Prediction, Row } from './model.ts';
import type { Operator } from './predicates.ts';

export interface TreeNode {
  /** The comparison of the field in `slot` with `threshold`; undefined: `test` says it. */
  readonly operator: Operator | undefined;
  readonly slot: number;
  readonly threshold: number;
  readonly test: Predicate | undefined;
  readonly children: readonly TreeNode[];
  readonly defaultChild: TreeNode | undefined;
  readonly recordCount: number | undefined;
  /** Of the node, should the walk end here. */
  readonly prediction: Prediction;
}

/** What the predicate of a node says; undefined where it is unknown. */
export function testOf(node: TreeNode, row: Row): boolean | undefined {
  if (node.test !== undefined) return node.test(row);
  const x = row[node.slot];
  if (typeof x !== 'number') return undefined;
  switch (node.operator) {
    case 'lessOrEqual':
      return x <= node.threshold;
    case 'greaterThan':
      return x > node.threshold;
    case 'lessThan':
      return x < node.threshold;
    case 'greaterOrEqual':
      return x >= node.threshold;
    case 'equal':
      return x === node.threshold;
    case 'notEqual':
      return x !== node.threshold;
    case 'isMissing':
    case 'isNotMissing':
    case undefined:
      return undefined;
  }
}
